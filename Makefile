# permagrid: `make demo` shows the main job, `make test` runs the suite; both set up all they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := out/demo
# Needs NumPy 1, so it has a place of its own.
PYSPATIALML := $(VENV)/pyspatialml

.PHONY: demo test check bench docs format requirements clean

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "permagrid needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null && \
		UV_SYSTEM_CERTS=1 UV_COMPILE_BYTECODE=1 $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)

## The main job on the virtual world: boreholes to validated maps.
demo: $(READY)
	@$(BIN)/permagrid world --out $(DEMO)/world --seed 7
	@$(BIN)/permagrid run studies/virtual_arctic.yaml --data $(DEMO)/world --out $(DEMO)/run
	@echo "open $(DEMO)/run/report.html in a browser, $(DEMO)/run/maps/*.tif in QGIS"

## The whole suite; tests on real data run where PERMAGRID_DATA or ../shared/data is there. Processes that tests
## start need the bytecode of the package, whatever the shell says of it, and must not wait busily for a core.
test: $(READY)
	@PYTHONDONTWRITEBYTECODE= OMP_WAIT_POLICY=PASSIVE \
		$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -q

## Lint, format, types and layers.
check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

## Memory and speed, each as a ratio measured in one run.
bench: $(READY)
	@$(BIN)/python benchmarks/prediction_memory.py
	@$(BIN)/python benchmarks/terrain_local.py
	@$(BIN)/python benchmarks/terrain_compound.py
	@$(BIN)/python benchmarks/applicability.py
	@$(BIN)/python benchmarks/comparison.py
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps "sklearn-raster>=0.1.0.dev0" || true
	@$(BIN)/python benchmarks/prediction_speed.py
	@test -x $(PYSPATIALML)/bin/python || $(BIN)/python -m venv $(PYSPATIALML)
	@$(PYSPATIALML)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: pyspatialml \
		"scikit-learn==$$($(BIN)/python -c 'import sklearn; print(sklearn.__version__)')" || true
	@$(BIN)/python benchmarks/raster_peers.py

format: $(READY)
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

## Pin all packages with hashes, for Python 3.11 and newer.
requirements:
	@$(BIN)/uv pip compile --universal --generate-hashes --no-header --extra dev \
		--python-version 3.11 --quiet pyproject.toml -o requirements-dev.txt

clean:
	rm -rf $(VENV) out build dist
