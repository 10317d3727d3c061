# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: one life between two power cuts.
#
#   guest-life.sh N EXT4 XFS BTRFS [END]
#
# vda holds stamp's state, vdb a bare device for stamp, vdc ext4, vdd xfs, vde btrfs; vdf tells which
# life it is to a machine that is frozen until then (N is 0), or that another kernel has taken over.
# First everything that the life before left is verified: check --data, the prefix, the
# filesystems' own checks, and files up to the given numbers, which were synced and
# acknowledged.  Then all of it is written to, and what is free discarded, until the power goes, or the machine ends by itself:
# END is a key of the kernel's (sysrq), or "kexec" or "crash", when another kernel boots in its
# place and begins with this again.

life=$1
shift
die() { echo "life $life: $*"; cat /tmp/out 2>/dev/null; exit 3; }
quiet() { "$@" >/tmp/out 2>&1 || die "$*"; }

if [ -n "${next-}" ]; then
	echo back >/dev/report
elif [ "$life" = 0 ]; then
	modprobe -a ext4 xfs btrfs
	echo frozen >/dev/report
fi
# The host has learned what was acknowledged.
if [ -n "${next-}" ] || [ "$life" = 0 ]; then
	until
		# shellcheck disable=SC2046 # words
		set -- $(dd if=/dev/vdf bs=512 count=1 iflag=direct 2>/dev/null | tr -d '\0')
		[ "${1:-0}" -gt "$life" ]
	do
		sleep 0.2
	done
	life=$1
	shift
fi

# next_kernel load|crash: for the end, the kernel that runs, with an initramfs made of this one
next_kernel()
{
	(cd / && find . -xdev ! -path './boot/*' | cpio -o -H newc >/tmp/initramfs) 2>/dev/null
	quiet nextkernel "$1" /boot/vmlinuz /tmp/initramfs \
		"$(sed 's/crashkernel=[^ ]*//' /proc/cmdline) next=1 $([ "$1" = load ] || echo nr_cpus=1)"
	rm /tmp/initramfs
}
case ${4-} in
kexec)	next_kernel load ;;
crash)	next_kernel crash ;;
esac

# end HOW: the machine ends
end()
{
	case $1 in
	kexec)	nextkernel go ;;
	crash)	echo c >/proc/sysrq-trigger ;;
	*)	echo "$1" >/proc/sysrq-trigger ;;
	esac
}

# start FS DISK ACKNOWLEDGED: verify and mount
start()
{
	fs=$1 disk=$2 acknowledged=$3
	quiet triadsetup check --data "$disk"
	quiet triadsetup open $fs "$disk"
	mkdir -p /m/$fs
	if [ "$life" = 1 ]; then
		quiet mkfs.$fs -q /dev/mapper/$fs
	else
		# a filesystem replays its own journal when mounted
		quiet mount -t $fs /dev/mapper/$fs /m/$fs
		umount /m/$fs
		case $fs in
		ext4)	quiet e2fsck -fn /dev/mapper/$fs ;;
		xfs)	quiet xfs_repair -n /dev/mapper/$fs ;;
		btrfs)	quiet btrfs check /dev/mapper/$fs ;;
		esac
	fi
	quiet mount -t $fs /dev/mapper/$fs /m/$fs
	cd /m/$fs || die "$fs: cd"
	i=$((acknowledged > 40 ? acknowledged - 40 : 0))
	while [ $i -lt "$acknowledged" ]; do
		i=$((i + 1))
		set -- $i.*
		[ "$(md5sum <"$1" 2>/dev/null)" = "${1#*.}  -" ] ||
			die "$fs: file $i was synced and is lost: $*"
	done
	rm -f tmp
	cd /
}

# load FS FROM: files named by their content, each synced and then acknowledged
load()
{
	cd /m/$1 || exit
	i=$2
	while :; do
		i=$((i + 1))
		dd if=/dev/urandom of=tmp bs=4k count=$((i % 24 + 1)) 2>/dev/null || exit
		sum=$(md5sum <tmp)
		# the life before may have begun a file of this number, and not synced it
		rm -f $i.*
		mv tmp "$i.${sum%% *}" || exit
		rm -f $((i - 60)).*
		sync -f . || exit
		# one that an error made read-only, as a kexec's does, calls anything synced
		: >alive || exit
		echo "file $1 $i"	# stamp holds the report port; stdout is as quick
	done
}

quiet triadsetup check --data /dev/vdb
t0=$(awk '{ print $1 * 1000 }' /proc/uptime)
quiet triadsetup open bare /dev/vdb
echo "opened $(awk -v t="$t0" '{ printf "%d", $1 * 1000 - t }' /proc/uptime) ms" >/dev/report
stamp verify /dev/vda /dev/mapper/bare >/tmp/out 2>&1 || die "the prefix promise is broken"
# behind what stamp writes: so that zones are in use, and nearly free
if [ "$life" = 1 ]; then
	quiet dd if=/dev/urandom of=/dev/mapper/bare bs=1M seek=64 count=280 oflag=direct conv=notrunc
	quiet triadsetup commit bare
	quiet blkdiscard -o 64M -l 280M /dev/mapper/bare
fi
start ext4 /dev/vdc "$1"
start xfs /dev/vdd "$2"
start btrfs /dev/vde "$3"
load ext4 "$1" 2>/dev/null &
load xfs "$2" 2>/dev/null &
load btrfs "$3" 2>/dev/null &
# what nobody reaches is discarded meanwhile
(while sleep 0.4; do triadsetup commit bare && triadsetup trim -q bare || break; done
echo "trims ended: $?" >/dev/report) 2>/dev/null &
echo "go $life" >/dev/report
[ -z "${4-}" ] || (sleep 3; end "$4") &
stamp write /dev/vda /dev/mapper/bare /dev/report
echo "the power did not go"
exit 4
