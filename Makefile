# SPDX-License-Identifier: GPL-2.0
# The front door; `make help` lists what there is. The module's own rules are in
# Kbuild, the reader's in userspace/, the test bed's in selftests/.

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
PREFIX ?= /usr/local
KERNEL ?= 6.12
KERNELS ?= 6.1 6.12 6.12-rt 7.3
SECONDS ?= 3600
THREADS ?= 20000
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gridlock
KSFT ?= $(CACHE)/kselftest/tools/testing/selftests

all: modules reader

help:
	@echo 'On a Debian machine; each sets up what it needs (root or sudo):'
	@echo '  make demo       real programs deadlock in a virtual machine; gridlock explains'
	@echo '  make check      all tests, on kernels $(KERNELS)'
	@echo '                  KERNELS="6.12 7.3" picks some, "all" adds one with KASAN and'
	@echo '                  lockdep (slow); JOBS=2 runs two at once'
	@echo '  make mutate     tests of the tests: each must fail without what it is about'
	@echo '  make soak       contention for SECONDS=$(SECONDS) in a virtual machine: no false alarm;'
	@echo '                  before it, a hundred loads and an idle machine'
	@echo '  make fuzz       feed the reader broken files for SECONDS=60'
	@echo '  make bench      what gridlock costs, and perf beside it'
	@echo
	@echo 'For this machine (kernel $(KVER)):'
	@echo '  make            build gridlock.ko and the reader'
	@echo '  make load       build and load the module, after asking (YES=1 does not ask)'
	@echo '  make unload     take it out again, after asking'
	@echo '  make install    both, to PREFIX=$(PREFIX) and /lib/modules; DESTDIR is kept'
	@echo '  make uninstall  remove both'
	@echo '  make clean      remove what was built'
	@echo
	@echo 'Parts and checks: modules reader selftests style sparse'
	@echo 'KDIR=... is the kernel build folder, KERNEL=$(KERNEL) the virtual machine'\''s kernel.'

# --- build -----------------------------------------------------------------

need-headers:
	@test -e "$(KDIR)/Makefile" || { \
		echo "make: no kernel headers in $(KDIR): install linux-headers-$(KVER), or name them by KDIR=" >&2; \
		exit 1; }

modules: need-headers
	$(MAKE) -C "$(KDIR)" M="$(CURDIR)" modules

reader:
	$(MAKE) -C userspace

# lib.mk takes an empty OUTPUT for / when make runs below make.
selftests:
	@test -e "$(KSFT)/lib.mk" || { \
		echo "make: no kselftest in $(KSFT): run selftests/vm/setup, or name it by KSFT=" >&2; \
		exit 1; }
	$(MAKE) -C selftests OUTPUT="$(CURDIR)/selftests" KSFT="$(KSFT)"

clean:
	-test ! -e "$(KDIR)/Makefile" || $(MAKE) -C "$(KDIR)" M="$(CURDIR)" clean
	$(MAKE) -C userspace clean
	-test ! -e "$(KSFT)/lib.mk" || for dir in selftests selftests/unit selftests/fuzz; do \
		$(MAKE) -C $$dir OUTPUT="$(CURDIR)/$$dir" KSFT="$(KSFT)" clean; done

# --- this machine ----------------------------------------------------------

install: all
	$(MAKE) -C "$(KDIR)" M="$(CURDIR)" \
		$(if $(DESTDIR),INSTALL_MOD_PATH="$(DESTDIR)") modules_install
	install -D -m 755 userspace/gridlock "$(DESTDIR)$(PREFIX)/bin/gridlock"
	install -D -m 644 userspace/man/gridlock.8 \
		"$(DESTDIR)$(PREFIX)/share/man/man8/gridlock.8"

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/gridlock" \
		"$(DESTDIR)$(PREFIX)/share/man/man8/gridlock.8"
	for dir in updates extra; do \
		dir="$(DESTDIR)/lib/modules/$(KVER)/$$dir"; \
		test ! -d "$$dir" || find "$$dir" -name 'gridlock.ko*' -delete; \
	done
	$(if $(DESTDIR),,depmod -a "$(KVER)")

need-root:
	@test "$$(id -u)" = 0 || { echo "make: only root can do that: run it by sudo" >&2; exit 1; }

# $(call ask,QUESTION): go on only after a yes
ask = test "$(YES)" = 1 || { printf '%s [y/N] ' '$(1)'; read -r answer; \
	case $$answer in y|Y|yes) ;; *) echo 'Nothing was done.'; exit 1;; esac; }

load: need-root modules
	@$(call ask,Load gridlock.ko into the running kernel $(KVER)?)
	insmod ./gridlock.ko

unload: need-root
	@$(call ask,Take gridlock out of the running kernel $(KVER)?)
	rmmod gridlock

# --- tests -----------------------------------------------------------------

check:
	selftests/check $(KERNELS)

demo:
	selftests/demo $(KERNEL)

# The detectors and the rules of the graph natively; the resolvers in a guest.
mutate:
	selftests/vm/setup $(KERNEL)
	out=$$(selftests/vm/build native) && "$$out/selftests/unit/mutate.sh"
	TESTS=mutants.py selftests/check $(KERNEL)

# All three are done, whatever became of the ones before.
soak:
	selftests/vm/run --kernel $(KERNEL) --timeout $$(($(SECONDS) * 2 + 1200)) -- \
		'cd "$$GRIDLOCK_BUILD/selftests" && failed=0; \
		GL_IDLE_SECONDS=60 ./kmod_idle.py || failed=1; \
		GL_LOADS=100 ./kmod_load.py loads_and_unloads it_is_back || failed=1; \
		GL_SECONDS=$(SECONDS) GL_THREADS=$(THREADS) ./soak.py || failed=1; \
		exit $$failed'

bench:
	selftests/bench/bench

fuzz:
	selftests/vm/setup native
	KSFT="$(KSFT)" "$$(selftests/vm/build native)/selftests/fuzz/fuzz.sh" \
		--seconds $(if $(filter file,$(origin SECONDS)),60,$(SECONDS))

# The kernel's own checker, out of its source package.
style:
	selftests/vm/setup $(KERNEL)
	KSFT="$(KSFT)" selftests/unit/style.sh

# With KDIR given, against that; else in the user land of KERNEL's machine.
sparse:
ifeq ($(origin KDIR),command line)
	$(MAKE) -C "$(KDIR)" M="$(CURDIR)" C=2 modules
else
	selftests/vm/setup $(KERNEL)
	selftests/vm/build $(KERNEL) --make sparse
endif

.PHONY: all help need-headers modules reader selftests clean install uninstall \
	need-root load unload check demo mutate soak bench fuzz style sparse
