# A file includes only its own room and those that src/LAYERS allows it, always as "room/file.h".
. tools/check/files.sh
files 'src/*.[ch]' 'src/*.def' | grep / | xargs awk '
    FILENAME == "src/LAYERS" {
        if ($0 ~ /^[a-z]+:/) {
            room = substr($1, 1, length($1) - 1)
            for (i = 2; i <= NF; i++) {
                if (!($i in known)) { print "src/LAYERS: " room " names " $i ", which is not above it"; bad = 1 }
                may[room, $i] = 1
            }
            known[room] = 1
        }
        next
    }
    /^#include "/ {
        split(FILENAME, path, "/"); room = path[2]
        split($2, quoted, "\""); slash = index(quoted[2], "/"); from = substr(quoted[2], 1, slash - 1)
        if (room == "banned.h") next
        if (!slash) { print FILENAME ":" FNR ": " $2 " is not \"room/file.h\""; bad = 1 }
        else if (!(room in known)) { print FILENAME ":" FNR ": room " room " is not in src/LAYERS"; bad = 1 }
        else if (from == "hone") { if (room != "api" && room != "cli") { print FILENAME ":" FNR ": " $2 " is for users"; bad = 1 } }
        else if (from != room && !((room, from) in may)) { print FILENAME ":" FNR ": room " room " may not include " $2; bad = 1 }
    }
    END { exit bad }' src/LAYERS
