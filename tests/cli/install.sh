# SPDX-License-Identifier: GPL-2.0-or-later
# make install: where it puts the module and the tool, and that modprobe is told.  Kbuild
# and depmod are stand-ins that note what they are asked for.

mkdir -p kbuild/include/generated bin
# what asks for no path goes below "host"
cat >kbuild/Makefile <<END
at := \$(or \$(INSTALL_MOD_PATH),$dir/host)/lib/modules/9.9.9/updates
modules:
modules_install:
	mkdir -p \$(at)
	touch \$(at)/dm-triad.ko
END
echo '#define UTS_RELEASE "9.9.9"' >kbuild/include/generated/utsrelease.h
printf '#!/bin/sh\necho "$@" >>%s/depmod\n' "$dir" >bin/depmod
chmod 755 bin/depmod

install()	# VARIABLE=VALUE...: not with the variables of a make that runs this
{
	: >depmod
	env -i PATH="$dir/bin:$PATH" HOME="$HOME" make -s -C "$here/../.." install \
		KDIR="$dir/kbuild" "$@" >out 2>err
}

install DESTDIR="$dir/root" && [ -e root/lib/modules/9.9.9/updates/dm-triad.ko ] &&
	[ -x root/usr/local/sbin/triadsetup ] && [ -e root/usr/local/share/man/man8/triadsetup.8 ]
result $? "make install DESTDIR: module and tool lie below it"
units=root/usr/local/lib/systemd/system
[ -e $units/triad-watch@.service ] && [ -e $units/triad-metrics.timer ] && [ -e $units/triad-scrub@.timer ] &&
	[ -e root/usr/local/share/bash-completion/completions/triadsetup ] &&
	grep -q '/usr/local/sbin/triadsetup status --prometheus' $units/triad-metrics.service
result $? "and its units, which know where the tool is"
if command -v systemd-analyze >/dev/null; then
	sed -i "s|/usr/local/sbin|$dir/root&|" $units/*.service
	systemd-analyze verify --man=no $units/triad-metrics.* $units/triad-scrub@.* >out 2>&1
	! grep triad out >err
	result $? "of which systemd thinks well"
fi
mkdir metrics.d
script=$(sed -n "s|^ExecStart=/bin/sh -c '\(.*\)'$|\1|p" $units/triad-metrics.service |
	sed "s|[^ ]*/triadsetup|said|")
(said() { echo metrics; }; DIRECTORY=$dir/metrics.d; eval "$script")
[ "$(cat metrics.d/*)" = metrics ] && [ -e metrics.d/dm-triad.prom ]
result $? "the metrics are a file for node_exporter"
(said() { echo half; return 9; }; DIRECTORY=$dir/metrics.d; eval "$script")
[ "$(cat metrics.d/dm-triad.prom)" = metrics ]
result $? "which stays as it was when they cannot be had"
[ ! -s depmod ]
result $? "and the system's list of modules is left alone"
rm -r root
install DESTDIR="$dir/root" PREFIX=/usr && [ -x root/usr/sbin/triadsetup ]
result $? "make install DESTDIR PREFIX: the tool lies below both"
rm -r root
install PREFIX="$dir/host/usr" && [ "$(cat depmod)" = "-a 9.9.9" ] &&
	[ -e host/lib/modules/9.9.9/updates/dm-triad.ko ] && [ -x host/usr/sbin/triadsetup ]
result $? "make install: depmod is run for the kernel it was built for"

# ---- uninstall -------------------------------------------------------------------------

rm -rf root
install DESTDIR="$dir/root" PREFIX=/usr
version=$(sed -n 's/^TRIAD_VERSION ?= //p' "$here/../../version.mk")
touch "root/lib/modules/9.9.9/updates/dm-triad-$(echo "$version" | tr . -).ko.xz" \
	root/lib/modules/9.9.9/updates/dm-triad-base.ko \
	root/lib/modules/9.9.9/updates/dm-triad-0-0-1.ko
for file in sbin/triadsetup lib/udev/rules.d/61-triad.rules lib/systemd/system/triad@.service \
		lib/systemd/system/triad.target lib/systemd/system/triad-watch@.service \
		lib/systemd/system-generators/triad-generator share/man/man5/triadtab.5 \
		share/initramfs-tools/hooks/triad share/initramfs-tools/scripts/local-top/triad; do
	[ -s "root/usr/$file" ]
	result $? "make install: $file is there"
done
! grep -rq '@sbindir@' root
result $? "and nothing in it is left to be filled in"
for file in usr/share/initramfs-tools/hooks/triad usr/share/initramfs-tools/scripts/local-top/triad \
		usr/share/initramfs-tools/scripts/local-block/triad etc/kernel/header_postinst.d/triadsetup; do
	sh -n "root/$file" && [ -x "root/$file" ]
	result $? "initramfs: $file can be run"
done
env -i PATH="$dir/bin:$PATH" HOME="$HOME" make -s -C "$here/../.." uninstall KDIR="$dir/kbuild" \
	DESTDIR="$dir/root" PREFIX=/usr >out 2>err
rm root/lib/modules/9.9.9/updates/dm-triad.ko
[ "$(cd root && find . -type f)" = ./lib/modules/9.9.9/updates/dm-triad-0-0-1.ko ]
result $? "make uninstall: nothing is left, and another version stays"
: >depmod
env -i PATH="$dir/bin:$PATH" HOME="$HOME" make -s -C "$here/../.." uninstall KDIR="$dir/kbuild" \
	PREFIX="$dir/host/usr" INSTALL_MOD_PATH= >out 2>err
[ "$(cat depmod)" = "-a 9.9.9" ]
result $? "make uninstall: depmod is run"
[ "$(sed -n '1s/.*(\(.*\)).*/\1/p' "$here/../../debian/changelog")" = "$version" ]
result $? "the packages have the version of the module and the tool"
rm -r root host
