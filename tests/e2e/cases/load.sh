# The clients that the server is measured with get what they ask for, and tell apart who misbehaved. A server that is told
# to end under way ends with 0 and answers what it took.
load=$(dirname "$HONE")/bench/hone-load
"$HONE" serve "$SOURCE/demo/model" --port 0 --threads 1 --no-history --log log > out 2> err &
server=$!
trap 'kill -9 $server 2> /dev/null' EXIT
for _ in $(seq 600); do grep -q K/V out && break; kill -0 $server || break; sleep 0.1; done
url=$(sed -n 's/^listening on //p' out)
printf '{"text":"Tom: Hi! Ann: Hello, how are you?"}\n{"input_ids":[0,5,6,7,2]}\n' > work
told() { tr ',{}' '\n\n\n' < "$1" | grep -E "^\"($2)\":" | tr '\n' ' '; echo; }

"$load" --url "$url" --workload work --concurrency 8 --requests 40 --lengths 4:9 --pid $server > one.json
told one.json 'requests|good|left|accepted_bad|output_tokens|400|reset|cut|unfinished'
sed 's/.*"engine_s":\([0-9.]*\),"http_s":\([0-9.]*\),"watch_s":\([0-9.]*\).*/\1 \2 \3/' one.json |
    awk '{ print "threads told apart:", ($1 > 0), ($2 > 0), ($3 > 0) }'
"$load" --plan --workload work --requests 40 --lengths 4:9 | sed 's/.*"tokens":\([0-9]*\).*/\1/' | awk '{ n += $1 } END { print n, "planned" }'
"$load" --url "$url" --workload work --rate 200 --requests 40 --lengths 4 --whole --bad 0.5 --seed 2 --idle 3 > two.json
told two.json 'requests|good|accepted_bad|400|reset|cut'
"$load" --url "$url" --workload work --rate 100 --duration 600 --lengths 60 --leave 1 --seed 3 > three.json &
client=$!
sleep 1
kill -TERM $client
wait $client
echo "interrupted: exit $?"
told three.json 'accepted_bad|reset|cut|interrupted'
kill -TERM $server
wait $server
echo "server: exit $?"
"$load" --url "$url" --workload work --concurrency 2 --requests 3 2>&1 > gone.json
echo "nobody there: exit $?"
told gone.json 'requests|connect'
"$load" --url "$url" --workload work 2>&1
echo "no load: exit $?"
