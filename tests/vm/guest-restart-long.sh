# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: many restarts and upgrades of a device, while others use it.
# vda: 512 MiB; vde: the databases' programs; vdf: a fresh database (tests/apps/image).
# /counts: how many of each part.  Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh
. /apps/guest-lib.sh
. /counts

mkdir -p /m
version() { $in triadsetup status --json t | sed -n 's/.*"version": "\(.*\)".*/\1/p'; }
mode() { field t 1; }
dice() { awk -v n="$1" -v s="$dice" 'BEGIN { srand(s); printf "%d", rand() * n }'; dice=$((dice + 1)); }
dice=$seed

# ---- what is done to the device -----------------------------------------------------

# trouble WHAT: of one restart or upgrade
trouble()
{
	troubles=$((troubles + 1))
	not_ok "$*"
	sed 's/^/# /' /tmp/said
}

restarted()
{
	$in triadsetup restart "$@" t >/tmp/said 2>&1 || trouble "restart $restarts $*"
	restarts=$((restarts + 1))
}

# goes_on BUILD WHAT: it is what it was
goes_on()
{
	[ "$(version)" = "$(eval echo \$$1)" ] || trouble "$2: $(version) runs it, not $1"
}

# upgrade_by TURN: of twenty, two with a module that does not load, two with one that cannot open
# the device, two with the tool killed
upgrade_by()
{
	to=$([ $build = old ] && echo newer || echo old)
	case $(($1 % 20)) in
	3|13)
		! $in triadsetup upgrade --module /mod/no_load.ko >/tmp/said 2>&1 || trouble "$1: no_load was taken"
		goes_on $build "$1: no_load"
		no_load=$((no_load + 1))
		;;
	6|16)
		! $in triadsetup upgrade --module /mod/no_resume.ko >/tmp/said 2>&1 || trouble "$1: no_resume was taken"
		goes_on $build "$1: no_resume"
		no_resume=$((no_resume + 1))
		;;
	9|19)
		# the tool alone, and its child as well; also while it takes back what went wrong
		with=$([ $(($1 % 4)) = 3 ] && echo no_resume || echo $to)
		$in triadsetup upgrade --module /mod/$with.ko >/tmp/said 2>&1 &
		pid=$!
		sleep 0.$(dice 10)
		if [ $(($1 % 3)) = 0 ]; then kill -9 $pid; else kill -9 $(pidof triadsetup); fi 2>/dev/null
		wait $pid 2>/dev/null
		$in triadsetup upgrade --module /mod/$to.ko >/tmp/said 2>&1 || trouble "$1: a second call after kill -9"
		goes_on $to "$1: after kill -9"
		build=$to
		killed=$((killed + 1))
		;;
	*)
		$in triadsetup upgrade --module /mod/$to.ko >/tmp/said 2>&1 || trouble "$1: upgrade to $to"
		goes_on $to "$1: upgrade"
		build=$to
		upgraded=$((upgraded + 1))
		;;
	esac
}

# disturb RESTARTS UPGRADES: while the load goes on
disturb()
{
	i=0 restarts=0 upgrades=0 troubles=0 killed=0 no_load=0 no_resume=0 upgraded=0
	all=$(($1 + $2))
	while [ $i -lt $all ]; do
		i=$((i + 1))
		if [ $((i * $2 / all)) != $(((i - 1) * $2 / all)) ]; then
			upgrade_by $upgrade_turn
			upgrades=$((upgrades + 1))
			upgrade_turn=$((upgrade_turn + 1))
		elif [ $((restarts % 2)) = 0 ]; then
			restarted
		else
			restarted --crash
		fi
		[ "$(mode)" = rw ] || trouble "$i: mode $(mode)"
		sleep 0.$(dice 6)
	done
	is $troubles 0 "$restarts restarts, $upgraded upgrades, $no_load that did not load, $no_resume that could not open it, $killed killed"
	echo $restarts $upgraded $no_load $no_resume $killed >>/tmp/total
}

# begin: the device t; finished: it is well
begin()
{
	in=
	fmt --interval 6M /dev/vda
	map t /dev/vda
	build=old old=${old:-$(version)} newer=0.99.1
	[ "$(version)" = $old ] || build=newer
	rm -f /tmp/stop
}
finished()
{
	triadsetup close t
	checked "$1" vda
}

# again LOAD: until it is told to stop; each run must succeed
again()
{
	while [ ! -e /tmp/stop ]; do
		"$@" || return
	done
}

# ---- who uses it -----------------------------------------------------------------------

verified()
{
	fio --name=load --filename=/dev/mapper/t --rw=randrw --bsrange=4k-64k --iodepth=16 \
		--ioengine=libaio --direct=1 --size=64M --fsync=32 --time_based --runtime=15 \
		--verify=crc32c --verify_backlog=256 >/tmp/fio 2>&1
}

long_fio()
{
	begin
	again verified &
	job=$!
	disturb $1 $2
	: >/tmp/stop
	must "fio verify passes" wait $job || sed 's/^/# /' /tmp/fio
	finished "fio"
}

stressed()
{
	stress-ng --temp-path /m --timeout 15 --verify --hdd 1 --hdd-bytes 16M --hdd-opts fsync \
		--iomix 1 --iomix-bytes 16M --rename 1 --link 1 --dir 1 --fallocate 1 \
		--fallocate-bytes 8M >/tmp/stress 2>&1
}

# files that are named by their content, each synced: the last 200 stay
synced()
{
	dd if=/dev/urandom of=/m/tmp bs=4k count=$((nr % 24 + 1)) 2>/dev/null &&
	sum=$(md5sum </m/tmp) &&
	mv /m/tmp "/m/$nr.${sum%% *}" && sync -f /m && echo $nr >/tmp/synced || return
	rm -f /m/$((nr - 200)).*
	nr=$((nr + 1))
}

synced_are_there()
{
	last=$(cat /tmp/synced)
	nr=$((last > 200 ? last - 199 : 1))
	while [ $nr -le $last ]; do
		set -- /m/$nr.*
		[ "$(md5sum <"$1")" = "${1##*.}  -" ] || { echo "file $nr is lost"; return 1; }
		nr=$((nr + 1))
	done
	echo "# $last files were synced"
}

long_ext4()
{
	begin
	mkfs.ext4 -q /dev/mapper/t
	mount /dev/mapper/t /m
	again stressed &
	job=$!
	nr=1
	again synced &
	files=$!
	disturb $1 $2
	: >/tmp/stop
	must "stress-ng finds nothing wrong" wait $job || sed 's/^/# /' /tmp/stress
	must "every file could be synced" wait $files
	umount /m
	must "e2fsck" e2fsck -fn /dev/mapper/t
	mount /dev/mapper/t /m
	must "every file that was synced is there" synced_are_there
	umount /m
	finished "ext4"
}

pg_tool() { program=$1; shift; inside $be_postgres $pg_bin/$program -h /tmp/pg -U postgres "$@"; }
query() { pg_tool psql -qAt -d postgres -c "$1"; }
benched()
{
	pg_tool pgbench -n -c 4 -T 15 postgres >/tmp/bench 2>&1 || return
	grep -q '(0.000%)' /tmp/bench || return
	sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' /tmp/bench >>/tmp/transactions
}

sums()
{
	query "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = d AND
		(SELECT sum(tbalance) FROM pgbench_tellers) = d AND
		(SELECT sum(bbalance) FROM pgbench_branches) = d
		FROM (SELECT sum(delta) AS d FROM pgbench_history) AS h"
}

long_pg()
{
	begin
	[ -e /a/bin ] || enter /dev/vde
	mkdir -p /a/m/pg
	[ -e /fresh/pg ] || mount -t ext4 -o ro /dev/vdf /fresh
	must "a database" set_up pg /dev/mapper/t
	start pg || not_ok "PostgreSQL starts # $(tail -n 3 /tmp/pg/log)"
	must "pgbench's tables" pg_tool pgbench -i -q -s 2 postgres
	: >/tmp/transactions
	again benched &
	job=$!
	disturb $1 $2
	: >/tmp/stop
	must "no transaction fails" wait $job || sed 's/^/# /' /tmp/bench
	transactions=$(awk '{ n += $1 } END { print n + 0 }' /tmp/transactions)
	is "$(query 'SELECT count(*) FROM pgbench_history')" "$transactions" "all $transactions transactions are there"
	is "$(sums)" t "the sums agree"
	query 'CREATE EXTENSION IF NOT EXISTS amcheck' >/dev/null
	must "pg_amcheck" pg_tool pg_amcheck --heapallindexed postgres
	# a client that comes too early, at the start, is no fault
	grep -E 'ERROR|PANIC|FATAL|corrupt' /tmp/pg/log | grep -v 'is starting up' && not_ok "PostgreSQL has nothing to complain about" ||
		ok "PostgreSQL has nothing to complain about"
	stop pg
	must "pg_checksums" inside $be_postgres $pg_bin/pg_checksums --check -D /m/pg/data
	umount /a/m/pg
	must "e2fsck" e2fsck -fn /dev/mapper/t
	finished "PostgreSQL"
}

# The tool, its libraries and the modules lie on the device itself, and so does the swap area of a
# group of processes that has far less memory than it uses.
long_swap()
{
	begin
	dmsetup create root --table "0 $((256 * 2048)) linear /dev/mapper/t 0"
	dmsetup create swap --table "0 $((128 * 2048)) linear /dev/mapper/t $((256 * 2048))"
	mkfs.ext4 -q /dev/mapper/root
	mkdir -p /new
	mount /dev/mapper/root /new
	mkdir -p /new/usr/bin /new/dev /new/proc /new/sys /new/run /new/tmp
	for d in bin sbin lib lib64; do ln -s usr/$d /new/$d; done
	cp -a /usr/lib /usr/lib64 /usr/sbin /new/usr/ 2>/dev/null
	cp -a /usr/bin/busybox /usr/bin/triadsetup /usr/bin/hog /usr/bin/fio /new/usr/bin/
	ln -s busybox /new/usr/bin/sh
	cp -a /mod /new/
	for d in dev proc sys run tmp; do mount --bind /$d /new/$d; done
	mkswap /dev/mapper/swap >/dev/null
	must "swap on the device" swapon /dev/mapper/swap
	mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p /sys/fs/cgroup/tight
	echo 48M >/sys/fs/cgroup/tight/memory.max
	cat >/new/usr/bin/tight <<-END
		#!/bin/sh
		echo 0 >/proc/self/fd/9
		exec "\$@"
	END
	chmod 755 /new/usr/bin/tight
	exec 9>/sys/fs/cgroup/tight/cgroup.procs
	in="chroot /new tight"
	again $in hog 96 2 >/tmp/hog 2>&1 &
	job=$!
	(while [ ! -e /tmp/stop ]; do echo 3 >/proc/sys/vm/drop_caches; sleep 1; done) &
	disturb $1 $2
	: >/tmp/stop
	must "what was swapped out comes back" wait $job || sed 's/^/# /' /tmp/hog
	wait
	n=$(awk '$1 == "pswpout" { print $2 }' /proc/vmstat)
	[ "$n" -gt 4000 ] && ok "$n pages went out" || not_ok "more than 4000 pages went out # $n"
	must "and off" swapoff /dev/mapper/swap
	for d in dev proc sys run tmp; do umount /new/$d; done
	umount /new
	must "e2fsck" e2fsck -fn /dev/mapper/root
	in=
	dmsetup remove root
	dmsetup remove swap
	finished "root and swap"
}

upgrade_turn=1
for part in ${*:-long_fio long_ext4 long_pg long_swap}; do
	begins $part
	case $part in
	long_swap) $part $((some_restarts)) $swap_upgrades ;;
	*)	$part $some_restarts $some_upgrades ;;
	esac
done
echo "# restarts, upgrades, not loaded, not opened, killed: $(awk '{ for (i = 1; i <= 5; i++) n[i] += $i }
	END { print n[1], n[2], n[3], n[4], n[5] }' /tmp/total)"
[ $failed = 0 ]
