# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_HOME ?= $(CURDIR)/.demo
PORT ?= 8000

.PHONY: help demo test check format setup clean

help:
	@echo "make demo          synthetic speech, a training, the page (EXIT=1: stop when trained; PORT=8000)"
	@echo "make test          every check and test"
	@echo "make check         format, lint, types, layers"

demo: $(VENV)/.ready
	SHEETRACK_HOME="$(DEMO_HOME)" $(BIN)/sheetrack demo --port $(PORT) $(if $(EXIT),--exit)

test: check
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.ready-dev node_modules/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm run --silent check

format: $(VENV)/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: $(VENV)/.ready-dev node_modules/.ready

# Without an NVIDIA driver PyTorch's own index has a build a tenth the size; where it cannot be reached
# the plain one does as well.
$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	command -v nvidia-smi >/dev/null || $(BIN)/pip install --quiet --timeout 5 --retries 0 \
	  --index-url https://download.pytorch.org/whl/cpu "torch>=2.11,<2.14" 2>/dev/null || true
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[train,synthetic]"
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/pip install --quiet --constraint constraints.txt --group dev --editable ".[train,synthetic,google,notify,ray]"
	touch $@

node_modules/.ready: package.json
	npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts
	touch $@

clean:
	rm -rf $(VENV) node_modules .demo
