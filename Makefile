# Two commands matter: `make run` shows the product, `make test` proves it. Both install what they need first.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run build web test test-web test-rust test-clients test-e2e lint bench drill

TARGET := $(or $(CARGO_TARGET_DIR),target)
STEP = @printf '\n\033[1m== %s\033[0m\n' "$(1)"

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## Install what is missing (toolchain, node, browser, Python packages) and say so
	@scripts/setup.sh

web: setup
	$(call STEP,web app)
	@. scripts/env.sh && cd web && (cmp -s package-lock.json node_modules/.installed || (npm ci --no-audit --no-fund && cp package-lock.json node_modules/.installed)) && npm run build

build: web ## Build the release binary
	$(call STEP,release binary (a first build takes some minutes))
	@. scripts/env.sh && cargo build --release --locked -p tallymark

run: build ## Build and start Tallymark with demo data
	@$(TARGET)/release/tallymark serve --demo

test: setup lint test-web test-rust test-clients test-e2e ## Everything
	$(call STEP,all tests passed)

lint: setup
	$(call STEP,format and lints)
	@. scripts/env.sh && cargo fmt --all --check

test-web: web
	$(call STEP,web unit tests)
	@. scripts/env.sh && cd web && npm run lint && npm test

test-rust: web
	$(call STEP,Rust tests)
	@. scripts/env.sh && cargo test --workspace --locked --quiet

test-clients: setup
	$(call STEP,client libraries)
	@. scripts/env.sh && python -m pytest -q clients/python

test-e2e: web ## The real binary with real SDKs and a real browser
	$(call STEP,end to end)
	@. scripts/env.sh && cargo build --locked --workspace --bin tallymark
	@. scripts/env.sh && TALLYMARK_BIN="$(abspath $(TARGET))/debug/tallymark" python -m pytest -q tests/e2e
	@. scripts/env.sh && cd tests/browser && TALLYMARK_BIN="$(abspath $(TARGET))/debug/tallymark" npm test

bench: build ## Measure, side by side with DuckDB and ClickHouse's engine; see docs/performance.md
	$(call STEP,benchmarks)
	@. scripts/env.sh && python -m pip install --quiet -r bench/query/requirements.txt
	@. scripts/env.sh && cargo build --release --locked --example floor
	@. scripts/env.sh && cargo run --release --locked -p tallymark-bench-ingest -- "$(TARGET)/release/tallymark"
	@. scripts/env.sh && python bench/query/compare.py --binary "$(TARGET)/release/tallymark" --tool "$(TARGET)/release/examples/floor"

drill: build ## Re-enact the published incidents on scratch instances; see docs/drills.md
	$(call STEP,drills)
	@$(TARGET)/release/tallymark drill run --all --json "$(TARGET)/drills.json" --junit "$(TARGET)/drills.xml"
