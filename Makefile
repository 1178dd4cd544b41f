# Two commands do all the set-up on a fresh machine with only Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONWARNINGS ?=

.PHONY: quickstart test test-slow clean

# Distil the embedded digits teacher, quantize the student, export it for phones, and show what came out.
quickstart: $(VENV)/.installed-phone
	$(BIN)/python train/main.py
	$(BIN)/python train/sample.py --run runs/digits
	$(BIN)/python compress/qat.py --run runs/digits
	$(BIN)/python deploy/android/export.py --run runs/digits
	$(BIN)/python deploy/ios/export.py --run runs/digits
	@echo "teacher over student: runs/digits/samples/final.png; grid: runs/digits/samples/grid.png"
	@echo "teacher, float and int8 student: runs/digits/qat/comparison.png; figures: runs/digits/qat/report.json"
	@echo "phone artifacts: runs/digits/artifacts, described by manifest.json"

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
$(VENV)/.installed-phone: pyproject.toml constraints.txt | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[compress,android,ios]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev,compress,android,ios]'
	touch $@ $(VENV)/.installed-phone

clean:
	rm -rf $(VENV) *.egg-info
