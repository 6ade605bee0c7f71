#!/bin/sh
# What a host has of Docker, as one JSON object on one line; changes nothing.
#   engine   version of the engine that answers within 5 s, or ""
#   denied   true when an engine runs that this user may not talk to
#   dockerd  true when the engine is installed
#   compose  version of the Compose plugin (2 or newer), or ""
#   systemd  true when systemd is process 1
#   root     true when this user may install packages
#   mmdebstrap  true when what builds stand-in base images is installed
#   apt      true on Debian, Ubuntu and what calls itself like them
#   machine  the kind of processor, as uname has it
#   system   the distribution's name, for messages
set -eu
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

plain() { tr -cd '[:alnum:].+~_ ()/-'; }
is() { if "$@" >/dev/null 2>&1; then echo true; else echo false; fi; }
said() { printf '%s' "$answer" | grep -qi "$1"; }

answer=$(timeout 5 docker version --format '{{.Server.Version}}' 2>&1) && engine=$answer || engine=
compose=$(timeout 5 docker compose version --short 2>/dev/null) || compose=
case ${compose#v} in [2-9]* | [1-9][0-9]*) ;; *) compose= ;; esac
mmdebstrap=false
if command -v mmdebstrap >/dev/null && [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then mmdebstrap=true; fi
# shellcheck source=/dev/null
family=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-}" "${ID_LIKE:-}") || family=
# shellcheck source=/dev/null
system=$(. /etc/os-release 2>/dev/null && printf '%s' "${PRETTY_NAME:-}") || system=
case " $family " in *" debian "* | *" ubuntu "*) apt=$(is command -v apt-get) ;; *) apt=false ;; esac

printf '{"engine":"%s","denied":%s,"dockerd":%s,"compose":"%s","systemd":%s,"root":%s,"mmdebstrap":%s,"apt":%s,"machine":"%s","system":"%s"}\n' \
    "$(printf '%s' "$engine" | plain)" "$(is said 'permission denied')" "$(is command -v dockerd)" \
    "$(printf '%s' "${compose#v}" | plain)" "$(is test -d /run/systemd/system)" \
    "$(is test "$(id -u)" -eq 0)" "$mmdebstrap" "$apt" "$(uname -m | plain)" "$(printf '%s' "${system:-$(uname -s)}" | plain)"
