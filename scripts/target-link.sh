#!/usr/bin/env bash
# For a tree in a directory with a space: keeps what cargo builds in the user's cache, makes `target` a link to it, and prints where it is.
set -euo pipefail

cd "$(dirname "$0")/.."
built="${XDG_CACHE_HOME:-$HOME/.cache}/gudang-stack/target-$(pwd | cksum | cut -d ' ' -f 1)"
if [ -d target ] && [ ! -L target ]; then
    rm -rf "$built"
    mkdir -p "$(dirname "$built")"
    mv target "$built"
fi
mkdir -p "$built"
ln -sfn "$built" target
echo "$built"
