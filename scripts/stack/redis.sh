#!/usr/bin/env bash
# Redis for tests, from Debian: the program alone, which is in redis-tools. The package redis-server would add a service of the system's own
# and a link to that program. What it was told to SAVE it has again after a restart.
# shellcheck source=scripts/stack/common.sh
. "$(dirname "$0")/common.sh"

# The same binary has several names and does what its name says.
program=$(command -v redis-server || command -v redis-check-rdb || true)

install() { [ -n "$program" ] || fail "Redis is missing: install redis-tools, or run scripts/setup.sh test"; }

run() { # directory, port
    exec -a redis-server "$program" --bind 127.0.0.1 --port "$2" --dir "$1" --save '' --appendonly no --daemonize no --maxmemory 128mb
}

main "$@"
