# What a person types, and what CI calls. Every target sets up what it needs first; where nothing changed that takes a moment.
SWEEP ?= sweeps/default.yaml
LAB ?=
CONTAINERS ?=
TESTS ?=
DATA ?=
FIGURES ?=
GUIDE ?= runs/guide --quality runs/quality
PYTHON := .venv/bin/python
GRADWIRE := .venv/bin/gradwire
BENCH_RUN := build/bench

.DEFAULT_GOAL := help
.PHONY: help setup data sweep figures test check docs guide diagram bench bench-report fidelity schema clean

help: ## Show this text
	@echo 'Gradwire: how fast does this algorithm train on that network?'
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 22

setup: ## Set up what is missing: Debian and Python packages, the virtual lab's kernel, C helpers
	@setup/setup.sh

data: setup ## Fetch the data sets' stand-ins into the cache, where the real ones are absent (DATA='mnist ptb' for some)
	@$(GRADWIRE) data $(DATA)

sweep: setup ## Run a sweep (SWEEP=sweeps/default.yaml LAB=auto|virtual|host CONTAINERS=none|docker) into runs/, with its figures
	@$(GRADWIRE) data $(or $(DATA),cifar-10) || echo 'data: something is absent; a sweep that needs it says so'
	@$(GRADWIRE) sweep $(SWEEP) $(if $(LAB),--lab $(LAB)) $(if $(CONTAINERS),--containers $(CONTAINERS))

figures: setup ## Make the figures of the papers (FIGURES='tang2018-figure1' for some)
	@$(GRADWIRE) data $(DATA) || echo 'data: something is absent; a figure that needs it says so'
	@$(GRADWIRE) figures $(FIGURES) $(if $(LAB),--lab $(LAB))

test: setup ## Run all the tests that this machine allows (TESTS='tests/shaping -k tree' for some)
	@$(GRADWIRE) data || echo 'data: something is absent, so the tests that need it are skipped'
	@setup/browser.sh || echo 'browser: it is absent, so the tests that need it are skipped'
	@$(PYTHON) -m pytest $(TESTS)

check: setup ## Format, lint and types, as CI asks for them
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy

docs: setup ## Build the documentation into build/docs (index.html opens from disk); a warning is an error
	@$(PYTHON) -m sphinx -W --keep-going -q -d build/docs-trees docs build/docs
	@echo 'docs: build/docs/index.html'

guide: setup ## Write docs/which-algorithm.md anew from a sweep's run and a training's (GUIDE='runs/guide --quality runs/quality')
	@$(GRADWIRE) guide $(GUIDE) --write docs/which-algorithm.md

diagram: setup ## Draw the diagram of the architecture anew (docs/images/architecture.svg)
	@$(PYTHON) docs/architecture_diagram.py

bench: setup ## Run the smoke sweep afresh: cells per minute, emulated seconds per second
	@$(GRADWIRE) data cifar-10
	@rm -rf $(BENCH_RUN)
	@$(GRADWIRE) sweep sweeps/smoke.yaml --run $(BENCH_RUN)

bench-report: setup ## Measure the report of 480 made cells: its size, and how soon it shows in Chromium
	@setup/browser.sh
	@$(PYTHON) -m tests.browser.bench_report

fidelity: setup ## Compare exchanges on emulated links with the alpha-beta model, term by term
	@$$(command -v dockerd >/dev/null && echo $(PYTHON) -m containers.own_engine) $(GRADWIRE) fidelity $(if $(LAB),--lab $(LAB)) --write docs/fidelity.md

schema: setup ## Write the JSON schema and the reference of the files' keys anew (docs/)
	@mkdir -p build
	@$(GRADWIRE) schema > build/sweep.schema.json
	@mv build/sweep.schema.json docs/sweep.schema.json
	@$(GRADWIRE) schema --write docs/sweep-file.md
	@$(GRADWIRE) schema --kind training --write docs/training-file.md

clean: ## Remove what killed runs left (guests, spool folders), and what tests and tools left here
	@if [ -x $(GRADWIRE) ]; then $(GRADWIRE) clean; fi
	@rm -rf build/bench build/docs build/docs-trees .mypy_cache .ruff_cache .pytest_cache .hypothesis
