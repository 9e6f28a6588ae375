# `make` lists the targets. The first target that needs the packages installs them into .venv, once.
# ARGS="…" goes to the command, as in `make train ARGS="seed=1"` or `make test ARGS="-k r1"`;
# PYTHON=… is the Python of .venv (3.11 to 3.13).

PYTHON ?=
ARGS ?=

CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
IS_SUPPORTED := import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
VERSION := import sys; print("%d.%d.%d, %s" % (sys.version_info[:3] + (sys.executable,)))
RUN := .venv/bin/python
INSTALL := -c constraints.txt -e ".[dev]"
# uv is faster, but does not read pip's package index: with one set, pip installs.
UV_READS_THE_SAME_INDEX = command -v uv >/dev/null && ! $(RUN) -m pip config list | grep -qE 'index|find-links'

# Bytecode of packages is written when a module is first imported, which takes seconds; compiling all of them at
# installation takes more than a minute. Without bytecode, each start would compile again.
unexport PYTHONDONTWRITEBYTECODE
export PIP_NO_INPUT := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0
# Build dependencies are pinned, too (pip before 25.3 ignores this).
export PIP_BUILD_CONSTRAINT := constraints.txt

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup train test test-slow torture nightly cluster-check package-check lint format bench ladder stats wandb-view table docs clean distclean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

setup: .venv/.installed  ## make .venv and install everything into it

train: setup  ## train a regularized GAN on handwritten digits
	@$(RUN) src/train.py regularizer=l2 lambda_g=0.1 $(ARGS)

test: setup  ## run the tests that take seconds
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist worksteal -m "not slow" $(ARGS)

test-slow: setup  ## run the other tests: sweeps that are killed, several processes, budgets, random configurations
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist worksteal -m slow $(ARGS)

torture: setup  ## kill and interrupt runs, resume them, and compare (ARGS="--seconds 120")
	@OMP_NUM_THREADS=1 PYTHONPATH=src $(RUN) tests/torture.py $(ARGS)

nightly: setup  ## the tests with 500 random configurations, and all of the torture
	@OMP_NUM_THREADS=1 REGEN_EXAMPLES=500 $(RUN) -m pytest tests/config/test_random_configurations.py
	@OMP_NUM_THREADS=1 PYTHONPATH=src $(RUN) tests/torture.py $(ARGS)

cluster-check: setup  ## try a real Slurm of two nodes, a real PostgreSQL, torchrun and kill -9 on this machine (root, Debian's packages)
	@OMP_NUM_THREADS=1 PYTHONPATH=src $(RUN) tests/cluster_check.py $(ARGS)

package-check: setup  ## build the wheel and the sdist, and use them in a new environment (ARGS=--offline: with this one's packages)
	@OMP_NUM_THREADS=1 $(RUN) tests/package_check.py $(ARGS)

lint: setup  ## check the code's style and its types
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy

format: setup  ## put the code into that style
	@$(RUN) -m ruff check --fix
	@$(RUN) -m ruff format

bench: setup  ## compare the speed of training with a bare loop's
	@$(RUN) benchmarks/training_speed.py $(ARGS)

ladder: setup  ## check the diagnosis on images of which the truth is known (ARGS="--mnist FOLDER --photos FOLDER --write")
	@OMP_NUM_THREADS=2 $(RUN) benchmarks/run_ladder.py $(ARGS)

stats: setup  ## count files, functions, types and words to avoid
	@$(RUN) benchmarks/code_stats.py $(ARGS)

wandb-view: setup  ## save a workspace for comparing runs in W&B (ARGS="sweep=NAME")
	@$(RUN) src/wandb_view.py $(ARGS)

table: setup  ## write the pages of regularizers and figures in docs/
	@$(RUN) src/regularizers.py --write

docs: setup  ## build the documentation in build/docs/, warnings are errors
	@$(RUN) -m sphinx -q -E -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "Open build/docs/index.html."

clean:  ## remove caches and what building left, never outputs/
	@rm -rf build dist src/*.egg-info .pytest_cache .ruff_cache .mypy_cache
	@find src tests -name __pycache__ -prune -exec rm -rf {} +

distclean: clean  ## remove .venv as well
	@rm -rf .venv

.venv/.installed: pyproject.toml constraints.txt .venv/bin/python
	@echo "Installing the packages into .venv, once: some minutes, 6 GB on Linux."
	@$(UV_READS_THE_SAME_INDEX) && uv pip install --python $(RUN) $(INSTALL) || { \
		$(RUN) -m pip install --quiet --upgrade pip && $(RUN) -m pip install --no-compile $(INSTALL); }
	@touch $@

.venv/bin/python:
	@for python in $(CANDIDATES); do \
		if "$$python" -c '$(IS_SUPPORTED)' 2>/dev/null; then \
			echo "Making .venv with $$("$$python" -V)."; exec "$$python" -m venv --clear .venv; \
		fi; \
	done; \
	{ echo "regen needs Python 3.11, 3.12 or 3.13 with its venv module. Found:"; \
	for python in $(CANDIDATES); do \
		echo "  $$python: $$("$$python" -c '$(VERSION)' 2>/dev/null || echo 'no such program, or it does not run')"; \
	done; \
	echo "Install one (Debian, Ubuntu: apt install python3.12-venv; macOS: brew install python@3.12),"; \
	echo "or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; } >&2; exit 1
