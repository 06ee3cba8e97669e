# Each target does all of its own set-up in .venv: nothing but Python 3.11+ and make has to be there.
# Flags for the program behind a target go through ARGS: make demo ARGS="--payouts 1000".

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

export PYTHONUNBUFFERED := 1

.PHONY: demo test prove bench bench-routing bench-batch lock
.NOTPARALLEL:

demo: requirements.txt
	@$(call set_up,requirements.txt)
	@$(BIN)/hangdao demo $(ARGS)

test: requirements-test.txt
	@$(call set_up,requirements-test.txt)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# On a loaded machine a test may run out of patience: what failed is asked once more, alone.
	@# Both runs are shown; what fails alone, too, fails.
	$(BIN)/pytest -q -n 3 --dist worksteal $(ARGS) || { \
		echo 'Once more, alone: what failed above.'; \
		$(BIN)/pytest -q --last-failed --last-failed-no-failures none; }

prove: requirements-test.txt
	@$(call set_up,requirements-test.txt)
	@$(BIN)/python -m tests.proof $(ARGS)

bench: requirements-test.txt
	@$(call set_up,requirements-test.txt)
	@$(BIN)/python -m tests.bench $(ARGS)

bench-routing: requirements-test.txt
	@$(call set_up,requirements-test.txt)
	@$(BIN)/python -m tests.bench.routing $(ARGS)

bench-batch: requirements-test.txt
	@$(call set_up,requirements-test.txt)
	@$(BIN)/python -m tests.bench.batch $(ARGS)

# Pins anew what pyproject.toml asks for (needs uv); tests/tidy holds what the files may contain.
# setuptools is what builds the editable install, so it is pinned with the rest.
LOCK := uv pip compile pyproject.toml - --quiet --upgrade --universal --python-version 3.11 \
	--only-binary :all: --generate-hashes --no-header --no-annotate

lock:
	@echo 'setuptools>=78' | $(LOCK) --extra test --extra planner --extra report --output-file requirements-test.txt >/dev/null
	@echo 'setuptools>=78' | $(LOCK) --constraint requirements-test.txt \
		--output-file requirements.txt >/dev/null

# A stamp says what was installed and where: from which lock, for which pyproject.toml, in which
# folder (scripts in .venv name it, so a moved tree starts over). The same stamp, nothing to do.
define set_up
set -e; \
$(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { test ! -e $(VENV)/.folder || test "$$(cat $(VENV)/.folder)" = "$(CURDIR)"; } || { \
	for python in $(PYTHON) python3 python3.11 python3.12 python3.13 python3.14 python; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then found=$$python; break; fi; \
	done; \
	test -n "$$found" || { \
		echo 'Python 3.11 or newer is needed and was not found on PATH.' \
			'Name one: make $@ PYTHON=/path/to/python3' >&2; exit 1; }; \
	echo "Making $(VENV) with $$($$found --version)"; \
	$$found -m venv --clear $(VENV) || { \
		echo "$$found cannot make a virtual environment; is its venv module installed?" >&2; \
		exit 1; }; \
	echo "$(CURDIR)" > $(VENV)/.folder; \
}; \
stamp="$$($(BIN)/python -c 'import hashlib, pathlib, sys; \
	print(*(hashlib.sha256(pathlib.Path(p).read_bytes()).hexdigest() for p in sys.argv[1:]))' \
	$(1) pyproject.toml)"; \
test "$$stamp" = "$$(cat $(VENV)/.$(1) 2>/dev/null)" || { \
	echo 'Installing $(1)'; \
	$(PIP) install --no-deps --only-binary :all: --require-hashes --requirement $(1); \
	$(PIP) install --no-deps --no-build-isolation --editable .; \
	echo "$$stamp" > $(VENV)/.$(1); \
}
endef
