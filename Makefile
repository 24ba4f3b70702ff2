# `make run` and `make test` do all set-up themselves, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STARTER := workflows/text_to_image.json
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check

.PHONY: run test test-all lint format fuzz kills soak sharing oracle layouts bench cluster cluster_bench screenshots clean system

run: $(VENV)/.installed system
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then \
		$(BIN)/python main.py --run $(STARTER); \
	else \
		$(BIN)/python main.py run $(STARTER); \
	fi

# The tests make no use of a display, of the network, or of a second thread: the same bits everywhere. They run in a
# process for each core and one more, since some wait, of which each takes a gigabyte. ARGS="-n 0 tests/ui/runs/test_queue.py" runs one file in one.
# What Python has compiled is kept, even where the environment says otherwise: or else all of those processes, and the
# hundred that the tests start, compile everything anew.
WORKERS := $(shell $(PYTHON) -c 'import os; print(min(8, 1 + (os.cpu_count() or 1)))')
PYTEST := PYTHONDONTWRITEBYTECODE= QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test: $(VENV)/.installed-dev system
	$(PYTEST) -m "not slow and not gpu and not cluster" $(ARGS)

test-all: $(VENV)/.installed-cluster system
	$(PYTEST) --hypothesis-profile=thorough $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# MINUTES=10: for all readers together.
fuzz: $(VENV)/.installed-dev system
	$(BIN)/python -m tools.fuzz --minutes $(or $(MINUTES),10) $(ARGS)

# KILLS=1000: of each kind, all kinds at once. ARGS=--write puts the table into docs/reliability.md.
kills: $(VENV)/.installed-dev system
	$(BIN)/python -m tools.kills --kills $(or $(KILLS),1000) $(ARGS)

# MINUTES=20: below eight, slopes are shown and not judged. ARGS=--write puts the table into docs/reliability.md.
soak: $(VENV)/.installed-dev system
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m tools.soak --minutes $(or $(MINUTES),20) $(ARGS)

# MINUTES=10, RUNS=64: of both at least. ARGS="--at-once 8 --write": each command takes half a gigabyte.
sharing: $(VENV)/.installed-dev system
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m tools.sharing --minutes $(or $(MINUTES),10) --runs $(or $(RUNS),64) $(ARGS)

# ARGS="--family sdxl --task refiner" shows some of it; all of it goes into docs/oracle.md.
oracle: $(VENV)/.installed-dev system
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.oracle $(ARGS)

# What quantised files cost in pictures; ARGS="--memory --billions 9" in memory. Both go into docs/quantised.md.
layouts: $(VENV)/.installed-dev system
	QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 $(BIN)/python -m tools.layouts $(ARGS)

bench: $(VENV)/.installed-dev system
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m tools.bench

# The scheduler of sweeps against a clock that only counts; and Ray itself.
cluster: $(VENV)/.installed-dev
	$(BIN)/python -m tools.cluster_sim --write

cluster_bench: $(VENV)/.installed-cluster
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.bench.cluster --write

screenshots: $(VENV)/.installed-dev system
	xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python -m tools.screenshots

clean:
	rm -rf $(VENV) build *.egg-info

system:
	@$(PYTHON) tools/system_libraries.py

# torch first, from the constraints: whatever comes after finds it there and pulls in no other build.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Denoodle needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) -c constraints.txt torch
	$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -c constraints.txt -e ".[dev]"
	@touch $@

# Ray comes for the tests of a cluster alone.
$(VENV)/.installed-cluster: $(VENV)/.installed-dev
	$(PIP) -c constraints.txt -e ".[dev,cluster]"
	@touch $@
