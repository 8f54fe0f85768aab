# libhone.so exports what hone.h declares and nothing else, all of it called hone_*.
sed -n 's/^HONE_API .*[ *]\([a-z_0-9]*\)(.*/\1/p' include/hone/hone.h | sort > build/declared.txt
nm -D --defined-only build/libhone.so | awk '{ print $3 }' | sort > build/exported.txt
grep -v '^hone_' build/exported.txt && exit 1
diff build/declared.txt build/exported.txt
