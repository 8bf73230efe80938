# `make demo` and `make test` do all of their set-up by themselves in .venv.
# They assume python3 (3.11 or newer) with pip, and make. Quick the second time.
#
#   make demo ARGS="--scenario healthy"
#   make test PYTEST_ARGS="-k plan"
#   make test-long                           the long forms of some of the tests
#   make docs                                the documentation as a site, docs/_build/html
#   make demo TORCH_ARGS="--index-url URL"   where to take torch from, if plain pip should not

PYTHON ?= python3
ARGS ?=
PYTEST_ARGS ?=
TORCH_ARGS ?=

BIN := .venv/bin
BASE := .venv/.stamp-base
READY := .venv/.stamp-ready
READY_DEV := .venv/.stamp-dev
READY_DOCS := .venv/.stamp-docs

export FLWR_TELEMETRY_ENABLED := 0
export FLWR_DISABLE_UPDATE_CHECK := 1
export RAY_DEDUP_LOGS := 1
export RAY_USAGE_STATS_ENABLED := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Whatever starts Python anew would compile its libraries anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-long lint docs clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/unsilent demo $(ARGS)

# Two workers whose threads wait for each other's take several times as long.
test test-long: export OMP_NUM_THREADS := 1
test: lint
	$(BIN)/pytest -n 2 --dist loadfile $(PYTEST_ARGS)

test-long: $(READY_DEV)
	$(BIN)/pytest -n 2 --dist loadfile -m long $(PYTEST_ARGS)

lint: $(READY_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# As strict as it can be: a warning, or a link to what is not there, ends it.
docs: $(READY_DOCS)
	$(BIN)/python -m sphinx -q -b html -W --keep-going docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html
	@echo "Documentation: docs/_build/html/index.html"

clean:
	rm -rf docs/_build docs/_made .venv build dist src/*.egg-info bench/src/*.egg-info bench/build

# torch goes first and alone: where pip's own settings offer a build for the CPU, plain pip then
# takes it, and the second step leaves it in place.
$(BASE): constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "unsilent needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	         "Name another one: make PYTHON=python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q --no-compile -c constraints.txt $(TORCH_ARGS) torch==2.13.0
	@touch $@

$(READY): pyproject.toml constraints.txt $(BASE)
	$(BIN)/pip install -q --no-compile -c constraints.txt -e '.[flower]'
	@touch $@

$(READY_DEV): pyproject.toml bench/pyproject.toml constraints.txt $(BASE)
	$(BIN)/pip install -q --no-compile -c constraints.txt -e '.[dev]' -e ./bench
	@touch $(READY) $@

$(READY_DOCS): pyproject.toml constraints.txt $(READY)
	$(BIN)/pip install -q --no-compile -c constraints.txt -e '.[docs]'
	@touch $@
