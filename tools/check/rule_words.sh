# Words that may not be in the sources: functions that overrun or allocate uncounted, things left to do, paths of one
# machine; and the one line that has to be in each.
. tools/check/files.sh
status=0
refuse() { # REASON PATTERN FILE...
    reason=$1 pattern=$2; shift 2
    if grep -nE "$pattern" "$@" /dev/null; then echo "^ $reason"; status=1; fi
}
# shellcheck disable=SC2046
{
    refuse "allocates outside src/base" '(^|[^a-zA-Z_>.])(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|reallocarray) ?\(' \
        $(files 'src/*.c' 'src/*.h' | grep -v '^src/base/')
    refuse "banned function" '(^|[^a-zA-Z_>.])(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|alloca|atoi|atol|atof|strdup|strndup|asprintf|system|popen|tmpnam) ?\(' \
        $(files '*.c' '*.h')
    refuse "prints or leaves from library code" '(^|[^a-zA-Z_>.])(printf|puts|perror|exit|abort|putchar) ?\(' \
        $(files 'src/*.c' 'src/*.h' | grep -v '^src/cli/')
    refuse "left to do" 'TO''DO|FIX''ME|(^|[^X])XX''X([^X]|$)' $(files '*.c' '*.h' '*.py' '*.sh' '*.build' '*.def' '*.md' dev .ci/run)
    refuse "path of one machine" '/(work|root|home)/' $(files '*.c' '*.h' '*.py' '*.sh' '*.build' '*.def' '*.md' '*.ini' dev .ci/run)
}
for file in $(files '*.c' '*.h'); do
    head -n 1 "$file" | grep -q '^// SPDX-License-Identifier: Apache-2.0$' || { echo "$file does not begin with its SPDX line"; status=1; }
done
exit $status
