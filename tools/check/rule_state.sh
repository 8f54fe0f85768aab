# No mutable globals outside src/base.
objdump -t build/src/libhone_*.a 2> /dev/null | awk '
    /^In archive/ { archive = $3 }
    / O \.(bss|data)[^.]/ && archive !~ /libhone_base/ { print archive " " $NF " is mutable and global"; bad = 1 }
    END { exit bad }'
