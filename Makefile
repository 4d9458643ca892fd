# What people type. Every target says what it does behind `##`; `make` alone lists them.
#
# Only relative paths here: make cannot name a file in a directory with a space, and this tree may lie in one.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

# Where rustup puts cargo, for shells that did not read its profile.
export PATH := $(PATH):$(HOME)/.cargo/bin

# The client of Kafka is built from its sources, whose build knows no directory with a space. In such a one `target` is a link to where is none.
ifneq ($(word 2,$(CURDIR)),)
export CARGO_TARGET_DIR := $(shell scripts/target-link.sh)
endif

# A machine must build what the lock file says; a person may be changing it.
LOCKED := $(if $(CI),--locked)
GUDANG := target/release/gudang

.PHONY: help
help: ## Lists what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

##@ Use

.PHONY: run
run: build ## Runs all four services here; installs what is missing, keeps data in .gudang (ARGS="--data-dir DIR")
	@exec $(GUDANG) up $(ARGS)

.PHONY: demo
demo: build ## Sends eight months of a real shop through the running services (ARGS="--json")
	@exec $(GUDANG) demo $(ARGS)

.PHONY: audit
audit: build ## Proves the books of the running services (ARGS="--json")
	@exec $(GUDANG) audit $(ARGS)

.PHONY: build
build: ## Builds the release
	@scripts/setup.sh run
	@cargo build --release -p gudang $(LOCKED)

.PHONY: clean-data
clean-data: ## Removes .gudang, and with it everything that `make run` has recorded
	@scripts/clean-data.sh .gudang

.PHONY: up
up: ## Runs the four services with Kafka, Redis and Elasticsearch, by docker compose
	docker compose up --detach --wait --build

.PHONY: down
down: ## Stops what `make up` started; the data stays (ARGS="--volumes" removes it)
	docker compose --profile '*' down $(ARGS)

##@ Work

.PHONY: test
test: setup scripts compose chart format recount lint tests docs ## The whole gate: everything below but `fmt`
	@echo 'make test: everything passed'

.PHONY: setup
setup: ## Installs what the gate needs
	@scripts/setup.sh test

.PHONY: scripts
scripts: ## Checks the shell scripts
	shellcheck -x .ci/run scripts/*.sh scripts/*/*.sh k8s/*.sh

.PHONY: compose
compose: ## Checks docker-compose.yml and the Dockerfile
	@scripts/check-compose.sh

.PHONY: chart
chart: ## Checks the Helm chart and k8s: schemas, every mode as it was, unit tests, house rules
	@scripts/check-chart.sh

.PHONY: k8s
k8s: ## Renders what is made of the chart: k8s/gudang.yaml, the modes it is tested in, its README (`chart` checks them)
	@scripts/chart/render.sh

.PHONY: format
format: ## Checks the formatting
	cargo fmt --all --check

.PHONY: fmt
fmt: ## Formats the code
	cargo fmt --all

.PHONY: recount
recount: ## Tests the independent recount of the demo file
	python3 -B -m unittest discover -s tests/recount -t tests/recount

.PHONY: lint
lint: ## Runs clippy over everything; a warning is an error
	cargo clippy --workspace --all-targets $(LOCKED) -- -D warnings

.PHONY: asyncapi
asyncapi: ## Writes docs/asyncapi.json anew from the types of the events (`tests` checks it)
	@cargo run --quiet -p contract --example asyncapi $(LOCKED) >target/asyncapi.json
	@mv target/asyncapi.json docs/asyncapi.json

.PHONY: tidy
tidy: ## Checks the house rules alone (part of `tests`)
	cargo test -p tidy $(LOCKED)

.PHONY: tests
tests: ## Runs unit, integration and story tests, and tidy
	cargo test --workspace $(LOCKED)

.PHONY: test-compose
test-compose: build ## Tries docker-compose.yml for real, where a Docker engine answers
	@scripts/test-compose.sh

.PHONY: bench
bench: bench-stock bench-events bench-search bench-reads bench-demo ## Measures everything below on a release build (ARGS="--rounds 3")

.PHONY: bench-stock
bench-stock: ## Measures Stock over HTTP against pgbench, one transaction per sale (ARGS="--only hot")
	@scripts/setup.sh run
	cargo build --release -p stock $(LOCKED)
	cargo bench -p gudang --bench stock $(LOCKED) -- $(ARGS)

.PHONY: bench-events
bench-events: ## Measures events over a real Kafka against bare clients, their delay, and memory (ARGS="--only relay")
	@scripts/setup.sh test
	cargo build --release -p product -p stock -p notification -p analytics $(LOCKED)
	cargo bench -p gudang --bench events $(LOCKED) -- $(ARGS)

.PHONY: bench-search
bench-search: ## Measures searches of 50 thousand products by both engines, and how soon a change is found (ARGS="--only search")
	@scripts/setup.sh test
	cargo build --release -p product $(LOCKED)
	cargo bench -p gudang --bench searches $(LOCKED) -- $(ARGS)

.PHONY: bench-reads
bench-reads: ## Measures reads of a cached product against a handler that returns a constant (ARGS="--only outage")
	@scripts/setup.sh test
	cargo build --release -p product $(LOCKED)
	cargo bench -p gudang --bench reads $(LOCKED) -- $(ARGS)

.PHONY: bench-demo
bench-demo: ## Measures the demo against PostgreSQL alone
	@scripts/setup.sh run
	cargo bench -p gudang --bench demo $(LOCKED) -- $(ARGS)

.PHONY: docs
docs: ## Builds the documentation; a warning is an error
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps $(LOCKED)
