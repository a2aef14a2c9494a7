# Everything happens in .venv, which `make run`, `make test` and `make bench` set up by themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test bench lint clean

run: .venv/installed
	$(BIN)/hiphopss reproduce --profile quick -o runs/quick

test: .venv/installed
	$(BIN)/python -m pytest -q -n 2 --dist loadfile $(PYTEST_ARGS)

bench: .venv/installed
	$(BIN)/python tests/bench $(BENCH_ARGS)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/installed: setup.py pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hiphopss needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist runs *.egg-info
