# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: another instance takes over a device that is in use.
# vda, vdb: 512 MiB.  Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh

mkdir -p /m

# load SECONDS: random writes with flushes, verified while they go on and at the end
load()
{
	fio --name=load --filename=/dev/mapper/t --rw=randrw --bsrange=4k-64k --iodepth=16 \
		--ioengine=libaio --direct=1 --size=$(some 64)M --fsync=32 --time_based \
		--runtime=$1 --verify=crc32c --verify_backlog=256 >/tmp/fio 2>&1 &
	job=$!
}

# restarts N [OPTION]...: while the load goes on; each must succeed
restarts()
{
	n=$1
	shift
	i=0
	while [ $i -lt $n ]; do
		triadsetup restart "$@" t >>/tmp/restarts 2>&1 || { cat /tmp/restarts; return 1; }
		i=$((i + 1))
		sleep 0.$((i % 3))
	done
}

under_load()
{
	fmt --interval 6M /dev/vda
	map t /dev/vda
	: >/tmp/restarts
	load $(some 24)
	must "restart" restarts 8
	must "restart --crash" restarts 8 --crash
	must "restart, with commits in between" restarts 4
	must "fio verify passes" wait $job
	is "$(field t 1)" rw "the device is writable"
	sed 's/^/# /' /tmp/restarts | tail -n 3
	triadsetup close t
	checked "after restarts" vda
}

# version NAME: of the build that runs it
version() { triadsetup status --json $1 | sed -n 's/.*"version": "\(.*\)".*/\1/p'; }
loaded() { dmsetup targets | sed -n 's/^triad-\([^ ]*\) .*/\1/p' | sort | tr '\n' ' '; }

upgrades()
{
	fmt --interval 6M /dev/vda
	fmt /dev/vdb
	map t /dev/vda
	map u /dev/vdb
	old=$(version t)
	: >/tmp/upgrades
	must "upgrade --dry-run" triadsetup upgrade --dry-run --module /mod/newer.ko
	grep -q 't: .*would be taken over' /tmp/out && ok "says what it would do" || not_ok "says what it would do"
	is "$(version t)" "$old" "and does nothing"
	load $(some 30)
	must "upgrade, of two devices" triadsetup upgrade --module /mod/newer.ko
	sed 's/^/# /' /tmp/out
	is "$(version t) $(version u)" "0.99.1 0.99.1" "both run on the new build"
	is "$(loaded)" "0.99.1 " "and the old one is unloaded"
	must "the target has its short name" sh -c 'dmsetup targets | grep -q "^triad  *v"'
	must "upgrade, back" triadsetup upgrade --module /mod/old.ko
	must "upgrade --check: a way back is kept" triadsetup upgrade --check
	is "$(version t)" "$old" "the old build runs it"
	for m in no_load no_table no_resume; do
		must_fail "$m: it is refused" triadsetup upgrade --module /mod/$m.ko
		sed 's/^/# /' /tmp/out
		is "$(version t) $(version u)" "$old $old" "$m: both go on with the old build"
		is "$(loaded)" "$old " "$m: the new one is unloaded"
	done
	must_fail "a file that is no module" triadsetup upgrade --module /bin/sh
	must_fail "a module of others" triadsetup upgrade --module $(modinfo -n dm-crypt)
	for i in 1 2 3 4; do
		for m in newer old; do
			triadsetup upgrade --module /mod/$m.ko >>/tmp/upgrades 2>&1 || not_ok "upgrade $i to $m"
		done
	done
	tail -n 2 /tmp/upgrades | sed 's/^/# /'
	must "fio verify passes" wait $job
	triadsetup close t
	triadsetup close u
	checked "after upgrades" vda
}

# The tool is killed wherever it is; a second call brings the device where it should be.
killed()
{
	fmt --interval 6M /dev/vda
	map t /dev/vda
	old=$(version t)
	load $(some 40)
	for i in 1 2 3 4 5 6 7 8 9 10; do
		triadsetup upgrade --module /mod/newer.ko >/tmp/out 2>&1 &
		pid=$!
		sleep 0.$(((i * 7) % 10))
		kill -9 $pid 2>/dev/null
		wait $pid 2>/dev/null
		must "$i: a second call ends it" triadsetup upgrade --module /mod/newer.ko
		is "$(version t)" 0.99.1 "$i: it runs on the new build"
		must "$i: and back" triadsetup upgrade --module /mod/old.ko
	done
	must "fio verify passes" wait $job
	triadsetup close t
	checked "after kills" vda
}

# ---- the disk is another, or is gone ---------------------------------------------

# below linear|error NAME DISK: what lies under the device
below()
{
	sectors=$(blockdev --getsz $3)
	case $1 in
	linear)	line="0 $sectors linear $3 0" ;;
	error)	line="0 $sectors error" ;;
	esac
	if [ -e /dev/mapper/$2 ]; then
		dmsetup suspend --noflush --nolockfs $2
		dmsetup load $2 --table "$line"
		dmsetup resume $2
	else
		dmsetup create $2 --table "$line"
	fi
}

mode() { field t 1; }

# mode_becomes MODE: within some seconds
mode_becomes()
{
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ "$(mode)" != "$1" ] || return 0
		sleep 0.3
	done
	return 1
}

renamed()
{
	below linear one /dev/vda
	fmt /dev/mapper/one
	fmt /dev/vdb
	map t /dev/mapper/one
	put a t 1
	must_fail "restart onto another device is refused" triadsetup restart --device /dev/vdb t
	grep -q 'another device than its users know' /tmp/out && ok "and says why" || not_ok "and says why # $(cat /tmp/out)"
	below linear two /dev/vda
	must "restart --device: the disk has another name" triadsetup restart --device /dev/mapper/two t
	is "$(mode)" rw "the device is writable"
	must "it holds what was written" same a t 1
	must "its old name is free" dmsetup remove one
	triadsetup close t
	dmsetup remove two
	checked "another name" vda
}

# What the disk has lost was seen by others: nothing is answered any more.
lost()
{
	fmt /dev/vda
	map t /dev/vda
	put a t 1
	triadsetup restart t >/dev/null
	put a t 8
	# the last record's header is zeroed behind its back, and the next instance comes
	place=$(triadsetup dump --json /dev/vda log | tr -d ' \n' | sed 's/.*"place":\([0-9]*\).*/\1/')
	rm -f /tmp/*.status
	dd if=/dev/vda of=/tmp/header bs=4096 skip=$place count=1 iflag=direct 2>/dev/null
	dmsetup suspend --noflush --nolockfs t
	dd if=/dev/zero of=/dev/vda bs=4096 seek=$place count=1 oflag=direct 2>/dev/null
	(dd if=/dev/mapper/t of=/tmp/read bs=4096 count=1 iflag=direct >/dev/null 2>&1; echo $? >/tmp/read.status) &
	(dd if=/dev/zero of=/dev/mapper/t bs=4096 count=1 oflag=direct conv=fsync >/dev/null 2>&1; echo $? >/tmp/write.status) &
	sleep 0.5
	must_fail "restart: says that writes are lost" triadsetup restart t
	cp /tmp/out /tmp/said
	must "nothing waits any more" timeout 30 sh -c \
		'while [ ! -s /tmp/write.status ] || [ ! -s /tmp/read.status ]; do sleep 0.1; done'
	cp /tmp/said /tmp/out
	grep -q 'lost acknowledged writes' /tmp/out && ok "in so many words" || not_ok "in so many words # $(cat /tmp/out)"
	is "$(mode)" fail "the device fails"
	is "$(cat /tmp/read.status) $(cat /tmp/write.status)" "1 1" "a read and a write that waited fail"
	must_fail "a flush fails" sh -c 'sync -d /dev/mapper/t || dd if=/dev/zero of=/dev/mapper/t count=0 conv=fsync'
	must_fail "status says so" triadsetup status t
	must_fail "and again" triadsetup restart t
	dd if=/tmp/header of=/dev/vda bs=4096 seek=$place oflag=direct 2>/dev/null
	must "with the disk as it was it is restarted" triadsetup restart t
	is "$(mode)" rw "and writable"
	must "with all data" same a t 8
	dmsetup suspend --noflush --nolockfs t
	dd if=/dev/zero of=/dev/vda bs=4096 seek=$place count=1 oflag=direct 2>/dev/null
	must_fail "it falls short again" triadsetup restart t
	must "it can be closed" triadsetup close t
	must "and opened as the disk has it" triadsetup open t /dev/vda
	must "with what was before" same a t 1
	triadsetup close t
	checked "what is left" vda
}

# The disk goes under a mounted filesystem and comes back: nobody hears of it.
held()
{
	below linear one /dev/vda
	fmt --interval 6M /dev/mapper/one
	must "open --on-error hold" triadsetup open --on-error hold t /dev/mapper/one
	dmsetup table t | grep -q 'on_error hold' && ok "the table line has it" || not_ok "the table line has it"
	mkfs.ext4 -q /dev/mapper/t
	mount /dev/mapper/t /m
	fio --name=h --directory=/m --rw=randrw --bsrange=4k-64k --size=16M --numjobs=2 --direct=1 \
		--ioengine=libaio --iodepth=8 --fsync=16 --time_based --runtime=$(some 40) \
		--verify=crc32c --verify_backlog=64 >/tmp/fio 2>&1 &
	job=$!
	for i in 1 2 3 4; do
		sleep 2
		below error one /dev/vda
		mode_becomes hold && ok "$i: the device holds" || not_ok "$i: the device holds # $(mode)"
		must_fail "$i: status says so" triadsetup status t
		must_fail "$i: a restart finds no disk" triadsetup restart t
		sleep 1
		below linear one /dev/vda
		must "$i: a restart finds it" triadsetup restart t
		is "$(mode)" rw "$i: the device goes on"
	done
	must "fio verify passes" wait $job
	# a service does the same
	rm -f /tmp/*.status
	triadsetup watch t >/tmp/watch 2>&1 &
	below error one /dev/vda
	(dd if=/dev/zero of=/m/file bs=4k count=16 conv=fsync >/dev/null 2>&1; echo $? >/tmp/write.status) &
	mode_becomes hold && ok "watched: it holds" || not_ok "watched: it holds # $(mode)"
	sleep 3
	below linear one /dev/vda
	must "watched: a writer never hears of it" timeout 30 sh -c 'while [ ! -s /tmp/write.status ]; do sleep 0.1; done; grep -qx 0 /tmp/write.status'
	is "$(mode)" rw "watched: the device goes on"
	must "unmounted" umount /m
	must "e2fsck" e2fsck -fn /dev/mapper/t
	triadsetup close t
	must "the watcher ends" timeout 20 sh -c 'while pidof triadsetup; do sleep 0.2; done'
	grep -q 'restarted' /tmp/watch && ok "the watcher says what it did and ends" || not_ok "the watcher # $(cat /tmp/watch)"
	dmsetup remove one
	checked "what was held" vda
}

# Who gives up: a message, a time limit, a suspend.
given_up()
{
	for how in fail limit suspend parked; do
		below linear one /dev/vda
		fmt /dev/mapper/one
		rm -f /tmp/*.status
		triadsetup open --on-error hold $([ $how != limit ] || echo --hold-ms 2000) t /dev/mapper/one
		put a t 1
		below error one /dev/vda
		(dd if=/dev/zero of=/dev/mapper/t bs=4k count=1 oflag=direct >/dev/null 2>&1; echo $? >/tmp/write.status) &
		(dd if=/dev/mapper/t of=/dev/null bs=4k skip=256 count=1 iflag=direct >/dev/null 2>&1; echo $? >/tmp/read.status) &
		mode_becomes hold && ok "$how: it holds" || not_ok "$how: it holds # $(mode)"
		case $how in
		fail)	sleep 1; must "triadsetup fail" triadsetup fail t ;;
		suspend) sleep 1; dmsetup suspend t; dmsetup resume t ;;
		parked)	dmsetup suspend --noflush --nolockfs t
			must_fail "its instance finds no disk" dmsetup resume t
			must "triadsetup fail, of a parked one" triadsetup fail t ;;
		esac
		must "$how: nothing waits any more" timeout 30 sh -c \
			'while [ ! -s /tmp/write.status ] || [ ! -s /tmp/read.status ]; do sleep 0.1; done'
		is "$(cat /tmp/write.status) $(cat /tmp/read.status)" "1 1" "$how: what was held fails"
		case $how in
		fail|limit) is "$(mode)" ro "$how: the device is read-only" ;;
		esac
		below linear one /dev/vda
		triadsetup close t
		map t /dev/mapper/one
		must "$how: what was acknowledged is there" same a t 1
		triadsetup close t
		dmsetup remove one
	done
}

pattern a
for part in ${*:-under_load upgrades killed renamed lost held given_up}; do
	echo "# $part"
	$part
done
[ $failed = 0 ]
