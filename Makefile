# make run         serve the demo plant on 127.0.0.1:3000
# make test-fast   the tests without servers, browsers, npm, processes of their own and random values (about a minute)
# make test        the whole suite, with real servers (four to five minutes; what is missing is built meanwhile)
# make test-long   the long randomized runs; SEED=... repeats one
# make check       what a commit must pass: format, lint, types, import contracts and the suite
# make bench-check times that must not be exceeded
# make bench-abuse dashboards beside an abuse mix
# make bench-memory  memory that must return after many documents and answers
# make bench-series  rollups and changes of the embedded time series, beside DuckDB
# make bench       figures of the gateway beside other GraphQL servers
PYTHON ?= python3
BIN := .venv/bin
# Tests wait for servers a third of their time: one process more than there are cores.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
SEED ?= $(shell date +%s)
PYTEST = $(BIN)/python -m pytest
# A test that hangs ends its process after a quarter of an hour, and the stacks of its threads are printed.
UNLESS_HUNG = -o faulthandler_timeout=900 -o faulthandler_exit_on_timeout=true
PARALLEL = -n $(WORKERS) --maxprocesses 4 --dist load --maxschedchunk 1

# The suite starts Python dozens of times: compiled modules are kept, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test test-fast test-long lint check bench bench-abuse bench-check bench-memory bench-series lock format clean

run: .venv/runtime
	$(BIN)/sync-gateway serve --demo

test-fast: .venv/dev
	$(PYTEST) $(PARALLEL) $(UNLESS_HUNG) -m "not long and not slow and not external and not randomized"

test: .venv/dev
	$(PYTEST) $(PARALLEL) $(UNLESS_HUNG)

test-long: .venv/dev
	SYNC_TEST_SEED=$(SEED) SYNC_TEST_FACTOR=20 $(PYTEST) $(PARALLEL) -m "long or randomized" --hypothesis-seed=$(SEED)

lint: .venv/dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

check: lint test

# What must not take longer than it may, in milliseconds; the suite asserts no times.
bench-check: .venv/dev
	$(BIN)/python -m bench.check

# Twenty dashboard requests a second, alone and beside clients that abuse the gateway.
bench-abuse: .venv/dev
	$(BIN)/python -m bench.abuse

# Resident memory after many documents and many large answers.
bench-memory: .venv/dev
	$(BIN)/python -m bench.steadiness

# Rollups and changes beside DuckDB, and beside files without them.
bench-series: .venv/bench
	$(BIN)/python -m bench.rollups

# The gateway against other GraphQL servers over one MongoDB and one InfluxDB (needs java, maven and npm).
bench: .venv/bench bench/peers/mercurius/node_modules
	$(BIN)/python -m bench.execution

format: .venv/dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# hatchling is in both locks, so that building the package itself fetches nothing that is not locked.
.venv/runtime: .lock/runtime.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Sync Gateway needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .lock/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev: .venv/runtime .lock/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .lock/dev.txt
	touch $@

.venv/bench: .venv/dev .lock/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .lock/bench.txt
	touch $@

bench/peers/mercurius/node_modules: bench/peers/mercurius/package-lock.json
	cd bench/peers/mercurius && npm ci --silent
	touch $@

# Resolve the locks again (needs uv). The files name no package index.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml
lock:
	$(LOCK) --group build -o .lock/runtime.txt
	$(LOCK) --group build --group dev -c .lock/runtime.txt -o .lock/dev.txt
	$(LOCK) --group build --group dev --group bench -c .lock/dev.txt -o .lock/bench.txt

clean:
	rm -rf .venv
