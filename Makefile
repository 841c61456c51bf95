# Everything a developer runs. `make demo` and `make test` need nothing but Python 3.11 with venv, and make:
# they build .venv themselves, once; a second run installs nothing.

PYTHON ?= python3
ARGS ?=
SUITE ?=
QUICK ?=
export QUICK
export CLARION_DATA ?= $(CURDIR)/../shared/data
export BUF_CACHE_DIR ?= $(CURDIR)/build/buf

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --constraint constraints.txt --build-constraint constraints.txt

# A stamp's name holds what it depends on: the place (a moved venv is broken), and every word of the manifests
# save the settings of ruff, mypy, pytest and import-linter, which install nothing.
MANIFESTS := pyproject.toml clients/python/pyproject.toml constraints.txt
METADATA := awk '/^\[/ { on = !/^\[+tool\.(ruff|mypy|pytest|importlinter)/ } on || FILENAME == "constraints.txt"' $(MANIFESTS)
PLACE := $(shell printf '%s' '$(CURDIR)' | cksum | cut -d ' ' -f 1)
KEY := $(shell $(METADATA) | cksum | cut -d ' ' -f 1)
VENV_STAMP := $(VENV)/stamp-venv-$(PLACE)
RUN_STAMP := $(VENV)/stamp-run-$(PLACE)-$(KEY)
DEV_STAMP := $(VENV)/stamp-dev-$(PLACE)-$(KEY)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-slow test-deep check lint types imports proto proto-check proto-baseline bench constraints clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(DEV_STAMP) ## Make .venv with Clarion (editable), its extras explain and stream, and the developers' tools.

demo: $(RUN_STAMP) ## Run the demonstration; ARGS="--headless ..." reaches `clarion demo`.
	$(BIN)/clarion demo $(ARGS)

test: $(DEV_STAMP) ## Run the tests that are not marked slow; ARGS reaches pytest.
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-slow: $(DEV_STAMP) ## Run the tests that are marked slow.
	$(BIN)/python -m pytest -m slow $(ARGS)

test-deep: $(DEV_STAMP) ## Install the extras deep (torch) and pyod, and run what needs them.
	$(INSTALL) --editable '.[deep,pyod]'
	$(BIN)/python -m pytest -n 2 tests/clarion_detectors tests/clarion_explainers tests/contract/test_builtin.py \
		tests/clarion/explaining tests/clarion/pipeline $(ARGS)

check: lint types imports proto-check ## Run every static check.

lint: $(DEV_STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(DEV_STAMP)
	$(BIN)/python -m mypy

imports: $(DEV_STAMP)
	$(BIN)/lint-imports

proto: $(DEV_STAMP) ## Format the protos and generate clients/python/clarion_api from them.
	$(BIN)/buf format proto --write --exclude-path proto/google --exclude-path proto/buf
	$(BIN)/python tools/generate_proto.py

proto-check: $(DEV_STAMP) ## Lint the protos, compare them with the released ones and with the generated code.
	$(BIN)/buf lint proto
	$(BIN)/buf format proto --diff --exit-code --exclude-path proto/google --exclude-path proto/buf
	$(BIN)/buf breaking proto --against proto/baseline.binpb
	$(BIN)/python tools/generate_proto.py --check

proto-baseline: $(DEV_STAMP) ## Make today's protos the ones that `make check` compares with: at a release.
	$(BIN)/buf build proto --exclude-source-info --output proto/baseline.binpb

bench: $(DEV_STAMP) ## Run tests/benchmarks/$(SUITE).py; QUICK=1 for a short run.
	@test -n "$(SUITE)" || { echo "usage: make bench SUITE=name [QUICK=1]"; ls tests/benchmarks; exit 2; }
	$(BIN)/python tests/benchmarks/$(SUITE).py $(ARGS)

constraints: ## Resolve the newest versions in a fresh environment and write constraints.txt.
	rm -rf build/resolve && $(PYTHON) -m venv build/resolve
	build/resolve/bin/pip install --quiet --upgrade pip
	build/resolve/bin/pip install --quiet --editable clients/python --editable '.[deep,explain,pyod,stream]' --group dev
	{ sed '/^[^#]/d' constraints.txt; build/resolve/bin/pip freeze --exclude-editable | sed 's/+.*//'; \
	  build/resolve/bin/pip list --format freeze | grep '^pip=='; \
	} > build/constraints.txt && mv build/constraints.txt constraints.txt
	rm -rf build/resolve

clean: ## Remove .venv and everything that was built.
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit("Clarion needs Python 3.11 or later; try: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --upgrade --constraint constraints.txt pip
	@touch $@

$(RUN_STAMP): $(VENV_STAMP)
	$(INSTALL) --editable clients/python --editable '.[explain,stream]'
	@rm -f $(VENV)/stamp-run-* && touch $@

$(DEV_STAMP): $(RUN_STAMP)
	$(INSTALL) --editable clients/python --editable . --group dev
	@rm -f $(VENV)/stamp-dev-* && touch $@
