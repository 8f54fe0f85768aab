# A model in int8 is written, verified, runs, and is told apart when a byte of it changes.
# needs: demo/model/model.safetensors
model=$SOURCE/demo/model
"$HONE" quantize "$model" -o int8 --scheme int8 2>&1 | sed 's/ [0-9.]* MB//' | cut -c 1-8
"$HONE" quantize "$model" -o again --scheme int8 --json | cut -c 1-33
for file in config.json hone.json model.safetensors tokenizer.json; do cmp int8/$file again/$file || exit 9; done
cmp "$model/tokenizer.json" int8/tokenizer.json || exit 9
"$HONE" verify int8 | cut -c 1-60
echo '"Anna: Lunch at one? Ben: Yes, at the Blue Cafe."' > line
"$HONE" generate int8 --max-new-tokens 4 < line | grep -c '"finish":"length"'
"$HONE" quantize int8 -o half --scheme fp16 2> err
echo "exit $? $(cat err)"
ls
"$HONE" quantize "$model" -o half --scheme int8 --loadable > /dev/null
"$HONE" verify half --json | grep -o '"name":[^}]*compressed-tensors","takes":[a-z]*'
printf x | dd of=int8/model.safetensors bs=1 seek=3000000 conv=notrunc 2> /dev/null
"$HONE" verify int8 > /dev/null 2> err
echo "exit $? $(sed 's/SHA-256 is [0-9a-f]*/SHA-256 is HASH/; s/says [0-9a-f]*/says HASH/' err)"
head -c 1000000 half/model.safetensors > cut && cp cut half/model.safetensors
"$HONE" verify half > /dev/null 2> err
echo "exit $? $(sed 's/[0-9][0-9]*/N/g' err)"
