# Runs a PostgreSQL server for as long as standard input stays open, in a directory of its own that goes with it.
# The test process holds the other end: however it ends, the pipe closes.
# usage: postgres.sh DIRECTORY BINARIES, writes one line, "ready" or why not.
directory=$1 binaries=$2

# Nothing must end this before it has cleaned up: no signal to the whole terminal, and no test process that died
# before it could read the answer.
trap '' HUP INT PIPE TERM

# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
    user=nobody
    if id postgres >/dev/null 2>&1; then user=postgres; fi
    chown "$user" "$directory"
    if command -v setpriv >/dev/null; then
        as_user() { setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"; }
    else
        as_user() { runuser -u "$user" -- "$@"; }
    fi
else
    as_user() { "$@"; }
fi

start() {
    as_user "$binaries/initdb" -D "$directory/data" -U postgres -A trust -E UTF8 --locale=C --no-sync &&
        as_user "$binaries/pg_ctl" -D "$directory/data" -l "$directory/log" -w -t 60 start -o "-k '$directory' \
            -c listen_addresses= -c max_connections=300 -c shared_buffers=32MB \
            -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
}

# In the directory, so that the server can read where it is.
cd "$directory" || exit 1
if start >"$directory/start.log" 2>&1 </dev/null; then
    echo ready
    read -r _
else
    tail -n 5 "$directory/start.log" "$directory/log" 2>/dev/null | tr '\n' ' '
fi
as_user "$binaries/pg_ctl" -D "$directory/data" -m immediate -w stop >/dev/null 2>&1 </dev/null
cd / && rm -rf "$directory"
