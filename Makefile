# Everything that is done with previewbot's sources. `make` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo install cluster cluster-down test check check-style check-stories check-doors check-edges check-rest format bench schema lock clean
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
NEEDY := engine or cluster or postgres or npm or slow or bench
QUICK := $(BIN)/python -m pytest -q --hypothesis-profile=quick -m "not ($(NEEDY))"
STORIES := tests/stories
DOORS := tests/cli tests/web $(wildcard tests/test_*.py)
EDGES := tests/adapters
# Without its byte code, every process that a test starts would compile previewbot anew.
unexport PYTHONDONTWRITEBYTECODE
LOCKED := uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate pyproject.toml

help: ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/.ready ## run the main job here, with a simulated GitHub to look at (ARGS=--once: without a person; RUNTIME=kubernetes)
ifeq ($(RUNTIME),kubernetes)
ifdef PREVIEWBOT_TEST_KUBECONFIG
	@$(BIN)/python -m previewbot demo --cluster "$(PREVIEWBOT_TEST_KUBECONFIG)" $(ARGS)
else
	@$(BIN)/python -m tests.cluster up
	@$(BIN)/python -m previewbot demo --cluster .cluster/state.json $(ARGS); code=$$?; \
		echo "· The cluster stays up for the next time; \`make cluster-down\` takes it away."; exit $$code
endif
else
	@$(BIN)/python -m previewbot demo $(ARGS)
endif

install: .venv/.ready ## put previewbot into .venv/bin/previewbot
	@echo "· previewbot is $(CURDIR)/$(BIN)/previewbot"

cluster: .venv/.ready ## a real one-node Kubernetes with a registry, BuildKit and Traefik (built once, in 20 to 30 minutes)
	@$(BIN)/python -m tests.cluster up

cluster-down: ## end that Kubernetes, and leave no trace of it
	@$(PYTHON) -m tests.cluster down

test: check ## all tests: installs and starts the engines that they need
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive previewbot
	$(BIN)/python -m pytest -m "(hypothesis or $(NEEDY)) and not bench"

check: .venv/.ready ## format, lint, types, layers, and the tests that need no engine
	@echo "· Checking style and types, and running the quick tests in four parts, all at once"
	@$(MAKE) --no-print-directory --jobs=5 --output-sync=target check-style check-stories check-doors check-edges check-rest

check-style:
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

check-stories:
	$(QUICK) $(STORIES)

check-doors:
	$(QUICK) $(DOORS)

check-edges:
	$(QUICK) $(EDGES)

check-rest:
	$(QUICK) $(addprefix --ignore=,$(STORIES) $(DOORS) $(EDGES))

format: .venv/.ready ## format the code, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.ready ## measure: push to URL on both runtimes, the full stack, close to gone, the door, the store, and hundreds of environments on Kubernetes
	$(BIN)/python -m tests.bench.push_to_url
	$(BIN)/python -m tests.bench.push_to_cluster
	$(BIN)/python -m tests.bench.full_stack
	$(BIN)/python -m tests.bench.door
	$(BIN)/python -m pytest -q -m bench
	$(BIN)/python -m tests.bench.scale

schema: .venv/.ready ## write config/blueprint.schema.json and deploy/blueprint.md from the models
	$(BIN)/python -c "from previewbot.wire.blueprint import schema_text; print(schema_text(), end='')" > config/blueprint.schema.json
	$(BIN)/python -c "from previewbot.wire.blueprint import page_text; print(page_text(), end='')" > deploy/blueprint.md

lock: ## write the lock files from pyproject.toml (needs uv)
	$(LOCKED) --group dev --extra postgres -o requirements-dev.lock
	$(LOCKED) --extra postgres -c requirements-dev.lock -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate tests/judges/manifests.in -o tests/judges/manifests.txt

clean: ## end what a killed demo left, and delete everything that was made here
	@if [ -d .demo ]; then $(PYTHON) -I previewbot/demo/leftovers.py .demo; fi
	@if [ -d .cluster ]; then $(PYTHON) -m tests.cluster down; fi
	@rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready: requirements-dev.lock pyproject.toml
	@echo "· Setting up .venv (Python packages, pinned and checked by hash; a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "previewbot needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "· Installing python3-venv with apt-get"; \
		[ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null \
		|| { echo "Install it yourself: apt-get install python3-venv" >&2; exit 1; }; }
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
