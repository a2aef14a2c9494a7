# Everything happens in .venv, which `make run`, `make test` and `make bench` set up by themselves.
PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

.PHONY: run test coverage mutants kernels bench docs lint lint-ruff lint-types packages vendor wasm clean

run: .venv/installed
	$(BIN)/hiphopss reproduce --profile quick -o runs/quick

# Three tests run at once, as some wait for a browser or a process; so each has one thread. `make
# kernels` has the numeric ones in two as well.
test coverage: export OPENBLAS_NUM_THREADS ?= 1
test: .venv/installed
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# The same tests, and how many lines and branches they run.
coverage: .venv/installed
	$(BIN)/python tests/covered.py $(PYTEST_ARGS)

# Changes to the numeric code that a test should notice: hours, or a sample with --only.
mutants: .venv/installed
	$(BIN)/python tests/mutants.py $(MUTANTS_ARGS)

# The numeric tests once more, as other processors would compute.
kernels: .venv/installed
	$(BIN)/python tests/kernels.py $(KERNELS_ARGS)

bench: .venv/installed
	$(BIN)/python tests/bench $(BENCH_ARGS)

# The documentation's site, into build/docs; its notebook is run. Warnings, such as a dead link, are errors.
docs: .venv/installed
	$(BIN)/python -m sphinx -W --keep-going -q docs build/docs

lint: lint-ruff lint-types

lint-ruff: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-types: .venv/installed
	$(BIN)/mypy

# What the page has from others, from where it is published; without a network, the page lacks it.
vendor: .venv/installed
	$(BIN)/python tests/vendor.py

# Wheel, sdist, and what is built from those and from a clone without links, compared and tried.
packages: vendor
	$(BIN)/python tests/packages.py

# The page's engine from its C sources; WASM_ARGS=--check compares with what is committed.
wasm: .venv/installed
	$(BIN)/python tests/wasm.py $(WASM_ARGS)

.venv/installed: setup.py pyproject.toml hiphopss/extras.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) and "hiphopss needs Python 3.11 to 3.14: make PYTHON=python3.13 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist runs *.egg-info
