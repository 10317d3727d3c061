# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make demo     the main job, on a stock kernel in QEMU (KERNEL=6.1|6.12|7.3)
#   make demo-replica   two machines, one of which is destroyed with its disk
#   make demo-restart   the driver restarted, crashed and upgraded in use; draws restart.png
#   make check    every test that fits in 25 minutes, on the kernels of this Debian
#   make          the module for KDIR (default: the running kernel) and the tool
#   make install  both (DESTDIR=DIR: below DIR, for a package); make uninstall
#   make deb      Debian packages, in deb/ (scripts/deb)
#
# Debian 12 or 13 with git, make and apt is enough: the targets that test install the rest.

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= 6.12
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dm-triad
PREFIX ?= /usr/local
INSTALL_MOD_PATH ?= $(DESTDIR)
export KERNEL

include version.mk
# below lib/modules: what kbuild of this and of older kernels calls it
KREL = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)
MODULES = $(foreach d,updates extra,$(foreach m,dm-triad-base dm-triad-$(subst .,-,$(TRIAD_VERSION)), \
	$(foreach z,ko ko.xz ko.zst ko.gz,$(INSTALL_MOD_PATH)/lib/modules/$(KREL)/$d/$m.$z)))

all: module tool

module:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

tool:
	$(MAKE) -C userspace

# Debian's kernels are built for from copies, so that both fit beside each other.
module-6.1 module-6.12 module-7.3: module-%:
	scripts/module $* >/dev/null

# Without the kernel's System.map, as Debian ships its headers, kbuild runs no depmod, and
# modprobe does not find the module.  What goes below DESTDIR gets it where it is unpacked.
install: all
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) modules_install
	$(if $(INSTALL_MOD_PATH),,depmod -a "$(KREL)")
	$(MAKE) -C userspace install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)

# The modules of this version, and the tool.
uninstall:
	$(if $(KREL),rm -f $(MODULES))
	$(if $(INSTALL_MOD_PATH),,$(if $(KREL),depmod -a "$(KREL)"))
	$(MAKE) -C userspace uninstall PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)

deb:
	scripts/setup deb
	scripts/deb

demo:
	scripts/setup demo
	$(MAKE) -s -C userspace
	scripts/demo

demo-replica:
	scripts/setup demo
	$(MAKE) -s -C userspace
	scripts/demo-replica

demo-restart:
	scripts/setup demo-restart
	$(MAKE) -s -C userspace
	scripts/demo-restart

check:
	scripts/setup
	scripts/check

# What takes longer than make check may; doc/testing says what each is for.

# Another kernel: check-7.3, or 6.1 on a Debian that does not have it
check-6.1 check-6.12 check-7.3: check-%:
	scripts/setup
	$(MAKE) -s -C userspace
	KERNELS=$* scripts/check device power trace relatives hostile recovery modules

# Blocks written for each of the user's, at random over devices of these sizes in GiB; or over so many
# percent of them that were written before: FILLS="25 50 80 95"
SIZES ?= 1 16 64 256 1024
FILLS ?= 0
bench-size:
	scripts/setup
	$(MAKE) -s -C tests size
	for g in $(SIZES); do for f in $(FILLS); do tests/build/size --gib $$g --intervals 40 --fill $$f || exit; done; done

device-long:
	scripts/setup demo
	$(MAKE) -s -C userspace
	for k in 6.1 6.12; do KERNEL=$$k tests/vm/test-device || exit; done

power-long:
	scripts/setup demo
	$(MAKE) -s -C userspace
	for k in 6.1 6.12 7.3; do KERNEL=$$k tests/vm/test-power 500 0 "" 4 8 || exit; done

# 1000 restarts, 200 upgrades in all; RESTARTS and UPGRADES are of each kernel
restart-long:
	scripts/setup long
	$(MAKE) -s -C userspace
	for k in 6.1 6.12; do KERNEL=$$k tests/vm/test-restart long || exit; done

s390x:
	scripts/setup long
	$(MAKE) -C tests unit ARCH=s390x

# Replication: 20000 schedules of the simulator, and the daemons in a VM
replica-long:
	scripts/setup
	$(MAKE) -s -C userspace
	$(MAKE) -C tests sim SCHEDULES=$(or $(SCHEDULES),20000)
	$(MAKE) -C tests mutants-ship
	for k in 6.1 6.12; do KERNEL=$$k tests/vm/test-replica || exit; done

crash-long:
	scripts/setup
	$(MAKE) -C tests crash STATES=10000000

# The second: what a disk that dies leaves, and who is told what.
trace-long:
	scripts/setup long
	$(MAKE) -s -C userspace
	WORKLOADS="dd fio ext4 xfs sqlite full pg" SAMPLE_KERNEL=uml \
		tests/trace/test-trace 1000000 500 4
	WORKLOADS="failing.write failing.flush failing.fua failing.read" \
		tests/trace/test-trace 20000 8 4

uml:
	scripts/setup long
	$(MAKE) -s -C userspace
	SLOTS=1 scripts/check uml_rig uml_device uml_relatives uml_fail uml_hostile

debug:
	scripts/setup long
	$(MAKE) -s -C userspace
	tests/vm/test-debug
	KERNEL=kasan tests/vm/test-debug

apps:
	scripts/setup long
	$(MAKE) -s -C userspace
	tests/apps/test-apps 20 1
	tests/apps/test-sqlite 20 1

# The packages in a Debian with its own systemd and udev: SUITE=bookworm or trixie
SUITE ?= bookworm
packages-check:
	scripts/setup packages
	$(MAKE) -s -C userspace
	tests/packages/test-packages $(SUITE)

# contrib/libblkid-triad.patch on the source of this Debian's util-linux
libblkid-check:
	scripts/setup libblkid
	$(MAKE) -s -C userspace
	tests/packages/test-libblkid

# Speed beside the peers; what power cuts leave beside the peers.  scripts/bench, scripts/bench-recovery
# say what can be chosen; tables and plots go to tests/build/bench.
bench bench-recovery:
	scripts/setup bench
	$(MAKE) -s -C userspace
	scripts/$@

# A replica beside DRBD 8.4.
bench-replica:
	scripts/setup bench-replica
	$(MAKE) -s -C userspace
	scripts/$@

clean:
	$(MAKE) -C userspace clean
	$(MAKE) -C tests clean
	$(MAKE) -C tests/vm clean
	rm -rf *.o *.ko *.mod *.mod.c modules.order Module.symvers .*.cmd .tmp_versions \
		kernel/*.o kernel/.*.cmd kernel/core/*.o kernel/core/.*.cmd

.PHONY: all module tool module-6.1 module-6.12 module-7.3 install uninstall deb demo demo-replica demo-restart check check-6.1 \
	check-6.12 check-7.3 device-long power-long restart-long s390x crash-long trace-long uml debug apps packages-check libblkid-check \
	bench bench-recovery bench-replica bench-size clean
