#!/usr/bin/env bash
# Renders what is made of the chart, below DIR (by default where it belongs): the manifests of the default mode, those of each mode in its `ci`
# folder, and the table of values in its README.
set -euo pipefail

cd "$(dirname "$0")/../.."
out="${1:-.}"
scripts/chart/tools.sh install
eval "$(scripts/chart/tools.sh env)"
mkdir -p "$out/k8s" "$out/charts/gudang/tests/golden"

{
    echo '# Gudang as the chart has it without any values, made by make k8s. It brings servers that are NOT FOR PRODUCTION.'
    echo '#'
    echo '#   kubectl apply -f k8s/namespace.yaml && kubectl apply --namespace gudang -f k8s/gudang.yaml'
    helm template gudang charts/gudang --namespace gudang --no-hooks
} >"$out/k8s/gudang.yaml"
for values in charts/gudang/ci/*-values.yaml; do
    mode="$(basename "$values" -values.yaml)"
    helm template gudang charts/gudang --namespace gudang --values "$values" >"$out/charts/gudang/tests/golden/$mode.yaml"
done
"$PYTHON" scripts/chart/readme.py charts/gudang/values.yaml charts/gudang/README.md >"$out/README.new"
mv "$out/README.new" "$out/charts/gudang/README.md"
