#!/usr/bin/env bash
# Prints a path of this tree's `target` that has no space in it: a link in the user's cache.
set -euo pipefail

cd "$(dirname "$0")/.."
links="${XDG_CACHE_HOME:-$HOME/.cache}/gudang-stack"
link="$links/target-$(pwd | cksum | cut -d ' ' -f 1)"
mkdir -p target "$links"
ln -sfn "$PWD/target" "$link"
echo "$link"
