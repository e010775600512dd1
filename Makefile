# Every verb runs on a bare Debian machine; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?=
STACK ?=
SECONDS ?= 60
SEEDS ?=
QUICK ?=
DIALECT ?=
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help install develop services demo stack test check fast weeks bench accuracy fuzz schema vendor clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Debian ships Python without venv; nothing is asked of a machine that has both.
$(BIN)/python:
	@$(PYTHON) -c 'import sys, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null || { \
	  command -v apt-get >/dev/null || { echo "flowmon needs Python 3.11 or newer with venv: install it, or set PYTHON="; exit 1; }; \
	  $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: deploy/requirements.txt pyproject.toml | $(BIN)/python
	@echo "installing flowmon into $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.developed: deploy/requirements-dev.txt $(VENV)/.installed
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/requirements-dev.txt
	@touch $@

$(VENV)/.benched: deploy/requirements-bench.txt $(VENV)/.developed
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/requirements-bench.txt
	@touch $@

install: $(VENV)/.installed ## prepare .venv and nothing else

develop: $(VENV)/.developed ## .venv with the tools of developers

services: $(VENV)/.installed ## install Kafka, Mosquitto, PostgreSQL and Chromium where they are missing
	@$(BIN)/python -m deploy.services install

demo: install ## a simulated museum in your browser (DEMO="--rate 10 --scenario coach-party --port 9000")
	@$(BIN)/flowmon demo $(DEMO)

stack: services ## the whole cluster on this machine, simulated, one Ctrl-C (STACK="--rate 1 --port 8080")
	@$(BIN)/python -m deploy.stack $(STACK)

test: develop services ## everything a change must pass, with the real parts
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -q

fast: develop ## unit and property tests only, no servers
	@$(BIN)/python -m pytest -q -m "not integration"

check: develop ## style, types, layers, contract
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@out=$$($(BIN)/lint-imports 2>&1) || { echo "$$out"; exit 1; }
	@$(BIN)/flowmon schema --check
	@$(BIN)/flowmon check deploy/venues/museum.toml

weeks: develop ## a thousand weeks of faulty counters: credited must be sent (WEEKS=1000)
	@nice $(BIN)/python -m tests.properties.week --seeds $(or $(WEEKS),1000)

bench: $(VENV)/.benched services ## ratios against named peers, into build/bench/
	@$(BIN)/python -m tests.bench $(BENCH)

accuracy: develop ## the whole accuracy protocol, and the published table anew (SEEDS=5, QUICK=1 for a laptop)
	@nice $(BIN)/python -m tests.scenarios.accuracy $(addprefix --seeds ,$(SEEDS)) $(if $(QUICK),--quick) $(ACCURACY)

# SECONDS is a variable bash counts up by itself, so it is handed over here and not in the shell.
fuzz: $(VENV)/.developed ## any bytes into every dialect, guided by coverage (SECONDS=60, DIALECT=xovis)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/requirements-fuzz.txt
	@nice $(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(addprefix --dialect ,$(DIALECT)) --json build/fuzz/report.json $(FUZZ)

schema: install ## write JSON Schema, AsyncAPI and types.d.ts again
	@$(BIN)/flowmon schema

vendor: ## fetch the vendored browser files again (developers; needs node)
	@node deploy/vendor.mjs

clean: ## remove what was built
	@rm -rf build dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
