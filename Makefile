# `make` alone lists what there is. Everything that a target needs is set up by it, once, and kept.

# The first of these that is new enough; another one: make PYTHON=/path/to/python …
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv/bin
CODE := $(wildcard components dynamic_providers fleet identity lab mail_check tools tests __main__.py)
# Tests that run at once: two a core, since many wait; WORKERS=0: in this very process, for a debugger.
WORKERS ?= $(shell echo $$(( $$(nproc) * 2 )))
# Of the cuts three a core: most of what they do is wait.
test-faults: WORKERS = $(shell echo $$(( $$(nproc) * 3 )))
# What to hand to pytest besides: make test ARGS="tests/unit -k prompt"
ARGS ?=
# How many customers `make bench-fleet` goes through, one size after the other.
SIZES ?= 10 50 100
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-faults bench-fleet lint format docs lab env lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: ## virtual environment and Pulumi engine, made once (the others do this by themselves)
ifeq ($(PYTHON),)
	@echo "setup: stopped. Python 3.11 or newer is needed: apt-get install python3, or make PYTHON=/path/to/python" >&2
	@exit 1
else
	@$(PYTHON) -m tools.setup
endif

demo: setup ## the whole life of a customer's mail flow on the emulated estate, told line by line
	@$(VENV)/python -m lab.demo

test: setup ## all tests (WORKERS=0: one at a time; ARGS="tests/unit -k name": some of them)
	@$(VENV)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-faults: setup ## every cut of every run, and all planted defects: half an hour on two cores
	@FAULTS=all $(VENV)/python -m pytest -n $(WORKERS) --dist worksteal tests/faults $(ARGS)

bench-fleet: setup ## fleet over 10, 50 and 100 customers, an hour or two (SIZES=10: minutes)
	@$(VENV)/python -m tools.bench.fleet $(SIZES)

lint: setup ## rules, format, types, and the pipelines by their vendors' schemas; needs no network
	$(VENV)/ruff check $(CODE)
	$(VENV)/ruff format --check $(CODE)
	$(VENV)/mypy $(CODE)
	$(VENV)/check-jsonschema --builtin-schema vendor.github-workflows pipelines/github/*.yml
	$(VENV)/check-jsonschema --builtin-schema vendor.azure-pipelines --data-transform azure-pipelines \
		--regex-variant nonunicode pipelines/azure-devops/*.yml
	$(VENV)/check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci \
		--regex-variant nonunicode pipelines/gitlab/.gitlab-ci.yml
	$(VENV)/shellcheck --external-sources --source-path pipelines/steps pipelines/steps/*.sh

format: setup ## put the code into its form, and what ruff can mend by itself
	$(VENV)/ruff format $(CODE)
	$(VENV)/ruff check --fix $(CODE)

docs: setup ## docs/reference anew, from the code
	@$(VENV)/python -m tools.settings_schema
	@$(VENV)/python -m tools.reference_docs

lab: setup ## start the emulated gateway and tenant, and say how to log in by hand
	@$(VENV)/python -m lab

env: ## environment for pulumi by hand: eval "$(make -s env)"
	@$(PYTHON) -m tools.engine

lock: ## requirements*.in to requirements*.txt anew: the newest that fits, pinned, hashed, without index addresses
	@$(PYTHON) -m venv --clear .lock-venv && .lock-venv/bin/python -m pip install -q uv==$(UV_VERSION)
	@for name in requirements requirements-dev; do \
		.lock-venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-annotate --custom-compile-command "make lock" \
			$$([ $$name = requirements ] || echo -c requirements.txt) -o $$name.txt $$name.in || exit 1; done
	@rm -rf .lock-venv

clean: ## remove what was made here, except .pulumi-state: a stack's state lives there
	rm -rf .venv .lock-venv .pulumi-engine .pulumi-home .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
