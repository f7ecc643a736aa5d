# demo, test: the two commands of the README. The others are for those who change the code.
PYTHON ?= python3
SEED := $(shell date +%s)
BIN := .venv/bin
# Without byte code every process of the tests would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo install install-dev test coverage check fmt diagnosis conformance upstream soak paces matrix verdicts looks bench house docs build clean

.venv/installed: requirements.txt pyproject.toml
	@echo "installing into .venv (once, about a minute)"
	@echo "1/3 making the environment"
	@$(PYTHON) -m venv .venv
	@echo "2/3 downloading and installing what canary needs"
	@$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements.txt
	@echo "3/3 installing canary itself"
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q companyos_canary    # pip compiles what it copies, not what it links to
	@touch $@
	@echo "installed: $(BIN)/canary"

.venv/installed-dev: requirements-dev.txt .venv/installed
	@echo "installing what the tests need (once, about a minute)"
	@$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

install: .venv/installed

install-dev: .venv/installed-dev

demo: install
	@$(BIN)/canary demo

test: install-dev
	@$(BIN)/python -m tests.oracles
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest -q -n 3 --dist worksteal

# Counting lines doubles the time of the suite: not part of `make test`.
coverage: install-dev
	@$(BIN)/pytest -q -n 3 --cov --cov-report=term:skip-covered --cov-fail-under=95

check: install-dev
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache | tail -3

fmt: install-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

diagnosis: install-dev
	@$(BIN)/python -m tests.diagnosis $(DIR)

conformance: install-dev
	@$(BIN)/python -m tests.conformance $(DIR)

upstream: install-dev
	@$(BIN)/python -m tests.upstream $(DIR)

soak: install-dev
	@echo "seed $(SEED): make soak SEED=$(SEED) does the same again"
	@$(BIN)/pytest -q -m 'soak or law' -s --hypothesis-seed=$(SEED) --durations=0
	@$(MAKE) --no-print-directory paces

# `make test` runs the commands where nothing is late; this runs all of them where everyone is late by 1 s, and by 3 s.
paces: install-dev
	@$(BIN)/pytest -q -n 3 --dist worksteal --pace 1s --pace 3s tests/commands

# Every verb with every fault at each of its requests; writes docs/reliability.md. VERBS="pause abort": only these.
matrix: install-dev
	@$(BIN)/python -m tests.matrix $(VERBS)

# form rps errors% rolled_back% held%: a line a cell, from the seed; `make verdicts RELEASES=1000` is more exact.
RELEASES := 200
VERDICTS_SEED := 1
verdicts: install-dev
	@$(BIN)/python -m tests.verdicts $(RELEASES) $(VERDICTS_SEED)

# What planned looks and a warm-up are worth, in numbers; docs/decisions/looks.md says what follows.
looks: install-dev
	@$(BIN)/python -m tests.looks $(RELEASES) $(VERDICTS_SEED)

bench: install-dev
	@$(BIN)/python -m tests.bench

house: install-dev
	@$(BIN)/python -m tests.house $(DIR)

docs: install-dev
	@$(BIN)/python -m tests.docs

build: install-dev
	@$(BIN)/python -m hatchling build -t wheel

clean:
	rm -rf .venv dist
