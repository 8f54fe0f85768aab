# Wrong usage: one sentence on stderr, nothing on stdout, exit 2. Beyond this machine is exit 6.
say() {
    "$HONE" "$@" > out 2> err
    echo "$? $(cat out)$(cat err)"
}
say
say nope
say help nope
say cpu --bogus
say cpu -z
say cpu --threads
say cpu --threads 0
say cpu --threads=two
say cpu --threads 1025
say cpu --help=3
say cpu extra
say cpu --cpu fast
say cpu --t 1 --je --q | cut -c 1-3
