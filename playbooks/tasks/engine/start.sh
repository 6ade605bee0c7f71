#!/bin/sh
# Starts dockerd detached from this session, for machines without systemd, and waits until it answers.
#   usage: start.sh LOG_FILE SECONDS        stop it with: kill "$(cat /var/run/docker.pid)"
# A pid file left by an engine that died is removed, for dockerd believes any live process with that number.
set -eu
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
log=$1
seconds=$2
pid_file=/var/run/docker.pid

fail() {
    echo "$1; the last lines of $log:"
    tail -n 5 "$log" 2>&1
    exit 1
}

if [ -s "$pid_file" ] && [ "$(cat "/proc/$(cat "$pid_file")/comm" 2>/dev/null)" != dockerd ]; then
    rm -f "$pid_file"
fi
if [ -s "$pid_file" ]; then
    pid=$(cat "$pid_file")
else
    mkdir -p "$(dirname "$log")"
    # Nobody rotates it: beyond 10 MiB it makes room for a new one, and one older log is kept. A running engine adds
    # some 3 KB for every container it starts.
    [ -z "$(find "$log" -size +10240k 2>/dev/null)" ] || mv -f "$log" "$log.1"
    # Containers inherit it, and a login's 1024 is too few.
    # shellcheck disable=SC3045 # dash, bash and busybox have it
    ulimit -n 1048576 2>/dev/null || true
    setsid dockerd >>"$log" 2>&1 </dev/null &
    pid=$!
fi
end=$(($(date +%s) + seconds))
until timeout 5 docker version >/dev/null 2>&1; do
    [ -e "/proc/$pid/exe" ] || fail "dockerd ended at once" # a zombie has no exe
    [ "$(date +%s)" -lt "$end" ] || fail "dockerd did not answer within $seconds s"
    sleep 0.2
done
