# Carelane's tasks. `make help` lists them.
#
# Each set-up step leaves a stamp under .venv and runs again only when what it read has changed, so a warm start is instant.

PORT ?= 8000
PYTHON ?= python3
SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
CLIENT := $(shell find web/client -path '*/node_modules' -prune -o -type f ! -name .built -print) $(wildcard web/translations/*/LC_MESSAGES/*.po)

.PHONY: help run test check build bench lock clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build  ## start a demo clinic: web, worker and simulated far ends (PORT=8000)
	@exec $(BIN)/carelane demo --port $(PORT)

test: .venv/.test build  ## install what tests need and run the whole suite
	@tools/test-machine
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not bench" $(ARGS)

check: .venv/.test build  ## style, types and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

build: .venv/.built  ## create .venv and build the front end, where out of date

bench: .venv/.test build  ## measure the engine, HTTP, simulation and logs beside their baselines
	@for what in engine http simulate log integrations; do $(BIN)/carelane bench $$what || exit; done

lock:  ## pin the newest versions that pyproject.toml allows (needs .venv)
	@tools/lock $(ARGS)

clean:  ## remove what was built and the environment; var/ stays
	rm -rf .venv build dist web/static/dist engine/execution/feel/bundle.js web/client/.built web/client/node_modules
	find engine forms integrations web tests -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f web/translations/*/LC_MESSAGES/*.mo

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Carelane needs Python 3.11 or newer; name it: make PYTHON=/path/to/python3.12 …"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.runtime: requirements.lock | .venv/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	@touch $@

.venv/.test: requirements-test.lock .venv/.runtime
	$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@

.venv/.built: .venv/.runtime pyproject.toml hatch_build.py $(CLIENT)
	$(PIP) install --no-deps -e .
	@touch $@
