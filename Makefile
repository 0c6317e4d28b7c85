# Whittle. `make demo` and `make test` do all their own set-up.

SHELL      := bash
.SHELLFLAGS := -eu -o pipefail -c
GO         ?= go
PYTHON     ?= python3
TOOLS      := $(GO) tool -modfile=.ci/tools/go.mod

# The version of moto that the embedded AWS sandbox is tested with.
MOTO       := moto[server]==5.2.1

# A TF_CLI_CONFIG_FILE that points nowhere makes every terraform warn.
ifneq ($(TF_CLI_CONFIG_FILE),)
ifeq ($(wildcard $(TF_CLI_CONFIG_FILE)),)
unexport TF_CLI_CONFIG_FILE
endif
endif

.PHONY: help reproducible soak demo demo-gcp demo-aws demo-castai demo-castai-aws demo-iomete demo-e2b-aws demo-azure test test-stack test-shapes test-azure unit lint bench build setup tools clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## build bin/whittle
	@mkdir -p bin
	$(GO) build -trimpath -o bin/whittle ./cmd/whittle

# moto is used where it is found; else it goes into a virtual environment of
# the clone's own, and what cannot be had is said at once.
setup:
	@if $(PYTHON) -c 'import moto.server' 2>/dev/null; then :; \
	elif [ -x .venv/bin/python ] && .venv/bin/python -c 'import moto.server' 2>/dev/null; then :; \
	else echo "setup: moto is not installed; putting $(MOTO) into .venv" >&2; \
	  $(PYTHON) -m venv .venv && .venv/bin/pip install --quiet '$(MOTO)' || { \
	  echo "setup: could not install $(MOTO); the embedded AWS sandbox needs it. Install it by hand: $(PYTHON) -m pip install '$(MOTO)'" >&2; exit 1; }; \
	fi

# Whittle looks for moto itself; the virtual environment, which setup may just
# have made, is told to it only where there is one.
WITH_MOTO = if [ -z "$${WHITTLE_MOTO_PYTHON:-}" ] && [ -x .venv/bin/python ]; then \
  export WHITTLE_MOTO_PYTHON="$$PWD/.venv/bin/python"; fi;

tools: ## build the real tools that tests and steps run: once a machine, about 15 minutes
	@$(GO) run ./cmd/whittle tools build >/dev/null

# How far the demos go to prove that nothing can be taken away: none, or fast,
# which takes several times as long.
CERTIFY    ?= none

demo: demo-gcp ## probe the life of a self-hosted E2B on the embedded sandbox: needs nothing but Go

# The tools that the example's steps call by name; what Terraform and Packer
# need is found or built by the steps themselves.
demo-gcp: build ## probe docs/examples/e2b on the embedded GCP sandbox
	@mkdir -p out/demo-gcp
	@$(GO) build -o out/demo-gcp/bin/deploy ./docs/examples/e2b/deploy
	@crane="$$(bin/whittle tools build crane)"; \
	PATH="$$PWD/out/demo-gcp/bin:$${crane%/*}:$$PATH" bin/whittle probe --certify $(CERTIFY) --file docs/examples/e2b/whittle.yaml --record out/demo-gcp/whittle.lock.json --work out/demo-gcp/run >/dev/null
	@bin/whittle show --record out/demo-gcp/whittle.lock.json

demo-aws: setup build ## probe docs/examples/aws-stack on the embedded AWS sandbox
	@mkdir -p out/demo-aws
	@$(WITH_MOTO) bin/whittle probe --certify $(CERTIFY) --file docs/examples/aws-stack/whittle.yaml --record out/demo-aws/whittle.lock.json --work out/demo-aws/run

demo-castai: build ## probe docs/examples/castai-gke on the embedded GCP sandbox
	@mkdir -p out/demo-castai
	@$(GO) build -o out/demo-castai/bin/nodes ./docs/examples/castai-gke/nodes
	@PATH="$$PWD/out/demo-castai/bin:$$PATH" bin/whittle probe --certify $(CERTIFY) --file docs/examples/castai-gke/whittle.yaml --record out/demo-castai/whittle.lock.json --work out/demo-castai/run

demo-castai-aws: setup build ## probe docs/examples/castai-aws on the embedded AWS sandbox
	@mkdir -p out/demo-castai-aws
	@$(GO) build -o out/demo-castai-aws/bin/nodes ./docs/examples/castai-aws/nodes
	@$(WITH_MOTO) PATH="$$PWD/out/demo-castai-aws/bin:$$PATH" bin/whittle probe --certify $(CERTIFY) --file docs/examples/castai-aws/whittle.yaml --record out/demo-castai-aws/whittle.lock.json --work out/demo-castai-aws/run

demo-iomete: setup build ## probe docs/examples/iomete on the embedded AWS sandbox
	@mkdir -p out/demo-iomete
	@$(WITH_MOTO) bin/whittle probe --certify $(CERTIFY) --file docs/examples/iomete/whittle.yaml --record out/demo-iomete/whittle.lock.json --work out/demo-iomete/run

demo-e2b-aws: setup build ## probe docs/examples/e2b-aws on the embedded AWS sandbox
	@mkdir -p out/demo-e2b-aws
	@$(WITH_MOTO) bin/whittle probe --certify $(CERTIFY) --file docs/examples/e2b-aws/whittle.yaml --record out/demo-e2b-aws/whittle.lock.json --work out/demo-e2b-aws/run

demo-azure: build ## probe docs/examples/azure-aks on the embedded Azure sandbox
	@mkdir -p out/demo-azure
	@bin/whittle tools build terraform-provider-azurerm >/dev/null
	@bin/whittle probe --certify $(CERTIFY) --file docs/examples/azure-aks/whittle.yaml --record out/demo-azure/whittle.lock.json --work out/demo-azure/run

# Six tests at once on any machine: most of a probe is waiting that the
# provider does.
test: setup tools lint ## every check and every test, with the race detector
	$(WITH_MOTO) $(GO) test -race -parallel 6 -timeout 60m ./...

test-stack: setup tools ## the example stack twice, side by side, with reference and verification: about 20 minutes
	$(WITH_MOTO) WHITTLE_TEST_WHOLE=1 $(GO) test -race -timeout 60m -count=1 -run TestProbeStackWhole ./cmd/whittle

test-shapes: setup tools ## the other examples on AWS under other names, with verification: about 15 minutes
	$(WITH_MOTO) WHITTLE_TEST_WHOLE=1 $(GO) test -race -timeout 60m -count=1 -run TestProbeShapes ./cmd/whittle

# `make test` runs them as well where the provider has been built, and says so
# where it has not.
test-azure: ## the example on Azure with the real provider, which is built first (once, about 14 minutes)
	@$(GO) run ./cmd/whittle tools build terraform-provider-azurerm >/dev/null
	$(GO) test -race -timeout 60m -count=1 -v -run 'TestProbeAzure' ./cmd/whittle

# The seeds, times and sizes (MiB) of the long forms of the tests that kill, fail and load.
SOAK_SEEDS ?= 10000
SOAK_KILLS ?= 200
SOAK_REAL  ?= 5
SOAK_KILL_TIME ?= 2h
SOAK_RATE  ?= 2000
SOAK_TIME  ?= 60s
SOAK_BOMB  ?= 10240
SOAK       ?= faults repeats bombs sim proxy kills real

soak: setup ## faults, kills and load for long, ending in a table: more than an hour; SOAK=kills for that part alone
	@$(WITH_MOTO) GO=$(GO) PARTS="$(SOAK)" OUT=out/soak BOMB=$(SOAK_BOMB) SEEDS=$(SOAK_SEEDS) KILLS=$(SOAK_KILLS) KILL_TIME=$(SOAK_KILL_TIME) REAL=$(SOAK_REAL) RATE=$(SOAK_RATE) TIME=$(SOAK_TIME) .ci/soak

unit: ## the tests that need neither terraform nor moto
	$(GO) test -race -short $$($(GO) list ./... | grep -v -E '/sandbox/embedded(/aws(/(account|facts|moto))?)?$$')

lint: ## gofmt, go vet, staticcheck, go mod tidy
	@bad=$$(gofmt -l cmd docs harness parsers sandbox); [ -z "$$bad" ] || { echo "gofmt would change:"; echo "$$bad"; exit 1; }
	$(GO) vet ./...
	$(TOOLS) staticcheck ./...
	$(GO) mod tidy -diff

# Two copies of the commit, in folders of different names, each with a build cache of
# its own: nothing of where and when may be in the bytes.
reproducible: ## build whittle twice, in two places, and compare the bytes: about 10 minutes
	@dir=$$(mktemp -d); trap 'chmod -R u+w "$$dir"; rm -rf "$$dir"' EXIT; \
	for copy in one another; do \
	  mkdir -p "$$dir/$$copy/tree" && git archive HEAD | tar -x -C "$$dir/$$copy/tree"; \
	done; \
	for copy in one another; do \
	  (cd "$$dir/$$copy/tree" && GOCACHE="$$dir/$$copy/cache" $(GO) build -trimpath -buildvcs=false -o "../whittle" ./cmd/whittle) && rm -rf "$$dir/$$copy/cache"; \
	done; \
	cmp "$$dir/one/whittle" "$$dir/another/whittle" && echo "the same bytes: $$(sha256sum < "$$dir/one/whittle" | cut -d' ' -f1)"

vulncheck: ## known vulnerabilities in what is called (needs the network)
	$(TOOLS) govulncheck ./...

bench: setup build ## measure; writes out/bench.json and prints a table; BENCH=-only=certify or -only=azure for that part alone
	@mkdir -p out
	@$(GO) build -o out/demo-gcp/bin/deploy ./docs/examples/e2b/deploy
	@crane="$$(bin/whittle tools build crane)"; \
	$(WITH_MOTO) PATH="$$PWD/out/demo-gcp/bin:$${crane%/*}:$$PATH" $(GO) run ./cmd/bench -out out/bench.json $(BENCH)

clean: ## remove what the targets made
	rm -rf bin out .venv
