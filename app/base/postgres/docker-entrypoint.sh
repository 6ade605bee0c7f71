#!/bin/sh
# Starts PostgreSQL the way the official image does; on an empty PGDATA it first creates the cluster.
#   POSTGRES_PASSWORD            the superuser's password; needed unless the next one is trust
#   POSTGRES_HOST_AUTH_METHOD    for connections over TCP; default: the server's password_encryption
#   POSTGRES_USER, POSTGRES_DB   default postgres, and the user's name
#   POSTGRES_INITDB_ARGS, POSTGRES_INITDB_WALDIR    handed to initdb
#   Each of PASSWORD, USER, DB and INITDB_ARGS may be given as …_FILE instead.
# /docker-entrypoint-initdb.d: *.sh, *.sql and *.sql.gz run once, in the order of their names, against a
# temporary server that listens on the Unix socket only. A *.sh that is not executable runs in bash.
set -eu

say() { echo "$(basename "$0"): $*"; }
die() {
    say "error: $*" >&2
    exit 1
}

# from_file NAME DEFAULT: sets NAME from itself, from the file in NAME_FILE, or to DEFAULT.
from_file() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        die "both $1 and $1_FILE are set; keep one"
    elif [ -n "$file" ]; then
        value=$(cat "$file") || die "$1_FILE cannot be read"
    fi
    eval "$1=\${value:-\$2}"
    unset "$1_FILE" value file
}

only_informs() {
    for argument in "$@"; do
        case $argument in -\? | --help | --describe-config | -V | --version) return 0 ;; esac
    done
    return 1
}

make_folders() {
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA" 2>/dev/null || true # not ours to change when it is mounted: the server says so itself
    chmod 3777 /var/run/postgresql 2>/dev/null || true
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres {} +
        if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
            mkdir -p "$POSTGRES_INITDB_WALDIR"
            chown -R postgres "$POSTGRES_INITDB_WALDIR"
        fi
    fi
}

create_cluster() {
    from_file POSTGRES_PASSWORD ''
    from_file POSTGRES_USER postgres
    from_file POSTGRES_DB "$POSTGRES_USER"
    from_file POSTGRES_INITDB_ARGS ''
    if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        die "the database is empty and no superuser password is given: set POSTGRES_PASSWORD or" \
            "POSTGRES_PASSWORD_FILE (POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without one)"
    fi
    [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ] ||
        say "warning: POSTGRES_HOST_AUTH_METHOD=trust: whoever reaches the port is superuser" >&2

    set -- --username="$POSTGRES_USER"
    [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || set -- "$@" --waldir="$POSTGRES_INITDB_WALDIR"
    # Through a pipe: the password is in no argument and no file. eval, because the arguments come in one string.
    if [ -n "$POSTGRES_PASSWORD" ]; then
        printf '%s\n' "$POSTGRES_PASSWORD" |
            eval 'initdb --pwfile=/dev/stdin "$@" '"$POSTGRES_INITDB_ARGS"
    else
        eval 'initdb "$@" '"$POSTGRES_INITDB_ARGS"
    fi
    method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

sql() { psql --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" "$@"; }

run_script() {
    case $1 in
        *.sh)
            say "running $1"
            if [ -x "$1" ]; then "$1"; else bash -eo pipefail "$1"; fi
            ;;
        *.sql)
            say "running $1"
            sql --dbname="$POSTGRES_DB" --file="$1"
            ;;
        *.sql.gz)
            say "running $1"
            gunzip --test "$1" # first, for a pipe hides its failure
            gunzip --stdout "$1" | sql --dbname="$POSTGRES_DB"
            ;;
        *) say "ignoring $1" ;;
    esac
}

fill_cluster() {
    export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}" POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD
    pg_ctl --silent --wait --options="-c listen_addresses='' -p ${PGPORT:-5432}" start
    if [ "$POSTGRES_DB" != postgres ]; then
        printf '%s\n' 'CREATE DATABASE :"name";' | sql --dbname=postgres --set=name="$POSTGRES_DB"
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        [ ! -f "$script" ] || run_script "$script"
    done
    pg_ctl --silent --mode=fast --wait stop
    unset PGPASSWORD
    say "initialisation complete"
}

case ${1:-} in -*) set -- postgres "$@" ;; esac
if [ "${1:-}" = postgres ] && ! only_informs "$@"; then
    make_folders
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid postgres --regid postgres --init-groups --inh-caps=-all "$0" "$@"
    fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        create_cluster
        fill_cluster
    fi
fi
exec "$@"
