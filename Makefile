# Two commands do all the set-up on a fresh machine with only Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONWARNINGS ?=

.PHONY: quickstart demo test test-slow android-check ios-check clean

# Distil the embedded digits teacher, quantize the student, export it for phones, measure it all, and report.
quickstart: $(VENV)/.installed-phone
	$(BIN)/python -m benchmarks.quickstart

# Show the newest run, or the shipped student, as a page in a browser: npm has to be there, once with a network.
demo: $(VENV)/.installed-phone
	$(BIN)/python -m deploy.web.demo

test: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pytest -n 2 --dist loadfile
	$(BIN)/python -m tests.android --skip-if-unavailable

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

clean:
	rm -rf $(VENV) *.egg-info
