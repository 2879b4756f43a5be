# The only entry points. `make` lists them; .ci/run calls `make test`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

GO       := CGO_ENABLED=0 go
FUZZTIME ?= 20s
# SERVE holds further settings for `make run`, such as SERVE='--listen 127.0.0.1:9000'.
SERVE    ?=
BENCH    ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build and start Cardea; it prints where to go
	@exec ./bin/cardea serve $(SERVE)

.PHONY: demo
demo: build ## start Cardea with invented people
	@exec ./bin/cardea demo $(SERVE)

.PHONY: build
build: ## build bin/cardea
	@$(GO) build -trimpath -o bin/cardea ./cmd/cardea

# The server with a clock that browser tests can move.
.PHONY: build-clock
build-clock:
	@$(GO) build -trimpath -o bin/cardea-clock ./e2e/clock

# ---- tests

.PHONY: test
test: ## install what is needed, then run every check and every test
	@.ci/services $(MAKE) check test-go test-browser

.PHONY: check
check: fmt vet types layers docs lock ## format, vet, types, import order, documents: needs no service

.PHONY: test-go
test-go: test-clients ## Go tests; PostgreSQL too if CARDEA_TEST_POSTGRES holds a DSN
	$(GO) test -shuffle=on -timeout 20m ./...

.PHONY: test-clients
test-clients: ## real SDKs for Go against the server (a module of its own)
	cd clients && $(GO) test -vet=off -timeout 10m ./... # vet would look through the whole SDK first

.PHONY: e2e
e2e: ## browser tests against the real server (installs Chromium if missing); ONLY=setup for one file
	@.ci/services $(MAKE) test-browser

.PHONY: test-browser
test-browser: build build-clock node_modules/.package-lock.json
	cd e2e && npx playwright test $(ONLY)

.PHONY: screenshots
screenshots: ## take the pictures of docs/images anew
	@.ci/services $(MAKE) take-screenshots

.PHONY: take-screenshots
take-screenshots: build node_modules/.package-lock.json
	cd e2e && npx playwright test --config screenshots.config.ts

.PHONY: bench
bench: build ## measure sign-ins on a real server, beside one P-256 verification; BENCH='-directory 1000000', '-import 100000', '-provision 5000' (docs/speed.md)
	@$(GO) run ./bench $(BENCH)

.PHONY: microbench
microbench: ## run the benchmarks of every package
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME (20s)
	@$(GO) list -f '{{.Dir}}' ./... | while read -r dir; do \
	  { grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$$dir"/*_test.go 2>/dev/null || true; } | while read -r _ name; do \
	    echo "$${dir#$(CURDIR)/} $$name"; $(GO) test "$$dir" -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) </dev/null; \
	  done; \
	done

# ---- the parts of check

.PHONY: fmt
fmt:
	@bad=$$(git ls-files --cached --others --exclude-standard '*.go' | while read -r f; do if [ -f "$$f" ]; then echo "$$f"; fi; done | xargs -r gofmt -l); \
	if [ -n "$$bad" ]; then echo "not formatted, run gofmt -w:"; echo "$$bad"; exit 1; fi

.PHONY: vet
vet:
	$(GO) vet ./...

.PHONY: types
types: node_modules/.package-lock.json
	cd e2e && npx tsc --noEmit

.PHONY: layers
layers:
	$(GO) test ./internal/layers

.PHONY: docs
docs:
	$(GO) test ./docs

# A lock file with download addresses would send everybody to our mirror.
.PHONY: lock
lock:
	@if grep -n '"resolved": "http' package-lock.json; then echo 'package-lock.json records download addresses: run npm install --package-lock-only'; exit 1; fi

node_modules/.package-lock.json: package-lock.json package.json e2e/package.json .npmrc
	PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci
	@touch $@
