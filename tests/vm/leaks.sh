# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by /init, with debugfs mounted, when the boot is over (what that has left behind is not
# ours): scan_leaks, for a kernel with kmemleak.
# shellcheck shell=sh
leaks=/sys/kernel/debug/kmemleak
! grep -q kmemleak=off /proc/cmdline || leaks=none
if [ -f $leaks ]; then
	# only when it is asked to
	echo scan=off >$leaks
	echo clear >$leaks
fi

# Objects younger than 5 s are no leaks yet, and one scan may take a stale register for a
# reference: scan twice.
scan_leaks()
{
	[ -f $leaks ] || return
	sleep 6
	echo scan >$leaks
	echo scan >$leaks
	while read -r line; do
		echo "$line" >/dev/kmsg
	done <$leaks
	echo clear >$leaks
}
