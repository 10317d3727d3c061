# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC1091,SC2015,SC2086,SC2154,SC3043
#
# In the guest: run workloads on upper witness / triad / lower witness / disk, and put what
# the witnesses saw on another disk.
#
#   guest-record.sh WORKLOAD[:SCALE]...
#
# The first workload has vda, formatted, and vdb for its trace; the second vdc and vdd; ...
# SCALE multiplies what a workload writes (default 1).  failing has a variant, as in failing.flush:
# what is the first to fail.  Behind all disks pg finds the two of tests/apps/image.

up=/dev/mapper/up
knob=/sys/module/dm_witness/parameters
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
# What has died does neither.
disturb()
{
	while [ ! -e /tmp/stop ]; do
		sleep 0.2
		[ "$variant" != early ] || break
		dmsetup message triad 0 commit || { [ -n "$variant" ] && break; } || fail "commit"
		sleep 0.3
		[ -n "$variant" ] || [ "$(random 4)" != 0 ] ||
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

# The disk dies in the middle of queues of everything: writes, FUA, flushes, trims and reads.
run_failing()
{
	case $variant in
	write)	kind=0 in=$((100 + $(random 400))) ;;
	flush)	kind=1 in=$((20 + $(random 60))) ;;
	early)	kind=1 in=$((4 + $(random 6))) ;;	# one of the log, see below
	fua)	kind=2 in=$((5 + $(random 30))) ;;
	read)	kind=3 in=$((50 + $(random 200))) ;;
	*)	fail "what is failing.$variant?" ;;
	esac
	echo $kind >$knob/fail_kind
	echo $in >$knob/fail_in
	fio --filename=$up --thread --output-format=terse --size=16m --norandommap --randrepeat=0 \
		--refill_buffers --direct=1 --ioengine=libaio --number_ios=$((400 * scale)) \
		--name=mixed --rw=randrw --bssplit=4k/60:16k/20:64k/15:512k/5 --iodepth=64 --numjobs=3 \
		--fsync=12 --name=trim --rw=randtrim --bs=64k --iodepth=4 \
		--name=fua --rw=randwrite --bs=4k --iodepth=2 --sync=dsync >/tmp/fio.out 2>&1
	[ "$(cat $knob/fail_in)" = 0 ] || fail "the disk still lives, $(cat $knob/fail_in) to go"
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

# Four clients commit to PostgreSQL (tests/apps/guest-lib.sh): small caches, many checkpoints.
run_pg()
{
	. /guest-lib.sh
	enter "/dev/$(disk_name $((2 * nr_workloads)))"
	mount -t ext4 -o ro "/dev/$(disk_name $((2 * nr_workloads + 1)))" /fresh || fail "fresh databases"
	mkdir /a/m/pg
	mkfs.ext4 -q $up && mount -t ext4 -o discard $up /a/m/pg && cp -a /fresh/pg/. /a/m/pg ||
		fail "ext4"
	start pg || fail "PostgreSQL does not start: $(tail -n 3 /tmp/pg/log)"
	# the lower row first: two clients never wait for each other
	cat >/tmp/pg/commit.sql <<-'END'
		\set a random(0, 2047)
		\set b random(2048, 4095)
		BEGIN;
		UPDATE page SET n = n + 1, body = repeat(md5(random()::text), 1 + :a % 30) WHERE id = :a;
		UPDATE page SET n = n + 1, body = repeat(md5(random()::text), 1 + :b % 30) WHERE id = :b;
		COMMIT;
	END
	inside $be_postgres $pg_bin/pgbench -n -h /tmp/pg -U postgres -c 4 -j 4 -t $((25 * scale)) \
		-f /tmp/pg/commit.sql postgres >/tmp/pg/bench 2>&1 ||
		fail "pgbench: $(tail -n 3 /tmp/pg/bench)"
	sum=$(inside $be_postgres $pg_bin/psql -h /tmp/pg -U postgres -Atc "SELECT sum(n) FROM page")
	stop pg
	[ "$sum" = $((200 * scale)) ] || fail "$sum updates of $((200 * scale))"
	umount /a/m/pg && mount -t ext4 -o ro $up /a/m/pg || fail "umount"
	inside $be_postgres $pg_bin/pg_checksums --check -D /m/pg/data >/tmp/pg/sums 2>&1 ||
		fail "checksums: $(tail -n 3 /tmp/pg/sums)"
	umount /a/m/pg /fresh || fail "umount"
	e2fsck -fn $up >/dev/null 2>&1 || fail "e2fsck"
	echo "pg: $(sed -n 's/^number of transactions actually processed: //p' /tmp/pg/bench) commits"
}

# name of the n-th disk, from 0
disk_name() { echo "vd$(echo abcdefghijklmnopqrstuvwxyz | cut -c $(($1 + 1)))"; }

nr=0 nr_workloads=$#
for w; do
	IFS=: read -r workload scale module <<END
$w
END
	scale=${scale:-1} writers='' variant=${workload#"${workload%%.*}"}
	variant=${variant#.}
	if [ -n "$module" ]; then
		for d in $(modinfo -F depends "$module" | tr , ' '); do
			[ -d "/sys/module/$(echo "$d" | tr - _)" ] || modprobe "$d"
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
	# no commit before the log is long, where only the log's flushes shall fail
	interval=700
	[ "$variant" != early ] || interval=60000
	dmsetup create triad --table "$(triadsetup table /dev/mapper/low) 2 interval_ms $interval" ||
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
	"run_${workload%%.*}"
	: >/tmp/stop
	wait $disturber || fail "disturb"
	echo "$workload: $(awk -v b="$begun" '{ printf "%.1f", $1 - b }' /proc/uptime) s," \
		"$(dmsetup status triad | cut -d ' ' -f 4-)"
	for d in up triad low; do
		dmsetup remove --retry $d || fail "remove"
	done
	[ -z "$module" ] || rmmod "$(modinfo -F name "$module")" || fail "rmmod"
	cat /dev/witness >"$log" || fail "the witness overflowed"
done
sync
