# make demo | test | lint | witness: each sets up .venv from setup.cfg first and needs only a Python of 3.11 or later.

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   := build/demo
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
            $$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)

# Where the vendor's toolchain is kept, for all checkouts; and how long it may take to be installed, in seconds.
WITNESS ?= $(or $(SURGERY_WITNESS),$(HOME)/.local/share/surgery/witness)
PATIENCE ?= 900

.PHONY: setup demo witness test lint bench clean

setup: $(READY)

$(READY): setup.cfg pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or later (PYTHON=/path/to/python make ...)" >&2; exit 1; }
	@echo "== setting up $(VENV) with $$($(PYTHON) --version) =="
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[test,lint]'
	@touch $@

# Exit 1 of the tool means done, with findings (nodes left on the CPU): for a demonstration that is an answer too.
demo: $(READY)
	@mkdir -p $(DEMO)
	@echo "== surgery run models/digits.onnx for bernoulli2 =="
	@$(BIN)/surgery run models/digits.onnx --march bernoulli2 -o $(DEMO)/digits.onnx \
	    --add strip-io-nodes --report $(DEMO)/report.html --inputs models/digits.npz --eval models.eval:accuracy || test $$? -eq 1
	@test -s $(DEMO)/digits.onnx && test -s $(DEMO)/report.html
	@echo "rewritten model: $(DEMO)/digits.onnx"
	@echo "report:          $(DEMO)/report.html"

# For the tests marked `witness`. Where it cannot be installed these are skipped, and one line says why.
witness: $(READY)
	@mkdir -p build
	@$(BIN)/surgery witness status 2>/dev/null || \
	    timeout --signal=INT $(PATIENCE) $(BIN)/surgery witness setup "$(WITNESS)" --yes 2>build/witness.txt || \
	    echo "no vendor toolchain, its tests are skipped: $$(grep '^surgery: ' build/witness.txt || echo "not done in $(PATIENCE) s")"

test: $(READY)
	$(BIN)/python -m pytest -n auto -q

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m pip install --quiet -e '.[bench]'
	$(BIN)/python scripts/bench_peers.py

clean:
	rm -rf build $(VENV) *.egg-info
