# Every header compiles alone.
. tools/check/files.sh
files 'src/*.h' 'include/*.h' | grep -v '^src/banned.h' | {
    status=0
    while read -r header; do
        # shellcheck disable=SC2086
        printf '#include "%s"\n' "$header" |
            gcc $flags -Werror -I. $(pkg-config --cflags jansson libpcre2-8 libutf8proc libxxhash) -fsyntax-only -x c - || {
                echo "$header does not compile alone"
                status=1
            }
    done
    exit $status
}
