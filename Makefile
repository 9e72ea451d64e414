# Every command that CI runs, and nothing else than make, git and a Swift toolchain beforehand.
PREFIX ?= /usr/local
JOBS ?= 2
SWIFT ?= swift
SWIFTFLAGS = -j $(JOBS)
# The index is not needed to build a product, but finding the tests needs it.
RELEASEFLAGS = $(SWIFTFLAGS) --disable-index-store
VCENTER = .build/vcenter
# The toolchain's own: compilers' headers and linker, libncurses, libsqlite3. The product's: curl, libpq, OpenSSL,
# libxml2. Tests and demo: a server, the simulated vCenter's Go, curl.
PACKAGES = ca-certificates g++ gcc git libc6-dev libncurses6 libsqlite3-0 pkg-config zlib1g-dev \
	libcurl4-openssl-dev libpq-dev libssl-dev libxml2-dev \
	curl golang-github-vmware-govmomi-dev golang-go postgresql util-linux

# Two builds at once would only wait for each other's lock.
.NOTPARALLEL:
.PHONY: help deps toolchain build demo bench test test-tsan stress lint format install clean vcenter

help: ## what each target does
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

deps: ## install what is missing of the distribution's packages
	@sh .ci/deps $(PACKAGES)

toolchain:
	@command -v $(SWIFT) >/dev/null 2>&1 || { \
		echo "make: no swift in PATH; install a Swift toolchain of 6.1 or newer from swift.org" >&2; exit 1; }

build: toolchain deps ## the optimised wireloom
	$(SWIFT) build -c release --product wireloom $(RELEASEFLAGS)

$(VCENTER): $(wildcard Tests/Support/vcenter/*.go) | deps
	@mkdir -p $(@D)
	GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$(CURDIR)/.build/go-cache go build -o $@ ./Tests/Support/vcenter

vcenter: $(VCENTER) ## the simulated vCenter of the demo and the tests

demo: build vcenter ## four endpoints, onboarded and synced, from nothing to every address explained
	WIRELOOM=$(CURDIR)/.build/release/wireloom VCENTER=$(CURDIR)/$(VCENTER) sh Tests/Demo/demo.sh

bench: build vcenter ## what the main work costs, beside what it cannot cost less; BENCH="decode memory" for some of it
	$(SWIFT) build -c release --product bench $(RELEASEFLAGS)
	WIRELOOM_VCENTER=$(CURDIR)/$(VCENTER) $(CURDIR)/.build/release/bench $(BENCH)

test: toolchain deps vcenter ## all tests, on a real PostgreSQL and a real vSphere API
	$(SWIFT) build --build-tests $(SWIFTFLAGS)
	WIRELOOM_VCENTER=$(CURDIR)/$(VCENTER) $(SWIFT) test --skip-build $(SWIFTFLAGS)

test-tsan: toolchain deps vcenter ## the tests under Thread Sanitizer
	WIRELOOM_VCENTER=$(CURDIR)/$(VCENTER) $(SWIFT) test --sanitize=thread -Xswiftc -DTHREAD_SANITIZER \
		--scratch-path .build-tsan $(SWIFTFLAGS)

stress: toolchain deps vcenter ## 200,000 operations of allocating clients in many processes, some of them killed
	$(SWIFT) build --build-tests $(SWIFTFLAGS)
	WIRELOOM_STRESS=200000 WIRELOOM_VCENTER=$(CURDIR)/$(VCENTER) $(SWIFT) test --skip-build --filter StressTests $(SWIFTFLAGS)

lint: toolchain ## refuse what the formatter would change
	$(SWIFT) format lint --strict -r Sources Tests sql Package.swift

format: toolchain ## let the formatter change it
	$(SWIFT) format --in-place -r Sources Tests sql Package.swift

install: build ## wireloom into PREFIX/bin
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 .build/release/wireloom $(DESTDIR)$(PREFIX)/bin/wireloom

clean: ## forget everything built
	rm -rf .build .build-tsan
