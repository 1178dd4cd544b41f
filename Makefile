# Two commands do all the set-up on a fresh machine with only Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONWARNINGS ?=

.PHONY: help quickstart demo test test-slow android-check ios-check help-texts tables clean

# Say what each target is for.
help:
	@awk '/^# /{ said = substr($$0, 3); next } /^[a-z-]+:/{ sub(":.*", ""); if (said) printf "make %-14s %s\n", $$0, said } { said = "" }' Makefile

# Distil the embedded digits teacher, quantize the student, export it for phones, measure it all, and report.
quickstart: $(VENV)/.installed-phone
	$(BIN)/python -m benchmarks.quickstart

# Show the newest run, or the shipped student, as a page in a browser: npm has to be there, once with a network.
demo: $(VENV)/.installed-phone
	$(BIN)/python -m deploy.web.demo

# Check format, lint and types, and run the tests; with a JDK, Maven and npm the Android app's, with Node and Chromium the page's.
test: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --threads 2 --pythonpath $(BIN)/python
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m tests.android --skip-if-unavailable

# Run the tests that take minutes each.
test-slow: $(VENV)/.installed-dev
	$(BIN)/pytest -m slow

# Compile, test and pack the Android app, without Android Studio, on Linux x86_64: a JDK 17 or newer, Maven and npm have to be there.
android-check: $(VENV)/.installed-phone
	$(BIN)/python -m tests.android

# Lint, build and test the Swift package, on macOS or Linux: Swift 6 has to be there. Core ML and the app need Xcode.
ios-check:
	@command -v swift >/dev/null || { echo "make ios-check needs Swift 6: install it from swift.org, or Debian 13's swiftlang" >&2; exit 1; }
	swift format lint --strict --recursive Package.swift deploy/ios
	swift build -Xswiftc -warnings-as-errors
	swift test -Xswiftc -warnings-as-errors

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# The stamp files keep a second make from installing again.
$(VENV)/.installed-phone: pyproject.toml constraints.txt | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[features,compress,android,ios,benchmarks]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[all]'
	touch $@ $(VENV)/.installed-phone

# Write what the scripts' --help says into docs/help.
help-texts: $(VENV)/.installed-dev
	$(BIN)/python tests/support/help_texts.py

# Write the tables of the pages from the committed results.
tables: $(VENV)/.installed-phone
	$(BIN)/python tests/support/page_tables.py

# Remove what was installed.
clean:
	rm -rf $(VENV) *.egg-info
