# make demo   set up, make a model from real documents, print the table, answer one prompt
# make test   set up, run the tests
# make slow   those that take many seconds each: whole makes, Ray, faults, the frontier
# make smoke  the real base, one minute of tuning: every gate but quality must hold, and the model answers
# make check  ruff, mypy, tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := smollm2-135m-instruct
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=  # else each of hundreds of processes compiles everything anew

.PHONY: setup browser demo test slow smoke check bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "netsuke needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@

python-docs: $(VENV)/.ready
	$(BIN)/python examples/python-docs python-docs

demo: $(VENV)/.ready python-docs
	$(BIN)/netsuke bases fetch $(BASE)
	$(BIN)/netsuke make ./python-docs --mb 80 --minutes 5
	@echo
	$(BIN)/netsuke complete python-docs "The with statement" --max-tokens 60 --seed 1

browser:
	@scripts/browser

test: $(VENV)/.ready browser  # three workers on two cores: a third of the time a test waits
	scripts/in-memory $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

slow: $(VENV)/.ready browser
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow --timeout=600

smoke: $(VENV)/.ready browser
	$(BIN)/python -m pytest -m real --timeout=1500 -s

check: $(VENV)/.ready browser
	scripts/check

bench: $(VENV)/.ready
	$(BIN)/python -m bench.loop

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache python-docs
