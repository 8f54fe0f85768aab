# A picture to standard output or a file is the same; what cannot be drawn is told.
cat > spec.json <<'END'
{"kind":"waterfall","title":"a < b & c","axis":"ms","bars":[{"label":"x","value":4,"low":3,"high":5},{"label":"y","value":1}]}
END
"$HONE" plot spec.json > one.svg && "$HONE" plot spec.json -o two.svg && cmp one.svg two.svg || exit 9
grep '<title\|saved\|class="bar"' one.svg | grep -v '^text\|^\.'
echo '{"kind":"pie","title":"t"}' > bad.json
"$HONE" plot bad.json 2>&1; echo "exit $?"
"$HONE" plot none.json 2>&1; echo "exit $?"
"$HONE" plot spec.json -o none/x.svg > /dev/null 2>&1; echo "exit $?"
