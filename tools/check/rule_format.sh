# C files are as clang-format writes them.
. tools/check/files.sh
files '*.c' '*.h' | xargs clang-format --dry-run -Werror
