# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: each operation with its first, second, ... allocation, then device request,
# failing, until it runs through.  The filter counts what has dm-triad on its stack, in the
# command and in the kworkers.  Whatever happens, the device must open again, check clean and
# hold what was synced; what the operation said to be done must be done.  Where the operation
# writes nothing that the next round would cover up, this is looked at behind the last one.
#
# DISKS: four of 64 MiB, the last for three roots.  Lines "ok - ..." and "not ok - ...".
#
#   guest-fail.sh memory|io|storm [DRILL]     DRILL: only those whose name matches

. /usr/lib/guest-lib.sh

total=0 part=$1 chosen=${2:-*}
read -r d1 d2 d3 d4 <<END
${DISKS:-vda vdb vdc vdd}
END
debug=/sys/kernel/debug

# aim memory|io|nothing: what may fail
set -- $(grep '^dm_triad_[0-9]' /proc/modules)
text=$6 end=$(printf '0x%x' $(($6 + $2)))
# span FIRST LAST: the addresses from one function to the end of another
span()
{
	sort /proc/kallsyms | awk -v first="$1" -v last="$2" '
		end { print "0x" $1; exit } $3 == first { printf "0x%s ", $1 } $3 == last { end = 1 }'
}
read -r vmalloc vmalloc_end <<END
$(span __vmalloc_node_range_noprof __vmalloc_node_range_noprof)
END
read -r kmemleak kmemleak_end <<END
$(span kmemleak_alloc kmemleak_vmalloc)
END

aim()
{
	for f in failslab fail_page_alloc fail_make_request; do
		d=$debug/$f last=$text
		case $1,$f in
		memory,failslab|memory,fail_page_alloc|io,fail_make_request) last=$end ;;
		esac
		echo 0 >$d/probability
		echo 0 >$d/verbose
		echo -1 >$d/times
		echo 32 >$d/stacktrace-depth
		echo "$text" >$d/require-start
		echo "$last" >$d/require-end
	done
	# Nothing comes of these: vmalloc asks once more for a page, kmemleak has a pool.
	echo "$kmemleak" >$debug/failslab/reject-start
	echo "$kmemleak_end" >$debug/failslab/reject-end
	echo "$vmalloc" >$debug/fail_page_alloc/reject-start
	echo "$vmalloc_end" >$debug/fail_page_alloc/reject-end
	echo N >$debug/failslab/ignore-gfp-wait
	echo N >$debug/fail_page_alloc/ignore-gfp-wait
	echo N >$debug/fail_page_alloc/ignore-gfp-highmem
	echo 0 >$debug/fail_page_alloc/min-order
	for d in $d1 $d2 $d3 $d4; do
		echo 1 >/sys/block/$d/make-it-fail
	done
}

put() { dd if=/tmp/$1 of=/dev/mapper/t bs=1M seek=$2 oflag=direct conv=notrunc,fsync 2>/dev/null; }
same() { dd if=/dev/mapper/t bs=256k skip=$(($2 * 4)) count=1 iflag=direct 2>/dev/null | cmp -s - /tmp/$1; }
mapped() { dmsetup info t >/dev/null 2>&1; }
unmap() { dmsetup remove --retry t 2>/dev/null || ! mapped; }
map() { triadsetup open t $dev $options 2>/dev/null; }

# ---- what an operation finds --------------------------------------------------------

# What failed is tried once more as it stands: the name has no table then, or is suspended.
named() { [ $status != 0 ] || { unmap && dmsetup create t --noudevsync --notable; }; }
loaded() { [ $status != 0 ] || { named && dmsetup load t --table "$table"; }; }
cold() { unmap && map; }
active() { [ $whole = 1 ] || cold; }
# nodes in the map, and a log that a commit has to apply
dirty() { active && put b 20 && dmsetup message t 0 commit && put c 30; }

# A closed device, a synced pattern in it.
fresh()
{
	unmap
	whole=0
	triadsetup format -q --force $options "$@" $dev >/dev/null &&
		map && put a 4 && triadsetup close t || not_ok "a fresh device"
	table=$(triadsetup table $options $dev) || not_ok "its table"
}

# unclosed [SLOT]: the same with a log that was not applied, since the closing commit cannot
# reach the disk; with a slot, its root is gone.
unclosed()
{
	fresh
	sectors=$(blockdev --getsz $dev)
	dmsetup create under --noudevsync --table "0 $sectors linear $dev 0" && dmsetup mknodes &&
		triadsetup open t /dev/mapper/under 2>/dev/null && put b 20 &&
		dmsetup message t 0 commit && put c 30 &&
		dmsetup suspend --noflush --nolockfs under &&
		echo "0 $sectors error" | dmsetup load under && dmsetup resume under ||
		not_ok "a device with a log"
	triadsetup close t
	dmsetup remove under
	triadsetup roots --json $dev | tr -d ' \n' | grep -q '"segment":[1-9]' ||
		not_ok "a device with a log: nothing points at one"
	[ $# = 0 ] || dd if=/dev/zero of=$dev bs=4k seek=$(slot_block $1) count=1 conv=fsync 2>/dev/null
	dd if=$dev of=/tmp/image bs=1M conv=sparse 2>/dev/null
}
# Once it has been opened there is no log, or no bad root, any more; and each opening that fails
# leaves a record, which costs the next one a read.
logged()
{
	unmap && blkdiscard -z $dev && dd if=/tmp/image of=$dev bs=64k conv=sparse,fsync 2>/dev/null &&
		dmsetup create t --noudevsync --notable && dmsetup load t --table "$table"
}

# ---- what must hold afterwards --------------------------------------------------------

# holds PLACE...: the device opens, and the patterns are there
holds()
{
	unmap || return
	triadsetup check -q --data $options $dev || return
	map || return
	for p in "$@"; do
		same ${p%:*} ${p#*:} || { echo "pattern $p is not there"; return 1; }
	done
	whole=1
}

after_dirty() { holds a:4 b:20 c:30; }
nothing() { :; }
after_opening() { [ $status != 0 ] || after_dirty; }
after_write() { if [ $status = 0 ]; then holds a:4 d:10; else holds a:4; fi; }
# a read that succeeds has read the truth
after_read() { [ $status != 0 ] || cmp -s /tmp/read /tmp/b; }
after_discard() { if [ $status = 0 ]; then holds a:4 zero:20; else holds a:4; fi; }

# drill NAME self|all BEFORE AFTER LAST COMMAND...; self: no kworker is involved;
# LAST: the patterns that are there in the end, or -
drill()
{
	name=$1 whose=$2 before=$3 after=$4 last=$5 n=1 survived=0 status=0 begun=$(now)
	shift 5
	# shellcheck disable=SC2254 # a pattern
	case ${name#*: } in $chosen) ;; *) return ;; esac
	while :; do
		$before >/tmp/out 2>&1 || { not_ok "$name, $n: $before"; sed 's/^/# /' /tmp/out; return; }
		failnth $whose $n "$@" >/tmp/said 2>&1
		status=$? whole=0
		read -r fired </tmp/fired
		[ $status = 124 ] && { not_ok "$name, $n: hangs"; return; }
		[ $status != 0 ] || survived=$((survived + 1))
		$after >/tmp/out 2>&1 ||
			{ not_ok "$name, failure $n: $after, status $status"; sed 's/^/# /' /tmp/said /tmp/out; dmesg | tail -n 15 | sed 's/^/# /'; return; }
		[ "$fired" != 0 ] || break
		n=$((n + 1))
		[ $n -lt 3000 ] || { not_ok "$name: does not end"; return; }
	done
	total=$((total + n - 1))
	if [ $status = 0 ] && [ "$last" != - ] && ! holds $last >/tmp/out 2>&1; then
		not_ok "$name: what it holds in the end"; sed 's/^/# /' /tmp/out
	elif [ $status = 0 ]; then
		ok "$name: $((n - 1)) failures, $((survived - 1)) of them made up for, $((($(now) - begun) / 1000)) s"
	else
		not_ok "$name: fails without a failure, status $status"
	fi
}

drills()
{
	aim $1
	dev=/dev/$d1 options=''
	fresh
	drill "$1: constructor" self named nothing a:4 dmsetup load t --table "$table"
	drill "$1: opening" self loaded nothing a:4 dmsetup resume t
	drill "$1: write and fsync" all active after_write - \
		dd if=/tmp/d of=/dev/mapper/t bs=64k seek=160 oflag=direct conv=notrunc,fsync
	drill "$1: commit" all dirty after_dirty - dmsetup message t 0 commit
	drill "$1: suspend" all dirty after_dirty - dmsetup suspend t
	drill "$1: removal" all dirty after_dirty - dmsetup remove t
	drill "$1: read with a cold cache" all cold after_read "a:4 b:20" \
		dd if=/dev/mapper/t of=/tmp/read bs=256k skip=80 count=1 iflag=direct
	drill "$1: discard" all dirty after_discard - blkdiscard -o 20971520 -l 262144 /dev/mapper/t

	dev=/dev/$d2
	unclosed
	drill "$1: opening with a log" self logged after_opening - dmsetup resume t
	for slot in 0 1 2; do
		unclosed $slot
		drill "$1: healing slot $slot" self logged after_opening - dmsetup resume t
	done

	dev=/dev/$d3
	unmap
	for i in 0 1 2; do
		dmsetup create r$i --noudevsync --table "0 2048 linear /dev/$d4 $((i * 4096))"
	done
	dmsetup mknodes
	echo 00112233445566778899aabbccddeeff >/tmp/key
	options="--root-device /dev/mapper/r0 --root-device /dev/mapper/r1 --root-device /dev/mapper/r2
		--key-file /tmp/key"
	fresh --hash 'hmac(sha256)'
	drill "$1: constructor with a key and three root devices" self named nothing a:4 \
		dmsetup load t --table "$table"
	drill "$1: opening it" self loaded nothing a:4 dmsetup resume t
	drill "$1: commit of it" all dirty after_dirty - dmsetup message t 0 commit
	unmap
	dmsetup remove r0 r1 r2
	aim nothing
}

# No node can be kept in memory: reads go on without.
forgetful()
{
	dev=/dev/$d1 options=''
	fresh
	dirty || { not_ok "memory: a device with nodes"; return; }
	cold
	aim memory
	read -r first last <<END
$(span triad_cache_insert triad_cache_insert)
END
	for f in failslab fail_page_alloc; do
		echo $first >$debug/$f/require-start
		echo $last >$debug/$f/require-end
		echo 100 >$debug/$f/probability
	done
	timeout 60 dd if=/dev/mapper/t of=/tmp/read bs=256k skip=80 count=1 iflag=direct 2>/dev/null
	is $? 0 "memory: a read while no node can be kept"
	is "$(field t 16)" 0 "memory: none is"
	aim nothing
	cmp -s /tmp/read /tmp/b && ok "memory: it reads the truth" || not_ok "memory: it reads the truth"
	unmap
}

# A flush fails beside a commit: what the disk has lost may be of the commit, so its root must
# not be written.
unflushed()
{
	sectors=$(blockdev --getsz /dev/$d1)
	dmsetup create late --noudevsync --table \
		"0 $sectors delay /dev/$d1 0 0 /dev/$d1 0 600" && dmsetup mknodes
	dev=/dev/mapper/late options=''
	fresh
	dirty || not_ok "io: a late disk"
	generation=$(field t 3)
	aim nothing
	read -r first last <<END
$(span triad_writer_work triad_writer_work)
END
	echo 1 >/sys/block/$(dmsetup info -c --noheadings -o blkdevname late)/make-it-fail
	echo $first >$debug/fail_make_request/require-start
	echo $last >$debug/fail_make_request/require-end
	dmsetup message t 0 commit 2>/dev/null &
	job=$!
	sleep 0.4
	dd if=/tmp/d of=/dev/mapper/t bs=4k seek=2560 count=1 oflag=direct conv=notrunc 2>/dev/null
	echo 100 >$debug/fail_make_request/probability
	must_fail "io: a flush fails beside a commit" dd if=/dev/null of=/dev/mapper/t conv=notrunc,fsync
	aim nothing
	wait $job
	is "$(field t 1) $(field t 3)" "ro $generation" "io: its root is not written"
	holds a:4 b:20 c:30 >/tmp/out 2>&1 && ok "io: what was acknowledged is there" ||
		{ not_ok "io: what was acknowledged is there"; sed 's/^/# /' /tmp/out; }
	unmap
	dmsetup remove late
}

# One allocation in so many fails anywhere in the module, while everything goes on at once.
storm()
{
	dev=/dev/$d1 options=''
	fresh
	i=0 refused=0
	while [ $i -lt 20 ]; do
		cold || { not_ok "storm $i: opens"; return; }
		aim memory
		for f in failslab fail_page_alloc; do
			echo $((1 + i % 10)) >$debug/$f/probability
		done
		timeout 60 fio --name=s --filename=/dev/mapper/t --offset=8M --size=24M --rw=randrw --bs=4k-256k \
			--iodepth=8 --numjobs=2 --ioengine=libaio --direct=1 --fsync=16 \
			--time_based --runtime=2 --continue_on_error=all >/dev/null 2>&1 &
		job=$!
		for j in 1 2 3 4; do
			sleep 0.4
			timeout 60 dmsetup message t 0 commit
			timeout 60 dmsetup suspend --noflush t
			timeout 60 dmsetup resume t || refused=$((refused + 1))
		done 2>/dev/null
		aim nothing
		timeout 60 dmsetup resume t	# a resume that failed has left it suspended
		wait $job
		unmap
		holds a:4 >/tmp/out 2>&1 || { not_ok "storm $i"; sed 's/^/# /' /tmp/out; dmesg | tail -n 15 | sed 's/^/# /'; return; }
		i=$((i + 1))
	done
	unmap
	[ $refused != 0 ] || not_ok "storm: no resume of $((i * 4)) has failed"
	ok "storm: $i times, up to 10 % of the allocations failing under load, $refused of $((i * 4)) resumes failed"
}

dd if=/dev/zero of=/tmp/zero bs=256k count=1 2>/dev/null
for p in a b c d; do
	dd if=/dev/urandom of=/tmp/$p bs=256k count=1 2>/dev/null
done
case $part in
memory)		forgetful; drills $part; echo "# $total single failures" ;;
io)		unflushed; drills $part; echo "# $total single failures" ;;
storm)		storm ;;
esac
[ $failed = 0 ]
