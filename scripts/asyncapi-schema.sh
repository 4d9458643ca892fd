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
    npm pack --silent --pack-destination "$package" "@asyncapi/specs@$version" >/dev/null
    mv "$package"/*.tgz "$package/specs.tgz"
    echo "$sha256  $package/specs.tgz" | sha256sum --check --quiet
    tar -xzf "$package/specs.tgz" -C "$package" package/schemas/3.0.0.json
    rm "$package/specs.tgz"
}

need npm npm
once "asyncapi-specs-$version" fetch
echo "$package/package/schemas/3.0.0.json"
