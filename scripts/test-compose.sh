#!/usr/bin/env bash
# Tries docker-compose.yml for real: everything up, the demo exact, a service killed in the middle, everything down and gone.
#
# Needs a Docker engine with the compose plugin. It uses a project name of its own, but the usual ports, so `make up` must not be running.
set -euo pipefail

cd "$(dirname "$0")/.."
export COMPOSE_PROJECT_NAME=gudang-test
gudang=target/release/gudang

say() { printf 'test-compose: %s\n' "$*" >&2; }

docker info >/dev/null 2>&1 || { say 'no Docker engine answers: start one, then run the same command again'; exit 1; }
docker compose version >/dev/null 2>&1 || { say 'docker has no compose plugin: install docker-compose-plugin'; exit 1; }
test -x "$gudang" || { say "$gudang is not built: run make build"; exit 1; }

down() { docker compose --profile '*' down --volumes --timeout 30 >/dev/null 2>&1 || true; }
trap down EXIT
down

say 'up'
docker compose up --detach --wait --build
say 'the demo, and stock is killed while it runs'
"$gudang" demo --json >"$(dirname "$gudang")/test-compose.json" &
demo=$!
sleep 5
docker compose kill --signal KILL stock
docker compose up --detach --wait stock
if ! wait "$demo"; then
    say 'the demo was cut off by the kill, as it may be: again from the start'
    "$gudang" demo --json >"$(dirname "$gudang")/test-compose.json"
fi
say 'the books'
"$gudang" audit
grep -q '"changes": *322437' "$(dirname "$gudang")/test-compose.json" || { say 'the demo counted wrong'; exit 1; }
say 'sizes of the images over their base'
# What an image is built from need not be among the images.
docker image inspect debian:bookworm-slim >/dev/null 2>&1 || docker pull --quiet debian:bookworm-slim
base="$(docker image inspect --format '{{.Size}}' debian:bookworm-slim)"
for service in product stock notification analytics; do
    over=$((($(docker image inspect --format '{{.Size}}' "gudang-$service") - base) / 1000000))
    say "$service: $over MB"
    test "$over" -le 40 || { say "gudang-$service is larger than 40 MB over its base"; exit 1; }
done
say 'down'
docker compose --profile '*' down --volumes --timeout 30
test -z "$(docker compose ps --all --quiet)" || { say 'containers are left'; exit 1; }
say 'everything holds'
