# SPDX-License-Identifier: Apache-2.0
#
# A thin front to Meson and the scripts: `make help` lists what there is. Every target installs what
# it needs (Debian 12), and only what is missing.

.DEFAULT_GOAL := all
.PHONY: all help run run-tap demo demo-taas test test-long fuzz bench lint fresh-root install clean

all: ## build into build/ (the program is build/farspan)
	@scripts/build build

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: ## a service that captures from this machine's interfaces, until Ctrl-C (root)
	@scripts/run-serve

run-tap: ## tap this machine into ntap0 and print the ledger until Ctrl-C (root)
	@scripts/run-tap

demo: ## two hosts and a peer made of network namespaces, with real traffic (root)
	@scripts/demo

demo-taas: ## four machines of two tenants, who have frames of their own copied (root)
	@scripts/demo-taas

test: ## everything that can fail, and "N passed, N failed" at the end
	@scripts/test

test-long: ## what takes longer: thousands of bad paths, a soak of ten minutes, more fuzzing (root)
	@scripts/test-long

fuzz: ## each fuzz target for FUZZ_SECONDS (300); new crashes go to tests/corpus
	@scripts/fuzz "$${FUZZ_SECONDS:-300}"

bench: ## what farspan costs here, next to its peers, in about six minutes (root)
	@scripts/bench

lint: ## format, static analysis, layers, sizes, manual pages and --help in step
	@scripts/lint

fresh-root: ## `make run` and `make test` in a new Debian 12 root (root, network)
	@scripts/fresh-root HEAD

install: all ## install with Meson; DESTDIR and `meson configure build -Dprefix=…` work
	@PATH=/usr/bin:/bin:$$PATH meson install -C build --no-rebuild

clean: ## remove every build folder
	rm -rf build build-asan build-tsan build-fuzz build-lint build-mutate
