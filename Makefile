# Two commands on a fresh machine: `make demo` and `make test`. Everything lives in .venv.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2

.PHONY: setup demo test lint types bench faults lock picture clean

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@.ci/setup $(PYTHON)
	@touch $@

demo: setup
	@$(BIN)/ops-console demo

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m tests.benchmarks $(ARGS)

faults: setup
	$(BIN)/python -m pytest -n $(WORKERS) -m faults --timeout 3600 $(ARGS)

lock:
	uv pip compile pyproject.toml --extra demo --extra test --universal --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	  -o requirements.lock

picture: setup
	$(BIN)/python -m tests.snapshots.picture

clean:
	rm -rf .venv dist build snapshot_report.html
