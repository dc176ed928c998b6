# The documented commands; .ci/run calls the same tools.
PYTHON ?= python

# For `make pythons`: those of them that are here.
PYTHONS ?= python3.10 python3.11 python3.12 python3.13 python3.14

.PHONY: build debug test test-all pythons lint types opdb bench docs loc ci clean

build:  ## compile the core in place and install the package for development
	$(PYTHON) -m pip install --no-build-isolation -e '.[test,dev]'

debug:  ## the same with Cython's checks on, small parts and optimisation down
	TINYTORCH_DEBUG=1 $(PYTHON) setup.py build_ext --inplace

test:  ## the fast tests
	$(PYTHON) -m pytest

test-all:  ## the fast tests, then the slow ones
	$(PYTHON) -m pytest -m "slow or not slow"

pythons:  ## README's test command with other Pythons, in an environment each
	@set -e; for python in $(PYTHONS); do \
	    if ! $$python -c ''; then continue; fi; \
	    $$python -m venv --clear "build/$$python"; \
	    "build/$$python/bin/pip" install '.[test]'; \
	    "build/$$python/bin/pytest" -n 2 || failed="$$failed $$python"; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

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
