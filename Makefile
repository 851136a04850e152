# Two commands: `make run` starts the gateway, `make test` checks everything. Both install what is missing on Debian
# and Ubuntu (as root or through sudo), saying what; elsewhere they say what to install and stop.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := run
# `make install` puts the program where cargo puts programs.
.PHONY: run test install build-tools test-tools sdks

# command:package. cmake and gcc build zlib-ng and SQLite.
BUILD_TOOLS := cc:gcc cmake:cmake make:make
TEST_TOOLS  := node:nodejs npm:npm python3:python3 redis-server:redis-server

# The rest of the command line goes to the gateway: make run ARGS="--listen 127.0.0.1:8081"
ARGS ?=

run: build-tools
	cargo build --release --locked
	exec "$${CARGO_TARGET_DIR:-target}/release/sluicegate" serve $(ARGS)

install: build-tools
	cargo install --locked --path .

# One debug target for clippy's dependencies, tests and the binary under test.
test: build-tools test-tools sdks
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --locked --no-deps --document-private-items --quiet
	cargo test --locked --no-fail-fast

# The SDKs that the end-to-end tests drive, in an environment of their own under target/.
sdks: target/sdk/python.done target/sdk/node.done

target/sdk/python.done: tests/e2e/requirements.txt | build-tools test-tools
	@echo "make: installing Python SDKs from tests/e2e/requirements.txt into target/sdk/venv"
	rm -rf target/sdk/venv && mkdir -p target/sdk
	python3 -m venv target/sdk/venv
	target/sdk/venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/e2e/requirements.txt
	touch $@

target/sdk/node.done: tests/e2e/package.json | build-tools test-tools
	@echo "make: installing Node SDKs from tests/e2e/package.json into target/sdk/node_modules"
	rm -rf target/sdk/node_modules target/sdk/package-lock.json && mkdir -p target/sdk
	cp tests/e2e/package.json target/sdk/package.json
	npm install --prefix target/sdk --no-audit --no-fund --no-package-lock --loglevel=error
	touch $@

build-tools:
	@$(call need,$(BUILD_TOOLS))
	@command -v cargo >/dev/null || { \
	  echo "make: cargo is missing: install Rust 1.95 or newer (https://rustup.rs), then run make again" >&2; exit 2; }

# Debian keeps the module that makes virtual environments in a package of its own, and PostgreSQL's server off the path.
test-tools:
	@$(call need,$(TEST_TOOLS))
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { $(call install,postgresql); }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { $(call install,python3-venv); }

# need COMMAND:PACKAGE…: installs the packages of the commands that are missing.
need = missing=""; \
  for pair in $(1); do command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair\#\#*:}"; done; \
  [ -z "$$missing" ] || { $(call install,$$missing); }

# install PACKAGE…: by apt-get where there is one and we may use it, else says what to do.
install = packages="$(1)"; as_root=""; [ "$$(id -u)" = 0 ] || as_root=sudo; \
  if command -v apt-get >/dev/null && { [ -z "$$as_root" ] || command -v sudo >/dev/null; }; then \
    echo "make: installing Debian packages:$$packages"; \
    $$as_root apt-get update -qq && \
    $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$packages >/dev/null; \
  else \
    echo "make: please install$$packages (Debian's names; Fedora: gcc cmake make nodejs npm python3;" >&2; \
    echo "      macOS: xcode-select --install && brew install cmake node python), then run make again" >&2; \
    exit 2; \
  fi
