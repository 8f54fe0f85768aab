# C files and scripts have at most 900 lines (a warning from 600), functions about 60 (a warning from 80); tables are
# exempt: files whose second line says "Table".
. tools/check/files.sh
files '*.c' '*.h' '*.sh' '*.py' dev | xargs awk '
    FNR == 1 { if (name) judge(); name = FILENAME; table = 0 }
    FNR <= 2 && /Table/ { table = 1 }
    { lines = FNR }
    FILENAME ~ /\.c$/ && /^[A-Za-z].*\) \{$/ { start = FNR; what = $0 }
    FILENAME ~ /\.c$/ && /^\}/ && start {
        if (FNR - start > 80 && !table) print "warning: " FILENAME ":" start ": " FNR - start " lines in " what
        start = 0
    }
    function judge() {
        if (table) return
        if (lines > 900) { print name " has " lines " lines, more than 900"; bad = 1 }
        else if (lines > 600) print "warning: " name " has " lines " lines"
    }
    END { judge(); exit bad }'
