# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: another instance takes over a device that is in use.
# vda, vdb: 512 MiB; vdc: a power-disk of 128 MiB; on vdd the host answers what is asked of it.
# Lines "ok - ..." and "not ok - ...".

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
	load $(some 16)
	must "restart" restarts 5
	must "restart --crash" restarts 5 --crash
	must "restart, with commits in between" restarts 3
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
	load $(some 24)
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
	for i in 1 2; do
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

# last_record DISK: the block of its header
last_record() { triadsetup dump --json $1 log | tr -d ' \n' | sed 's/.*"place":\([0-9]*\).*/\1/'; }

# What the disk has lost was seen by others: nothing is answered any more.
lost()
{
	fmt /dev/vda
	map t /dev/vda
	put a t 1
	triadsetup restart t >/dev/null
	put a t 8
	# the last record's header is zeroed behind its back, and the next instance comes
	place=$(last_record /dev/vda)
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

# ---- a disk that has lost something ------------------------------------------------

# ask WORD...: of the power-disk (powerdisk.c), and wait until it is done
asked=0
ask()
{
	asked=$((asked + 1))
	echo "$asked $*" >/dev/report
	until [ "$(dd if=/dev/vdd bs=512 count=1 iflag=direct 2>/dev/null | tr -d '\0')" = $asked ]; do
		sleep 0.05
	done
}

# lose SEED MODE: what the disk has not flushed, as if the power had gone
lose() { ask off "$@"; ask on; }

# letter BLOCK LETTER: acknowledged, not flushed; letters BLOCK: what is read there
letter()
{
	head -c 4096 /dev/zero | tr '\0' $2 |
		dd of=/dev/mapper/t bs=4096 seek=$1 iflag=fullblock oflag=direct conv=notrunc 2>/dev/null
}
letters()
{
	for b; do
		dd if=/dev/mapper/t bs=4096 skip=$b count=1 iflag=direct 2>/dev/null | head -c 1
	done
}
flushed() { dd if=/dev/zero of=/dev/mapper/t count=0 conv=notrunc,fsync 2>/dev/null; }

# later NAME COMMAND...: in the background; its exit status is in /tmp/NAME.status
later()
{
	rm -f /tmp/$1.status
	(name=$1; shift; "$@" >/dev/null 2>&1; echo $? >/tmp/$name.status) &
}
ended() { timeout 30 sh -c "until [ -s /tmp/$1.status ]; do sleep 0.1; done" && cat /tmp/$1.status; }

# The cache goes while one instance takes over from another.
cache_lost()
{
	for how in restart crash kept killed; do
		fmt /dev/vdc
		map --interval-ms 3600000 t /dev/vdc
		for b in 1 2 3; do letter $b a; done
		flushed
		for b in 1 2 3; do letter $b b; done
		# a restart --crash that is killed right before the swap is followed by a plain one
		[ $how != killed ] || dmsetup table --showkeys t | dmsetup load t
		[ $how = restart ] || dmsetup message t 0 crash
		[ $how != killed ] || dmsetup table --showkeys t | dmsetup load t
		dmsetup suspend --noflush --nolockfs t
		later fsync flushed
		later read letters 1
		sleep 0.3
		[ $how = kept ] || lose 1 none
		if [ $how = crash ]; then
			must_fail "$how: restart says that writes are lost" triadsetup restart t
			grep -q 'lost acknowledged writes' /tmp/out && ok "$how: in so many words" ||
				not_ok "$how: in so many words # $(cat /tmp/out)"
			is "$(ended fsync)" 1 "$how: the fsync that waited fails"
			ended read >/dev/null
			is "$(letters 1 2 3)" "" "$how: no old block is read"
			is "$(mode)" fail "$how: the device fails"
			must_fail "$how: status says so" triadsetup status t
			triadsetup close t
			map t /dev/vdc
			is "$(letters 1 2 3)" aaa "$how: opened again it is as the disk has it"
		else
			must "$how: nothing is missing" triadsetup restart t
			is "$(ended fsync)" 0 "$how: the fsync that waited succeeds"
			is "$(mode) $(letters 1 2 3)" "rw bbb" "$how: what was acknowledged is there"
		fi
		triadsetup close t
		checked "$how" vdc
	done
}

# A flush fails, some of the cache goes, and the next flush succeeds: that proves nothing.
flush_failed()
{
	for hold in fail hold; do
		well=0 short=0 wrong=0
		for seed in 0 1 2 3 4 5 6 7 8 9 10 11; do
			set -- all none sector request prefix torn
			shift $((seed % 6))
			fmt /dev/vdc
			triadsetup open --on-error $hold --interval-ms 3600000 t /dev/vdc
			put a t 1
			[ $((seed % 3)) != 0 ] || dmsetup message t 0 commit
			dd if=/tmp/b of=/dev/mapper/t bs=1M seek=1 oflag=direct conv=notrunc 2>/dev/null
			for b in 1 2 3; do letter $b b; done
			ask fail flush 1 1
			# a commit is not needed yet where one has just been made
			if [ $((seed % 2)) = 0 ]; then later fsync flushed; else later fsync dmsetup message t 0 commit; fi
			for _ in $(seq 50); do [ "$(mode)" = rw ] || break; sleep 0.1; done
			[ "$(mode)" != rw ] || not_ok "$hold, $seed: a failed flush is noticed"
			lose $seed $1
			triadsetup restart t >/tmp/out 2>&1
			error=$?
			state="$(mode) $error $(letters 1 2 3) $(same b t 1 2>/dev/null && echo same)"
			case $state in
			"rw 0 bbb same") well=$((well + 1)) ;;
			"fail $error  ") short=$((short + 1)) ;;
			*)	wrong=$((wrong + 1)); not_ok "$hold, $seed $1: $state"; sed 's/^/# /' /tmp/out ;;
			esac
			[ "$hold $(mode)" != "hold fail" ] || [ $((seed % 2)) = 1 ] ||
				is "$(ended fsync)" 1 "$hold, $seed: an fsync of what is lost fails"
			[ "$hold $(mode)" != "hold rw" ] || is "$(ended fsync)" 0 "$hold, $seed: an fsync that waited succeeds"
			triadsetup close t
		done
		is $wrong 0 "$hold: it is well with all that was acknowledged, or fails"
		[ $well -gt 0 ] && [ $short -gt 0 ] && ok "$hold: $well were well, $short had lost something" ||
			not_ok "$hold: both are seen # $well $short"
	done
	# what is lost is payload, below headers that are there
	fmt /dev/vdc
	triadsetup open --interval-ms 3600000 t /dev/vdc
	letter 1 a
	flushed
	letter 1 b
	place=$(last_record /dev/vdc)
	ask fail flush 1 1
	later fsync flushed
	is "$(ended fsync)" 1 "payload: the fsync fails"
	dmsetup suspend --noflush --nolockfs t
	dd if=/dev/zero of=/dev/vdc bs=4096 seek=$((place + 1)) count=1 oflag=direct 2>/dev/null
	must_fail "payload: a restart says that it is lost" triadsetup restart t
	is "$(mode) $(letters 1)" "fail " "payload: and nothing is read"
	triadsetup close t
	# the next flush fails as well: who takes over asks the disk before it believes anything
	fmt /dev/vdc
	triadsetup open --on-error hold t /dev/vdc
	letter 1 a
	ask fail flush 1 2
	later fsync flushed
	mode_becomes hold && ok "again: it holds" || not_ok "again: it holds # $(mode)"
	must_fail "again: a restart is refused while flushes fail" triadsetup restart t
	must "again: then it goes on" triadsetup restart t
	is "$(ended fsync) $(mode) $(letters 1)" "0 rw a" "again: and nobody has heard of it"
	triadsetup close t
	checked "again" vdc
}

# A FUA write waits for its flush, can be seen, and is overwritten; then the flush fails.  Sent
# again it would undo the write that was acknowledged after it.
overwritten()
{
	modprobe dm-delay
	fmt /dev/vdc
	dmsetup create slow --table "0 $(blockdev --getsz /dev/vdc) delay /dev/vdc 0 0 /dev/vdc 0 0 /dev/vdc 0 6000"
	triadsetup open --on-error hold --interval-ms 3600000 t /dev/mapper/slow
	letter 9 a
	ask fail flush 1 1
	fua() { head -c 4096 /dev/zero | tr '\0' $2 | dd of=/dev/mapper/t bs=4096 seek=$1 iflag=fullblock oflag=direct,dsync conv=notrunc; }
	later old fua 1 o
	later other fua 2 o
	for _ in $(seq 50); do [ "$(letters 1)" != o ] || break; done
	letter 1 n
	for _ in 1 2 3; do [ "$(letters 1 2)" != no ] || break; done
	is "$(letters 1 2)" no "a write that waits to be durable is read"
	[ ! -e /tmp/old.status ] && ok "it waits when the next is acknowledged" || not_ok "it waits when the next is acknowledged"
	mode_becomes hold || mode_becomes hold && ok "the flush fails: it holds" || not_ok "the flush fails: it holds # $(mode)"
	must "restart" triadsetup restart t
	ended old >/dev/null
	is "$(letters 1)" n "what was acknowledged last is there"
	is "$(ended other)" 0 "a write that nobody has overwritten never hears of it"
	is "$(letters 2)" o "and is there"
	triadsetup close t
	dmsetup remove slow
	checked "overwritten" vdc
}

# The disk is slow: records, nodes and roots are under way when another instance takes over.
slow()
{
	modprobe dm-delay
	fmt --interval 6M /dev/vdc
	dmsetup create slow --table "0 $(blockdev --getsz /dev/vdc) delay /dev/vdc 0 0 /dev/vdc 0 150"
	map --interval-ms 300 t /dev/mapper/slow
	fio --name=load --filename=/dev/mapper/t --rw=randwrite --bsrange=4k-64k --iodepth=8 \
		--ioengine=libaio --direct=1 --size=16M --fsync=64 --time_based --runtime=$(some 25) \
		--verify=crc32c --verify_backlog=64 >/tmp/fio 2>&1 &
	job=$!
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		sleep 0.$((i * 5 % 9))
		must "$i: restart" triadsetup restart $([ $((i % 2)) = 0 ] || echo --crash) t
	done
	must "fio verify passes" wait $job
	is "$(mode)" rw "the device is writable"
	triadsetup close t
	dmsetup remove slow
	checked "a slow disk" vdc
}

# ---- signals ------------------------------------------------------------------------

# hit PID SIGNAL: it ends, or goes on because it cannot be interrupted where it is
hit()
{
	kill -$2 $1
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		kill -0 $1 2>/dev/null || return
		sleep 0.1
	done
}

# A suspend waits for the disk, and is interrupted: it is as if nothing had been.
interrupted()
{
	below linear one /dev/vda
	fmt --interval 6M /dev/mapper/one
	map t /dev/mapper/one
	load $(some 90)
	n=0 were=0 lost=0
	while [ $n -lt $(some 24) ]; do
		n=$((n + 1))
		[ $((n % 4)) != 3 ] || dmsetup message t 0 crash
		[ $((n % 3)) != 1 ] || dmsetup table --showkeys t | dmsetup load t
		# what is under way waits from now on
		[ $((n % 3)) = 2 ] || dmsetup suspend --noflush --nolockfs one
		sleep 0.$((n % 3))5
		case $((n % 3)) in
		0)	dmsetup suspend --noflush --nolockfs t >/tmp/said 2>&1 & ;;
		1)	dmsetup resume --noflush --nolockfs t >/tmp/said 2>&1 & ;;
		2)	triadsetup restart t >/tmp/said 2>&1 & ;;
		esac
		pid=$!
		sleep 0.$((n % 2 * 3 + n % 5))
		later write letter $((20000 + n)) w
		# the tool itself listens to no other signal then
		hit $pid $([ $((n % 3)) != 2 ] && [ $((n % 2)) = 0 ] && echo TERM || echo KILL)
		[ $((n % 3)) = 2 ] || dmsetup resume one
		wait $pid
		status=$?
		state=$(dmsetup info -c --noheadings -o suspended,tables_loaded t)
		echo "# $n: status $status, $state: $(head -n 1 /tmp/said)"
		case $((n % 3)),$status,$state in
		*,0,*)	;;
		2,*|0,*,Active*|1,*,Active:Both*) were=$((were + 1)) ;;
		esac
		# it was too late for this one
		[ "${state%%:*}" != Suspended ] || dmsetup resume t
		[ "$(ended write)" = 0 ] && [ "$(letters $((20000 + n)))" = w ] || lost=$((lost + 1))
		[ "$(mode)" = rw ] || not_ok "$n: the device goes on # $(mode)"
		dmsetup clear t
	done
	is $lost 0 "writes sent meanwhile complete, and are there"
	[ $were -gt 0 ] && ok "$were of $n were interrupted" || not_ok "some were interrupted"
	must "a restart is what it ever was" triadsetup restart t
	must "fio verify passes" wait $job
	is "$(mode)" rw "the device is writable"
	triadsetup close t
	dmsetup remove one
	checked "after interrupted suspends" vda
}

# ---- where it is called from, and what else goes on --------------------------------------

# said WORDS: in what the last command printed
said() { grep -q "$1" /tmp/out && ok "$2" || { not_ok "$2"; sed 's/^/# /' /tmp/out; }; }

# at_once N: as many restarts at the same moment; all must succeed
at_once()
{
	pids=''
	for i in $(seq $1); do
		triadsetup restart t >/tmp/once.$i 2>&1 &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait $pid || { cat /tmp/once.*; return 1; }
	done
}

surroundings()
{
	below linear one /dev/vda
	fmt --interval 6M /dev/mapper/one
	map t /dev/mapper/one
	dmsetup create top --table "0 $(blockdev --getsz /dev/mapper/t) linear /dev/mapper/t 0"
	mkfs.ext4 -q /dev/mapper/top
	mount /dev/mapper/top /m
	fio --name=s --directory=/m --rw=randrw --bsrange=4k-64k --size=16M --direct=1 --ioengine=libaio \
		--iodepth=8 --fsync=16 --time_based --runtime=$(some 90) --verify=crc32c \
		--verify_backlog=64 >/tmp/fio 2>&1 &
	job=$!
	must "four at once" at_once 4

	# who has no /run to write to, no room there, or almost nothing of the system
	mkdir -p /run/triadsetup
	mount -t tmpfs -o ro none /run/triadsetup
	must "/run is read-only: four at once" at_once 4
	umount /run/triadsetup
	mount -t tmpfs -o size=4k none /run/triadsetup
	head -c 8192 /dev/zero >/run/triadsetup/full 2>/dev/null
	must "/run is full" triadsetup restart t
	if [ -f /mod/newer.ko ]; then
		must "/run is full: upgrade" triadsetup upgrade --module /mod/newer.ko
		must "/run is full: and back" triadsetup upgrade --module /mod/old.ko
	fi
	umount /run/triadsetup
	must "a container with a /run and a network of its own, and no /sys" unshare -m -n -u -i sh -c \
		'mount -t tmpfs none /run && umount -l /sys && triadsetup restart t'
	must_fail "a container without /proc and device-mapper's node: an error" unshare -m sh -c \
		'mount -t tmpfs none /dev/mapper && umount -l /proc && exec triadsetup restart t'
	must_fail "with nothing to print to" sh -c 'triadsetup restart t >&- 2>&-'
	must_fail "nowhere to print to" sh -c 'triadsetup restart t >/dev/full'
	must "it was restarted all the same" triadsetup status t

	# others hold it, or what lies above or below
	dmsetup suspend t
	must "others hold it suspended" triadsetup restart t
	is "$(dmsetup info -c --noheadings -o suspended t)" Active "and it goes on"
	must "their resume finds it well" dmsetup resume t
	dmsetup suspend top
	must "who lies above is suspended, its filesystem frozen" triadsetup restart t
	dmsetup resume top
	dmsetup load t --table "0 $(blockdev --getsz /dev/mapper/t) error"
	must "others have loaded a table beside" triadsetup restart t
	is "$(mode)" rw "and it is not theirs that takes over"
	flock /run/triadsetup/takeover.lock sleep 8 &
	sleep 0.5
	must "another restart takes long" triadsetup restart t
	said 'another restart or upgrade is under way' "and it is said that it is waited for"

	dmsetup suspend --noflush --nolockfs one
	triadsetup restart t >/tmp/out 2>&1 &
	pid=$!
	sleep 8
	said 'waiting for 5 s now: the new instance reads the roots' "the disk hangs: it is said what is waited for"
	is "$(dmsetup info -c --noheadings -o suspended t)" Active "and nothing is suspended yet"
	dmsetup resume one
	must "once it answers the restart succeeds" wait $pid
	dmsetup suspend --noflush --nolockfs one
	triadsetup restart t >/tmp/out 2>&1 &
	pid=$!
	sleep 1
	kill -9 $pid
	sleep 1
	dmsetup resume one
	wait $pid
	is "$(mode) $(dmsetup info -c --noheadings -o suspended t)" "rw Active" "killed while it hangs: as if it had not been called"
	must "and the next succeeds" triadsetup restart t
	must "nobody says any more what is waited for" sh -c 'sleep 1; ! pidof triadsetup'
	must "fio verify passes" wait $job
	must "unmounted" umount /m
	dmsetup remove top
	must "e2fsck" e2fsck -fn /dev/mapper/t
	triadsetup close t
	dmsetup remove one

	# what is under way takes long, with everything loaded
	modprobe dm-delay
	fmt /dev/vdb
	dmsetup create slow --table "0 $(blockdev --getsz /dev/vdb) delay /dev/vdb 0 0 /dev/vdb 0 9000"
	map t /dev/mapper/slow
	later write letter 1 a
	sleep 1
	must "a write takes long: restart" triadsetup restart t
	said 'waiting for 5 s now: the disk must end what is under way' "and it is said what is waited for"
	is "$(ended write) $(mode)" "0 rw" "the write completes"
	triadsetup close t
	dmsetup remove slow
	checked "surroundings" vdb
}

pattern a
pattern b
for part in ${*:-under_load upgrades killed renamed lost held given_up cache_lost flush_failed overwritten slow interrupted surroundings}; do
	begins $part
	$part
done
[ $failed = 0 ]
