#!/usr/bin/env bash
# Installs what Gudang needs and the machine does not have: `setup.sh run` to build and run it, `setup.sh test` for the gate too.
#
# Says what it does and asks nothing. Quick and silent when everything is there: it looks before it calls apt. Without apt, or without
# the right to use it, it says what to install and fails. It starts no server and touches no PostgreSQL cluster.
set -euo pipefail

purpose="${1:-run}"
cd "$(dirname "$0")/.."
# Where rustup puts cargo, for shells that did not read its profile.
PATH="$PATH:${HOME:-/root}/.cargo/bin"

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# A server that has both programs, where the product looks for it: Debian's directories, pg_config's, PATH.
has_postgresql_server() {
    local directory
    for directory in /usr/lib/postgresql/*/bin "$(pg_config --bindir 2>/dev/null || true)" "$(dirname "$(command -v postgres || true)")"; do
        if [ -x "$directory/postgres" ] && [ -x "$directory/initdb" ]; then return 0; fi
    done
    return 1
}

# A compiler alone is not enough: Debian's gcc comes without the C library's headers when recommendations are off.
has_c_compiler() { have cc && echo '#include <stdlib.h>' | cc -E -x c - >/dev/null 2>&1; }

# The server's program has this name too, and the package no service.
have_redis() { have redis-cli && { have redis-server || have redis-check-rdb; }; }

has_libfaketime() { compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null; }

missing=()
need() { # package, test...
    local package="$1"
    shift
    if ! "$@"; then missing+=("$package"); fi
}

need gcc has_c_compiler
need libc6-dev has_c_compiler
# The client of Kafka is built from its sources.
need g++ have g++
need make have make
need postgresql has_postgresql_server
need util-linux have setpriv
if have apt-get; then
    need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
fi
if [ "$purpose" = test ]; then
    need default-jdk-headless have javac
    need libfaketime has_libfaketime
    need maven have mvn
    need npm have npm
    need python3 have python3
    need python3-venv python3 -c 'import ensurepip'
    need python3-aiosmtpd test -e /usr/lib/python3/dist-packages/aiosmtpd
    need openssl have openssl
    need redis-tools have_redis
    need shellcheck have shellcheck
fi

# Runs a command as root, or fails.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
    have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

# Debian's server package starts a cluster of its own on port 5432. Gudang runs a private one, so it asks Debian not to, for the moment
# of this installation only; clusters that are there already are left alone.
install_postgresql() {
    local directory=/etc/postgresql-common/createcluster.d
    local wish="$directory/gudang-setup.conf"
    local made_directory=false status=0
    apt_install postgresql-common
    if [ ! -d "$directory" ]; then
        as_root mkdir -p "$directory"
        made_directory=true
    fi
    echo 'create_main_cluster = false' | as_root tee "$wish" >/dev/null
    apt_install postgresql || status=$?
    as_root rm -f "$wish"
    if [ "$made_directory" = true ]; then as_root rmdir --ignore-fail-on-non-empty "$directory"; fi
    return "$status"
}

if [ "${#missing[@]}" -gt 0 ]; then
    if ! can_install; then
        say "missing: ${missing[*]} (names of Debian packages)"
        if have apt-get; then
            say "install them as root: apt-get install ${missing[*]}"
        else
            say "install them with this system's package manager, then run the same command again"
        fi
        exit 1
    fi
    say "installing with apt: ${missing[*]}"
    as_root apt-get update -q >&2
    others=()
    for package in "${missing[@]}"; do
        if [ "$package" != postgresql ]; then others+=("$package"); fi
    done
    if [ "${#others[@]}" -gt 0 ]; then apt_install "${others[@]}"; fi
    if ! has_postgresql_server; then install_postgresql; fi
fi

# Rust. Its installer changes a user's own files, so that is left to the user.
wanted="$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)"
if ! have cargo || ! have rustc; then
    say "Rust is missing: install Rust $wanted or newer from https://rustup.rs, then run the same command again"
    exit 1
fi
# A rust that is too old cannot even read the workspace, and says so in words that help nobody.
found="$(rustc --version | cut -d ' ' -f 2)"
if [ "$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
    say "Rust $found is too old: Gudang needs $wanted or newer (with rustup: rustup update stable)"
    exit 1
fi

if [ "$purpose" = test ]; then
    components=()
    cargo fmt --version >/dev/null 2>&1 || components+=(rustfmt)
    cargo clippy --version >/dev/null 2>&1 || components+=(clippy)
    if [ "${#components[@]}" -gt 0 ]; then
        say "the Rust toolchain lacks: ${components[*]}"
        if ! have rustup; then
            say "install them the way Rust was installed (with rustup: rustup component add ${components[*]})"
            exit 1
        fi
        say "adding them: rustup component add ${components[*]}"
        rustup component add "${components[@]}" >&2
    fi
fi

# Servers that no Debian package has.
if [ "$purpose" = test ]; then
    scripts/stack/elasticsearch.sh install
    scripts/stack/kafka.sh install
fi

# What the chart is checked with.
if [ "$purpose" = test ]; then
    scripts/chart/tools.sh install
fi

# What the AsyncAPI document is checked with.
if [ "$purpose" = test ]; then
    scripts/asyncapi-schema.sh >/dev/null
fi
