# What bench measures is kept, each call's time included; a history that cannot take it loses nothing.
tiny=$SOURCE/tests/golden/engine/tiny_bart
bench() { "$HONE" bench "$tiny" --threads 1 --warmup 0 --runs 20 --new-tokens 2 --json "$@"; }
bench --history h.sqlite > one
bench --history h.sqlite --num-beams 3 > two
"$HONE" history --history h.sqlite --json > list
wc -l < list
grep -c '"warmup":0,"runs":20,"fill":false,"new_tokens":2' list
sed -n 's/.*"report":\({.*}\),"times_ms":.*/\1/p' list > reports
cat one two | cmp - reports && echo "the reports are those that were printed"
sed -n '1s/.*"times_ms":\[\(.*\)\].*/\1/p' list | tr ',' '\n' | wc -l
"$HONE" history --history h.sqlite --model tiny_bart --limit 1 | grep -c 'beams 3 '
"$HONE" history --history h.sqlite --model other | wc -l
bench > /dev/null && test -s "$XDG_CACHE_HOME/hone/history.sqlite" && echo "the user's own is begun"
# a damaged one: the answer is there all the same
head -c 300 h.sqlite > torn.sqlite
bench --history torn.sqlite 2> err | sed 's/.*"digest".*/an answer/'; bench --history torn.sqlite > /dev/null 2>&1; echo "exit $?"; cat err
# the user's own cannot be written: a remark, and exit 0
touch file
XDG_CACHE_HOME=$PWD/file "$HONE" bench "$tiny" --threads 1 --warmup 0 --runs 1 --new-tokens 2 --json 2> err | wc -l; cat err
XDG_CACHE_HOME=$PWD/new "$HONE" bench "$tiny" --threads 1 --warmup 0 --runs 1 --new-tokens 2 --no-history --engine-cache none > /dev/null; ls
