# Two commands for a newcomer: `make demo` and `make test`. Each sets up what is missing first.
# ARGS goes to the command behind it: make demo ARGS=--exit, make test ARGS="-k money".
# The first that runs and is new enough: a pyenv shim may be on PATH and still refuse.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup demo test drills histories motions-doc docs check lint types imports secure fuzz lock bench bench-intake bench-inbox bench-usage bench-fairness bench-run bench-scale screenshots clean

setup: $(STAMP)

$(STAMP): requirements/dev.lock pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Billhook needs Python 3.11 or newer; make PYTHON=/path/to/python3.11 setup"; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version); about a minute the first time"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/billhook demo $(ARGS)

# Without bytecode every process that a test starts compiles all that it imports. The longest tests come first, one after
# another: a worker that has nothing left takes from the one that has them.
test: $(STAMP)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n auto --dist worksteal $(ARGS)

drills: $(STAMP)
	@$(BIN)/python -m tests.drills $(ARGS)

histories: $(STAMP)
	@$(BIN)/python -m tests.histories.record $(ARGS)

motions-doc: $(STAMP)
	@$(BIN)/python -m starter.vendors.motion_docs $(ARGS)

docs: $(STAMP)
	@$(BIN)/python -m docs.site

check: lint types imports secure

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports --no-cache

secure: $(STAMP)
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive billing workflows activities connectors records telemetry starter sandbox audit worker.py settings.py
	$(BIN)/python -m tests.locks

fuzz: $(STAMP)
	BILLHOOK_FUZZ=100 $(BIN)/pytest -n auto tests/starter/test_http_schema.py $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m bench.lifecycle $(ARGS)

bench-intake: $(STAMP)
	$(BIN)/python -m bench.intake $(ARGS)

bench-inbox: $(STAMP)
	$(BIN)/python -m bench.inbox $(ARGS)

bench-usage: $(STAMP)
	$(BIN)/python -m bench.usage $(ARGS)

bench-fairness: $(STAMP)
	$(BIN)/python -m bench.fairness $(ARGS)

bench-run: $(STAMP)
	$(BIN)/python -m bench.run $(ARGS)

bench-scale: $(STAMP)
	$(BIN)/python -m bench.scale $(ARGS)

screenshots: $(STAMP)
	@$(BIN)/python -m tests.console.screenshots

lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate pyproject.toml -o requirements/run.lock
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate pyproject.toml --group dev -o requirements/dev.lock

clean:
	rm -rf .venv .billhook .docs
