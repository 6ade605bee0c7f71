#!/bin/sh
# Prints the first package that would bring Compose v2 as a plugin, or nothing. Debian 12 has none (its
# docker-compose is version 1), Debian 13's docker-compose is version 2, Ubuntu has docker-compose-v2,
# Docker's own repository docker-compose-plugin.
set -eu
for package in docker-compose-plugin docker-compose-v2 docker-compose; do
    candidate=$(LC_ALL=C apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: *//p')
    case ${candidate#*:} in
        [2-9].* | [1-9][0-9].*)
            printf '%s' "$package"
            exit 0
            ;;
    esac
done
