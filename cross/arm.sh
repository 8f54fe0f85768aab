#!/bin/sh
# Builds everything for aarch64 and runs the tests of the portable rooms under qemu-user. The foreign libraries are taken
# from Debian's arm64 packages into build-arm-root, by an apt of its own: the system's packages stay as they are.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/build-arm-root

# of the packages in the arguments, those that programs are linked with
libraries=
for package; do
    case $package in *-dev | check) libraries="$libraries $package" ;; esac
done

if [ "$(cat "$root/done" 2> /dev/null)" != "$libraries" ]; then
    rm -rf "$root"
    mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial"
    : > "$root/apt/status"
    # packages as if nothing were installed, so that all they need comes too
    apt="apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State=$root/apt
        -o Dir::State::lists=$root/apt/lists -o Dir::State::status=$root/apt/status -o Dir::Cache=$root/apt
        -o Dir::Cache::archives=$root/apt/archives -o APT::Sandbox::User= -o Debug::NoLocking=1 -o Acquire::Languages=none"
    # shellcheck disable=SC2086 # lists of words
    { $apt update; $apt -y --no-install-recommends --download-only install $libraries; } >&2
    for package in "$root"/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    find "$root/usr" -type l -lname '/*' | while read -r link; do ln -sf "$root$(readlink "$link")" "$link"; done
    rm -rf build-arm
    echo "$libraries" > "$root/done"
fi

if [ ! -e build-arm/build.ninja ]; then
    sed "s|^pkgconfig.*|&\nexe_wrapper = ['qemu-aarch64', '-L', '$root']|" cross/aarch64.ini > "$root/cross.ini"
    cat >> "$root/cross.ini" <<END
[properties]
sys_root = '$root'
pkg_config_libdir = '$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig'
[built-in options]
# gcc 12.2's loop vectorizer crashes on one of the tests
c_args = ['--sysroot=$root', '-fno-tree-loop-vectorize']
c_link_args = ['--sysroot=$root']
END
    meson setup build-arm -Dbuildtype=debugoptimized --cross-file "$root/cross.ini" >&2
fi
ninja -C build-arm >&2

# run CPU WHICH...: these tests on such a processor, their cases added to the logs.
: > build-arm/cases.xml
: > build-arm/cases.txt
status=0
run() {
    cpu=$1; shift
    echo "dev: on $cpu" >&2
    QEMU_CPU=$cpu meson test -C build-arm --no-rebuild --print-errorlogs --timeout-multiplier 20 --logbase "$cpu" \
        "$@" >&2 || status=$?
    cat "build-arm/meson-logs/$cpu.junit.xml" >> build-arm/cases.xml
    cat "build-arm/meson-logs/$cpu.txt" >> build-arm/cases.txt
}
# All that an emulator is fast enough for where there are SDOT and SMMLA. Where there is SDOT alone, and where there is
# neither: the kernels, and stack/company, whose answers must have the bits that x86 wrote into tests/golden/stack.
run max --suite base --suite tensor --suite kernel --suite text --suite graph --suite pass --suite op --suite arch \
    --suite model --suite engine --suite compress --suite stack
run max exec/buffers exec/plan exec/screen exec/weights_digest # the others measure time
run neoverse-n1 kernel/attention kernel/math kernel/ref kernel/sets stack/company
run cortex-a53 kernel/attention kernel/math kernel/ref kernel/sets stack/company
awk -v status=$status -f tools/check/totals.awk build-arm/cases.xml build-arm/cases.txt
