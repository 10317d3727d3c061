# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
#
# In the guest: the same fio jobs on dm-linear, on dm-triad and on its peers, all in turn on
# the same disk, /dev/vda or, as large as that, /dev/ram0.
#
#   guest-bench.sh SECONDS ROUNDS "TARGET..." "JOB..." DISK
#
# For scripts/bench-report, on lines of their own:
#
#   @job TARGET ROUND JOB key=value...     no values: it did not end
#   @fio TARGET ROUND                      and fio's JSON up to a line @end
#   @absent TARGET REASON
#   @plan TARGET...                        what was asked for
#
# /dev/report gets "begin" and "end" of each job, for the host to look at its clocks.
#
# What a job has left for later (a commit, a write-back) is paid for in its line, in device
# writes and processor time; the time that it took is a number of its own.

. /usr/lib/guest-stacks.sh

seconds=$1 rounds=$2 targets=$3 jobs=$4 disk=$5
[ "$disk" = /dev/vda ] || modprobe brd rd_nr=1 rd_size=$(($(blockdev --getsize64 /dev/vda) / 1024))

# the part of the device that all jobs but the last use, and what is read again
work=$(($(blockdev --getsize64 "$disk") / 2097152))
again=32

want() { case " $jobs " in *" $1 "*) ;; *) false ;; esac; }

# One fio for each target, its jobs one after another: starting it takes an emulated machine
# seconds.  Around each job it runs this, before and after the statistics, and at the end settle.
cat >/tmp/hook <<'END'
. /usr/lib/guest-stacks.sh
. /tmp/stack.env
out=/tmp/stat.$target.$2
ticks() { read -r _ u n s _ _ i j k _ </proc/stat; ticks=$((u + n + s + i + j + k)); }
disk_stat() { read -r r _ rs _ w _ ws _ _ _ _ _ _ _ _ f _ <"/sys/block/${disk#/dev/}/stat"; }
now() { read -r now _ </proc/uptime; now=${now%.*}${now#*.}0; }
if [ "$1" = begin ]; then
	if [ "$2" = commits ]; then
		: >/tmp/committing
		while [ -e /tmp/committing ] && dmsetup message "$name" 0 commit; do :; done >/dev/null 2>&1 &
	fi
	disk_stat
	ticks
	echo "$r $rs $w $ws $f $ticks" >$out
	echo "begin $target $round $2" >/dev/report
else
	echo "end $target $round $2" >/dev/report
	rm -f /tmp/committing
	ticks
	now
	t=$now
	settle
	now
	t=$((now - t)) c=$ticks
	# starting dmsetup costs the same everywhere
	ticks
	disk_stat
	read -r r0 rs0 w0 ws0 f0 c0 <$out
	echo "settle_ms=$t cpu_ms=$(((ticks - c0) * 10)) job_cpu_ms=$(((c - c0) * 10))" \
		"reads=$((r - r0)) read_sectors=$((rs - rs0))" \
		"writes=$((w - w0)) written_sectors=$((ws - ws0)) flushes=$((f - f0))" >$out
fi
END

# job NAME OPTION=VALUE...: a section of the job file
section() { printf '[%s]\n' "$1"; shift; printf '%s\n' "$@"; }
job()
{
	want "$1" || return 0
	# in threads of their own: several that begin together would wait for their hooks
	section "$1-begin" rw=read bs=4k size=4k "exec_prerun=sh /tmp/hook begin $1"
	section "$@" time_based runtime="$seconds" norandommap
	section "$1-end" rw=read bs=4k size=4k "exec_postrun=sh /tmp/hook end $1"
	echo "$1" >>/tmp/names
}

# fill, over and prepare are not measured, but what they have put off is done before they end
prepare() { section "$@" "exec_postrun=sh /tmp/hook end $1"; }

job_file()
{
	section global filename="$file" ioengine=libaio direct=1 thread stonewall group_reporting \
		percentile_list=50:99:99.9
	job seqwrite rw=write bs=256k iodepth=8 size=${work}m
	prepare fill rw=write bs=256k iodepth=8 size=${work}m
	job seqread rw=read bs=256k iodepth=8 size=${work}m
	job randread rw=randread bs=4k iodepth=32 size=${work}m
	job randwrite rw=randwrite bs=4k iodepth=32 size=${work}m
	job fsync1 rw=randwrite bs=4k ioengine=psync fdatasync=1 size=${work}m
	job fsync8 rw=randwrite bs=4k ioengine=psync fdatasync=1 size=${work}m numjobs=8
	job write8 rw=randwrite bs=4k ioengine=psync size=${work}m numjobs=8
	job read8 rw=randread bs=4k ioengine=psync size=${work}m numjobs=8
	for j in steady commits; do
		job $j rw=randwrite bs=4k iodepth=4 rate_iops=1500 size=${work}m
	done
	job mix rw=randrw rwmixread=70 bs=4k iodepth=16 size=${work}m
	if want reread; then
		prepare over rw=randwrite bs=4k iodepth=32 size=${again}m
		job reread rw=read bs=256k iodepth=8 size=${again}m
	fi
	if want full; then
		full=$((size / 1048576 * 95 / 100))
		prepare full-fill rw=write bs=256k iodepth=8 offset=${work}m size=$((full - work))m
		job full rw=randwrite bs=4k iodepth=32 size=${full}m
	fi
}

jobs_of_target()
{
	rm -f /tmp/stat.* /tmp/names
	echo "target=$target round=$round name=$name file=$file disk=$disk" >/tmp/stack.env
	: >/tmp/names
	job_file >/tmp/jobs.fio
	fio --output-format=json --output=/tmp/fio.json /tmp/jobs.fio >/tmp/fio.err 2>&1 ||
		echo "# fio $target: status $?, $(grep -i -m 1 err /tmp/fio.err)"
	while read -r job; do
		echo "@job $target $round $job $(grep "=" "/tmp/stat.$target.$job" 2>/dev/null)"
	done </tmp/names
	echo "@fio $target $round"
	sed -n '/^{/,$p' /tmp/fio.json
	echo "@end"
}

echo "@plan $targets"
round=1
while [ $round -le "$rounds" ]; do
	for target in $targets; do
		[ ! -e "/tmp/absent.$target" ] || continue
		if stack_make "$target" "$disk" >/tmp/stack 2>&1 && stack_open; then
			jobs_of_target
		else
			: >"/tmp/absent.$target"
			echo "@absent $target $(cat /tmp/stack /tmp/open 2>/dev/null | tail -n 1)"
		fi
		stack_close
	done
	round=$((round + 1))
done
