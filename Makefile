# make demo    set up, render examples/tour.mid, say where the sound is
# make test    set up all that the tests need, and run them
# make quick   the tests without the slow ones and those that need an audio server
# make check   format, lint, types, import contracts, tests
# make kernel  compile the engine's kernel in place, after its source was changed
# make plugin  compile the plugin for digital audio workstations into build/plugin
# make golden  make the reference renders of the tests anew, after the sound was changed on purpose
# make docs    the API reference, made of the docstrings, in build/docs
# make format  put the code into its form
# make clean   remove what was built; distclean: the virtual environment too
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := bridge cli corpus engine export instruments live midi training
DEMO := out/tour.wav
# Packages whose public names the reference shows.
DOCUMENTED := tnca_synth tnca_synth.engine tnca_synth.midi tnca_synth.live tnca_synth.bridge tnca_synth.corpus tnca_synth.training \
	tnca_synth.export

.DELETE_ON_ERROR:
.PHONY: help demo test quick docs system kernel plugin golden check format format-check lint types contracts clean distclean

help:
	@sed -n 's/^# make /make /p' Makefile

demo: $(VENV)/.base
	@mkdir -p $(dir $(DEMO))
	@echo "Rendering examples/tour.mid ..."
	@$(BIN)/tnca-synth render examples/tour.mid -o $(DEMO)
	@echo
	@echo "The sound is in $(CURDIR)/$(DEMO)"
	@echo "Play it with any player, for example: $$(scripts/player.sh) $(DEMO)"

# What the system lacks is said before gigabytes are fetched: hence `system` comes first.
test: system $(VENV)/.dev kernel
	TNCA_NO_SKIP=1 $(BIN)/pytest

quick: system $(VENV)/.dev kernel
	TNCA_NO_SKIP=1 $(BIN)/pytest -q -m "not slow and not device"

system:
	@scripts/system_packages.sh fluidr3mono-gm-soundfont fluidsynth libportaudio2 libjack-jackd2-0 jackd2 \
		g++ dpf-source lv2-dev sordi lilv-utils jalv qtractor ardour

docs: $(VENV)/.dev build/tree
	PYTHONPATH=build/tree $(BIN)/pdoc --docformat numpy -o build/docs $(DOCUMENTED) '!tnca_synth.engine.kernel._hop'

# Where that fails, for want of a compiler, the engine works without it.
kernel: $(VENV)/.dev
	$(BIN)/python setup.py --quiet build_ext --inplace

plugin: $(VENV)/.base
	@scripts/system_packages.sh g++ dpf-source
	$(BIN)/tnca-synth plugin build -o build/plugin

golden: $(VENV)/.dev kernel
	$(BIN)/python tests/support/goldens.py --write

check: system format-check lint types contracts test

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

format-check: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev build/tree
	MYPYPATH=build/tree $(BIN)/mypy -p tnca_synth

contracts: $(VENV)/.dev build/tree
	cd build/tree && $(CURDIR)/$(BIN)/lint-imports --config $(CURDIR)/pyproject.toml --no-cache

# The package as it looks once installed, made of links: mypy and import-linter cannot follow an editable install.
build/tree: tnca_synth pyproject.toml
	rm -rf $@
	mkdir -p $@/tnca_synth
	ln -s $(CURDIR)/tnca_synth/*.py $(CURDIR)/tnca_synth/py.typed $(PACKAGES:%=$(CURDIR)/%) $@/tnca_synth

$(VENV)/.base: pyproject.toml setup.py scripts/setup.sh
	PYTHON=$(PYTHON) scripts/setup.sh base $(VENV)
	@touch $@

$(VENV)/.dev: pyproject.toml setup.py constraints.txt scripts/setup.sh
	PYTHON=$(PYTHON) scripts/setup.sh dev $(VENV)
	@touch $@ $(VENV)/.base

clean:
	rm -f engine/kernel/_hop.* bridge/jack/_jack.*
	rm -rf build dist out *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find $(PACKAGES) tnca_synth tests -name __pycache__ -type d -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
