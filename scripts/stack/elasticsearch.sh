#!/usr/bin/env bash
# Elasticsearch for tests: one node of the real server, from the jars that Maven Central has, started by elasticsearch/Main.java.
#
# Central has neither the distribution nor most of its modules; elasticsearch/Tokenizers.java registers the two tokenizers that our index uses.
# shellcheck source=scripts/stack/common.sh
. "$(dirname "$0")/common.sh"

version=8.19.21
sources="$(cd "$(dirname "$0")" && pwd)/elasticsearch"
library="$cache/elasticsearch-$version-$(cat "$sources"/*.java | cksum | cut -d ' ' -f 1)"
# Small and quick to start: one collector thread, the first compiler only, classes from an archive.
java_options=(-Xms128m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xlog:disable -Xlog:all=error:stderr
    -Dorg.apache.logging.log4j.level=WARN -Dlog4j2.disable.jmx=true)

class_path() { printf '%s:' "$library"/lib/*.jar; }

elasticsearch() { # option, directory, port
    mkdir -p "$2/tmp"
    exec java "${java_options[@]}" "$1" -Djava.io.tmpdir="$2/tmp" -cp "$(class_path)" Main "$library" "$2/data" "$3"
}

# How the server knows a module: one without a name of Java's runs on the class path.
describe() { # module, class
    cat >"$library/modules/$1/plugin-descriptor.properties" <<CONF
name=$1
description=$1
classname=$2
version=$version
elasticsearch.version=$version
java.version=17
CONF
}

# Compiles our two classes and runs once in vain: the class archive is written when that run ends.
fetch() {
    local trial pid classes="$library/classes"
    rm -rf "$library"
    mkdir -p "$library"/{config,classes,modules/transport-netty4,modules/tokenizers}
    maven_jars "$library/lib" "org.elasticsearch:elasticsearch:$version" "org.elasticsearch.plugin:transport-netty4:$version"
    # A module has a class loader of its own, and what is in both places is refused.
    mv "$library"/lib/{netty-,transport-netty4-}*.jar "$library/modules/transport-netty4"
    describe transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin
    javac -nowarn -d "$classes" -cp "$(class_path)" "$sources"/*.java
    (cd "$classes" && jar cf ../lib/main.jar Main*.class && jar cf ../modules/tokenizers/tokenizers.jar Tokenizers*.class)
    describe tokenizers Tokenizers
    trial=$(mktemp -d "$cache/elasticsearch-trial.XXXXXX")
    (elasticsearch "-XX:ArchiveClassesAtExit=$library/classes.jsa" "$trial" "$(free_port)") >"$trial/log" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        if grep -q '^node started' "$trial/log" || ! kill -0 "$pid" 2>/dev/null; then break; fi
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || { tail -n 30 "$trial/log" && fail "it did not start"; }
    wait "$pid" || true
    rm -rf "$trial"
    [ -e "$library/classes.jsa" ] || fail "it left no class archive"
}

install() {
    need javac "a JDK, 17 or newer"
    need mvn Maven
    once "$(basename "$library")" fetch
}

run() { # directory, port
    elasticsearch "-XX:SharedArchiveFile=$library/classes.jsa" "$1" "$2"
}

main "$@"
