# hone top without a server to look at: one sentence, and the exit code of its kind.
say() {
    "$HONE" top "$@" > out 2> err
    echo "$? $(cat out)$(cat err)"
}
say
say https://127.0.0.1:8080 --once
say http://127.0.0.1:8080/path --once
say ftp://127.0.0.1 --once
say unix: --once
say unix:none.sock --once
say http://127.0.0.1:1 --once --json
say http://127.0.0.1:1 --api-key-file none
printf 'two words\n' > key
say http://127.0.0.1:1 --api-key-file key
printf 'sk-1\r\nsecond line\n' > key
say http://127.0.0.1:1 --api-key-file key
