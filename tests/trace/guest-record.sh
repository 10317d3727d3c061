# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2015,SC2086,SC3043
#
# In the guest: run workloads on upper witness / triad / lower witness / disk, and put what
# the witnesses saw on another disk.
#
#   guest-record.sh WORKLOAD[:SCALE]...
#
# The first workload has vda, formatted, and vdb for its trace; the second vdc and vdd; ...
# SCALE multiplies what a workload writes (default 1).

up=/dev/mapper/up
fail() { echo "record: $*"; exit 1; }

# Wait for all writers; each must have succeeded.
join()
{
	for w in $writers; do
		wait "$w" || fail "a writer failed"
	done
}

# A number below $1.  Not random enough for anything but choosing places.
random() { echo $(($(od -An -N4 -tu4 /dev/urandom) % $1)); }

# Beside the workload: commits, and sessions that end and begin (suspend closes the device).
disturb()
{
	while [ ! -e /tmp/stop ]; do
		sleep 0.2
		dmsetup message triad 0 commit || fail "commit"
		sleep 0.3
		[ "$(random 4)" != 0 ] ||
			{ dmsetup suspend triad && dmsetup resume triad; } || fail "suspend"
	done
}

# Small and large writes by several writers to the same places, direct, buffered and O_DSYNC,
# with discards and zeroes between them.
writer()
{
	n=0
	while [ $n -lt $((12 * scale)) ]; do
		at=$(random 2000)
		case $(random 8) in
		0)	dd if=/dev/urandom of=$up bs=4k count=8 seek="$at" oflag=direct conv=notrunc ;;
		1)	dd if=/dev/urandom of=$up bs=64k count=2 seek=$((at / 16)) oflag=direct \
				conv=notrunc,fsync ;;
		2)	dd if=/dev/urandom of=$up bs=4k count=2 seek="$at" oflag=direct,dsync \
				conv=notrunc ;;
		3)	dd if=/dev/urandom of=$up bs=1M count=1 seek=$((at / 256)) iflag=fullblock \
				oflag=direct conv=notrunc ;;
		4)	dd if=/dev/urandom of=$up bs=16k count=4 seek=$((at / 4)) conv=notrunc,fsync ;;
		5)	blkdiscard -f -o $((at * 4096)) -l $(($(random 300) * 4096 + 4096)) $up ;;
		6)	blkdiscard -f -z -o $((at * 4096)) -l $(($(random 30) * 4096 + 4096)) $up ;;
		7)	dd if=/dev/urandom of=$up bs=4k count=1 seek="$at" oflag=direct conv=notrunc,fsync ;;
		esac || fail "dd"
		n=$((n + 1))
	done 2>/dev/null
}

run_dd()
{
	for i in 1 2 3 4; do
		writer &
		writers="$writers $!"
	done
	join
}

job()
{
	fio --filename=$up --thread --group_reporting --output-format=terse "$@" >/tmp/fio.out 2>&1 ||
		{ cat /tmp/fio.out; fail "fio"; }
}

# Queues of mixed sizes that overlap; many small syncs; FUA; trims; writes of 1 MiB and more.
run_fio()
{
	set -- --size=16m --norandommap --randrepeat=0 --refill_buffers
	job "$@" --name=mixed --rw=randwrite --bssplit=4k/60:16k/20:64k/15:512k/5 --direct=1 \
		--ioengine=libaio --iodepth=16 --numjobs=3 --fsync=24 --number_ios=$((80 * scale)) \
		--name=trim --rw=randtrim --bs=64k --direct=1 --number_ios=$((20 * scale))
	job "$@" --name=fdatasync --rw=randwrite --bs=4k --ioengine=psync --fdatasync=1 \
		--numjobs=4 --number_ios=$((60 * scale))
	job "$@" --name=fua --rw=randwrite --bs=4k --ioengine=psync --direct=1 --sync=dsync \
		--numjobs=2 --number_ios=$((60 * scale)) \
		--name=beside --rw=randwrite --bs=8k --ioengine=psync --direct=1 \
		--number_ios=$((40 * scale))
	job "$@" --name=large --rw=write --bs=1536k --direct=1 --ioengine=libaio --iodepth=4 \
		--number_ios=$((4 * scale)) --end_fsync=1
}

# Every block in use, and then overwritten: room must be made by commits all the time.
run_full()
{
	job --name=fill --rw=write --bs=512k --direct=1 --ioengine=libaio --iodepth=4 --end_fsync=1
	job --name=over --rw=randwrite --bssplit=4k/80:128k/20 --direct=1 --ioengine=libaio \
		--iodepth=8 --norandommap --randrepeat=0 --refill_buffers --fsync=32 \
		--numjobs=2 --number_ios=$((150 * scale))
}

# Files made, synced, replaced and removed by three writers; $1 is where.
files()
{
	n=0
	while [ $n -lt $((10 * scale)) ]; do
		k=$(random 60)
		dd if=/dev/urandom of="$1/new" bs=1k count=$((k + 1)) conv=fsync &&
			mv "$1/new" "$1/file$((k % 7))" || fail "files"
		[ $((k % 3)) != 0 ] || cp "$1/file$((k % 7))" "$1/copy$((k % 5))"
		[ $((k % 5)) != 0 ] || rm -rf "$1"/copy*
		[ $((k % 7)) != 0 ] || sync
		n=$((n + 1))
	done 2>/dev/null
}

run_files()
{
	for i in 1 2 3; do
		mkdir /mnt/$i
		files /mnt/$i &
		writers="$writers $!"
	done
	join
	fstrim /mnt
	umount /mnt || fail "umount"
}

run_ext4()
{
	mkfs.ext4 -q $up && mount -t ext4 -o discard $up /mnt || fail "ext4"
	run_files
	e2fsck -fn $up >/dev/null 2>&1 || fail "e2fsck"
}

run_xfs()
{
	mkfs.xfs -q $up && mount -t xfs $up /mnt || fail "xfs"
	run_files
	xfs_repair -n $up >/dev/null 2>&1 || fail "xfs_repair"
}

transactions()
{
	n=0
	while [ $n -lt $((5 * scale)) ]; do
		echo "begin immediate;"
		echo "insert into t(v) values(randomblob($(random 6000)));"
		echo "insert into t(v) values(randomblob(100));"
		echo "update t set v = randomblob(300) where id % 7 = $((n % 7));"
		echo "commit;"
		n=$((n + 1))
	done
}

# Two databases on ext4, one with a journal and one with a log of its own; two writers each.
run_sqlite()
{
	mkfs.ext4 -q $up && mount -t ext4 $up /mnt || fail "ext4"
	for mode in delete wal; do
		sqlite3 /mnt/$mode "pragma journal_mode = $mode;
			create table t(id integer primary key, v blob);" >/dev/null || fail "sqlite"
		for i in 1 2; do
			{ echo "pragma busy_timeout = 20000; pragma synchronous = full;"
			  transactions; } | sqlite3 -bail /mnt/$mode >/dev/null || fail "sqlite" &
			writers="$writers $!"
		done
	done
	join
	for mode in delete wal; do
		[ "$(sqlite3 /mnt/$mode "pragma integrity_check")" = ok ] || fail "integrity"
		echo "sqlite $mode: $(sqlite3 /mnt/$mode "select count(*) from t") rows"
	done
	umount /mnt || fail "umount"
}

# name of the n-th disk, from 0
disk_name() { echo "vd$(echo abcdefghijklmnopqrstuvwxyz | cut -c $(($1 + 1)))"; }

nr=0
for w; do
	IFS=: read -r workload scale module <<END
$w
END
	scale=${scale:-1} writers=''
	if [ -n "$module" ]; then
		for d in $(modinfo -F depends "$module" | tr , ' '); do
			modprobe "$d"
		done
		insmod "$module" || fail "insmod"
	fi
	disk=/dev/$(disk_name $nr) log=/dev/$(disk_name $((nr + 1)))
	nr=$((nr + 2))
	[ "$(cat /sys/block/"${disk#/dev/}"/queue/write_cache)" = "write back" ] || fail "no write cache"
	echo 0 >/dev/witness || fail "the witness is busy"
	dmsetup create low --table "0 $(blockdev --getsz "$disk") witness $disk lower" || fail "low"
	dmsetup mknodes
	# shellcheck disable=SC2046
	dmsetup create triad --table "$(triadsetup table /dev/mapper/low) 2 interval_ms 700" ||
		fail "triad"
	dmsetup create up --table "0 $(blockdev --getsz /dev/mapper/triad) witness /dev/mapper/triad upper" ||
		fail "up"
	dmsetup mknodes
	for d in low triad up; do
		[ "$(cat /sys/block/"$(dmsetup info -c --noheadings -o blkdevname $d)"/queue/write_cache)" = \
			"write back" ] || fail "$d has no write cache"
	done
	rm -f /tmp/stop
	disturb &
	disturber=$!
	begun=$(awk '{ print $1 }' /proc/uptime)
	"run_$workload"
	: >/tmp/stop
	wait $disturber || fail "disturb"
	echo "$workload: $(awk -v b="$begun" '{ printf "%.1f", $1 - b }' /proc/uptime) s," \
		"$(dmsetup status triad | cut -d ' ' -f 4-)"
	for d in up triad low; do
		dmsetup remove --retry $d || fail "remove"
	done
	[ -z "$module" ] || rmmod dm-triad || fail "rmmod"
	cat /dev/witness >"$log" || fail "the witness overflowed"
done
sync
