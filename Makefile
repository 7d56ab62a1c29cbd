# The verbs of the project. Everything they make lies in .venv and .cache, wheels in dist.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach name,python3.11 python3 python3.12 python3.13,$(if $(shell $(name) -c 'import sys; print("ok" * (sys.version_info >= (3, 11)))' 2>/dev/null),$(name))))
KAFKA_VERSION := $(shell sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' tests/kafka/kafka-pom.xml)
KAFKA := .cache/kafka/$(KAFKA_VERSION)
STRIMZI_VERSION := $(shell sed -n 's:.*<strimzi.version>\(.*\)</strimzi.version>.*:\1:p' tests/deploy/kubernetes/strimzi-pom.xml)
STRIMZI := .cache/strimzi/$(STRIMZI_VERSION)
UV_VERSION := 0.13.9

# The stamps say which lock, settings and jars were installed.
INSTALLED := .venv/.installed
FETCHED := $(KAFKA)/.fetched
ARCHIVE := $(KAFKA)/classes.jsa
CRDS := $(STRIMZI)/.made
MONITORING := .cache/.monitoring
BROWSER := .cache/.browser

# The console's page: node and npm come with .venv, what npm installs and what is built stays beside the sources.
WEB := alerts/console/web
MODULES := $(WEB)/node_modules/.installed
PAGE := $(WEB)/dist/index.html

# Debian's programs that rules, configurations and `livefuse up --with-monitoring` are tested with, and their packages.
TOOLS := promtool prometheus amtool prometheus-alertmanager
TOOLS_PACKAGES := prometheus prometheus-alertmanager

# Debian's browser, in which the console is tested, and what it draws Chinese and symbols with.
FONTS := NotoSansCJK-Regular.ttc NotoColorEmoji.ttf
BROWSER_PACKAGES := chromium fonts-noto-cjk fonts-noto-color-emoji

.PHONY: help
help: ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

.PHONY: setup
setup: $(INSTALLED) $(PAGE) ## make .venv with the locked dependencies and .venv/bin/livefuse

.PHONY: page
page: $(PAGE) ## build the console's page

.PHONY: demo
demo: setup ## a fresh machine to a running livefuse: embedded broker, simulated sale, live table, live console
	.venv/bin/livefuse up

# Three at a time on two cores: with a broker a test waits for more than half of its time.
.PHONY: test
test: setup kafka strimzi monitoring browser ## run all tests but the long fault run, on a real Kafka
	.venv/bin/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(PYTEST)

.PHONY: monitoring
monitoring: $(MONITORING) ## make sure of Debian's prometheus and prometheus-alertmanager

.PHONY: browser
browser: $(BROWSER) ## make sure of Debian's chromium and fonts, for the tests of the console's page

.PHONY: screenshots
screenshots: setup kafka browser ## make the pictures of the console in docs/screenshots anew; look at them
	.venv/bin/python -m pytest -m screenshots tests/browser $(PYTEST)

.PHONY: faults
faults: setup kafka monitoring image ## what takes minutes: kills and zombies, upgrades, moves, a cluster, against a real Kafka
	.venv/bin/python -m pytest -m faults_long $(PYTEST)

# Debian as the base of the image, and namespaces in the place of an engine; who is not root has to do without.
.PHONY: image
image:
	@test "$$(id -u)" != 0 || { command -v debootstrap && command -v ip && command -v setpriv; } >/dev/null || $(call debian,debootstrap iproute2 util-linux)

.PHONY: bench
bench: setup kafka monitoring browser ## measure throughput, latency, paging, pages, memory and recovery
	.venv/bin/python -m tests.bench $(BENCH)

# Only this verb needs a C compiler and Python's headers.
.PHONY: wheel
wheel: setup ## build dist/livefuse-*.whl with compiled modules, and hold it against the plain ones
	@command -v gcc cc >/dev/null || $(call debian,gcc libc6-dev)
	@test -f "$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" || $(call debian,python3-dev)
	.venv/bin/python -m tests.compiled.wheel
	.venv/bin/python -m pytest -m compiled tests/compiled $(PYTEST)

.PHONY: lint
lint: setup ## ruff, its formatter, mypy and tsc; licences and known weaknesses of what is installed
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/node $(WEB)/node_modules/typescript/bin/tsc --project $(WEB)
	.venv/bin/python -m tests.supply.licences
	.venv/bin/python -m tests.supply.weaknesses

.PHONY: sbom
sbom: setup ## dist/livefuse.cdx.json, the bill of materials of what runs, the page's parts too (CycloneDX)
	@mkdir -p dist
	.venv/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file dist/livefuse.cdx.json requirements.run.lock
	.venv/bin/python -m tests.supply.page dist/livefuse.cdx.json

.PHONY: generate
generate: setup ## write schemas/generated, docs/settings.md, the dashboards, Strimzi's topics and users again
	.venv/bin/python -m schemas.generate
	.venv/bin/python -m deploy.settings_page
	.venv/bin/python -m alerts.dashboards
	.venv/bin/python -m alerts.console.openapi
	.venv/bin/python -m deploy.strimzi

.PHONY: lock
lock: ## resolve the dependencies of pyproject.toml anew into requirements.lock and requirements.run.lock
	test -x .cache/uv/bin/uv || { $(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install --quiet uv==$(UV_VERSION); }
	.cache/uv/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" --quiet $(LOCK) --output-file requirements.lock
	.cache/uv/bin/uv pip compile pyproject.toml --constraint requirements.lock --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" --quiet --output-file requirements.run.lock

.PHONY: kafka
kafka: $(ARCHIVE) ## fetch the Kafka broker of the tests with Maven

.PHONY: strimzi
strimzi: $(CRDS) ## make Strimzi's CRDs, which deploy/kubernetes is held against, with Maven

.PHONY: clean
clean: ## remove what the other verbs made
	rm -rf .venv .cache dist $(WEB)/node_modules $(WEB)/dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "livefuse needs Python 3.11 or later: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call debian,python3-venv)
	test -x .venv/bin/pip || $(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# npm runs no scripts of packages: nothing here needs them.
$(MODULES): $(WEB)/package.json $(WEB)/package-lock.json | $(INSTALLED)
	cd $(WEB) && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

$(PAGE): $(WEB)/build.mjs $(shell find $(WEB)/src -type f) $(MODULES)
	.venv/bin/node $(WEB)/build.mjs

$(FETCHED): tests/kafka/kafka-pom.xml
	@command -v java >/dev/null && command -v mvn >/dev/null || $(call debian,default-jre-headless maven)
	rm -rf $(KAFKA)
	mvn --quiet --batch-mode --file tests/kafka/kafka-pom.xml dependency:copy-dependencies \
	    -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(KAFKA)
	@touch $@

# A broker that starts fast; without it all works, too.
$(ARCHIVE): $(FETCHED) | $(INSTALLED)
	.venv/bin/python -m tests.kafka.archive

$(CRDS): tests/deploy/kubernetes/strimzi-pom.xml
	@command -v java >/dev/null && command -v mvn >/dev/null || $(call debian,default-jre-headless maven)
	rm -rf $(STRIMZI)
	mvn --quiet --batch-mode --file tests/deploy/kubernetes/strimzi-pom.xml dependency:copy-dependencies \
	    -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$(STRIMZI)/jars
	@java -cp '$(STRIMZI)/jars/*' io.strimzi.crdgenerator.CrdGenerator --yaml \
	    io.strimzi.api.kafka.model.topic.KafkaTopic=$(STRIMZI)/KafkaTopic.yaml \
	    io.strimzi.api.kafka.model.user.KafkaUser=$(STRIMZI)/KafkaUser.yaml 2>&1 | { grep -v SLF4J || true; }
	@touch $@

# A stamp of another machine, or from before the programs were removed, does not count.
$(MONITORING): $(if $(filter-out $(words $(TOOLS)),$(words $(shell command -v $(TOOLS)))),missing)
	@command -v $(TOOLS) >/dev/null && test $$(command -v $(TOOLS) | wc -l) = $(words $(TOOLS)) || $(call debian,$(TOOLS_PACKAGES))
	@mkdir -p $(@D)
	@touch $@

$(BROWSER): $(if $(and $(shell command -v chromium),$(filter $(words $(FONTS)),$(words $(sort $(foreach font,$(FONTS),$(shell find /usr/share/fonts -name $(font) 2>/dev/null)))))),,missing)
	@( command -v chromium && for font in $(FONTS); do find /usr/share/fonts -name $$font | grep . || exit 1; done ) \
	    >/dev/null 2>&1 || $(call debian,$(BROWSER_PACKAGES))
	@mkdir -p $(@D)
	@touch $@

.PHONY: missing
missing:

# Install Debian packages where that is possible, without starting services of theirs; else say which ones are needed.
define debian
{ if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    policy=/usr/sbin/policy-rc.d; \
    test -e $$policy || { printf '#!/bin/sh\nexit 101\n' >$$policy; chmod 755 $$policy; trap "rm -f $$policy" EXIT; }; \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
  else echo "needed: $(1). Install that (Debian, Ubuntu: sudo apt-get install $(1)) and try again." >&2; exit 1; fi; }
endef
