#!/usr/bin/env bash
# Tries docker-compose.yml for real: everything up, the demo exact though a service is killed in its middle, everything stopped in order, up again
# with what it had, and everything gone.
#
# Needs a Docker engine with the compose plugin. It uses a project name of its own, but the usual ports, so `make up` must not be running.
# COMPOSE_PROFILES=zookeeper tries the older Kafka.
set -euo pipefail

cd "$(dirname "$0")/.."
export COMPOSE_PROJECT_NAME=gudang-test
gudang=target/release/gudang
services=(product stock notification analytics)
# Product to Analytics, PostgreSQL, Redis, Elasticsearch, Kafka, the mail catcher's pages.
ports=(8082 8083 8084 8085 5433 5434 5435 5436 6379 9200 9092 8025)

say() { printf 'test-compose: %s\n' "$*" >&2; }
fail() { say "$*" && exit 1; }

docker info >/dev/null 2>&1 || fail 'no Docker engine answers: start one, then run the same command again'
docker compose version >/dev/null 2>&1 || fail 'docker has no compose plugin: install docker-compose-plugin'
test -x "$gudang" || fail "$gudang is not built: run make build"

gone() { docker compose --profile '*' down --volumes --timeout 30 >/dev/null 2>&1 || true; }
trap gone EXIT
gone

up() { make --no-print-directory up; }
container() { docker compose ps --all --quiet "$1"; }
of() { docker inspect --format "$2" "$(container "$1")"; }

# Waits until a command succeeds.
until_true() { # what, command...
    for _ in $(seq 120); do
        if "${@:2}" >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    fail "not within a minute: $1"
}

has_changes() { curl --fail --silent 'http://127.0.0.1:8083/v1/stock-changes?limit=1' | grep --quiet '"id"'; }
was_restarted() { test "$(of stock '{{.RestartCount}} {{.State.Running}}')" = '1 true'; }
has_mail() { curl --fail --silent 'http://127.0.0.1:8025/api/v1/messages?limit=1' | grep --quiet 'shop@example.com'; }

# Kills the process of a container as a power cut would. `docker kill` would not do: who was stopped by hand is not started again.
kill_process() {
    docker run --rm --pid host --user root --cap-add KILL --entrypoint bash gudang-stock -c "kill -KILL $(of "$1" '{{.State.Pid}}')"
}

say 'up'
up
for port in "${ports[@]}"; do
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || fail "nobody answers at port $port"
done

say 'nobody is root, and nobody writes to the root file system'
for service in "${services[@]}"; do
    test "$(docker compose exec -T "$service" id -u)" != 0 || fail "$service runs as root"
    # Even root may not.
    if docker compose exec -T --user root "$service" touch /usr/here 2>/dev/null; then fail "$service may write to its root"; fi
done

say 'the demo, and stock is killed while it runs'
"$gudang" demo --json >target/release/test-compose.json &
demo=$!
until_true 'the first changes' has_changes
kill_process stock
until_true 'stock is started again' was_restarted
wait "$demo" || fail 'the demo did not get over the kill'

say 'every figure, counted again from the file'
python3 -B tests/recount/recount.py compare --settle-seconds 60 examples/online-retail/online-retail-2010-12-to-2011-08.csv.gz
"$gudang" audit | tee target/release/test-compose.audit
until_true 'an alert came as a mail' has_mail

say 'sizes of the images over their base'
# What an image is built from need not be among the images.
docker image inspect debian:bookworm-slim >/dev/null 2>&1 || docker pull --quiet debian:bookworm-slim
base="$(docker image inspect --format '{{.Size}}' debian:bookworm-slim)"
for service in "${services[@]}"; do
    over=$((($(docker image inspect --format '{{.Size}}' "gudang-$service") - base) / 1000000))
    say "$service: $over MB"
    test "$over" -le 40 || fail "gudang-$service is larger than 40 MB over its base"
done

say 'everybody ends by SIGTERM, and the services in order'
docker compose stop
for name in $(docker compose ps --all --services); do
    code="$(of "$name" '{{.State.ExitCode}}')"
    test "$code" != 137 || fail "$name had to be killed"
    if [[ " ${services[*]} " = *" $name "* ]]; then test "$code" = 0 || fail "$name ended with $code"; fi
done

say 'down and up again: everything is still there'
make --no-print-directory down
up
"$gudang" audit | diff target/release/test-compose.audit -

say 'down, with all data'
make --no-print-directory down ARGS=--volumes
test -z "$(docker compose --profile '*' ps --all --quiet)" || fail 'containers are left'
test -z "$(docker volume ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")" || fail 'volumes are left'
say 'everything holds'
