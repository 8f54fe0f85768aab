#!/bin/sh
# Makes the Python environment that holds the reference implementations, outside the repository ($HONE_ORACLE, else under the
# user's cache), and prints its python. Arguments: further packages, as pip takes them.
set -eu
folder=${HONE_ORACLE:-${XDG_CACHE_HOME:-$HOME/.cache}/hone/oracle}
[ -x "$folder/bin/python" ] || python3 -m venv "$folder" >&2
want="torch==2.13.0 transformers==4.57.6 tokenizers safetensors rouge_score nltk numpy compressed-tensors bitsandbytes accelerate $*"
stamp="$folder/hone-packages"
if [ "$(cat "$stamp" 2> /dev/null || true)" != "$want" ]; then
    "$folder/bin/pip" install -q torch==2.13.0 >&2
    # compressed-tensors asks for no particular transformers; the pinned one is installed last and stays.
    # shellcheck disable=SC2086 # a list of words
    "$folder/bin/pip" install -q $want >&2
    printf '%s' "$want" > "$stamp"
fi
echo "$folder/bin/python"
