# What the scripts beside it share; to be sourced, not run. Each of them runs one real server for tests, natively and on loopback:
#
#   SERVER.sh install         fetches what is missing, once; it asks nothing and is silent when everything is there
#   SERVER.sh run DIR PORT    runs the server in the foreground on 127.0.0.1:PORT, with its data in DIR; SIGTERM ends it
#
# Downloads are kept in $XDG_CACHE_HOME/gudang-stack (by default ~/.cache/gudang-stack).
# shellcheck shell=bash
set -euo pipefail

name=$(basename "$0" .sh)
cache="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/gudang-stack"

fail() {
    printf '%s: %s\n' "$name" "$*" >&2
    exit 1
}

need() { # command, what to install
    command -v "$1" >/dev/null 2>&1 || fail "$1 is missing: install $2, or run scripts/setup.sh test"
}

# Runs a command unless it has succeeded for this key before. Of several at the same time one does it and the others wait.
once() { # key, command...
    local key="$1" done="$cache/$1.done"
    shift
    if [ -e "$done" ]; then return; fi
    mkdir -p "$cache"
    exec 9>"$cache/$key.lock"
    flock 9
    if [ ! -e "$done" ]; then
        printf '%s: fetching %s, once\n' "$name" "$key" >&2
        "$@" >&2 9>&-
        touch "$done"
    fi
    exec 9>&-
}

# The jars of these Maven artifacts and of everything that they need at run time, in one directory.
maven_jars() { # directory, group:artifact:version...
    local directory="$1" artifact parts dependencies=""
    shift
    for artifact in "$@"; do
        IFS=: read -r -a parts <<<"$artifact"
        dependencies+="<dependency><groupId>${parts[0]}</groupId><artifactId>${parts[1]}</artifactId><version>${parts[2]}</version></dependency>"
    done
    rm -rf "$directory"
    mkdir -p "$directory"
    cat >"$directory/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>gudang</groupId><artifactId>stack</artifactId><version>1</version>
  <dependencies>$dependencies</dependencies>
</project>
POM
    mvn -q -B -f "$directory/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$directory"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Ends a script: `install` and `run` are functions of whoever sourced this.
main() {
    case "${1:-}/$#" in
        install/1) install ;;
        run/[3-9])
            install
            mkdir -p "$2"
            run "$(cd "$2" && pwd)" "${@:3}"
            ;;
        *) fail "usage: $name.sh install | $name.sh run DIR PORT" ;;
    esac
}
