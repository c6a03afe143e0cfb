# Set-up happens by itself: every target that needs the virtual environment makes it if it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

unexport PYTHONDONTWRITEBYTECODE  # tests whose asserts pytest has rewritten are kept: each process would do it again, for seconds

.PHONY: demo up deploy down test test-slow test-survival test-gpu mutate lint format docs docs-numbers gallery bench picture lock newest clean help
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(READY) ## Run the main job on the NAFLD cohort that ships, and print where its report lies
	@$(BIN)/mgvae run data/nafld/cohort.yaml

up: $(READY) ## Start a Prefect server, both work pools and their workers on this machine
	@$(BIN)/python -m deployments.local up

deploy: $(READY) ## Register mgvae-cohort/nightly, its stages and automations with the server
	@$(BIN)/python -m deployments.register

down: $(READY) ## Stop what make up started, and nothing else
	@$(BIN)/python -m deployments.local down

# one thread each: small models gain nothing from more, and lose much on a busy machine
# COVERAGE=1 measures branches, too, those of tests with Prefect's server among them, and prints them by package
test: $(READY) ## Run the quick tests, two files at a time; COVERAGE=1 prints the coverage of branches by package
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
		$(if $(COVERAGE),-m 'not slow and not gpu' --cov --cov-report=)
	@$(if $(COVERAGE),$(BIN)/python -m tests.benchmarks.coverage_by_package)

# three files at a time also on two cores: they start servers, workers and clusters, and wait for them a third of the time
test-slow: $(READY) ## Run the tests that take long or need a browser, R or Prefect's server
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder \
		-m '(slow or server) and not gpu and not survival' --durations=12

# one at a time: what a person waits for on an idle machine runs out of its time on a busy one
test-survival: $(READY) ## Kill workers, runs and servers of whole nights, and look what becomes of them; half an hour, alone
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m survival --durations=12

test-gpu: $(READY) ## Run the tests of the CUDA path, where there is a CUDA device
	@$(BIN)/python -m pytest -m gpu --durations=5

# MUTANTS='*[05]' takes every fifth; started again, it goes on where it stopped; `rm -r mutants` starts anew
MUTANTS ?= *
mutate: $(READY) ## Change rules, keys and wiring in small ways and list the changes that no test sees; an hour at most
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,mutate]'
	@OMP_NUM_THREADS=1 timeout --foreground 1h nice -n 19 $(BIN)/python -m mutmut run --max-children 1 '$(MUTANTS)' || test $$? = 124
	@$(BIN)/python -m tests.benchmarks.mutation

lint: $(READY) ## Check style, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

format: $(READY) ## Put the code into the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.docs ## Build the documentation site in site/, without the network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Built site/. Read it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory site"

# RUNS='runs/nafld/latest ...' names finished runs; MINUTES=10 runs the commands that take up to ten minutes, too
docs-numbers: $(READY) ## Compare the numbers in README.md and docs/ with finished runs and commands; names what differs
	@$(BIN)/python -m docs.tools.numbers $(RUNS) --minutes $(or $(MINUTES),1) $(if $(WRITE),--write)

gallery: $(READY) ## Make the reports of docs/gallery/ and their pictures; half an hour, needs Chromium
	@$(BIN)/python -m docs.tools.gallery

# ARGUMENTS='--full' measures tables of up to a million rows and 1,000 columns; CTGAN and TVAE need the extra `bench`
bench: $(READY) ## Ratios of speed against other implementations, and exponents; names what became slower; seven minutes
	@OMP_NUM_THREADS=1 nice $(BIN)/python -m tests.benchmarks.bench $(ARGUMENTS)

picture: $(READY) ## Photograph the report of make demo for the README; needs Chromium
	@$(BIN)/python -m docs.tools.picture runs/nafld/latest/report.html docs/report.png

lock: ## Resolve the dependencies afresh into constraints.txt, and with hashes into requirements.lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --upgrade pip '.[dev,docs,prepare,s3,server,kubernetes,dask,bench,mutate]'
	(sed -n '/^#/p' constraints.txt; $(VENV)-lock/bin/pip freeze --all | grep -v '^mgvae-cohort\|^pip=' | sed 's/+cpu//') > constraints.new
	mv constraints.new constraints.txt
	$(VENV)-lock/bin/pip install uv
	PATH="$(CURDIR)/$(VENV)-lock/bin:$$PATH" $(VENV)-lock/bin/python .ci/lock.py
	rm -rf $(VENV)-lock

newest: ## Install without constraints, as a plain pip install does, and run the demo and the quick tests; weekly in CI
	@.ci/newest

clean: ## Remove the virtual environment and caches; runs stay
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage mutants *.egg-info build

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("mgvae-cohort needs Python 3.11 or newer; this is %d.%d. Run: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	@echo "Setting up $(VENV) (once; a few minutes, most of it PyTorch) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=24'
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

$(VENV)/.docs: $(READY)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $(VENV)/.docs
