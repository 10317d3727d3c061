# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: fio jobs on dm-linear and on dm-triad over the same kind of disk,
# device bytes written for each user byte, and device flushes for each fdatasync.
# vda: raw; vdb: formatted, as large; vdc: formatted, 1 GiB, filled to 95 % for the last job.
#
#   guest-bench.sh SECONDS

seconds=${1:-5}

sectors() { awk '{ print $7 }' "/sys/block/$1/stat"; }
flushes() { awk '{ print $16 }' "/sys/block/$1/stat"; }

# job NAME DISK DEVICE FIO-ARGS...: a row of the table
job()
{
	name=$1 disk=$2 device=$3
	shift 3
	w0=$(sectors "$disk") f0=$(flushes "$disk")
	fio --name=job --filename="$device" --ioengine=libaio --direct=1 --group_reporting \
		--output-format=terse --terse-version=3 "$@" >/tmp/fio.out 2>/tmp/fio.err ||
		{ echo "fio failed: $name"; cat /tmp/fio.out /tmp/fio.err; exit 1; }
	# what the job leaves in the log is paid by a commit: count it
	[ "$device" = /dev/mapper/raw ] || dmsetup message "${device##*/}" 0 commit
	w1=$(sectors "$disk") f1=$(flushes "$disk")
	# terse v3: read KiB 6, read iops 8, written KiB 47, write iops 49
	awk -F ';' -v name="$name" -v dev="${device##*/}" -v w=$((w1 - w0)) -v f=$((f1 - f0)) '
	{
		user = $47 * 2; ops = user ? $47 / bs : 0
		printf "%-44s %-6s %8d op/s %8.1f MiB/s", name, dev, user ? $49 : $8,
			(user ? $48 : $7) / 1024
		if (user) printf "  %5.3f device/user", w / user
		printf "  %6d flushes\n", f
	}' bs=4 /tmp/fio.out
}

dmsetup create raw --noudevsync --table "0 $(blockdev --getsz /dev/vda) linear /dev/vda 0"
triadsetup open triad /dev/vdb
triadsetup open full /dev/vdc
dmsetup mknodes

for d in raw triad; do
	disk=vda
	[ $d = raw ] || disk=vdb
	job "256 KiB sequential write, QD 8" $disk /dev/mapper/$d --rw=write --bs=256k \
		--iodepth=8 --size=1G --runtime="$seconds" --time_based
	job "4 KiB random write, QD 32" $disk /dev/mapper/$d --rw=randwrite --bs=4k \
		--iodepth=32 --size=1G --norandommap --runtime="$seconds" --time_based
	job "4 KiB write + fdatasync, QD 1" $disk /dev/mapper/$d --rw=randwrite --bs=4k \
		--ioengine=psync --fdatasync=1 --size=1G --norandommap --io_size=32M
	job "4 KiB write + fdatasync, 8 jobs" $disk /dev/mapper/$d --rw=randwrite --bs=4k \
		--ioengine=psync --fdatasync=1 --size=1G --norandommap --numjobs=8 --io_size=4M
	job "4 KiB random read, QD 32" $disk /dev/mapper/$d --rw=randread --bs=4k \
		--iodepth=32 --size=1G --norandommap --runtime="$seconds" --time_based
	job "256 KiB sequential read, QD 8" $disk /dev/mapper/$d --rw=read --bs=256k \
		--iodepth=8 --size=1G --runtime="$seconds" --time_based
done

size=$(blockdev --getsize64 /dev/mapper/full)
fill=$((size / 100 * 95 / 1048576))
job "fill 95 % of a 1 GiB disk, QD 8" vdc /dev/mapper/full --rw=write --bs=256k --iodepth=8 \
	--size=${fill}M
job "4 KiB random overwrite of it, QD 32" vdc /dev/mapper/full --rw=randwrite --bs=4k \
	--iodepth=32 --size=${fill}M --norandommap --io_size=${fill}M
triadsetup status triad
triadsetup status full
for d in triad full; do
	triadsetup close $d
done
