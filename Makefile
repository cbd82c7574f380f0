# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_HOME ?= $(CURDIR)/.demo
PORT ?= 8000

LOWEST_TESTS := tests/api tests/notifications tests/sheets tests/test_agent.py tests/probe/test_host.py \
  tests/servers/test_history.py tests/servers/test_poller.py tests/servers/test_status.py
# Of these, the ones that need torch.
TRAINING_TESTS := tests/api/test_app.py::test_sweeps_are_started_listed_paused_and_resumed \
  tests/api/routes/test_predictions.py::test_the_words_of_a_recording_come_with_probabilities_and_its_waveform

.PHONY: help install bench bench-gpu demo drill test check lowest format setup clean

help:
	@echo "make install       .venv with what is needed to serve and to train"
	@echo "make demo          synthetic speech, a training, the page (EXIT=1: stop when trained; PORT=8000)"
	@echo "make drill         40 jobs while everything around them is killed and stopped (SEED=7 repeats one)"
	@echo "make bench         clips a second that are trained here, beside plain PyTorch (and Keras, see benchmarks/README.md)"
	@echo "make bench-gpu     the same on a GPU (DATA=folder of words)"
	@echo "make test          every check and test"
	@echo "make check         format, lint, types, layers"
	@echo "make lowest        tests with the oldest versions of all dependencies"

install: $(VENV)/.ready

demo: $(VENV)/.ready
	SHEETRACK_HOME="$(DEMO_HOME)" $(BIN)/sheetrack demo --port $(PORT) $(if $(EXIT),--exit)

# Linux; a small disk that fills up only where `unshare -rm` works.
drill: $(VENV)/.ready-dev
	$(BIN)/python -m tests.drill --ray $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks.training $(ARGS)

bench-gpu: $(VENV)/.ready
	$(BIN)/python benchmarks/gpu.py $(DATA) $(ARGS)

# Two fifths of the time of a test are waiting, so four run on two cores. A worker that dies ends the run: with
# loadfile, pytest-xdist hands its work to a new one, tests that have passed too, and waits for those for ever.
test: check
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

check: $(VENV)/.ready-dev node_modules/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy || { test $$? = 2 && $(BIN)/mypy --num-workers 0; } # each worker must start within three seconds
	$(BIN)/lint-imports
	npm run --silent check

# The oldest versions that pyproject.toml allows, where the backend meets them: HTTP, database, sheets, agents.
lowest:
	rm -rf build/lowest
	$(PYTHON) -m venv build/lowest
	build/lowest/bin/pip install --quiet uv
	VIRTUAL_ENV=build/lowest build/lowest/bin/uv pip install --quiet --resolution lowest-direct --editable ".[google,notify]"
	VIRTUAL_ENV=build/lowest build/lowest/bin/uv pip install --quiet --constraint constraints.txt \
	  cryptography jsonschema-rs numpy openpyxl pillow pytest pytest-timeout schemathesis soundfile
	build/lowest/bin/pytest $(LOWEST_TESTS) $(addprefix --deselect ,$(TRAINING_TESTS))

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
	$(BIN)/pip install --quiet --constraint constraints.txt --group dev --editable ".[train,synthetic,brain,google,notify,onnx,ray]"
	touch $@

node_modules/.ready: package.json
	npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts
	touch $@

clean:
	rm -rf $(VENV) node_modules .demo
