# Every target is described by the comment behind it; `make help` lists them.
# Tools and real parts are pinned in hack/ and built once into bin/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := $(CURDIR)/bin
TOOLS := $(BIN)/tools
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo devel)
ONCE := hack/once
# Everything but the race detector does without cgo: one set of compiled
# packages serves the programs, go run and the linters.
export CGO_ENABLED := 0

CONTROLLER_GEN := $(TOOLS)/controller-gen
# What `make generate` writes, and `make verify` compares.
GENERATED := api/v1alpha1/zz_generated.deepcopy.go config/crd/bases config/rbac/role.yaml config/webhook/manifests.yaml \
	internal/pbxlink/pbxlinkv1 docs/reference/api.md
# CRDs above this many bytes make kubectl and the API server slow.
CRD_LIMIT := 200000

.PHONY: help
help: ## List every target.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ The environment

.PHONY: demo
demo: parts build ## From nothing to a running center, shown live. DEMO=once: exit after the proof.
	@go run ./test/demo

.PHONY: dev-up
dev-up: parts build ## Bring the development environment up; then: source .dev/env. ARGS=--postgres: its store in PostgreSQL.
	@go run ./hack/dev up $(ARGS)

.PHONY: dev-down
dev-down: ## Stop the development environment and delete everything of it.
	@go run ./hack/dev down

##@ Checks

.PHONY: test
test: parts ## Run every test against the real servers. PKG=./internal/mail/... limits it.
	@CGO_ENABLED=1 $(TOOLS)/gotestsum --format pkgname-and-test-fails --format-hide-empty-pkg -- -race -count=1 -timeout 30m $(or $(PKG),./...)

.PHONY: verify
verify: verify-generated lint verify-mod verify-crds ## Everything a change must pass besides its tests.

.PHONY: verify-generated
verify-generated: generate ## Fail when generated files are not those in git.
	@git diff --exit-code -- $(GENERATED) || { echo 'generated files are out of date: run make generate and commit'; exit 1; }
	@new=$$(git ls-files --others --exclude-standard -- $(GENERATED)); \
		[ -z "$$new" ] || { echo "generated files are not in git:"; echo "$$new"; exit 1; }

.PHONY: verify-mod
verify-mod: ## Fail when go.mod or go.sum is not tidy.
	@go mod tidy -diff

.PHONY: verify-crds
verify-crds: ## Fail when a CRD has grown too large.
	@for crd in config/crd/bases/*.yaml; do \
		size=$$(stat -c %s "$$crd"); \
		[ "$$size" -le $(CRD_LIMIT) ] || { echo "$$crd: $$size bytes, limit $(CRD_LIMIT)"; exit 1; }; \
	done

.PHONY: lint
lint: tools ## Run go vet and golangci-lint.
	@go vet ./...
	@$(TOOLS)/golangci-lint run

.PHONY: bench
bench: parts build ## Measure what DESIGN promises to be fast; writes bench.json.
	@go run ./test/bench -out bench.json

##@ Code

.PHONY: build
build: ## Build the programs of cmd/ into bin/.
	@for program in cmd/*/; do CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o "$(BIN)/$$(basename "$$program")" "./$$program"; done

.PHONY: generate
generate: tools ## Write CRDs, roles, webhooks, deep copies, protocol code and the API reference.
	@$(CONTROLLER_GEN) object paths=./api/...
	@$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases
	@$(CONTROLLER_GEN) rbac:roleName=ringmaster-manager webhook paths=./cmd/... paths=./controllers/... paths=./internal/... \
		output:rbac:dir=config/rbac output:webhook:dir=config/webhook
	@cd internal/pbxlink && PATH="$(TOOLS):$$PATH" buf generate
	@mkdir -p docs/reference
	@$(TOOLS)/crd-ref-docs --log-level=ERROR --source-path=api --config=hack/crd-ref-docs.yaml --renderer=markdown --output-path=docs/reference/api.md

.PHONY: fmt
fmt: tools ## Format the code and apply the linters' own fixes.
	@gofmt -w api cmd controllers hack internal test
	@$(TOOLS)/golangci-lint run --fix

##@ Tools and real parts

.PHONY: parts
parts: tools kube asterisk-root services-root browser-root jssip ## Everything that tests, demo and environment run.

.PHONY: packages
packages: ## Install the few Debian packages needed, as root or by sudo.
	@hack/packages

.PHONY: tools
tools: ## Build the pinned development tools into bin/tools.
	@for module in tools buf golangci-lint; do \
		$(ONCE) $(TOOLS)/.$$module hack/$$module/go.mod hack/$$module/go.sum -- $(MAKE) tools-of MODULE=$$module; \
	done

.PHONY: tools-of
tools-of:
	@echo "building the tools of hack/$(MODULE), once..."
	@cd hack/$(MODULE) && GOBIN=$(TOOLS) go install tool

.PHONY: kube
kube: ## Build etcd and the Kubernetes control plane into bin/kube, about 5 minutes, once.
	@$(ONCE) $(BIN)/kube/.stamp hack/etcd/go.mod hack/etcd/go.sum hack/kube/go.mod hack/kube/go.sum hack/kube/build -- hack/kube/build $(BIN)/kube

.PHONY: asterisk-root
asterisk-root: packages ## Put Asterisk 22 from Debian sid into bin/asterisk-root, once.
	@$(ONCE) $(BIN)/asterisk-root/.stamp hack/debian-root -- hack/debian-root $(BIN)/asterisk-root sid \
		asterisk,asterisk-modules,asterisk-core-sounds-en-gsm,asterisk-moh-opsound-gsm \
		--aptopt='Acquire::Check-Valid-Until "false"'

.PHONY: services-root
services-root: packages ## Put Dovecot, Postfix, PostgreSQL and test tools into bin/services-root, once.
	@$(ONCE) $(BIN)/services-root/.stamp hack/debian-root -- hack/debian-root $(BIN)/services-root bookworm \
		dovecot-imapd,dovecot-lmtpd,postfix,postgresql-15,isync,fetchmail,sip-tester

.PHONY: browser-root
browser-root: packages ## Put headless Chromium from Debian into bin/browser-root, once.
	@$(ONCE) $(BIN)/browser-root/.stamp hack/debian-root -- hack/debian-root $(BIN)/browser-root bookworm \
		chromium-headless-shell,libnss3-tools

.PHONY: jssip
jssip: packages ## Bundle JsSIP, the browser tests' SIP library, into bin/jssip, once.
	@$(ONCE) $(BIN)/jssip/.stamp hack/jssip/package.json hack/jssip/package-lock.json hack/jssip/build -- hack/jssip/build $(BIN)/jssip

.PHONY: clean
clean: dev-down ## Delete everything built, and the environment.
	@rm -rf bin dist bench.json
