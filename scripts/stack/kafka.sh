#!/usr/bin/env bash
# Apache Kafka for tests: one KRaft node, broker and controller in one process, from the jars that Maven Central has.
#
# `run DIR PORT [advertised=PORT] [protocols=classic]`: it may send its clients to another port, so that a proxy can stand in between, and be
# as old as version 3 in what it knows of consumer groups.
# shellcheck source=scripts/stack/common.sh
. "$(dirname "$0")/common.sh"

version=4.4.0
library="$cache/kafka-$version"
# Small and quick to start: one collector thread, the first compiler only, classes from an archive. Without slf4j-simple nothing would be logged.
java_options=(-Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xlog:disable -Xlog:all=error:stderr
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true
    -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info)

class_path() { printf '%s:' "$library"/*.jar; }

kafka() { # option, main class, arguments...
    local option="$1"
    shift
    exec java "${java_options[@]}" "$option" -cp "$(class_path)" "$@"
}

properties() { # directory, port, port of the controller, advertised port, group protocols
    cat <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$3
listeners=CLIENTS://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3
advertised.listeners=CLIENTS://127.0.0.1:$4
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
log.dirs=$1/data
auto.create.topics.enable=false
num.partitions=3
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.coordinator.rebalance.protocols=$5
# Consumers join and fail over quickly: groups of the newer protocol first, then those of the classic one.
group.consumer.min.heartbeat.interval.ms=200
group.consumer.heartbeat.interval.ms=500
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
# A broker that was killed may come back only when its former session has run out; but one that stands still for a moment on a busy machine
# shall not lose its partitions.
controlled.shutdown.enable=false
broker.heartbeat.interval.ms=250
broker.session.timeout.ms=6000
CONF
}

# Formats storage once, to be copied by each run, and runs once in vain: the class archive is written when that run ends.
fetch() {
    local trial port pid
    maven_jars "$library" "org.apache.kafka:kafka_2.13:$version" org.slf4j:slf4j-simple:1.7.36
    trial=$(mktemp -d "$cache/kafka-trial.XXXXXX")
    port=$(free_port)
    properties "$trial" "$port" "$(free_port)" "$port" classic,consumer >"$trial/server.properties"
    (kafka -Xshare:auto kafka.tools.StorageTool format -t Z3VkYW5nLXRlc3QtMDAwMQ -c "$trial/server.properties")
    cp -r "$trial/data" "$library/formatted"
    (kafka "-XX:ArchiveClassesAtExit=$library/classes.jsa" kafka.Kafka "$trial/server.properties") >"$trial/log" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        if grep -q 'Kafka Server started' "$trial/log" || ! kill -0 "$pid" 2>/dev/null; then break; fi
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
    wait "$pid" || true
    if [ ! -e "$library/classes.jsa" ]; then
        tail -n 20 "$trial/log"
        fail "the first run did not go well"
    fi
    rm -rf "$trial"
}

install() {
    need java default-jre-headless
    need mvn maven
    once "kafka-$version" fetch
}

run() { # directory, port, settings...
    local advertised="$2" protocols=classic,consumer setting
    for setting in "${@:3}"; do
        case "$setting" in
            advertised=*) advertised="${setting#*=}" ;;
            protocols=*) protocols="${setting#*=}" ;;
            *) fail "there is no setting $setting" ;;
        esac
    done
    properties "$1" "$2" "$(free_port)" "$advertised" "$protocols" >"$1/server.properties"
    [ -e "$1/data" ] || cp -r "$library/formatted" "$1/data"
    kafka "-XX:SharedArchiveFile=$library/classes.jsa" kafka.Kafka "$1/server.properties"
}

main "$@"
