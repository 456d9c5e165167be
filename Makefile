# Run `make` alone for the list of targets.

SHELL := /bin/sh
CARGO ?= cargo
IMAGE ?= ghbroker:dev
# `make demo KEEP=1` leaves the broker and the simulator running.
KEEP ?=
# `make fuzz FUZZ_SECONDS=10` for a short look.
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo test lint fuzz bench build image clean need-toolchain need-docker

help: ## Show this list
	@echo "ghbroker: the GitHub credential broker"
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo
	@echo "make demo KEEP=1 leaves the demo running and prints grpcurl commands to copy."

demo: need-toolchain ## Build the broker and show it at work against a GitHub simulator
	@echo "Building the broker, the simulator and the demo (about 3 minutes the first time)."
	@$(CARGO) build -q --locked --workspace --bins --example demo
	@KEEP=$(KEEP) $(CARGO) run -q --locked --example demo

test: need-toolchain ## Install what the tests need, then run every test
	@tests/tools/run.sh

lint: need-toolchain ## Formatting, clippy and docs, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

fuzz: need-toolchain need-cxx ## Look for inputs that break a reader, a minute for each (FUZZ_SECONDS=60)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/tools/fuzz.sh

bench: need-toolchain ## Measure what commits and tokens cost, with the release build (docs/performance.md)
	@echo "Building the release (about 10 minutes the first time)."
	@$(CARGO) bench -q --locked --bench commit --no-run
	@$(CARGO) bench -q --locked --bench tokens --no-run
	@commit=0; $(CARGO) bench -q --locked --bench commit || commit=1; \
	$(CARGO) bench -q --locked --bench tokens && exit $$commit

build: need-toolchain ## Build the release binary, target/release/ghbroker
	$(CARGO) build --release --locked --bin ghbroker

image: need-docker ## Build the container image (IMAGE=ghbroker:dev)
	docker build --tag $(IMAGE) .

clean: ## Remove everything that was built or installed here
	$(CARGO) clean
	rm -rf tests/octokit/node_modules tests/browser/node_modules

# What is missing is said before anything is built, all of it at once.
need-toolchain:
	@missing=; \
	say() { missing=1; echo "make: $$1" >&2; }; \
	command -v $(CARGO) >/dev/null 2>&1 && command -v rustc >/dev/null 2>&1 \
		|| say "Rust is missing: install 1.95 or newer from https://rustup.rs"; \
	command -v cc >/dev/null 2>&1 \
		|| say "a C compiler is missing: install gcc or clang (Debian: apt-get install gcc libc6-dev)"; \
	if command -v rustc >/dev/null 2>&1; then \
		minor=$$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p'); \
		[ "$${minor:-0}" -ge 95 ] \
			|| say "Rust 1.95 or newer is needed, here is: $$(rustc --version 2>&1 | head -n 1) (rustup update)"; \
	fi; \
	command -v git >/dev/null 2>&1 \
		|| say "git is missing: install it (Debian: apt-get install git)"; \
	[ -z "$$missing" ]

need-cxx:
	@command -v $${CXX:-c++} >/dev/null 2>&1 \
		|| { echo "make: a C++ compiler is missing, which libFuzzer is built with: install g++ or clang (Debian: apt-get install g++)" >&2; exit 1; }

need-docker:
	@command -v docker >/dev/null 2>&1 \
		|| { echo "make: docker is missing: install it, or build with another tool from the Dockerfile" >&2; exit 1; }
