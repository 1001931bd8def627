# Holdfast. `make` lists the targets; every job of CI is one of them.

GO      ?= go
BIN     := bin
TOOLS   := .ci/tools
# Packages with tests that need root and network namespaces; without both they skip by name.
NETNS   := ./chaos/... ./engine/host/... ./scenarios/hostdriver/...
# Packages with tests that cost tens of seconds of processor time: make test shortens or skips those.
THOROUGH := ./cmd/cli ./cmd/ha-manager ./cmd/internal/docstest ./cmd/mutants ./engine/fence ./engine/ha/conformance ./engine/ha/manager ./engine/quorum \
  ./engine/store/... ./engine/totem ./reports ./scenarios/explore ./scenarios/pve ./scenarios/pve/fullstack ./scenarios/pve/harandom \
  ./scenarios/raft ./sim/simtest
FUZZTIME ?= 20s

.DEFAULT_GOAL := help

help: ## print this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

build: ## build the programs into bin/
	$(GO) build -o $(BIN)/ ./cmd/...

test: ## run all tests; needs only Go
	$(GO) test -timeout 30m ./...

thorough: ## run the tests that `make test` shortens or skips for their cost (some three minutes)
	HOLDFAST_THOROUGH=1 $(GO) test -count=1 -timeout 30m $(THOROUGH)
	HOLDFAST_LIN_HISTORIES=20000 HOLDFAST_LIN_SEEDS=400 HOLDFAST_TXN_HISTORIES=5000 \
	  $(GO) test -count=1 -timeout 30m ./linearizability/...

daemons-test: ## run the tests of daemons that take three minutes of real time; needs an idle machine
	HOLDFAST_THOROUGH=1 $(GO) test -count=1 -timeout 20m ./cmd/holdfastd

short: ## run the tests with fewer seeds
	$(GO) test -short ./...

race: ## run the tests with the race detector, and compare its digests with those without (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m ./...
	HOLDFAST_DIGESTS_UNDER_RACE=1 $(GO) test -count=1 -run 'TestSameSeedSameDigest' ./scenarios/pve

vet: ## run go vet for Linux, macOS and Windows
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...

lint: vet $(BIN)/staticcheck $(BIN)/golangci-lint ## run vet, gofmt, staticcheck and golangci-lint
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(BIN)/staticcheck ./...
	$(BIN)/golangci-lint run ./...

bench: ## the benchmarks that docs/performance.md describes
	$(GO) test -run '^$$' -bench . -benchtime 3x ./sim/world ./scenarios ./scenarios/pve ./chaos/vswitch ./linearizability/... ./engine/...

COMMIT ?= HEAD
ROUNDS ?= 5
RUN    ?= run standard --seeds 1-60 --workers 1
beside: ## processor time of this version and of another one in turn (COMMIT=14b27a9 ROUNDS=5 RUN="run ...")
	.ci/beside $(COMMIT) $(ROUNDS) $(RUN)

netns-test: ## run the tests that need root and network namespaces
	@test "$$(id -u)" = 0 || { echo "netns-test needs root: sudo make netns-test"; exit 1; }
	CHAOS_NODES=1 $(GO) test -count=1 -p 1 -timeout 20m $(NETNS)
	CHAOS_NODES=1 $(GO) test -count=1 -timeout 20m -run 'RealNodes' ./scenarios/pve

fuzz: ## run every fuzz target, FUZZTIME each (20s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

mutants: ## plant every bug of the catalogue and find it
	$(GO) run ./cmd/mutants

mutants-check: ## only check that every planted bug still fits the sources
	$(GO) run ./cmd/mutants --check

mutants-campaign: ## measure what holdfast campaign finds of the planted bugs without their hunts (hours)
	$(GO) run ./cmd/mutants campaign --table

mutants-netns: ## plant the bugs that only real nodes show, and find them (root; some fifteen minutes)
	@test "$$(id -u)" = 0 || { echo "mutants-netns needs root: sudo make mutants-netns"; exit 1; }
	$(GO) run ./cmd/mutants --netns

storms: ## run ten thousand storms of the HA manager; resumes after an interruption (some forty minutes)
	$(GO) run ./cmd/holdfast campaign ha-storm:1-8000 ha-storm-without-quorum:1-2000 --runs runs/storms

library-short: ## run every library scenario with seeds 1 to 10 (some two minutes)
	$(GO) run ./cmd/holdfast run --all --seeds 1-10 --quiet

library: ## run every library scenario with 200 seeds, every run twice (some ten minutes)
	$(GO) run ./cmd/holdfast run --all --seeds 1-200 --twice

$(BIN)/staticcheck: $(TOOLS)/go.mod
	$(GO) -C $(TOOLS) build -o $(CURDIR)/$@ honnef.co/go/tools/cmd/staticcheck

$(BIN)/golangci-lint: $(TOOLS)/go.mod
	$(GO) -C $(TOOLS) build -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/gotestsum: $(TOOLS)/go.mod
	$(GO) -C $(TOOLS) build -o $(CURDIR)/$@ gotest.tools/gotestsum

deb: ## build the Debian package into bin/ (VERSION=1.2.3; needs dpkg-deb)
	GO=$(GO) packaging/deb.sh "$(VERSION)" $(BIN)

deb-check: ## build the Debian package, install it here, look at it and remove it (root)
	GO=$(GO) packaging/check.sh

clean: ## remove what was built and run here
	rm -rf $(BIN) runs

.PHONY: help build test thorough daemons-test library-short short race vet lint bench beside netns-test fuzz mutants mutants-check mutants-netns storms library deb deb-check clean mutants-campaign
