.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SECURITY := .venv-security
PIP := $(BIN)/python -m pip --disable-pip-version-check
WORKERS = $(shell nproc | awk '{print ($$1 < 4 ? $$1 + 1 : 4)}')
FAST := -m "not (server or node or claude)"
SOURCES := $(shell find blocks cli deployments flows -name '*.py' -o -name '*.json' -o -name py.typed | sort)

help:  ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/linked  ## make .venv with everything, pinned and hash-checked

demo: install  ## run a job of three tasks end to end, in a folder of its own
	@$(BIN)/python -m tests.demo

test: install  ## run the whole test suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: install  ## run the tests that start no server, node or claude
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(FAST)

test-all:  ## run the same on every Python from 3.11 to 3.14 that is here, each in an environment of its own
	@failed=; for version in 3.11 3.12 3.13 3.14; do \
		if ! python$$version -c '' 2>/dev/null; then echo "python$$version: not here"; continue; fi; \
		$(MAKE) --no-print-directory PYTHON=python$$version VENV=.venv-$$version test-fast || failed="$$failed $$version"; \
		echo "python$$version: $$(case "$$failed " in *" $$version "*) echo failed;; *) echo passed;; esac)"; \
	done; test -z "$$failed"

check: lint typecheck test  ## formatting, lint, types, and the whole test suite

format: install  ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lint: install  ## formatting and lint, changing nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

typecheck: install  ## mypy --strict
	@$(BIN)/mypy

security: security-bandit security-pip-audit security-gitleaks  ## the three below

security-bandit: $(SECURITY)/packages  ## insecure patterns in the code
	@$(SECURITY)/bin/bandit --quiet -ll -ii --recursive blocks cli deployments flows

security-pip-audit: $(SECURITY)/packages  ## known vulnerabilities of the pinned dependencies
	@$(SECURITY)/bin/python tests/audit.py deployments/constraints.txt

security-gitleaks:  ## secrets in the files and in the history, where gitleaks is installed
	@if command -v gitleaks >/dev/null; then gitleaks detect --no-banner --redact; \
	else echo "gitleaks is not installed: the history was not searched for secrets"; fi

pipeline: format lint typecheck test security build  ## everything, then the wheel in an environment of its own
	@rm -rf .venv-wheel && $(PYTHON) -m venv .venv-wheel
	@.venv-wheel/bin/python -m pip install --quiet --no-deps --require-hashes -r deployments/constraints.txt
	@.venv-wheel/bin/python -m pip install --quiet --no-deps --force-reinstall dist/ccs-*.whl
	@cd .venv-wheel && bin/ccs --version

run: install  ## run ccs from this checkout: make run ARGS="jobs list"
	@$(BIN)/ccs $(ARGS)

bench: install  ## measure ccs against stock Prefect and bare claude, as ratios
	@$(BIN)/python -m tests.benches

chaos: install  ## do bad things to real runs, and count what went wrong (takes many minutes)
	@$(BIN)/python -m tests.chaos

docs: install  ## renew the parts of the documentation that follow from the code
	@$(BIN)/python -m tests.docs.generate

build: install  ## build the wheel
	@$(BIN)/python -m build --wheel --no-isolation

lock: install  ## resolve the dependencies anew into deployments/constraints.txt
	@$(BIN)/uv --version >/dev/null 2>&1 || $(PIP) install -q uv
	@$(BIN)/uv pip compile -q pyproject.toml --group dev --all-extras --universal --upgrade --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -o deployments/constraints.txt
	@$(BIN)/uv pip compile -q --group security --universal --upgrade --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -o deployments/constraints-security.txt

clean:  ## remove everything that was made here
	rm -rf $(VENV) .venv-3.* $(SECURITY) .venv-wheel build dist .demo .chaos *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(VENV)/packages: deployments/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ccs needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --no-deps --require-hashes --compile -r deployments/constraints.txt
	@touch $@

$(SECURITY)/packages: deployments/constraints-security.txt
	@$(PYTHON) -m venv --clear $(SECURITY)
	@$(SECURITY)/bin/python -m pip install --quiet --no-deps --require-hashes -r $<
	@touch $@

# The strict editable install is a tree of links, one a file: made again when a file comes or goes.
$(VENV)/linked: $(VENV)/packages pyproject.toml $(if $(filter-out $(SOURCES),$(file <$(VENV)/sources))$(filter-out $(file <$(VENV)/sources),$(SOURCES)),relink)
	$(PIP) install --quiet --no-deps --no-build-isolation --config-settings editable_mode=strict -e .
	@$(BIN)/python -m compileall -q build/__editable__*
	@echo '$(SOURCES)' > $(VENV)/sources
	@touch $@

.PHONY: help install demo test test-fast test-all check format lint typecheck security security-bandit security-pip-audit security-gitleaks \
	pipeline run bench chaos docs build lock clean relink
