PYTHON ?= python3
VENV ?= .venv
WORKERS ?= -n auto --maxprocesses 4 --dist loadfile
.PHONY: run test test-all check

run: $(VENV)/installed
	$(VENV)/bin/avo run scenario mha_causal

test: $(VENV)/installed-dev
	$(VENV)/bin/pytest $(WORKERS) -m "not slow"

test-all: $(VENV)/installed-dev
	$(VENV)/bin/pytest $(WORKERS)

check: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest tests/test_layers.py

# -c constraints.txt always: an unpinned torch installs gigabytes of CUDA packages. The pip of Python 3.11 resolves three
# times as long as the pinned one.
$(VENV)/installed: pyproject.toml constraints.txt
	@for tool in git c++ readelf; do command -v $$tool >/dev/null || { echo "avo needs $$tool; on Debian: apt-get install git g++ binutils"; exit 3; }; done
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "avo needs Python 3.11 or later, as PYTHON=…"; exit 3; }
	@$(PYTHON) -m venv $(VENV) || { echo "avo needs the venv module; on Debian: apt-get install python3-venv"; exit 3; }
	@echo "installing into $(VENV) (1.5 GB, a minute or two)"
	@$(VENV)/bin/pip install --quiet --no-compile -c constraints.txt --upgrade pip
	@$(VENV)/bin/pip install --quiet --no-compile -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(VENV)/bin/pip install --quiet --no-compile -c constraints.txt -e '.[dev,nvcc]'
	@touch $@
