# A page of evidence: from a document, from a hone.json and from a folder the same, to a file or to standard output; what is no
# evidence is told, and no file is left behind.
evidence=$SOURCE/tests/golden/compress/evidence.json
"$HONE" report "$evidence" -o page.html && "$HONE" report "$evidence" > same.html && cmp page.html same.html || exit 9
mkdir model
{ printf '{"hone":"0.1.0","files":[],"evidence":'; cat "$evidence"; echo '}'; } > model/hone.json
"$HONE" report model | cmp - page.html && "$HONE" report model/hone.json | cmp - page.html || exit 9
grep -c '<section' page.html
grep -o "<h1.*</h1>" page.html
grep -o '<title>[^<]*</title>' page.html | head -n 1
grep -ci 'http[s]*:' page.html && grep -o 'https*:[^"]*' page.html | sort -u
mkdir plain && echo '{"files":[]}' > plain/hone.json
"$HONE" report plain -o none.html 2>&1; echo "exit $?"
"$HONE" report . -o none.html 2>&1; echo "exit $?"
echo '{"model_type":"bart"}' > config.json
"$HONE" report config.json -o none.html 2>&1; echo "exit $?"
echo '{"rows":[{"weights_mb":"6 MB"}]}' > bad.json
"$HONE" report bad.json -o none.html 2>&1; echo "exit $?"
echo '{"rows":' > cut.json
"$HONE" report cut.json -o none.html 2>&1; echo "exit $?"
"$HONE" report "$evidence" -o none/page.html 2> /dev/null; echo "exit $?"
"$HONE" report 2>&1; echo "exit $?"
ls
