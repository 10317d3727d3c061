# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
#
# In the guest: how long it takes to read a log, by kprobes on triad_device_start.
#
#   guest-opening.sh VERSIONS [PART]...      builds of the module, the last of which is judged
#
# Each log is left on vda by an instance that hands over to nobody, and opened read-only by
# each build, several times: nothing is written.  "crash" is what any opening does, "takeover"
# that of an instance that knows how far the one before had come.

. /usr/lib/guest-lib.sh

trace=/sys/kernel/tracing
mount -t tracefs tracefs $trace
[ ! -e /mod/old.ko ] || insmod /mod/old.ko || exit 1
versions=$1
shift
for v in $versions; do
	m=dm_triad_$(echo $v | tr . _)
	echo "p:begin_$m $m:triad_device_start" >>$trace/kprobe_events
	echo "r:end_$m $m:triad_device_start" >>$trace/kprobe_events
done
echo 1 >$trace/events/kprobes/enable
row='%-42s %-9s %-8s %13s %8s %8s %8s\n'

# median, least and most of what was traced, in ms
taken()
{
	awk '{ sub(":", "", $4) } / begin_/ { t = $4 } / end_/ { print ($4 - t) * 1000 }' $trace/trace |
		sort -n | awk '{ v[NR] = $1 } END { printf "%.0f %.0f %.0f\n", v[int((NR + 1) / 2)], v[1], v[NR] }'
}

table() { echo "0 $len triad-$1 /dev/vda 1 read_only"; }

# open_it LABEL: leaves the last median of a crash in $ms
open_it()
{
	for v in $versions; do
		echo >$trace/trace
		for _ in 1 2 3 4 5; do
			dmsetup create x --readonly --table "$(table $v)" || not_ok "$1: $v does not open it"
			dmsetup remove x
		done
		log=$(dmesg | sed -n 's/.*, \([0-9]*\) records with \([0-9]*\) blocks recovered.*/\1\/\2/p' | tail -n 1)
		# shellcheck disable=SC2046,SC2059
		printf "$row" "$1" $v crash $log $(taken)
		ms=$(taken | cut -d ' ' -f 1)
		dmsetup create x --readonly --table "$(table $v)"
		echo >$trace/trace
		for _ in 1 2 3 4 5; do
			dmsetup load x --readonly --table "$(table $v)"
			dmsetup suspend --noflush --nolockfs x
			dmsetup resume x || not_ok "$1: $v does not take over"
		done
		# shellcheck disable=SC2046,SC2059
		printf "$row" "$1" $v takeover $log $(taken)
		dmsetup remove x
	done
}

# log LABEL FIO-OPTION...
log()
{
	label=$1
	shift
	fmt --interval 1G /dev/vda
	map x /dev/vda --interval-ms 3600000
	len=$(blockdev --getsz /dev/mapper/x)
	fio --name=w --filename=/dev/mapper/x --direct=1 --randseed=1 --norandommap --size=512M \
		--ioengine=libaio "$@" >/tmp/fio 2>&1 || not_ok "fio # $(tail -n 3 /tmp/fio)"
	dmsetup suspend --noflush --nolockfs x
	dmsetup remove x
	open_it "$label"
}

fio --name=lay --filename=/dev/vda --rw=write --bs=1M --direct=1 --size=256M >/dev/null
fio --name=raw --filename=/dev/vda --rw=read --bs=512k --iodepth=16 --ioengine=libaio --direct=1 \
	--size=256M --loops=4 --output-format=terse --output=/tmp/raw
raw=$(grep '^3;' /tmp/raw | cut -d ';' -f 7)
echo "# the disk reads $((raw / 1024)) MiB/s, 512 KiB at a time, queue depth 16"
# shellcheck disable=SC2059
printf "$row" log build opening records/blocks "median ms" least most
for part in ${*:-mixed deep lone large flushed short}; do
	case $part in
	mixed)
		log "64 MiB, 4 to 64 KiB, depth 16" --rw=randwrite --bsrange=4k-64k --iodepth=16 --io_size=64M
		[ $((64 * 1024 * 1000 / (ms + 1))) -ge $((raw / 4)) ] &&
			ok "a log of 64 MiB is opened at a quarter of the disk's speed or more" ||
			not_ok "a log of 64 MiB is opened at a quarter of the disk's speed or more # $ms ms" ;;
	deep)	log "64 MiB, 4 KiB, depth 32" --rw=randwrite --bs=4k --iodepth=32 --io_size=64M ;;
	lone)	log "32 MiB, 4 KiB, lone writes" --rw=randwrite --bs=4k --iodepth=1 --io_size=32M ;;
	large)	log "256 MiB, 1 MiB" --rw=write --bs=1M --iodepth=4 --io_size=256M ;;
	flushed) log "256 MiB, 1 MiB, 16 and a flush" --rw=write --bs=1M --iodepth=4 --io_size=256M --fdatasync=16 ;;
	short)	log "512 KiB, 4 KiB, lone writes" --rw=randwrite --bs=4k --iodepth=1 --io_size=512k ;;
	esac
done
[ $failed = 0 ]
