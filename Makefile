.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := $(shell find blocks cli deployments flows -name '*.py' -o -name '*.json' -o -name py.typed | sort)

help:  ## show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/linked  ## make .venv with everything, pinned and hash-checked

demo: install  ## run a job of three tasks end to end, in a folder of its own
	@$(BIN)/python -m tests.demo

test: install  ## run the whole test suite
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: lint test  ## formatting, lint, types, and the whole test suite

lint: install
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

fix: install  ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: install  ## measure ccs against stock Prefect and bare claude, as ratios
	@$(BIN)/python -m tests.benches

chaos: install  ## do bad things to real runs, and count what went wrong (takes many minutes)
	@$(BIN)/python -m tests.chaos

build: install  ## build the wheel
	@$(BIN)/python -m build --wheel --no-isolation

lock: install  ## resolve the dependencies anew into deployments/constraints.txt
	@$(BIN)/uv --version >/dev/null 2>&1 || $(PIP) install -q uv
	@$(BIN)/uv pip compile -q pyproject.toml --group dev --all-extras --universal --upgrade --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -o deployments/constraints.txt

clean:  ## remove everything that was made here
	rm -rf $(VENV) build dist .demo .chaos *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(VENV)/packages: deployments/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ccs needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --no-deps --require-hashes --compile -r deployments/constraints.txt
	@touch $@

# The strict editable install is a tree of links, one a file: made again when a file comes or goes.
$(VENV)/linked: $(VENV)/packages pyproject.toml $(if $(filter-out $(SOURCES),$(file <$(VENV)/sources))$(filter-out $(file <$(VENV)/sources),$(SOURCES)),relink)
	$(PIP) install --quiet --no-deps --no-build-isolation --config-settings editable_mode=strict -e .
	@$(BIN)/python -m compileall -q build/__editable__*
	@echo '$(SOURCES)' > $(VENV)/sources
	@touch $@

.PHONY: help install demo test check lint fix bench chaos build lock clean relink
