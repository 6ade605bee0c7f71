#!/bin/sh
# Starts Redis the way the official image does: arguments that begin with "-" or a file ending in .conf are
# for redis-server, root becomes the user redis, files are private, and protected mode is off unless the
# configuration says otherwise (the container's network is the guard; Debian's build has it on).
set -eu

case ${1:-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis {} +
        exec setpriv --reuid redis --regid redis --init-groups --inh-caps=-all "$0" "$@"
    fi
    [ "$(umask)" != 0022 ] || umask 0077

    shift
    file=
    case ${1:-} in
        *.conf)
            file=$1
            shift
            ;;
    esac
    case ${1:-} in
        -v | --version | -h | --help | --test-memory | --check-system | -) ;;
        *)
            if [ -z "$file" ] || ! grep -Eiq '^[[:space:]]*protected-mode[[:space:]]' "$file"; then
                set -- --protected-mode no "$@" # first, so that a later flag wins
            fi
            ;;
    esac
    set -- redis-server ${file:+"$file"} "$@"
fi

exec "$@"
