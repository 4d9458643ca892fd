#!/usr/bin/env bash
# Says where AsyncAPI's own JSON schema of version 3.0.0 lies, from its makers' package on npm; fetches it the first time.
# shellcheck source=scripts/stack/common.sh
. "$(dirname "$0")/stack/common.sh"

version=6.11.1
sha256=01af8744dc33c0c7eb2e908f6a955319ee58b70ecadc9387d1aeb16c0cd28928
package="$cache/asyncapi-specs-$version"

fetch() {
    rm -rf "$package"
    mkdir -p "$package"
    python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' \
        "https://registry.npmjs.org/@asyncapi/specs/-/specs-$version.tgz" "$package/specs.tgz"
    echo "$sha256  $package/specs.tgz" | sha256sum --check --quiet
    tar -xzf "$package/specs.tgz" -C "$package" package/schemas/3.0.0.json
    rm "$package/specs.tgz"
}

need python3 python3
once "asyncapi-specs-$version" fetch
echo "$package/package/schemas/3.0.0.json"
