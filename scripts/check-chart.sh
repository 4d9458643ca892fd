#!/usr/bin/env bash
# Checks the chart and everything in k8s without a cluster: values, rendered manifests, strict schemas, unit tests, house rules. What cannot be
# checked here is said, never passed over in silence.
set -euo pipefail

cd "$(dirname "$0")/.."
chart=charts/gudang
say() { printf 'check-chart: %s\n' "$*" >&2; }
fail() {
    say "$@"
    exit 1
}

scripts/chart/tools.sh install
eval "$(scripts/chart/tools.sh env)"
made="$(mktemp -d)"
trap 'rm -rf "$made"' EXIT

for values in "$chart"/ci/*-values.yaml k8s/examples/gudang-values.yaml k8s/knative/gudang-values.yaml k8s/node-ports-values.yaml; do
    helm lint --strict --quiet "$chart" --values "$values"
done
# A typing error in a value is an error that names it, at any depth.
for misspelt in replica=2 api.replica=2 stock.api.replica=2 dev.kafka.imgae=kafka keda.fallback.replica=1 kafka.sasl.user=me notify.email.form=me@example.com; do
    if said="$(helm template gudang "$chart" --set "$misspelt" 2>&1)"; then fail "the misspelt value $misspelt was taken"; fi
    name="${misspelt%=*}"
    grep -q "'${name##*.}' not allowed" <<<"$said" || fail "the misspelt value $misspelt was refused without its name: $said"
done

scripts/chart/render.sh "$made"
for file in k8s/gudang.yaml "$chart/README.md" "$chart"/tests/golden/*.yaml; do
    diff -u "$file" "$made/$file" || fail "$file is not what the chart makes: look at the difference, and run make k8s if it is meant"
done
test "$(ls "$made/$chart/tests/golden")" = "$(ls "$chart/tests/golden")" || fail "a mode came or went: run make k8s"

# The kinds that have a schema are checked against it, unknown fields and all. These have none in a package registry:
without_schema=Kafka,KafkaNodePool,Cluster,KafkaSource
for example in gudang knative; do
    folder="k8s/${example/gudang/examples}"
    helm template gudang "$chart" --namespace gudang --values "$folder/gudang-values.yaml" >"$made/with-$example.yaml"
done
for version in "${SCHEMAS:?}"/kubernetes-*; do
    kubeconform -strict -summary -skip "$without_schema" \
        -schema-location "$version/{{.ResourceKind}}{{.KindSuffix}}.json" -schema-location "$SCHEMAS/definitions/{{.ResourceKind}}{{.KindSuffix}}.json" \
        "$chart"/tests/golden/*.yaml k8s/gudang.yaml k8s/namespace.yaml "$made"/with-*.yaml \
        k8s/examples/{cloudnative-pg,strimzi,eck}.yaml k8s/knative/{services,sources}.yaml
done
say "left out: the fields of $without_schema (Strimzi, CloudNativePG, Knative's Kafka source), whose schemas no package registry has"

helm-unittest --strict "$chart"
"$PYTHON" -B -m unittest discover -s tests/chart -t tests/chart
say 'left out: a cluster; k8s/try-on-kind.sh tries one'
