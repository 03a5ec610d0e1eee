# Everything from a bare clone: make search, make test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STORE := sqlite:///runs/mlflow.db

.PHONY: install search test test-long test-services check format ui docs bench bench-search bench-peers soak fuzz audit resolve

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

search: install  ## The main job on the embedded dataset.
	$(BIN)/python tune.py --space search_spaces/augs.yaml

TESTS := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: install  ## All but the long tests; ten minutes on two quiet cores.
	$(TESTS)

test-long: install  ## Whole searches, walks through the docs, faults injected into real processes.
	$(TESTS) -m "long and not services"

test-services: install  ## A search against a real MLflow server in front of a real PostgreSQL, on 127.0.0.1.
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update && apt-get install --yes postgresql; }
	$(BIN)/python -m pip install --quiet --editable '.[dev,server]'
	$(BIN)/python -m pytest -m services

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

bench: install  ## One table of speed, plain against ours; twenty minutes on two quiet cores.
	$(BIN)/python -m benchmarks.table

bench-search: install  ## How many epochs searches need, simulated on recorded trainings; eleven minutes on two cores.
	$(BIN)/python -m benchmarks.search_efficiency.compare

# NePS pins a GPyTorch that no recent BoTorch takes, and neither is to decide the versions of this project.
PEERS := $(VENV)-peers/bin/python
NEPS := $(VENV)-neps/bin/python
COMPARE := -m benchmarks.search_efficiency.compare --workers 8 --histories runs/peers.jsonl

bench-peers: $(VENV)-peers/installed  ## The same with BoTorch, NePS, SMAC3, Syne Tune and Optuna's samplers, in environments of their own; hours.
	mkdir -p runs
	$(PEERS) -m pytest tests/benchmarks/test_search_peers.py
	-$(MAKE) $(VENV)-neps/installed
	-$(NEPS) -m pytest tests/benchmarks/test_search_peers.py
	-$(NEPS) $(COMPARE) --rows "NePS MOASHA" "NePS PriMO"
	$(PEERS) $(COMPARE) --peers

$(VENV)-peers/installed $(VENV)-neps/installed: $(VENV)-%/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet --editable '.[$*]'
	touch $@

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: install  ## Compare the trials of all searches in a browser.
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --backend-store-uri $(STORE) --host 127.0.0.1 --port 5000

docs: install  ## The documentation as a website: docs/_build/index.html.
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs]'
	$(BIN)/python -m sphinx -W --keep-going -q -j auto docs docs/_build

soak: install  ## A hundred faults and more, injected into real searches; an hour on two cores.
	$(BIN)/python -m tests.faults.soak

fuzz: install  ## 20,000 damaged or odd inputs for every reader of files that users share; a quarter of an hour on one core.
	FUZZ_INPUTS=20000 $(BIN)/python -m pytest tests/safety/test_fuzz.py --durations=0

resolve: install  ## Check that all requirements can be installed for every supported Python. Needs pypi.org; some minutes.
	$(BIN)/python -m tests.packaging.resolve

audit: install  ## Known vulnerabilities of everything installed; needs pypi.org, and fails where it cannot be reached.
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet pip-audit
	$(BIN)/python -m pip freeze --exclude-editable > $(VENV)-audit/installed.txt
	$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement $(VENV)-audit/installed.txt
