# exit: 5
# Data in both forms, blank lines, sources that the model does not know, and predictions that cannot be put in place.
tiny=$SOURCE/tests/golden/engine/tiny_bart
evaluate() { "$HONE" eval "$tiny" "$@" --threads 1 --json > out 2> err; echo "exit $? $(cat err)"; }
printf '{"input_ids":[0,5,6,2],"label_ids":[2]}\r\n \r\n\n{"input_ids":[0,7,2],"label_ids":[]}\n' > data
evaluate data --baseline "$tiny" --predictions predictions
sed -e 's/,"ms_per_sample":[^,]*//g' out
cat predictions
echo '{"input_ids":[0,500,2],"label_ids":[2]}' > strange && evaluate strange
echo '{"input_ids":[0,5,2]}' > unlabelled && evaluate unlabelled
echo '{"text":"a","summary":"b"}' > texts && evaluate texts
: > nothing && evaluate nothing
evaluate missing
mkdir folder && evaluate data --predictions folder
evaluate data --predictions missing/file
cat out
ls
"$HONE" eval "$tiny" data --threads 1 --predictions /dev/full
