# Two commands do all the set-up on a fresh machine with only Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONWARNINGS ?=

.PHONY: quickstart test test-slow clean

# Distil the embedded digits teacher and show what came out.
quickstart: $(VENV)/.installed
	$(BIN)/python train/main.py
	$(BIN)/python train/sample.py --run runs/digits
	@echo "teacher over student: runs/digits/samples/final.png; grid: runs/digits/samples/grid.png"
	@echo "figures: runs/digits/quality.json; losses: runs/digits/stats.jsonl"

test: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: $(VENV)/.installed-dev
	$(BIN)/pytest -m slow

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# The stamp files keep a second make from installing again.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev,compress]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) *.egg-info
