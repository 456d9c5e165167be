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

# npm_packages FOLDER: the lockfile's copy is the stamp.
npm_packages() {
    local folder=$root/tests/$1
    local stamp=$folder/node_modules/.installed-lock.json
    if cmp -s "$folder/package-lock.json" "$stamp"; then return; fi
    say "installing npm packages (npm ci in tests/$1)"
    (cd "$folder" && quietly npm ci --ignore-scripts --no-audit --no-fund) || return 1
    cp "$folder/package-lock.json" "$stamp"
}

# install_npm FOLDER WHAT FRAGMENT...: fails where it was left out.
install_npm() {
    local folder=$1 what=$2 major
    shift 2
    if ! has node || ! has npm; then
        left_out "$what" "Node is not installed" "$@"
        return 1
    fi
    major=$(node -p 'process.versions.node.split(".")[0]')
    if [ "$major" -lt "$NODE_MAJOR" ]; then
        left_out "$what" "Node $major is too old, $NODE_MAJOR or newer is needed" "$@"
        return 1
    elif ! npm_packages "$folder"; then
        left_out "$what" "npm ci failed, see $log" "$@"
        return 1
    fi
    remember GHBROKER_TEST_NODE "$(command -v node)"
}

chromium_found() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if has "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

install_browser() {
    local what="checks in a browser"
    install_npm browser "$what" browser:: || return 0
    if ! chromium_found >/dev/null; then
        if ! has apt-get; then
            left_out "$what" "no Chromium found: install it" browser::
            return
        elif [ "$(id -u)" != 0 ] && ! has sudo; then
            left_out "$what" "no Chromium found, and neither root nor sudo to run: apt-get install chromium" browser::
            return
        fi
        say "installing Chromium (apt-get install chromium)"
        # Without a font it shows empty boxes for letters.
        if ! apt_install chromium fonts-dejavu-core || ! chromium_found >/dev/null; then
            left_out "$what" "apt-get install chromium failed, see $log" browser::
            return
        fi
    fi
    remember GHBROKER_TEST_CHROMIUM "$(chromium_found)"
}

mkdir -p "$tools"
# An absolute path: the tests run in other folders.
tools=$(cd "$tools" && pwd)
log=$tools/install.log
: >"$tools/test.env.new"

install_postgres
# Where one is left out, the next is tried.
install_npm octokit "checks by Octokit and by GitHub's published schemas" octokit:: schemas:: || :
install_browser
install_go_tool grpcurl "$GRPCURL_PACKAGE" "$GRPCURL_VERSION" "grpcurl checks" grpcurl:: GHBROKER_TEST_GRPCURL
install_go_tool helm "$HELM_PACKAGE" "$HELM_VERSION" "helm chart checks" helm:: GHBROKER_TEST_HELM

remember GHBROKER_TEST_SKIP "${skip# }"
mv "$tools/test.env.new" "$tools/test.env"
