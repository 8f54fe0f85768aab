# A history that is not there, and one that is none.
"$HONE" history --history none 2>&1; echo "exit $?"
XDG_CACHE_HOME=$PWD/cache "$HONE" history 2>&1; echo "exit $?"
echo "no database, but long enough to be looked at as one, which takes more than a hundred bytes or so of text" > text
"$HONE" history --history text 2>&1; echo "exit $?"
