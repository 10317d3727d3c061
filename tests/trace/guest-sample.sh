# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# In the guest: open images with the module, one after the other, every other one read-only,
# and compare the whole content with what the core found there in userspace.
#
#   guest-sample.sh WORKLOAD...
#
# The first workload has vda, formatted, and vdb with its images; the second vdc and vdd; ...

disk_name() { echo "vd$(echo abcdefghijklmnopqrstuvwxyz | cut -c $(($1 + 1)))"; }

nr=0
for w; do
	disk=/dev/$(disk_name $nr) stream=/dev/$(disk_name $((nr + 1)))
	nr=$((nr + 2)) good=0 bad=0 how=''
	cat "$disk" >/tmp/copy
	exec 3<"$stream"
	while want=$(sample next /tmp/copy "$disk" <&3); do
		got=
		# shellcheck disable=SC2086
		if triadsetup open $how s "$disk"; then
			got=$(sample hash /dev/mapper/s)
			triadsetup close s || got="$got, not closed"
		fi
		if [ "$got" = "$want" ]; then
			good=$((good + 1))
		else
			bad=$((bad + 1))
			echo "not ok $w: image $((good + bad)) $how: content '$got', must be '$want'"
		fi
		[ -n "$how" ] && how='' || how=--read-only
	done
	exec 3<&-
	rm /tmp/copy
	echo "$w $good $bad"
done
