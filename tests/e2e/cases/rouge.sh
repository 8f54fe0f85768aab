# Pairs in, scores out, line by line in order; what cannot be scored answers with an error in its place and the end is 3.
cat > pairs <<'LINES'
{"target":"The cats sat on the mat.","prediction":"a cat sat\non the mat"}
{"target":["x y","the cat sat"],"prediction":"The cat sat!"}
LINES
"$HONE" rouge < pairs
echo "exit $?"
"$HONE" rouge --types rouge1,rougeLsum --stem < pairs
"$HONE" rouge --types rouge2 --tokenizer unicode <<'LINES'
{"target":"내일 오전 10시","prediction":"내일 오전에 10시"}
{"target":"내일, 오전!","prediction":"내일 오전"}
LINES
echo '{"target":"내일 A","prediction":"내 일a"}' | "$HONE" rouge --types rouge1 --tokenizer char --json
"$HONE" rouge --types rouge1 2> err <<'LINES'
{"target":"a","prediction":"a"}
{"target":"a"}
not JSON
{"target":[],"prediction":"a"}

{"target":"a","prediction":"b"}
LINES
echo "exit $? $(cat err)"
"$HONE" rouge --types rouge1 --aggregate < pairs
"$HONE" rouge --types rouge1 --aggregate < pairs > again
"$HONE" rouge --types rouge1 --aggregate < pairs | cmp - again || exit 9
{ cat pairs; echo '{}'; } | "$HONE" rouge --types rouge1 --aggregate 2> err | cut -c 1-72
"$HONE" rouge --aggregate < /dev/null 2> err
echo "exit $? $(cat err)"
"$HONE" rouge < /dev/null
echo "exit $?"
"$HONE" rouge --types rouge10 < pairs 2> err
echo "exit $? $(cat err)"
"$HONE" rouge --tokenizer mecab < pairs 2> err
echo "exit $? $(cat err)"
