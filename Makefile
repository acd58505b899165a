# emseg on one computer. Needs Python 3.11, make and git; everything else is installed into .venv and build/.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready
WORKERS ?= 2
DEMO_OPTIONS := $(if $(DATA),--data '$(DATA)') $(if $(STITCH),--stitch '$(STITCH)') $(if $(PRESET),--preset '$(PRESET)')

# Byte code of the packages is made when they are installed, and emseg's own is kept. Where the caller has
# PYTHONDONTWRITEBYTECODE set, each call of the command and each worker of Spark compiled a thousand files anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test faults check audit up down bench bench-quality bench-scale lock browser clean

demo: $(READY)  ## take EM through Airflow, Spark, S3 and DVID: make demo [DATA=FILE.npz] [STITCH=none] [PRESET=NAME]
	$(BIN)/emseg demo $(DEMO_OPTIONS)

test: $(READY) browser  ## every test, with real servers of its own for each of two workers: make test [WORKERS=0]
	$(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder -m 'not long'

faults: $(READY) browser  ## the fault matrix: every fault at full length, and a table of what holds
	EMSEG_FAULTS=full EMSEG_FUZZ=10000 EMSEG_DAMAGES=10000 $(BIN)/python -m pytest -n $(WORKERS) --timeout 3600 --no-loadscope-reorder -p tests.faults.table -m fault

check: $(READY)  ## lint, format, types, contracts between rooms
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

audit: $(READY)  ## known vulnerabilities of the pinned requirements (asks PyPI)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements.txt

up: $(READY)  ## start DVID, S3 and Airflow; print address and login
	$(BIN)/emseg devstack up --airflow

down: $(READY)  ## stop all of it; the data stays
	$(BIN)/emseg devstack down

bench: $(READY)  ## the figures of the documentation, printed and left in build/bench
	$(BIN)/python -m benchmarks

bench-quality: $(READY)  ## VI, time and memory of each shipped pipeline on held-out tissue: half an hour
	$(BIN)/python -m benchmarks quality

bench-scale: $(READY)  ## plan, markers, resolution and end of writing of volumes of up to 10^6 subvolumes: half an hour
	$(BIN)/python -m benchmarks resume scale finish

lock: $(READY)  ## pin what pyproject.toml and requirements-dev.in name
	$(BIN)/uv pip compile -q --no-header --no-emit-index-url --no-emit-find-links --generate-hashes -p 3.11 --extra airflow pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --no-header --no-emit-index-url --no-emit-find-links --generate-hashes -p 3.11 requirements-dev.in -o requirements-dev.txt

clean: down  ## forget the environment, the servers' data and all results
	rm -rf .venv build

# The tests look at the web pages in Debian's chromium; without root it is named instead.
browser:
	@command -v chromium >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; \
	else echo "The browser tests need Debian's package chromium"; fi

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v == (3, 11) else f"emseg needs Python 3.11, this is {v}: make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo Installing the environment into .venv
	@$(BIN)/python -m pip install -q uv==0.13.9
	@UV_COMPILE_BYTECODE=1 $(BIN)/uv pip sync -q --require-hashes -p $(BIN)/python requirements.txt requirements-dev.txt
	@$(BIN)/uv pip install -q -p $(BIN)/python --no-deps uv==0.13.9 -e .
	@touch $@
