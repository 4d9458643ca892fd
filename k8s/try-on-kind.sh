#!/usr/bin/env bash
# From nothing to a sale on a cluster: builds the images, makes a kind cluster of one node, installs the chart as it stands, tests it, sells.
#
#   k8s/try-on-kind.sh         again on the same cluster: an upgrade
#   k8s/try-on-kind.sh down    removes the cluster
#
# Needs Docker, kind, kubectl, helm and curl, some 6 GB of memory, and ports 8082 to 8085 of this machine. It touches no other cluster.
set -euo pipefail

cd "$(dirname "$0")/.."
cluster=gudang-try
context="kind-$cluster"
version="$(sed -n 's/^appVersion: "\(.*\)"$/\1/p' charts/gudang/Chart.yaml)"

say() { printf 'try-on-kind: %s\n' "$*" >&2; }
fail() {
    say "$@"
    exit 1
}
kube() { kubectl --context "$context" --namespace gudang "$@"; }

for tool in docker kind kubectl helm curl; do
    command -v "$tool" >/dev/null || fail "$tool is missing: install it, then run the same command again"
done
docker info >/dev/null 2>&1 || fail 'no Docker engine answers: start one, then run the same command again'

case "${1:-up}" in
    up) ;;
    down) exec kind delete cluster --name "$cluster" ;;
    *) fail 'usage: try-on-kind.sh [up | down]' ;;
esac

# The Dockerfile keeps what it has built between two builds.
export DOCKER_BUILDKIT=1
images=()
for program in product stock notification analytics gudang; do
    image="gudang-$program:$version"
    if [ "$program" = gudang ]; then image="gudang:$version"; fi
    say "building $image"
    docker build --quiet --target "$program" --tag "$image" . >/dev/null
    images+=("$image")
done

if kind get clusters 2>/dev/null | grep -qx "$cluster"; then
    say "the cluster $cluster is there"
else
    say "making the cluster $cluster"
    kind create cluster --name "$cluster" --config k8s/kind.yaml --wait 3m
fi
say 'loading the images'
kind load docker-image --name "$cluster" "${images[@]}"

say 'installing Gudang with servers of its own; the first time their images are fetched, which takes some minutes'
kubectl --context "$context" apply --filename k8s/namespace.yaml
if ! helm --kube-context "$context" --namespace gudang upgrade --install gudang charts/gudang \
    --values k8s/node-ports-values.yaml --wait --timeout 15m; then
    kube get pods
    kube get events --sort-by=.lastTimestamp | tail -n 20
    fail 'it did not become ready: above are its pods and what happened last'
fi

say 'helm test: a sale from the order to the report, within the cluster'
if ! helm --kube-context "$context" --namespace gudang test gudang --timeout 5m; then
    kube logs gudang-smoke
    fail 'the sale did not get through: above is how far it came'
fi

say 'and a sale from here'
post() { # port, path, body
    curl -fsS --retry 5 --retry-connrefused --max-time 30 "http://127.0.0.1:$1$2" -H 'Content-Type: application/json' -d "$3"
    echo
}
sku="TEA-$(date +%s)"
post 8082 /v1/products "{\"sku\": \"$sku\", \"name\": \"Green tea, 100 g\", \"category\": \"Tea\", \"price\": \"4.50\", \"min_stock\": 5}"
post 8083 /v1/stock-changes "{\"sku\": \"$sku\", \"type\": \"RESTOCK\", \"quantity\": 20}"
post 8083 /v1/stock-changes "{\"sku\": \"$sku\", \"type\": \"SALE\", \"quantity\": 17}"
for _ in $(seq 60); do
    report="$(curl -fsS --max-time 30 "http://127.0.0.1:8085/v1/reports/sales?interval=day&product=$sku")"
    if grep -q '"units_sold": *17' <<<"$report"; then break; fi
    sleep 1
done
grep -q '"units_sold": *17' <<<"$report" || fail "the report has not heard of the sale within a minute: $report"
printf '%s\n' "$report"
say 'the report has it; the command line gudang finds the services by the same ports'
say 'k8s/try-on-kind.sh down removes it all'
