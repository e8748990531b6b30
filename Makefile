# The same checks as CI: `make check`.  Everything runs in .venv, which scripts/test makes; PYTHON=... takes another one.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
TESTS ?= tests

.PHONY: check quick test format golden rfc rooms lock

check:            ## everything CI runs
	$(PYTHON) tools/check.py

quick:            ## all but the tests
	$(PYTHON) tools/check.py --no-tests

test:             ## make test TESTS=tests/imap
	$(PYTHON) -m pytest -q -n auto $(TESTS)

format:           ## rewrites the sources in the project's format
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix-only -q .

golden:           ## rewrites tests/golden; review the difference
	$(PYTHON) -m pytest -q --golden tests

rfc:              ## rewrites docs/rfc/coverage.md
	$(PYTHON) tools/rfc_index.py

rooms:            ## rewrites the floor table in src/mailserver/__init__.py
	$(PYTHON) tools/rooms.py

lock:             ## newest versions of all dependencies, with hashes; `uv` comes with `pip install uv`
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock" pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock" -c requirements/run.txt pyproject.toml requirements/dev.in -o requirements/dev.txt
