# Everything a developer or a user of a checkout needs. Only Python, a C++ compiler, CMake and make must be there.
#   make chat                          set up, then talk to the demo model
#   make chat MODEL=path/to/model.gguf
#   CMAKE_ARGS=-DGGML_CUDA=on make chat    compile llama.cpp for the GPU (remembered for this checkout)

PYTHON ?= python3
MODEL ?= demo
BIN := .venv/bin
WORKERS ?= 2
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup chat test lint format types bench lock clean test-slow

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## make .venv from the lock file; compiles llama-cpp-python once per machine
	@$(PYTHON) .ci/environment.py

chat: setup  ## set up, then open the terminal chat with the demo model (or MODEL=…)
	@$(BIN)/airochat --model "$(MODEL)"

test: setup lint  ## set up, then lint, types and all tests but the slow ones
	@echo "airochat: tests …"
	@$(BIN)/python -m pytest -m "not slow and not browser" -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

test-slow: setup  ## the tests that take long, build a wheel or drive a browser
	@echo "airochat: slow tests …"
	@$(BIN)/python -m pytest -m "slow or browser" $(PYTEST_ARGS)

lint: setup  ## formatting, lint, types, import contracts
	@echo "airochat: formatting, lint …"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@echo "airochat: types …"
	@$(BIN)/mypy
	@echo "airochat: import contracts …"
	@$(BIN)/lint-imports --no-logo --no-cache

format: setup  ## format, and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup  ## run every benchmark (minutes)
	@set -e; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

lock: setup  ## resolve pyproject.toml anew into requirements.lock (UPGRADE=1 takes newer versions)
	@$(BIN)/uv pip compile pyproject.toml --quiet --all-extras --universal --python-version 3.10 \
		--generate-hashes --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade) \
		--custom-compile-command "make lock" --output-file requirements.lock
	@echo "airochat: requirements.lock is new; the next make installs it."

clean:  ## remove .venv, builds and caches (the compiled wheel in ~/.cache/airochat stays)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find airochat plugins tests benchmarks .ci -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
