# make install what the pipeline needs, into .venv
# make repro   the same, and runs the pipeline
# make test    installs what the tests need and runs them, without those that take minutes
# make test-slow   those that take minutes
# make test-published   tracks at their published sizes through all stages, half an hour on two cores
# make fuzz    25,000 damaged recordings and artifacts, new ones each time
# make lint    style and types, of the Dockerfile too
# make parameters   writes docs/parameters.md, after an edit of what params.yaml may have
# make site    docs/ as a site, in build/site
# make deps    writes into dvc.yaml which code each stage uses, after an edit that changes an import

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: install repro test test-slow test-published fuzz lint deps parameters site bench lock
.DEFAULT_GOAL := repro

install: .venv/runtime

repro: .venv/runtime
	dvc repro
	@echoes results

test: .venv/dev
	pytest -n auto --dist worksteal --durations 15

test-slow: .venv/dev
	pytest -n auto --dist worksteal --durations 15 -m slow

test-published: .venv/dev
	pytest --durations 15 -m published

fuzz: .venv/dev
	pytest -n auto tests/fuzz --fuzz-cases 25000

lint: .venv/dev
	ruff check .
	ruff format --check .
	mypy
	hadolint Dockerfile

deps: .venv/runtime
	python tools/deps.py

parameters: .venv/runtime
	python tools/parameters.py

site: .venv/dev
	mkdocs build

bench: .venv/dev
	python bench/voxelize.py
	python bench/training_step.py
	python bench/checkpoint.py

# A stamp file says which lock an environment was installed from: a newer lock installs again.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "echoes needs Python 3.11 or later; $$($(PYTHON) --version) is $(PYTHON). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.lock pyproject.toml | .venv/bin/python
	pip install --quiet --disable-pip-version-check -r requirements.lock
	pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/dev: requirements-dev.lock .venv/runtime
	pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

# The locks anew, from pyproject.toml. torch keeps its plain version: each machine takes the build that fits it.
COMPILE := pip-compile --quiet --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links
lock: .venv/dev
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	sed -i 's/^torch==\([0-9.]*\)+.*/torch==\1/' requirements.lock requirements-dev.lock
