# The documented commands; .ci/run calls the same tools.
PYTHON ?= python

.PHONY: build debug test test-all lint types opdb bench docs loc ci clean

build:  ## compile the core in place and install the package for development
	$(PYTHON) -m pip install --no-build-isolation -e '.[test,dev]'

debug:  ## the same with Cython's checks on and optimisation down
	TINYTORCH_DEBUG=1 $(PYTHON) setup.py build_ext --inplace

test:  ## the fast tests
	$(PYTHON) -m pytest

test-all:  ## the fast tests, then the slow ones
	$(PYTHON) -m pytest -m "slow or not slow"

lint:
	ruff check .
	cython-lint tinytorch gpu

types:
	mypy

opdb:  ## make opdb OP=softmax: one op against PyTorch; without OP: all, in short
	$(PYTHON) tests/opdb_report.py $(if $(OP),--op '$(OP)')

docs:  ## the generated part of docs/differences.md
	$(PYTHON) tests/opdb_report.py --write --isolate

bench:
	$(PYTHON) -m benchmarks

loc:  ## the files over the guidance on size
	$(PYTHON) tests/test_project.py

ci:
	bash .ci/run

clean:
	rm -rf build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find tinytorch -name '*.so' -delete
