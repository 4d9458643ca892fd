#!/usr/bin/env bash
# Removes a data directory of `gudang up`, unless a running one holds it.
set -euo pipefail

data_dir="$1"
if [ ! -e "$data_dir" ]; then
    echo "clean-data: there is no $data_dir"
    exit 0
fi
if [ -e "$data_dir/lock" ] && ! flock --nonblock "$data_dir/lock" true; then
    echo "clean-data: $data_dir is in use by process $(cat "$data_dir/lock"); stop it first" >&2
    exit 1
fi
rm -rf -- "$data_dir"
echo "clean-data: removed $data_dir"
