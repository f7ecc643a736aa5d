# demo, test: the two commands of the README. The others are for those who change the code.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo install install-dev test check fmt conformance soak bench docs build clean

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

install: .venv/installed

install-dev: .venv/installed-dev

demo: install
	@$(BIN)/canary demo

test: install-dev
	@$(BIN)/python -m tests.oracles
	@$(MAKE) --no-print-directory check
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q -n 2
	@$(BIN)/coverage combine -q && $(BIN)/coverage report --fail-under=85 | tail -1

check: install-dev
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache | tail -3

fmt: install-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

conformance: install-dev
	@$(BIN)/python -m tests.conformance $(DIR)

soak: install-dev
	@$(BIN)/pytest -q -m soak -s

bench: install-dev
	@$(BIN)/python -m tests.bench

docs: install-dev
	@$(BIN)/python -m tests.docs

build: install-dev
	@$(BIN)/python -m hatchling build -t wheel

clean:
	rm -rf .venv dist
