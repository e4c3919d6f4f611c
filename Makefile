# Plain POSIX sh and GNU make 3.81 or newer. User input reaches the shell as environment variables alone.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
export ENV CONFIRM YES

# No program comes from the current folder: relative and empty folders of PATH are left out (| stands in for a space).
space := $(subst ,, )
export PATH := $(subst |,$(space),$(subst $(space),:,$(filter /%,$(subst :,$(space),$(subst $(space),|,$(PATH))))))

BIN := .venv/bin
PY := $(BIN)/python
READY := .venv/.ready
WORKERS ?= 3
on = $(filter 1 yes true,$(1))

# A recipe that runs rotator tells it so, for the commands in its messages, and ends with its exit code. make itself then ends with 2 whatever it was, so it is printed.
define rotator
@code=0; ROTATOR_STARTED_BY=make $(BIN)/rotator $(1) || code=$$?; \
if [ $$code -ne 0 ]; then echo "rotator ended with exit code $$code (docs/runbook.md, \"Exit codes\")" >&2; fi; \
exit $$code
endef

.PHONY: help
help: ## Show this
	@echo 'usage: make TARGET [ENV=name] [YES=1]'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo 'ENV is a folder of envs/:'; scripts/list-envs

##- set-up -----------------------------------------------------------------------------------------------------------

.PHONY: setup venv terraform need-terraform postgres need-env need-login
setup: venv need-terraform ## Build .venv from the lock file, look for Terraform (other targets do it when needed)

venv: $(READY)

$(READY): requirements/dev.txt requirements/build.txt pyproject.toml scripts/setup-venv
	@scripts/setup-venv .venv

terraform: venv ## Fetch a pinned Terraform into .rotator/bin, if there is none on this machine
	@scripts/ensure-terraform --fetch

need-terraform: venv
	@scripts/ensure-terraform

postgres: venv
	@scripts/ensure-postgres

need-env:
	@scripts/need-env '$(firstword $(MAKECMDGOALS))'

need-login: need-env
	@scripts/need-login

##- a rotation -------------------------------------------------------------------------------------------------------

.PHONY: rotate retire rollback status plan render
rotate: need-env need-login venv need-terraform sandbox-if-wanted ## Give the database of ENV a new key (starts its sandbox, if it has one)
	$(call rotator,rotate "$$ENV" $(if $(call on,$(YES)),--yes) $(ARGS))

retire: need-env need-login venv need-terraform ## After the soak: final snapshot, then the old database and the old key go
	$(call rotator,retire "$$ENV" $(if $(call on,$(YES)),--yes) $(ARGS))

rollback: need-env need-login venv need-terraform ## Take the rotation of ENV back (CONFIRM=name after the flip, DELETE_SNAPSHOTS=1)
	$(call rotator,rollback "$$ENV" $(if $(call on,$(YES)),--yes) $${CONFIRM:+--confirm "$$CONFIRM"} $(if $(call on,$(DELETE_SNAPSHOTS)),--delete-snapshots) $(ARGS))

status: need-env venv need-terraform ## Where the rotation of ENV stands
	$(call rotator,status "$$ENV" $(ARGS))

plan: need-env need-login venv need-terraform sandbox-if-wanted ## What a rotation of ENV would change, stage by stage; changes nothing
	$(call rotator,plan "$$ENV" $(ARGS))

render: need-env venv ## Write the Terraform root of ENV from templates/ (ARGS=--check only compares)
	$(call rotator,render "$$ENV" $(ARGS))

##- the local AWS ----------------------------------------------------------------------------------------------------

.PHONY: sandbox-up sandbox-down sandbox-if-wanted
sandbox-up sandbox-down: ENV := $(if $(ENV),$(ENV),local)
sandbox-up: venv postgres ## Start the sandbox of ENV (default local): an AWS and real PostgreSQL servers on this machine
	@scripts/need-env
	$(call rotator,sandbox up "$$ENV")

sandbox-down: venv ## Stop the sandbox; leaves no process and no file
	@scripts/need-env
	$(call rotator,sandbox down "$$ENV")

sandbox-if-wanted: need-env venv
	@if grep -q '^\[sandbox\]' "envs/$$ENV/rotation.toml"; then $(MAKE) -s --no-print-directory sandbox-up; fi

##- the project itself -----------------------------------------------------------------------------------------------

.PHONY: test lint typecheck terraform-check e2e matrix bench-overhead bench-cutover bench-checksum bench-growth seed-trials lock clean
test: lint typecheck terraform-check postgres ## All checks: lint, types, Terraform, unit, sandbox, one whole rotation
	@$(PY) -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not matrix' --durations=10 $(ARGS)

lint: venv ## ruff: rules and format
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .

typecheck: venv ## mypy --strict
	@$(BIN)/mypy --no-error-summary rotator

terraform-check: need-terraform ## terraform fmt and rendered roots (validate and test run under pytest)
	@scripts/terraform-check

e2e: need-terraform postgres ## Only the whole rotations in the sandbox (minutes)
	@$(PY) -m pytest -m 'e2e and not matrix' $(ARGS)

matrix: need-terraform postgres ## The long matrices, which `make test` leaves out
	@scripts/ensure-aws-cli
	@$(PY) -m pytest -m matrix $(ARGS)

bench-overhead: need-terraform postgres ## Time a rotation beside a plain shell runbook of the same calls, both in a sandbox
	@scripts/ensure-aws-cli
	@$(PY) bench/overhead.py $(ARGS)

bench-checksum: postgres ## Time the online comparison beside COPY and reladiff on the same servers
	@scripts/ensure-aws-cli
	@$(PY) bench/checksum.py $(ARGS)

bench-cutover: postgres ## Time how long writers wait in the window of strategy replicate (ARGS="--runs 20")
	@$(PY) bench/cutover.py $(ARGS)

bench-growth: postgres ## Time how a rotation's parts grow with the number of tables (ARGS="--tables 50,500")
	@$(PY) bench/growth.py $(ARGS)

seed-trials: postgres ## Snapshots under load: is the seed exact each time, and do wrong positions show? (ARGS="--trials 200")
	@$(PY) bench/seed_trials.py $(ARGS)

lock: venv ## Write requirements/*.txt anew from pyproject.toml (ARGS=--upgrade takes the newest)
	@scripts/lock $(ARGS)

clean: ## Stop sandboxes; remove .venv, .rotator, caches. Journals, states and rendered roots stay
	@scripts/clean
