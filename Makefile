# `make help` lists what there is.  Everything runs from .venv, which `make setup` makes.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
UV ?= uv

# A moved checkout or another PYTHON asks for a look by the setup script; otherwise nothing runs.
STAMP := $(VENV)/.ready-$(shell printf '%s' "$(CURDIR) $(PYTHON)" | cksum | cut -d' ' -f1)

# Where the types and rules are checked; tests too.
CODE := services tests bench deploy

.PHONY: help setup lock schemas format lint check test ingest-check contract-check stream-check partitions-check outreach-check alerts-check dashboards dashboards-check settings manifests deploy-check cluster-test images-check sbom audit up down demo train-olist clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Make .venv with everything; the others call it.  PYTHON=<path> names the interpreter.

$(STAMP): requirements/dev.txt pyproject.toml deploy/setup/environment.sh
	@PYTHON="$(PYTHON)" sh deploy/setup/environment.sh "$(VENV)"
	@rm -f $(VENV)/.ready-*
	@touch "$@"

demo: $(STAMP) ## Run the whole system on a simulated shop.  SEED=1 STEP=1h KEEP=1, or OLIST=<folder> ORDERS=3000.
	@$(BIN)/care demo $(if $(SEED),--seed "$(SEED)") $(if $(OLIST),--olist "$(OLIST)") $(if $(ORDERS),--orders "$(ORDERS)") $(if $(STEP),--step "$(STEP)") $(if $(filter-out 0,$(KEEP)),--keep)

# The published files end with August 2018: what was bought in their last two months is left to judge by.
OLIST_UNTIL = $(or $(UNTIL),2018-07-01)
OLIST_MODEL = $(or $(OUT),build/complaint-risk.json)

train-olist: $(STAMP) ## Fit a model of complaint risk.  OLIST=<folder>, UNTIL=2018-07-01 (two months are left to judge by) OUT=build/complaint-risk.json.
	@$(if $(OLIST),,echo "say where the Olist files are: make train-olist OLIST=<folder>" >&2; exit 2)
	@$(BIN)/care train --olist "$(OLIST)" --until "$(OLIST_UNTIL)" --out "$(OLIST_MODEL)"
	@echo "judge it by what it has not seen: $(BIN)/care evaluate --olist $(OLIST) --model $(OLIST_MODEL) --from $(OLIST_UNTIL)"

test: lint ## Everything that must hold, on a real Kafka and PostgreSQL.
	@$(BIN)/python -m pytest -m alone
	@$(BIN)/python -m pytest -m "not alone and not long" --numprocesses 4 --dist loadfile --no-loadscope-reorder

stream-check: $(STAMP) ## Kill, freeze, scale and starve the stream, then verify it; hours.  QUICK=1, ROW=<name> SEED=1, FRESH=1.
	@$(BIN)/python -m tests.faults $(if $(ROW),--row "$(ROW)") $(if $(SEED),--seed "$(SEED)") $(if $(filter-out 0,$(QUICK)),--quick) $(if $(filter-out 0,$(FRESH)),--fresh)

partitions-check: $(STAMP) ## Move a busy deployment from 12 to 24 partitions, interrupted and with steps left out, let old and new versions work side by side, and freeze and restart members with names and without; a quarter of an hour.
	@CARE_TEST_MOVE=full $(BIN)/python -m pytest tests/integration/test_partitions_moved.py tests/integration/test_partitions_move_steps.py tests/integration/test_two_versions.py tests/integration/test_predictor_members.py

outreach-check: $(STAMP) ## Kill and freeze outreach and let its mail server fail, then judge the ledger; a quarter of an hour.  QUICK=1, ROW=<name> SEED=1.
	@$(BIN)/python -m tests.faults.outreach --folder build/outreach $(if $(ROW),--row "$(ROW)") $(if $(SEED),--seed "$(SEED)") $(if $(filter-out 0,$(QUICK)),--quick)

ingest-check: $(STAMP) ## Take ingest's broker away, let strangers at its door, ask both APIs a thousand times, and measure; half an hour.  QUICK=1, ROW=<name>.
	@$(BIN)/python -m tests.faults.ingest --folder build/ingest $(if $(ROW),--row "$(ROW)") $(if $(filter-out 0,$(QUICK)),--quick)
	@$(if $(ROW),,CARE_API_EXAMPLES=$(if $(filter-out 0,$(QUICK)),100,1000) $(BIN)/python -m pytest tests/integration/test_ingest_conformance.py tests/component/outreach/test_api_conformance.py)
	@$(if $(ROW),,$(BIN)/python -m bench.ingest_throughput $(if $(filter-out 0,$(QUICK)),--seconds 2 --rounds 2,--seconds 5 --rounds 5))

contract-check: $(STAMP) ## The official validators on the committed documents, and every snippet for publishers; needs node, a JDK, curl.
	@PYTHON="$(BIN)/python" sh deploy/contract-check/run.sh

alerts-check: $(STAMP) ## Rules, alerts and routes by Prometheus' own tools; a table of what is shown of each alert.
	@$(BIN)/python -m tests.deploy.alerts_check

check: lint ## The quick half of it: format, lint, types, imports, unit and contract tests.
	@$(BIN)/python -m pytest tests/unit tests/contract tests/deploy tests/upstream -m "not connected"

lint: $(STAMP) ## Format, lint, types, imports and schemas only.
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m services.contracts check
	@$(BIN)/python -m deploy.grafana check
	@$(BIN)/python -m deploy.settings check
	@$(BIN)/python -m deploy.kubernetes check

format: $(STAMP) ## Rewrite the code in the house's format.
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

schemas: $(STAMP) ## Make the committed schemas, documents and references from the models, the doors and the playbooks.
	@$(BIN)/python -m services.contracts write
	@mkdir -p build && $(BIN)/python -m services.ingest.openapi_file > build/ingest.json && mv build/ingest.json services/ingest/openapi.json
	@mkdir -p build && $(BIN)/care playbook schema > build/playbook.json && mv build/playbook.json services/outreach/playbooks/schema.json
	@$(BIN)/python -m services.outreach.api > build/openapi.json && mv build/openapi.json services/outreach/api/openapi.json

dashboards: $(STAMP) ## Make the committed Grafana dashboards from deploy/grafana.
	@$(BIN)/python -m deploy.grafana write

dashboards-check: $(STAMP) ## Play the demo under a real Prometheus and run every panel's query and recording rule.  PROMETHEUS=<path>, JSON=1.
	@PROMETHEUS="$(PROMETHEUS)" $(BIN)/python -m deploy.grafana.live $(if $(filter-out 0,$(JSON)),--json)

settings: $(STAMP) ## Make the reference of settings (docs/settings.md) from the settings' models.
	@$(BIN)/python -m deploy.settings write

manifests: $(STAMP) ## Make the committed KafkaTopics and PrometheusRules from the contracts and deploy/prometheus.
	@$(BIN)/python -m deploy.kubernetes write

deploy-check: $(STAMP) ## Render every combination of the Kubernetes components and hold it against schemas and wiring; minutes.
	@$(BIN)/python -m pytest tests/deploy/kubernetes tests/deploy/test_images.py tests/deploy/test_compose.py
	@$(BIN)/python -m deploy.kubernetes combinations

# What a builder without a registry or behind a proxy is told: BASE=<image>, BUILD='--network host'.
images-check: $(STAMP) ## Build the five images and run each hardened, alone and on a real Kafka and PostgreSQL; minutes, needs Docker.  BASE=<image> BUILD=<options>, or TAG=<tag> that is there.
	@CARE_IMAGES_BASE="$(BASE)" CARE_IMAGES_BUILD="$(BUILD)" CARE_IMAGES_TAG="$(TAG)" $(BIN)/python -m pytest tests/images

sbom: $(STAMP) ## Write build/sbom/<image>.cdx.json: what each image's lock names, as CycloneDX.
	@$(BIN)/python -m deploy.supply_chain sbom

audit: $(STAMP) ## What is known against every locked package, by OSV.  SERVICE=pypi, or the address of a mirror.
	@$(BIN)/python -m deploy.supply_chain audit $(if $(SERVICE),--service "$(SERVICE)")

cluster-test: $(STAMP) ## On a Kubernetes cluster that you can do without: what its server takes, the demo's story, a rolling update, a drain; minutes.  KUBECONFIG=<path>.
	@KUBECONFIG="$(KUBECONFIG)" $(BIN)/python -m pytest tests/cluster

COMPOSE := docker compose --file deploy/compose/compose.yml
# The simulated shop owns the time, and its customers get their mail from it.
SHOPPING := CARE_CLOCK=ticks CARE_MAIL_HOST=shop CARE_MAIL_PORT=2525

up: ## The whole stack with Docker Compose, and its addresses.  SHOP=1: a simulated shop plays in it, after `make down`.  SERVICES=<names>: these alone.
	@$(if $(filter-out 0,$(SHOP)),$(SHOPPING)) $(COMPOSE) $(if $(filter-out 0,$(SHOP)),--profile shop) up --build --detach $(SERVICES)
	@echo "ingest http://127.0.0.1:8080  mails http://127.0.0.1:8025  Grafana http://127.0.0.1:3000  Prometheus http://127.0.0.1:9090"

down: ## End it and forget all it knew.
	@$(COMPOSE) --profile shop down --volumes

lock: $(STAMP) ## Make the locks under requirements/ and of the jars anew; needs uv.  UV=<path> names it.
	@UV="$(UV)" sh deploy/setup/lock.sh
	@$(BIN)/python -m services.local.kafka.relock

clean: ## Remove .venv and all that was made.
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find services tests -name __pycache__ -type d -prune -exec rm -rf {} +
