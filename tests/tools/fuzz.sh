#!/usr/bin/env bash
# `make fuzz`: builds the fuzz targets and runs each for FUZZ_SECONDS, beginning with the corpus in fuzz/corpus.
#
#   tests/tools/fuzz.sh [TARGET...]     run these, or all
#   tests/tools/fuzz.sh keep            put what the runs here have found into fuzz/corpus, as few inputs as reach it all
#
# A run leaves fuzz/corpus as it is: what it finds stays below target/, and the next run begins with it, too.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
seconds=${FUZZ_SECONDS:-60}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
    printf 'error: FUZZ_SECONDS is %s, and must be a number of seconds\n' "$seconds" >&2
    exit 2
fi

# shellcheck source=tests/tools/versions.sh
source "$here/versions.sh"

mkdir -p "${CARGO_TARGET_DIR:-target}/tools"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
folder=$target/tools/cargo-fuzz-$CARGO_FUZZ_VERSION
log=$target/fuzz/log
found=$target/fuzz/found

# Stable Rust will do, without a sanitizer: the code under test is safe Rust (`unsafe_code = "deny"`), whose mistakes
# are panics and failed assertions. The address sanitizer is refused by stable Rust; to look for mistakes of dependencies
# with it, run cargo-fuzz with RUSTC_BOOTSTRAP=1 and `--sanitizer address`.
# Many codegen units, because the default of one takes far longer to build.
build=(--sanitizer none --codegen-units 16 --target-dir "$target/fuzz")

# Longer inputs than the longest that is taken (4096 bytes). The time for one input is by the clock on the wall, and on a
# machine with other work inputs of 9 ms were seen to take 8 s: what takes 30 s is a fault.
limits=(-max_len=6000 -timeout=30 -rss_limit_mb=1024)

fuzz() { PATH=$folder/bin:$PATH cargo fuzz "$@"; }
say() { printf 'fuzz: %s\n' "$*"; }

install_cargo_fuzz() {
    if [ -x "$folder/bin/cargo-fuzz" ]; then return; fi
    say "building cargo-fuzz $CARGO_FUZZ_VERSION (once, a minute)"
    rm -rf "$folder.new"
    cargo install --quiet --locked --version "$CARGO_FUZZ_VERSION" cargo-fuzz --root "$folder.new"
    rm -rf "$folder"
    mv "$folder.new" "$folder"
}

# run TARGET: one line if nothing is found, else the end of what the fuzzer said.
run() {
    mkdir -p "$found/$1" "fuzz/corpus/$1"
    if fuzz run "${build[@]}" "$1" "$found/$1" "fuzz/corpus/$1" -- \
        "${limits[@]}" "-dict=fuzz/dict/$1" "-max_total_time=$seconds" >"$log/$1" 2>&1; then
        say "$1: nothing found in $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log/$1") inputs"
    else
        # What failed and on which input; all of it is in the log.
        grep -m 1 -A 5 -e 'panicked at' -e 'ERROR: libFuzzer' "$log/$1" >&2 || tail -n 40 "$log/$1" >&2
        sed -n '/^Output of/,/^Minimize/{/^Minimize/!p;}' "$log/$1" >&2
        say "$1: FAILED (cargo-fuzz is in $folder/bin, the log in $log/$1)" >&2
        return 1
    fi
}

# keep TARGET: what was found joins the corpus, which is then made as small as it can be. How often a place is passed does
# not count (use_counters), or there would be ten times as many files.
keep() {
    mkdir -p "$found/$1" "fuzz/corpus/$1"
    cp -r "$found/$1/." "fuzz/corpus/$1"
    fuzz cmin "${build[@]}" "$1" -- "${limits[@]}" -use_counters=0 >"$log/$1" 2>&1
    say "$1: $(find "fuzz/corpus/$1" -type f | wc -l) inputs kept"
}

install_cargo_fuzz
mkdir -p "$log"
say "building the fuzz targets (about 3 minutes the first time)"
fuzz build "${build[@]}" >"$log/build" 2>&1 || { tail -n 40 "$log/build" >&2; exit 1; }

what=run
if [ "${1:-}" = keep ]; then
    what=keep
    shift
fi
targets=("$@")
if [ $# = 0 ]; then mapfile -t targets < <(fuzz list); fi

failed=""
for name in "${targets[@]}"; do
    "$what" "$name" || failed=1
done
[ -z "$failed" ]
