#!/usr/bin/env bash
# Installs what the tests need beside Rust, and writes down where it is:
# $tools/test.env holds the paths (GHBROKER_TEST_*) and what to leave out (GHBROKER_TEST_SKIP).
#
# A tool that cannot be had here leaves its tests out, in one line that says why.
# With CI=true nothing may be left out, and the first missing tool ends the run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=${CARGO_TARGET_DIR:-$root/target}/tools
skip=""
log=$tools/install.log

# shellcheck source=tests/tools/versions.sh
source "$here/versions.sh"

has() { command -v "$1" >/dev/null 2>&1; }
say() { printf 'tools: %s\n' "$*"; }

# left_out WHAT WHY FRAGMENT...: the tests whose path holds a FRAGMENT do not run.
left_out() {
    local fragment
    if [ "${CI:-}" = true ]; then
        printf 'error: %s cannot run: %s\n' "$1" "$2" >&2
        exit 1
    fi
    say "left out: $1 ($2)"
    for fragment in "${@:3}"; do skip="$skip --skip $fragment"; done
}

remember() { printf 'export %s=%q\n' "$1" "$2" >>"$tools/test.env.new"; }

# quietly COMMAND...: its output goes to the log; the log's end is shown if it fails in CI.
quietly() {
    "$@" >"$log" 2>&1 && return
    if [ "${CI:-}" = true ]; then tail -n 40 "$log" >&2; fi
    return 1
}

postgres_found() {
    has initdb && has postgres && return
    has pg_config && [ -x "$(pg_config --bindir)/initdb" ] && return
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# As root directly; else by sudo, which may ask for the password only where somebody can answer.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt_install() {
    quietly as_root apt-get update -q &&
        quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

install_postgres() {
    local what="tests on PostgreSQL"
    if postgres_found; then return; fi
    if ! has apt-get; then
        left_out "$what" "no initdb found: install the PostgreSQL server" postgres::
    elif [ "$(id -u)" != 0 ] && ! has sudo; then
        left_out "$what" "no initdb found, and neither root nor sudo to run: apt-get install postgresql" postgres::
    else
        say "installing the PostgreSQL server (apt-get install postgresql)"
        apt_install postgresql || left_out "$what" "apt-get install postgresql failed" postgres::
    fi
}

# go_tool NAME PACKAGE VERSION: built into a folder named by its version, which is also the stamp.
go_tool() {
    local name=$1 folder=$tools/$1-$3
    if [ -x "$folder/$name" ]; then return; fi
    say "building $name $3 (once, some minutes)"
    rm -rf "$folder.new"
    mkdir -p "$folder.new"
    # From outside of any module, and with the output of a release: no paths, no debug information.
    (cd "$folder.new" && GOBIN=$folder.new GOFLAGS='' CGO_ENABLED=0 \
        quietly go install -trimpath -ldflags '-s -w' "$2@$3") || return 1
    rm -rf "$folder"
    mv "$folder.new" "$folder"
}

# install_go_tool NAME PACKAGE VERSION WHAT FRAGMENT VARIABLE
install_go_tool() {
    if ! has go; then
        left_out "$4" "Go is not installed" "$5"
    elif go_tool "$1" "$2" "$3"; then
        remember "$6" "$tools/$1-$3/$1"
    else
        left_out "$4" "go install $2@$3 failed, see $log" "$5"
    fi
}

# The lockfile's copy is the stamp.
npm_packages() {
    local folder=$root/tests/octokit
    local stamp=$folder/node_modules/.installed-lock.json
    if cmp -s "$folder/package-lock.json" "$stamp"; then return; fi
    say "installing Octokit (npm ci in tests/octokit)"
    (cd "$folder" && quietly npm ci --ignore-scripts --no-audit --no-fund) || return 1
    cp "$folder/package-lock.json" "$stamp"
}

install_octokit() {
    local what="checks by Octokit and by GitHub's published schemas" major
    if ! has node || ! has npm; then
        left_out "$what" "Node is not installed" octokit:: schemas::
        return
    fi
    major=$(node -p 'process.versions.node.split(".")[0]')
    if [ "$major" -lt "$NODE_MAJOR" ]; then
        left_out "$what" "Node $major is too old, $NODE_MAJOR or newer is needed" octokit:: schemas::
    elif npm_packages; then
        remember GHBROKER_TEST_NODE "$(command -v node)"
    else
        left_out "$what" "npm ci failed, see $log" octokit:: schemas::
    fi
}

mkdir -p "$tools"
# An absolute path: the tests run in other folders.
tools=$(cd "$tools" && pwd)
log=$tools/install.log
: >"$tools/test.env.new"

install_postgres
install_octokit
install_go_tool grpcurl "$GRPCURL_PACKAGE" "$GRPCURL_VERSION" "grpcurl checks" grpcurl:: GHBROKER_TEST_GRPCURL
install_go_tool helm "$HELM_PACKAGE" "$HELM_VERSION" "helm chart checks" helm:: GHBROKER_TEST_HELM

remember GHBROKER_TEST_SKIP "${skip# }"
mv "$tools/test.env.new" "$tools/test.env"
