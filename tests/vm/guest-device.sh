# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: what a mapped device must do, without power cuts.
# vda, vdb: 512 MiB, vdc: 16 TiB sparse, vdd: 64 MiB.  Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh

# ---- filesystems -------------------------------------------------------------

filesystems()
{
	fmt /dev/vda
	map t /dev/vda
	is "$(cat /sys/block/dm-0/queue/write_cache)" "write back" "the device says it has a write cache"
	is "$(cat /sys/block/dm-0/queue/logical_block_size)" 4096 "logical blocks of 4096 bytes"
	is "$(cat /sys/block/dm-0/queue/physical_block_size)" 4096 "physical blocks of 4096 bytes"
	mkdir -p /m
	for fs in ext4 xfs btrfs; do
		case $fs in
		ext4)	mkfs.ext4 -q -F /dev/mapper/t ;;
		xfs)	mkfs.xfs -q -f /dev/mapper/t ;;
		btrfs)	mkfs.btrfs -q -f /dev/mapper/t ;;
		esac >/tmp/out 2>&1 || not_ok "mkfs.$fs"
		must "$fs mounts" mount -t $fs /dev/mapper/t /m
		must "$fs: fio verify" fio --name=v --directory=/m --rw=randrw --bs=4k-64k \
			--size=24M --numjobs=2 --ioengine=libaio --iodepth=8 --direct=1 \
			--verify=crc32c --fsync=64
		must "$fs: fstrim" fstrim /m
		umount /m
		triadsetup close t
		map t /dev/vda
		case $fs in
		ext4)	must "e2fsck" e2fsck -fn /dev/mapper/t ;;
		xfs)	must "xfs_repair -n" xfs_repair -n /dev/mapper/t ;;
		btrfs)	must "btrfs check" btrfs check /dev/mapper/t ;;
		esac
	done
	triadsetup close t
	checked filesystems vda
}

# ---- suspend, reload, two tables ------------------------------------------------

under_load()
{
	fmt --checksum xxh64 /dev/vda
	map t /dev/vda
	fio --name=load --filename=/dev/mapper/t --rw=randwrite --bs=4k --iodepth=16 \
		--ioengine=libaio --direct=1 --size=$(some 64)M --verify=crc32c --do_verify=1 \
		--loops=4 >/tmp/fio 2>&1 &
	job=$!
	for i in 1 2 3 4 5 6; do
		sleep 0.3
		case $((i % 3)) in
		0)	dmsetup suspend t ;;
		1)	dmsetup suspend --noflush t ;;
		2)	dmsetup table t | dmsetup load t; dmsetup suspend t ;;
		esac
		dmsetup resume t
		dmsetup message t 0 commit
	done
	must "fio verify passes through suspend, reload and commits" wait $job
	table=$(dmsetup table t)
	must_fail "a second table on the same disk is refused" \
		dmsetup create u --noudevsync --table "$table"
	dmsetup remove u 2>/dev/null
	is "$(field t 1)" rw "and the first goes on"
	# a message reaches a device also while it is suspended or removed
	: >/tmp/messages
	while [ -e /tmp/messages ]; do dmsetup message t 0 commit; done 2>/dev/null &
	for i in 1 2 3 4 5; do
		dd if=/dev/urandom of=/dev/mapper/t bs=1M count=2 oflag=direct 2>/dev/null
		dmsetup suspend t
		sleep 0.2
		closed_cleanly "suspended beside messages, $i" vda
		dmsetup resume t
	done
	rm /tmp/messages
	wait
	dmsetup suspend t
	dmsetup resume t
	is "$(dmsetup table t)" "$table" "the table round-trips"
	triadsetup close t
	checked "under load" vda
}

# ---- discard -------------------------------------------------------------------

discards()
{
	fmt /dev/vda
	map t /dev/vda
	pattern a
	put a t 0
	put a t 8
	must "discard" blkdiscard -o 0 -l 2097152 /dev/mapper/t
	dd if=/dev/mapper/t bs=1M count=2 iflag=direct 2>/dev/null | tr -d '\0' | wc -c >/tmp/n
	is "$(cat /tmp/n)" 0 "discarded blocks read as zeroes"
	must "zeroing with write zeroes" blkdiscard -z -o 8388608 -l 4096 /dev/mapper/t
	triadsetup close t
	map t /dev/vda
	dd if=/dev/mapper/t bs=1M count=2 iflag=direct 2>/dev/null | tr -d '\0' | wc -c >/tmp/n
	is "$(cat /tmp/n)" 0 "and after reopening"
	dd if=/tmp/a bs=1M skip=2 count=2 of=/tmp/a2 2>/dev/null
	must "what was not discarded stays" sh -c \
		'dd if=/dev/mapper/t bs=1M skip=2 count=2 iflag=direct 2>/dev/null | cmp - /tmp/a2'
	must "discard of everything" blkdiscard /dev/mapper/t
	dmsetup message t 0 commit
	dmsetup message t 0 commit
	is "$(field t 7)" 0 "nothing is used then"
	triadsetup close t
	checked discard vda
}

# ---- a full device ----------------------------------------------------------------

full()
{
	fmt /dev/vdd
	map t /dev/vdd
	memory=$(field t 17)
	size=$(($(blockdev --getsize64 /dev/mapper/t) / 1048576))
	must "every block is written" dd if=/dev/urandom of=/dev/mapper/t bs=1M count=$size oflag=direct
	must "a full device is overwritten at random, $(some 4) times" fio --name=o \
		--filename=/dev/mapper/t --rw=randwrite --bs=4k --iodepth=32 --ioengine=libaio \
		--direct=1 --loops=$(some 4) --verify=crc32c --do_verify=1
	# 32 MiB of copies are made as they come, what is more by the worker
	must "and in large blocks, many at once" fio --name=o --filename=/dev/mapper/t --rw=write --bs=1M \
		--iodepth=64 --ioengine=libaio --direct=1 --loops=2 --verify=crc32c --do_verify=1
	is "$(field t 1)" rw "it stays writable"
	must "no copy of what was written is left" test $(($(field t 17) - memory)) -lt 16384
	triadsetup close t
	checked "full device" vdd
}

# ---- who follows the log ----------------------------------------------------------

events() { dmsetup info -c --noheadings -o events "$1"; }
flush() { dd if=/dev/zero of=/dev/mapper/$1 bs=4096 count=0 conv=notrunc,fsync 2>/dev/null; }

kept()
{
	fmt /dev/vdd
	map --keep-max 4294967295 t /dev/vdd
	pattern a
	put a t 0
	is "$(field t 24)" $(($(field t 23) - 1)) "what was flushed is durable"
	triadsetup close t
	map --keep-max 4294967295 t /dev/vdd
	is "$(field t 24)" $(($(field t 23) - 1)) "and so is what an opening found"
	is "$(field t 27)" - "nobody follows the log then"

	dd if=/tmp/a of=/dev/mapper/t bs=1M count=2 oflag=direct conv=notrunc 2>/dev/null
	want=$(($(field t 23) - 1))
	[ "$(field t 24)" -lt $want ] && ok "what was not flushed is not durable" || not_ok "what was not flushed is not durable"
	nr=$(events t)
	must "notify waits for nothing" dmsetup message t 0 notify $want
	must "nor does a later one" dmsetup message t 0 notify $((want + 100))
	is "$(events t)" "$nr" "there is no event before the record is durable"
	flush t
	is "$(events t)" $((nr + 1)) "and one when it is"
	is "$(field t 24)" $want "as the status says then"
	flush t
	is "$(events t)" $((nr + 1)) "and no other"
	dmsetup message t 0 notify 1
	is "$(events t)" $((nr + 2)) "it comes at once if the record is durable already"
	must_fail "notify without a number" dmsetup message t 0 notify soon

	first=$(field t 25)
	must "keep" dmsetup message t 0 keep $first
	for i in 1 2 3 4 5 6; do
		put a t $((4 * i))
		dmsetup message t 0 commit
	done
	is "$(field t 25)" "$first" "the log is kept from where that was asked for"
	is "$(field t 27)" "$first" "the status says so"
	[ "$(field t 26)" -gt 10 ] && ok "headers of it count" || not_ok "headers of it count # $(dmsetup status t)"
	triadsetup status t | grep -q "^  log kept  *from record $first," && ok "in words, too" || not_ok "in words, too"
	dmsetup message t 0 keep "$(field t 23)"
	is "$(field t 26)" 0 "what the mark has passed is let go"
	must "keep none" dmsetup message t 0 keep none
	is "$(field t 27)" - "nothing is kept then"
	must_fail "keep something" dmsetup message t 0 keep some

	size=$(($(blockdev --getsize64 /dev/mapper/t) / 1048576))
	dd if=/dev/urandom of=/dev/mapper/t bs=1M count=$((size * 95 / 100)) oflag=direct 2>/dev/null
	nr=$(events t)
	dmsetup message t 0 keep "$(field t 25)"
	: >/tmp/follow >/tmp/lost
	while [ -e /tmp/follow ]; do
		if [ "$(field t 27)" = given_up ]; then
			echo x >>/tmp/lost
			dmsetup message t 0 keep "$(field t 25)"
		fi
		sleep 0.05
	done &
	must "a device that is nearly full is overwritten $(some 8) times with its log kept" fio --name=o \
		--filename=/dev/mapper/t --rw=randwrite --bs=4k-64k --iodepth=32 --ioengine=libaio \
		--direct=1 --size=$((size * 95 / 100))M --loops=$(some 8) --verify=crc32c --do_verify=1
	rm /tmp/follow
	wait
	is "$(field t 1)" rw "it stays writable"
	[ -s /tmp/lost ] && ok "what was kept was given up ($(wc -l </tmp/lost) times)" || not_ok "what was kept was given up"
	[ "$(events t)" -gt "$nr" ] && ok "with events" || not_ok "with events"

	dmsetup message t 0 keep "$(field t 25)"
	nr=$(events t)
	dmsetup suspend t
	is "$(events t)" $((nr + 1)) "who follows is told of a suspend"
	must_fail "a suspended device keeps nothing" dmsetup message t 0 keep 1
	dmsetup resume t
	is "$(field t 27)" - "and asks again when it goes on"

	dd if=/dev/mapper/t of=/tmp/a bs=1M skip=4 count=4 iflag=direct 2>/dev/null
	nr=$(events t)
	must "read_only" dmsetup message t 0 read_only
	is "$(field t 1) $(field t 18) $(field t 19)" "ro fenced 0" "it is fenced, and nothing has failed"
	is "$(events t)" $((nr + 1)) "with an event"
	must_fail "it takes no write" dd if=/tmp/a of=/dev/mapper/t bs=1M count=1 oflag=direct
	must "reads go on" same a t 4
	must "status finds it well" triadsetup status t
	triadsetup close t
	map t /dev/vdd
	is "$(field t 1)" rw "the next instance writes again"
	triadsetup close t
	checked "who follows the log" vdd
}

# ---- roots elsewhere, keyed ---------------------------------------------------------

elsewhere()
{
	fmt --root-device /dev/vdb /dev/vda
	map t /dev/vda --root-device /dev/vdb
	pattern a
	put a t 3
	triadsetup close t
	must_fail "without its root device it is refused" map t /dev/vda
	map t /dev/vda --root-device /dev/vdb
	must "roots on another device" same a t 3
	must_fail "a root device is not taken for a data device" \
		dmsetup create bad --noudevsync --table "$(dmsetup table t | sed 's/triad .*/triad \/dev\/vdb/')"
	# the same data by another name, so that nothing but the root device is shared
	dmsetup create c --noudevsync --table "0 $(size_of) linear /dev/vda 0"
	dmesg -c >/dev/null
	must_fail "a root device in use is refused" dmsetup create bad --noudevsync \
		--table "$(dmsetup table t | sed 's/triad [^ ]*/triad \/dev\/mapper\/c/')"
	said "another dm-triad device is active on the same disk or root device"
	dmsetup remove bad 2>/dev/null
	dmsetup remove c
	is "$(field t 1)" rw "and who has it goes on"
	triadsetup close t
	must "check with a root device" triadsetup check --data --root-device /dev/vdb /dev/vda

	for i in 0 1 2; do
		dmsetup create r$i --noudevsync --table "0 2048 linear /dev/vdb $((i * 4096))"
	done
	dmsetup mknodes
	three="--root-device /dev/mapper/r0 --root-device /dev/mapper/r1 --root-device /dev/mapper/r2"
	fmt $three /dev/vda
	map t /dev/vda $three
	put a t 5
	triadsetup close t
	dd if=/dev/zero of=/dev/mapper/r1 bs=4096 count=1 conv=fsync 2>/dev/null
	map t /dev/vda $three
	must "three root devices, one emptied" same a t 5
	is "$(field t 4)" ok "healed when opened"
	triadsetup close t
	dmsetup remove r0 r1 r2

	echo 00112233445566778899aabbccddeeff >/tmp/key
	echo 00112233445566778899aabbccddeefe >/tmp/other
	fmt --hash 'hmac(sha256)' --key-file /tmp/key /dev/vda
	map t /dev/vda --key-file /tmp/key
	put a t 7
	triadsetup close t
	must_fail "a wrong key is refused" map t /dev/vda --key-file /tmp/other
	must_fail "no key is refused" map t /dev/vda
	map t /dev/vda --key-file /tmp/key
	must "keyed hash" same a t 7
	triadsetup close t
}

# ---- a root device fails -------------------------------------------------------------

# becomes N TARGET...: what root device N leads to from now on
becomes()
{
	n=$1
	shift
	dmsetup suspend --noflush --nolockfs r$n
	echo "0 2048 $*" | dmsetup load r$n
	dmsetup resume r$n
}

own() { becomes $1 linear /dev/vdb $(($1 * 4096)); }
events() { dmsetup info -c --noheadings -o events t | tr -d ' '; }
# each with something in it: one that is not needed is none
commits()
{
	for n in 1 2 3 4; do
		write_block 100
		dmsetup message t 0 commit || return 1
	done
}

losing()
{
	pattern a
	pattern b
	three=
	for i in 0 1 2; do
		dmsetup create r$i --noudevsync --table "0 2048 linear /dev/vdb $((i * 4096))"
		three="$three --root-device /dev/mapper/r$i"
	done
	dmsetup mknodes
	for i in 0 1 2; do
		fmt $three /dev/vda
		map t /dev/vda $three
		put a t 1
		dmsetup message t 0 commit
		fio --name=l --filename=/dev/mapper/t --rw=randwrite --bs=4k --iodepth=8 --ioengine=libaio \
			--direct=1 --offset=64M --size=32M --time_based --runtime=6 --fsync=16 >/tmp/fio 2>&1 &
		job=$!
		sleep 1
		dmesg -c >/dev/null
		before=$(events)
		becomes $i error
		must "root device $i fails: commits go on" commits
		is "$(field t 1) $(field t 4)" "rw degraded" "root device $i fails: writable and degraded"
		[ "$(events)" -gt "$before" ] && ok "with an event" || not_ok "with an event"
		said "the root in slot $i cannot be written or flushed: it is given up"
		must "the writers notice nothing" wait $job
		put b t 9
		case $i in
		0)	# somebody else's disk is left alone, an empty one is taken in
			printf 'LUKS\272\276' | dd of=/dev/vdb bs=512 seek=20480 conv=sync,notrunc,fsync 2>/dev/null
			becomes $i linear /dev/vdb 20480
			must "another disk in its place: commits go on" commits
			is "$(field t 4)" degraded "degraded as before"
			is "$(dd if=/dev/vdb bs=512 skip=20480 count=1 2>/dev/null | head -c 4)" LUKS "it is not written to"
			dd if=/dev/zero of=/dev/vdb bs=512 seek=24576 count=2048 conv=notrunc,fsync 2>/dev/null
			becomes $i linear /dev/vdb 24576
			;;
		*)	own $i ;;
		esac
		dmesg -c >/dev/null
		must "it is there again: commits go on" commits
		is "$(field t 1) $(field t 4)" "rw ok" "and it is taken in"
		said "the root in slot $i was written again"
		triadsetup close t
		must "check with all three" triadsetup check --data $three /dev/vda
		map t /dev/vda $three
		if same a t 1 && same b t 9; then ok "and all is there"; else not_ok "and all is there"; fi
		triadsetup close t
		own $i
	done

	# dead when it is opened, then missing, then replaced
	fmt $three /dev/vda
	map t /dev/vda $three
	put a t 1
	triadsetup close t
	becomes 1 error
	dmesg -c >/dev/null
	must "with a dead root device: it opens" map t /dev/vda $three
	is "$(field t 1) $(field t 4)" "rw degraded" "with a dead root device: writable and degraded"
	said "commits go on with two roots; put the device of slot 1 back"
	put a t 9
	must "and commits" commits
	dmsetup suspend t
	dmsetup resume t
	is "$(field t 1) $(field t 4)" "rw degraded" "suspended and resumed: as before"
	triadsetup close t
	without=$(echo "$three" | sed 's,/dev/mapper/r1,missing,')
	must_fail "without its name it is refused" map t /dev/vda --root-device /dev/mapper/r0 \
		--root-device /dev/mapper/none --root-device /dev/mapper/r2
	must "named as missing: it opens" map t /dev/vda $without
	is "$(dmsetup table t | cut -d ' ' -f 8,9)" "root_dev -" "the table says so"
	is "$(field t 1) $(field t 4)" "rw degraded" "writable and degraded, too"
	triadsetup roots t >/tmp/out 2>&1
	is $? 6 "roots t: degraded"
	put b t 17
	must "and commits" commits
	triadsetup close t
	dd if=/dev/zero of=/dev/vdb bs=512 seek=28672 count=2048 conv=notrunc,fsync 2>/dev/null
	becomes 1 linear /dev/vdb 28672
	must "with an empty one in its place: it opens" map t /dev/vda $three
	is "$(field t 1) $(field t 4)" "rw ok" "and is whole"
	if same a t 1 && same a t 9 && same b t 17; then ok "and all is there"; else not_ok "and all is there"; fi
	triadsetup close t
	must "check with the new one" triadsetup check --data $three /dev/vda
	becomes 1 error
	becomes 2 error
	must_fail "without two of them it is refused" map t /dev/vda $three
	dmsetup remove r0 r1 r2
}

# ---- rotten roots and blocks ------------------------------------------------------------

rot()
{
	pattern a
	for letter in a b c; do
		fmt /dev/vda
		map t /dev/vda
		put a t 1
		dmsetup message t 0 commit
		put a t 9
		dmsetup message t 0 commit
		put a t 17
		letters=$(field t 2)
		triadsetup close t
		map t /dev/vda
		letters=$(field t 2)
		triadsetup close t
		case $letters in
		$letter??) slot=0 ;;
		?$letter?) slot=1 ;;
		*)	slot=2 ;;
		esac
		# what lies before this says whose it is
		dd if=/dev/urandom of=/dev/vda bs=8 count=16 conv=fsync \
			seek=$(($(slot_block $slot) * 512 + 25)) 2>/dev/null
		must "opens with a rotten $letter" map t /dev/vda
		is "$(field t 4)" ok "is healed with a rotten $letter"
		if same a t 1 && same a t 9 && same a t 17; then
			ok "content with a rotten $letter"
		else
			not_ok "content with a rotten $letter"
		fi
		triadsetup close t
		checked "rotten $letter" vda
	done
	dd if=/dev/zero of=/dev/vda bs=4096 count=1 conv=fsync 2>/dev/null
	dd if=/dev/zero of=/dev/vda bs=4096 count=1 seek=4096 conv=fsync 2>/dev/null
	must_fail "two bad roots are refused" map t /dev/vda

	# what is not its own in a slot is not healed over
	fmt --uuid 01234567-89ab-cdef-0123-456789abcdef /dev/vda
	dd if=/dev/vda of=/tmp/other bs=4096 count=1 2>/dev/null
	printf 'LUKS\272\276\000\001' >/tmp/text
	for lying in other text; do
		fmt /dev/vda
		map t /dev/vda
		put a t 1
		triadsetup close t
		dd if=/tmp/$lying of=/dev/vda conv=notrunc,fsync 2>/dev/null
		md5sum </dev/vda >/tmp/before
		line=$(triadsetup table /dev/vda 2>/dev/null)
		dmesg -c >/dev/null
		# the kernel by itself, and as triadsetup opens it
		for how in dmsetup triadsetup; do
			if [ $how = dmsetup ]; then
				must "$lying in a slot: it opens" dmsetup create t --noudevsync --table "$line"
				dmsetup mknodes
			else
				must "$lying in a slot: triadsetup opens it" map t /dev/vda
			fi
			is "$(field t 1) $(field t 4)" "ro degraded" "$lying in a slot, $how: read-only and degraded"
			must "$lying in a slot, $how: it reads" same a t 1
			must_fail "$lying in a slot, $how: it does not write" dd if=/tmp/a of=/dev/mapper/t bs=4k \
				count=1 oflag=direct
			must_fail "$lying in a slot, $how: and cannot be healed while open" \
				triadsetup heal --force /dev/vda
			triadsetup close t
		done
		dmesg >/tmp/said
		grep -q 'slot 0 may be somebody else.s.*triadsetup heal --force' /tmp/said &&
			ok "$lying in a slot: the kernel says so" || not_ok "$lying in a slot: the kernel says so"
		[ $lying = text ] || must "another device is named" \
			grep -q 'another device (UUID 01234567-89ab-cdef' /tmp/said
		is "$(md5sum </dev/vda)" "$(cat /tmp/before)" "$lying in a slot: nothing was changed"
		must_fail "$lying in a slot: heal refuses" triadsetup heal /dev/vda
		must "$lying in a slot: heal --force" triadsetup heal --force /dev/vda
		map t /dev/vda
		is "$(field t 1) $(field t 4)" "rw ok" "$lying in a slot: healed"
		must "$lying in a slot: the content is the same" same a t 1
		triadsetup close t
		checked "$lying was in a slot" vda
	done

	fmt /dev/vda
	map t /dev/vda
	put a t 1
	triadsetup close t
	# a block of data: the first of the pattern
	n=$(triadsetup dump /dev/vda map | sed -n 's/.*LBA 256+.* block \([0-9]*\),.*/\1/p')
	echo rotten | dd of=/dev/vda bs=4096 seek=$n conv=notrunc,fsync 2>/dev/null
	must_fail "check --data finds rotten data" triadsetup check --data /dev/vda
	map t /dev/vda
	# first with the map on the disk, then with it in memory
	for i in cold warm; do
		must_fail "rotten data is not handed out, $i" dd if=/dev/mapper/t bs=4096 skip=256 \
			count=1 iflag=direct of=/dev/null
	done
	must "its neighbour is" dd if=/dev/mapper/t bs=4096 skip=257 count=1 iflag=direct of=/dev/null
	must_fail "a large read over it fails as a whole" \
		dd if=/dev/mapper/t bs=1M skip=1 count=1 iflag=direct of=/dev/null
	# dd counts what it could read
	dd if=/dev/mapper/t bs=4096 skip=256 count=255 iflag=direct conv=noerror of=/tmp/rest 2>/dev/null
	tail -c +4097 /tmp/a | head -c 1044480 >/tmp/good
	must "block by block all others can be had" cmp /tmp/rest /tmp/good
	dd if=/dev/mapper/t bs=4096 skip=256 count=255 conv=noerror of=/tmp/rest 2>/dev/null
	must "and through the page cache" cmp /tmp/rest /tmp/good
	[ "$(field t 14)" -ge 2 ] && ok "and counted" || not_ok "and counted"
	dmesg | grep -q "checksum mismatch at LBA 256 (PBA $n)" && ok "and named in the log" ||
		not_ok "and named in the log"
	triadsetup close t
}

# with_slow_block DISK BLOCK MS: /dev/mapper/slow is DISK, and reads of BLOCK take so long
with_slow_block()
{
	all=$(blockdev --getsz $1)
	at=$(($2 * 8))
	modprobe dm-delay
	dmsetup create slow --noudevsync <<-END
		0 $at linear $1 0
		$at 8 delay $1 $at $3 $1 $at 0
		$((at + 8)) $((all - at - 8)) linear $1 $((at + 8))
	END
	dmsetup mknodes
}

# Reads hold nothing back: one that is stuck below stops no writer, however long.
stuck_read()
{
	pattern a
	pattern b
	for how in "is not written" "is written anew"; do
		fmt --interval 8M /dev/vda
		map t /dev/vda
		put a t 1
		triadsetup close t
		n=$(triadsetup dump /dev/vda map | sed -n 's/.*LBA 256+.* block \([0-9]*\),.*/\1/p')
		with_slow_block /dev/vda $n 12000
		must "opens on a disk with a slow block" map t /dev/mapper/slow
		dd if=/dev/mapper/t bs=4096 skip=256 count=1 iflag=direct of=/tmp/got 2>/tmp/out &
		reader=$!
		sleep 1
		before=$(field t 9)
		[ "$how" = "is not written" ] || put b t 1
		for i in 1 2 3 4 5; do
			put b t $((4 + 4 * i))
			dmsetup message t 0 commit
		done
		after=$(field t 9)
		if kill -0 $reader 2>/dev/null && [ $after -ge $((before + 5)) ]; then
			ok "writers go through $((after - before)) commits while a read is stuck"
		else
			not_ok "writers go through five commits while a read is stuck # $before $after"
		fi
		must "the read ends, its block $how" wait $reader
		[ "$how" = "is not written" ] && want=a || want=b
		head -c 4096 /tmp/$want | cmp -s - /tmp/got && ok "with the right content" ||
			not_ok "with the right content"
		is "$(field t 14)" 0 "and no block is called rotten"
		triadsetup close t
		dmsetup remove slow
		checked "a stuck read, its block $how" vda
	done

	# slower than the commits, which wait for it in the end
	fmt --interval 8M /dev/vda
	map t /dev/vda
	put a t 1
	triadsetup close t
	n=$(triadsetup dump /dev/vda map | sed -n 's/.*LBA 256+.* block \([0-9]*\),.*/\1/p')
	with_slow_block /dev/vda $n 2000
	map t /dev/mapper/slow
	(while [ ! -e /tmp/enough ]; do put b t 8; dmsetup message t 0 commit; done) &
	writer=$!
	must "a read that is slower than the commits ends" timeout 60 \
		dd if=/dev/mapper/t bs=4096 skip=256 count=1 iflag=direct of=/tmp/got
	touch /tmp/enough
	wait $writer
	rm /tmp/enough
	head -c 4096 /tmp/a | cmp -s - /tmp/got && ok "with the right content" || not_ok "with the right content"
	triadsetup close t
	dmsetup remove slow
	checked "a slow read" vda
}

# Who changes the memory that is being read into gets what he deserves, but no error.
one_buffer()
{
	pattern a
	fmt /dev/vda
	map t /dev/vda
	put a t 0
	must "four readers with one buffer" clobber /dev/mapper/t
	is "$(field t 14)" 0 "that is no rot"
	must "and the data is there" same a t 0
	triadsetup close t
}

# A flushed record whose header rots cannot be had again: nothing may be made of it.
lost_log()
{
	fmt /dev/vdd
	map t /dev/vdd
	pattern a
	for i in 1 2 3; do
		dd if=/tmp/a of=/dev/mapper/t bs=4k seek=$i count=1 oflag=direct conv=fsync 2>/dev/null
	done
	# as a power cut would leave it
	dd if=/dev/vdd of=/dev/vda bs=1M count=64 iflag=direct conv=fsync 2>/dev/null
	triadsetup close t
	place=$(triadsetup dump /dev/vda log | awk '/: write/ { print $5 + 0; exit }')
	dd if=/dev/urandom of=/dev/vda bs=4096 seek=$place count=1 conv=notrunc,fsync 2>/dev/null
	md5sum </dev/vda >/tmp/before
	triadsetup open t /dev/vda 2>/tmp/out && grep -q "opened read-only: a flushed record" /tmp/out &&
		ok "a rotten header in the log: told when opening" ||
		not_ok "a rotten header in the log: told when opening # $(cat /tmp/out)"
	is "$(field t 1)" ro "and read-only"
	dmesg | grep -q "at block $place was flushed and is damaged" &&
		ok "and named in the kernel log" || not_ok "and named in the kernel log"
	dd if=/dev/mapper/t bs=4096 skip=1 count=3 iflag=direct 2>/dev/null | tr -d '\0' | wc -c >/tmp/n
	is "$(cat /tmp/n)" 0 "it holds the state before that record"
	triadsetup close t
	is "$(md5sum </dev/vda)" "$(cat /tmp/before)" "and nothing was changed"
}

# ---- failing disks ------------------------------------------------------------------------

size_of() { blockdev --getsz /dev/vda; }
swap() { dmsetup suspend --noflush --nolockfs base; echo "$1" | dmsetup load base; dmsetup resume base; }

failing()
{
	pattern a
	pattern b
	sectors=$(size_of)
	fmt /dev/vda
	dmsetup create base --noudevsync --table "0 $sectors linear /dev/vda 0"
	dmsetup mknodes
	map t /dev/mapper/base
	put a t 1
	swap "0 $sectors error"
	# one write: the next ones fail anyway, since the device is read-only then
	must_fail "a write to a dead disk fails" dd if=/tmp/b of=/dev/mapper/t bs=4k seek=4096 \
		count=1 oflag=direct
	is "$(field t 1)" ro "the device is read-only then"
	must_fail "and stays so" dd if=/tmp/b of=/dev/mapper/t bs=4k count=1 oflag=direct
	swap "0 $sectors linear /dev/vda 0"
	must "what was acknowledged can be read" same a t 1
	triadsetup close t
	map t /dev/mapper/base
	is "$(field t 1)" rw "writable again after reopening"
	must "nothing acknowledged is lost" same a t 1
	put b t 1

	# only one root's place fails: it is given up
	swap "0 8 error
8 $((sectors - 8)) linear /dev/vda 8"
	put a t 9
	for i in 1 2 3; do dmsetup message t 0 commit; put a t 9; done 2>/dev/null
	is "$(field t 1) $(field t 4)" "rw degraded" "a root that cannot be written is given up"
	must "reads go on" same b t 1
	swap "0 $sectors linear /dev/vda 0"
	triadsetup close t
	map t /dev/mapper/base
	must "reopened after failed root writes" same b t 1
	must "with all that was acknowledged" same a t 9
	triadsetup close t
	dmsetup remove base
	checked "failing disk" vda
}

# Healing fails at the bitmaps while the map nodes before it are still on their way.
heal_fails()
{
	pattern a
	pattern b
	fmt /dev/vdd
	map t /dev/vdd
	put a t 1
	put b t 9
	# as a power cut leaves it, and with one root gone
	dd if=/dev/vdd of=/dev/vda bs=1M count=64 iflag=direct conv=fsync 2>/dev/null
	triadsetup close t
	dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=notrunc,fsync 2>/dev/null
	sectors=$(blockdev --getsz /dev/vdd)
	dmsetup create base --noudevsync --table "0 $sectors linear /dev/vda 0"
	dmsetup mknodes
	line=$(triadsetup table /dev/mapper/base)
	dmsetup suspend base
	# the summary of slot 0 fails while its plane, written just before, is under way
	dmsetup load base --table "0 16392 delay /dev/vda 0 0 /dev/vda 0 3000
16392 8 error
16400 $((sectors - 16400)) delay /dev/vda 16400 0 /dev/vda 16400 3000"
	dmsetup resume base
	dmsetup create t --noudevsync --notable
	dmsetup load t --table "$line"
	must_fail "healing that fails is told" dmsetup resume t
	dmesg | tail -n 4 | grep -q "healing failed (error -5); nothing is lost" && ok "in the log" ||
		not_ok "in the log # $(dmesg | tail -n 4)"
	must "the device can be removed at once" dmsetup remove t
	dmsetup suspend base
	dmsetup load base --table "0 $sectors linear /dev/vda 0"
	dmsetup resume base
	must "it opens when the disk is well" map t /dev/mapper/base
	same a t 1 && same b t 9 && ok "with all that was acknowledged" ||
		not_ok "with all that was acknowledged"
	triadsetup close t
	checked "after a healing that failed" mapper/base
	dmsetup remove base
}

# ---- replicas that flushes wait for ---------------------------------------------------------

durable() { field t 24; }
replicated() { dmsetup message t 0 replicated "$1"; }

# write_block LBA [OPTION of dd]
write_block() { dd if=/tmp/a of=/dev/mapper/t bs=4k count=1 seek=$1 oflag=direct conv=notrunc $2 2>/dev/null; }

# A write that has to be durable, in the background; its result goes into $1.result.
durably()
{
	rm -f /tmp/$1.result
	{ write_block $2 $3; echo $? >/tmp/$1.result; } &
}

waits() { sleep 1; if [ -e /tmp/$1.result ]; then not_ok "$2 # ended: $(cat /tmp/$1.result)"; else ok "$2"; fi; }

# ends NAME RESULT WHAT, within 10 s
ends()
{
	e_end=$(($(now) + 10000))
	until [ -s /tmp/$1.result ] || [ "$(now)" -gt $e_end ]; do sleep 0.1; done
	is "$(cat /tmp/$1.result 2>/dev/null)" "$2" "$3"
}

synchronous()
{
	pattern a
	fmt /dev/vdd
	must "open --sync block" triadsetup open --sync block --sync-ms 2000 t /dev/vdd
	is "$(field t 28) $(field t 29)" "block yes" "the status says so"
	dmsetup table t | grep -q 'sync block sync_ms 2000' && ok "so does the table" || not_ok "so does the table # $(dmsetup table t)"
	must "who flushes nothing waits for nothing" timeout 20 dd if=/tmp/a of=/dev/mapper/t bs=64k count=4 oflag=direct conv=notrunc
	durably flush 3 conv=fsync
	durably fua 9 oflag=direct,dsync
	waits flush "a flush waits for the replica"
	is "$(durable)" $(($(field t 23) - 1)) "though it is durable here"
	must_fail "a replica has nothing that is not durable here" replicated $(($(durable) + 1))
	must_fail "nor what is no number" replicated all
	replicated $(($(durable) - 1))
	waits fua "less than all is not enough"
	nr=$(events t)
	sleep 2
	is "$(field t 29)" waits "the status says that it waits"
	[ "$(events t)" -gt $nr ] && ok "with an event" || not_ok "with an event"
	dmesg | tail -n 3 | grep -q "flushes wait: for 2000 ms" && ok "and in the log" || not_ok "and in the log # $(dmesg | tail -n 3)"
	triadsetup status t >/tmp/out
	is $? 6 "status: exit code 6"
	grep -q "FLUSHES WAIT" /tmp/out && ok "in words, too" || not_ok "in words, too # $(cat /tmp/out)"
	must "who flushes nothing still waits for nothing" timeout 20 dd if=/tmp/a of=/dev/mapper/t bs=64k count=4 seek=8 oflag=direct conv=notrunc
	must "a commit is made all the same" dmsetup message t 0 commit
	replicated "$(durable)"
	ends flush 0 "the replica has it: the flush ends"
	sleep 1
	replicated "$(durable)"
	ends fua 0 "and so does the write with FUA, with a flush behind it"
	is "$(field t 29)" yes "and the status is well again"
	durably flush 3 conv=fsync
	waits flush "the next one waits again"

	# the instance changes while they wait
	durably fua 9 oflag=direct,dsync
	waits fua "a write with FUA, too"
	must "restart while flushes wait" timeout 60 triadsetup restart t
	is "$(field t 28) $(field t 30)" "block 0" "the next instance knows of no replica"
	waits flush "and the flush goes on waiting"
	waits fua "and so does the write"
	replicated "$(durable)"
	ends flush 0 "until the replica has it"
	sleep 1
	replicated "$(durable)"
	ends fua 0 "all of it"
	# of a write that waits the data was written over, and that acknowledged: sent again it would come back
	durably fua 9 oflag=direct,dsync
	waits fua "a write with FUA waits"
	pattern b
	dd if=/tmp/b of=/dev/mapper/t bs=4k count=1 seek=9 oflag=direct conv=notrunc 2>/dev/null
	rm -f /tmp/restart.result
	{ triadsetup restart t; echo $? >/tmp/restart.result; } &
	waits restart "a restart waits for one that was written over"
	replicated "$(durable)"
	ends restart 0 "until the replica has it"
	replicated "$(durable)"
	ends fua 0 "it ends"
	dd if=/dev/mapper/t bs=4k skip=9 count=1 iflag=direct 2>/dev/null | cmp -n 4096 - /tmp/b &&
		ok "and what came later stays" || not_ok "and what came later stays"

	durably flush 5 conv=fsync
	waits flush "one more"
	must "replica sync off" triadsetup replica sync t off
	ends flush 0 "nothing waits then"
	is "$(field t 28) $(field t 29)" "- -" "as the status says"
	must "replica sync block" triadsetup replica sync t block
	durably flush 6 conv=fsync
	waits flush "and block waits again"
	dmsetup message t 0 read_only
	ends flush 1 "fenced: it fails, since nobody knows whether the replica has it"
	triadsetup close t
	checked "behind all that" vdd

	must "open --sync async" triadsetup open --sync async --sync-ms 2000 t /dev/vdd
	is "$(field t 29)" lags "without a replica nothing waits"
	must "a flush does not" timeout 20 dd if=/tmp/a of=/dev/mapper/t bs=4k count=1 oflag=direct conv=notrunc,fsync
	replicated $(($(durable) - 1))
	is "$(field t 29)" lags "nor while the replica has not got all"
	sleep 3
	first=$(durable)
	for i in 1 2; do dd if=/tmp/a of=/dev/mapper/t bs=4k count=2 oflag=direct conv=notrunc,fsync 2>/dev/null; done
	replicated $first
	is "$(field t 29)" lags "what it had to have came late"
	more=$(durable)
	dd if=/tmp/a of=/dev/mapper/t bs=4k count=2 oflag=direct conv=notrunc,fsync 2>/dev/null
	replicated $more
	dmesg | tail -n 1 | grep -q 'flushes wait for it' && ok "what it has next came in time, though there is more by now" ||
		not_ok "what it has next came in time, though there is more by now # $(dmesg | tail -n 2)"
	is "$(field t 29)" lags "what nobody waited for before that is not there yet"
	replicated "$(durable)"
	is "$(field t 29)" yes "it is now"
	triadsetup replica sync t async
	is "$(field t 29)" lags "set anew it begins anew"
	replicated "$(durable)"
	is "$(field t 29)" yes "who has all is up to date"
	durably flush 3 conv=fsync
	waits flush "now flushes wait for it"
	ends flush 0 "but not for ever"
	is "$(field t 29)" lags "and not the next ones"
	must "the next one" timeout 20 dd if=/tmp/a of=/dev/mapper/t bs=4k count=1 oflag=direct conv=notrunc,fsync
	triadsetup close t

	must "open --sync ro" triadsetup open --sync ro --sync-ms 2000 t /dev/vdd
	durably flush 3 conv=fsync
	waits flush "a flush waits"
	ends flush 1 "and fails"
	is "$(field t 1)" ro "the device is read-only then"
	triadsetup close t
	must "open --sync block --read-only" triadsetup open --sync block --read-only t /dev/vdd
	must "who cannot write waits for nobody" timeout 20 blockdev --flushbufs /dev/mapper/t
	triadsetup close t
	checked "after that" vdd
	must_fail "--sync soon" triadsetup open --sync soon t /dev/vdd
}

# ---- odd disks ----------------------------------------------------------------------------

# limit NAME: of the mapping t
limit() { cat "/sys/dev/block/$(dmsetup info -c --noheadings --separator : -o major,minor t)/$1"; }

odd_sizes()
{
	pattern a
	modprobe loop
	for more in 512 3584; do
		rm -f /tmp/odd
		truncate -s $((65 * 1048576 + more)) /tmp/odd
		disk=$(losetup -f --show /tmp/odd)
		fmt $disk
		must "$more bytes behind the last block: opened" map t $disk
		put a t 1
		triadsetup close t
		map t $disk
		must "$more bytes behind the last block: written" same a t 1
		triadsetup close t
		checked "$more bytes behind the last block" ${disk#/dev/}
		fmt --root-device $disk /dev/vdd
		must "$more bytes behind the last block of a root device: opened" \
			map t /dev/vdd --root-device $disk
		triadsetup close t
		losetup -d $disk
	done
	rm -f /tmp/odd
}

# A disk that is larger than its content: /tmp/large, at $disk; the partition of an old MBR.
large_partition()
{
	modprobe loop
	truncate -s 4G /tmp/large
	printf '\0\0\0\0\203\0\0\0\077\0\0\0\0\370\177\0' |
		dd of=/tmp/large bs=1 seek=446 conv=notrunc 2>/dev/null
	printf '\125\252' | dd of=/tmp/large bs=1 seek=510 conv=notrunc 2>/dev/null
	disk=$(losetup -P -f --show /tmp/large)
	part=${disk}p1
	is "$(blockdev --getsz $part)" 8386560 "a partition at sector 63"
}

# scsi_disk PARAMETER...: of scsi_debug; a kernel of our own has none
scsi_disk()
{
	modprobe -q sd_mod
	modprobe -q scsi_debug "$@" && return
	echo "# skipped: this kernel has no scsi_debug"
	return 1
}

scsi_limits()
{
	scsi_disk dev_size_mb=65 physblk_exp=3 lowest_aligned=1 lbpu=1 \
		unmap_granularity=16 unmap_alignment=3 opt_xferlen_exp=13 || return
	for i in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/sda ] || sleep 0.3; done
	is "$(cat /sys/block/sda/alignment_offset)" 512 "a disk that begins in the middle of a block"
	fmt /dev/sda
	must "is opened" map t /dev/sda
	is "$(limit alignment_offset)" 0 "its alignment does not matter above"
	is "$(limit discard_alignment)" 0 "nor does that of its discards"
	is "$(limit queue/discard_granularity)" 4096 "nor their granularity"
	is "$(limit queue/chunk_sectors)" 0 "nor its chunks"
	is "$(limit queue/minimum_io_size)" 4096 "nor its smallest I/O"
	is "$(limit queue/optimal_io_size)" 1048576 "nor its best"
	must "discard" blkdiscard /dev/mapper/t
	must "zeroing" blkdiscard -z -o 1048576 -l 1052672 /dev/mapper/t
	triadsetup close t
	checked "a disk that begins in the middle of a block" sda
	fmt --root-device /dev/sda /dev/vdd
	# behind the format, which makes the kernel look at the disk anew
	echo 1 >/sys/block/sda/queue/rotational
	echo 0 >/sys/block/vdd/queue/rotational
	map t /dev/vdd --root-device /dev/sda
	is "$(limit queue/rotational)" 1 "root devices are asked, too"
	triadsetup close t
	rmmod scsi_debug
}

# ended SECONDS JOB: within so many
ended()
{
	e_left=$((2 * $1))
	while [ -e /proc/$2 ]; do
		sleep 0.5
		e_left=$((e_left - 1))
		[ $e_left -gt 0 ] || return 1
	done
}

# A lone write with a flush behind it is one write with FUA, once that is what is to be expected.
lone()
{
	pattern a
	fmt /dev/vdd
	map t /dev/vdd
	for i in 1 2 3 4 5; do write_block $i conv=fsync; done
	nr=$(field t 15)
	[ "$nr" -gt 0 ] && ok "the first ones need flushes" || not_ok "the first ones need flushes # $nr"
	for i in 6 7 8 9; do write_block $i conv=fsync; done
	is "$(field t 15)" "$nr" "those behind them need none"
	is "$(field t 24)" $(($(field t 23) - 1)) "and are durable"
	write_block 10
	write_block 11
	is "$(field t 24)" $(($(field t 23) - 2)) "a write behind one without a flush is not"
	write_block 12 conv=fsync
	is "$(field t 15)" $((nr + 1)) "until a flush comes, and that is sent"

	# their submitter does the worker's part, and what needs more than memory it leaves to the worker
	for size in 4 12 256; do
		dd if=/dev/zero of=/dev/mapper/t bs=${size}k oflag=direct 2>/dev/null &
		ended 120 $! || { not_ok "lone writes of $size KiB all over the disk come to an end"; exit 1; }
		ok "lone writes of $size KiB all over the disk come to an end"
	done
	triadsetup close t
	checked "lone writes" vdd
}

# Several that flush each write share a record and its flush, and who stops is not waited for.
group()
{
	fmt /dev/vdd
	map t /dev/vdd
	most=0
	for i in 1 2 3; do
		nr=$(field t 23)
		fio --name=g --filename=/dev/mapper/t --rw=randwrite --bs=4k --direct=1 --ioengine=psync \
			--fdatasync=1 --numjobs=8 --thread --size=32m --number_ios=250 >/tmp/fio 2>&1 &
		job=$!
		ended 60 $job || { not_ok "the last of the writers waits for those that have gone"; return; }
		must "8 writers that flush each of 250 writes come to an end" wait $job
		nr=$((2000 / ($(field t 23) - nr)))
		[ $nr -lt $most ] || most=$nr
	done
	# on a busy machine they come late, and are not waited for: that tells only where nothing else runs
	least=2
	[ "$parts" != group ] || least=6
	[ $most -ge $least ] && ok "$most of their writes are one record" ||
		not_ok "$least of their writes are one record # $most"
	triadsetup close t
	checked "writers that flush" vdd
}

limits()
{
	large_partition
	must_fail "whose discards are misaligned" \
		grep -qx 0 /sys/block/${disk#/dev/}/${part#/dev/}/discard_alignment
	fmt $part
	map t $part
	is "$(limit discard_alignment)" 0 "discards have no alignment but the block's"
	must "more than 1 GiB is discarded" blkdiscard /dev/mapper/t
	must "and from any block on" blkdiscard -o 4096 -l $((3 << 30)) /dev/mapper/t
	dmesg -c >/dev/null
	must_fail "a disk whose partition is open is refused" dmsetup create bad --noudevsync \
		--table "$(dmsetup table t | sed "s|triad [^ ]*|triad $disk|")"
	said "The data device cannot be opened"
	dmsetup remove bad 2>/dev/null
	triadsetup close t
	losetup -d $disk
	rm /tmp/large

	scsi_limits

	# device-mapper offers it only where every device below has it
	modprobe brd rd_nr=1 rd_size=66560
	fmt /dev/ram0
	map t /dev/ram0
	is "$(limit queue/write_zeroes_max_bytes)" 0 "no write zeroes over a disk without them"
	must "zeroing works all the same" blkdiscard -z -o 1048576 -l 1052672 /dev/mapper/t
	is "$(limit queue/discard_max_bytes)" 4294963200 "discard is there over any disk"
	triadsetup close t
	rmmod brd
	fmt /dev/vda
	map t /dev/vda
	is "$(limit queue/write_zeroes_max_bytes)" 4294963200 "write zeroes over a disk with them"
	triadsetup close t
}

# Writeback throttling lets pass what is SYNC and IDLE: what all wait for must be.
awaited()
{
	trace=/sys/kernel/tracing
	[ -d $trace/events ] || mount -t tracefs tracefs $trace 2>/dev/null
	if ! [ -e $trace/kprobe_events ]; then
		echo "# skipped: this kernel has no kprobes"
		return
	fi
	pattern a
	fmt /dev/vda
	# bi_opf of a bio
	echo 'p:triad_submit submit_bio opf=+16(%di):x32' >$trace/kprobe_events
	echo 1 >$trace/events/kprobes/triad_submit/enable
	map t /dev/vda
	put a t 1
	dd if=/tmp/a of=/dev/mapper/t bs=4k count=64 oflag=direct,dsync 2>/dev/null
	dmsetup message t 0 commit
	triadsetup close t
	echo 0 >$trace/events/kprobes/triad_submit/enable
	# the module's own, by its workers: 1 is a write, SYNC 1 << 11, IDLE 1 << 15
	sed -n 's/^ *kworker.* opf=\(0x[0-9a-f]*\).*/\1/p' $trace/trace | sort -u >/tmp/opf
	echo >$trace/trace
	echo >$trace/kprobe_events
	fua=0 flush=0 bad=
	for opf in $(cat /tmp/opf); do
		[ $((opf & 0xff)) = 1 ] || continue
		[ $((opf & 0x20000)) = 0 ] || fua=$((fua + 1))
		[ $((opf & 0x40000)) = 0 ] || flush=$((flush + 1))
		[ $((opf & 0x60000)) = 0 ] || [ $((opf & 0x8800)) = $((0x8800)) ] || bad="$bad $opf"
	done
	[ $fua -gt 0 ] && [ $flush -gt 0 ] && ok "FUA writes and flushes were seen" ||
		not_ok "FUA writes and flushes were seen # $(cat /tmp/opf)"
	is "$bad" "" "no flush or FUA write waits behind the nodes of a commit"
}

# ---- a disk that does not answer ------------------------------------------------------------

hold() { dmsetup suspend --noflush --nolockfs base; }
# within COMMAND...: it succeeds within some seconds
within()
{
	for i in $(seq 100); do
		"$@" >/dev/null && return
		sleep 0.1
	done
	return 1
}
# asked: a status was asked for and has come
asked() { [ -s /tmp/status ]; }
# tells TEXT: the kernel says so in time
tells() { within sh -c "dmesg | grep -qF '$1'" && ok "told: $1" || not_ok "told: $1"; }

waiting()
{
	pattern a
	sectors=$(size_of)
	fmt /dev/vda
	dmsetup create base --noudevsync --table "0 $sectors linear /dev/vda 0"
	dmsetup mknodes
	map t /dev/mapper/base
	put a t 1
	triadsetup close t
	map t /dev/mapper/base
	# the first write of a session waits for its flush with the lock held
	before=$(dmsetup status t | cut -d ' ' -f 4-8)
	hold
	dd if=/tmp/a of=/dev/mapper/t bs=4k count=1 oflag=direct 2>/dev/null &
	sleep 1
	dmsetup status t >/tmp/status &
	within asked
	is "$(cut -d ' ' -f 4-8 /tmp/status)" "$before" "status does not wait for the disk"
	dmsetup resume base
	wait
	put a t 9
	dmesg -c >/dev/null

	hold
	dmsetup suspend t &
	sleep 2
	dmsetup status t >/tmp/status &
	must "nor for a suspend" within asked
	tells "suspend: writing the closing commit for"
	dmsetup resume base
	wait
	closed_cleanly "suspended at last" vda
	hold
	dmsetup resume t &
	sleep 2
	dmsetup status t >/tmp/status &
	within asked
	is "$(awk '{ print $4 }' /tmp/status)" fail "nor for a resume"
	tells "resume: reading the roots and the log for"
	dmsetup resume base
	wait
	same a t 1 && same a t 9 && ok "and goes on" || not_ok "and goes on"
	dmesg -c >/dev/null
	dmsetup suspend t
	dmsetup resume t
	must_fail "who does not wait says nothing" sh -c 'dmesg | grep " s now"'
	triadsetup close t
	dmsetup remove base
}

# A table that cannot be resumed: what was sent to it waits, and there is a way back.
parked()
{
	pattern a
	sectors=$(size_of)
	fmt /dev/vda
	dmsetup create base --noudevsync --table "0 $sectors linear /dev/vda 0"
	dmsetup mknodes
	map t /dev/mapper/base
	put a t 1
	for way in resume wipe_table; do
		dmsetup suspend --noflush t
		dd if=/tmp/a of=/dev/mapper/t bs=4k count=1 oflag=direct 2>/dev/null &
		writer=$!
		swap "0 $sectors error"
		dmesg -c >/dev/null
		must_fail "a disk that is gone is not resumed" dmsetup resume t
		said "dmsetup resume tries again, dmsetup wipe_table makes them fail"
		is "$(dmsetup info -c --noheadings -o suspended t)" Suspended "it stays suspended"
		kill -0 $writer 2>/dev/null && ok "and writes wait" || not_ok "and writes wait"
		case $way in
		resume)
			swap "0 $sectors linear /dev/vda 0"
			must "resumed when the disk is well" dmsetup resume t
			must "the write that waited is done" wait $writer
			is "$(field t 1)" rw "and the device is writable" ;;
		wipe_table)
			must "or its table is wiped" dmsetup wipe_table t
			must_fail "the write that waited fails" wait $writer ;;
		esac
	done
	must "and it can be removed" dmsetup remove t
	swap "0 $sectors linear /dev/vda 0"
	map t /dev/mapper/base
	must "nothing is lost" same a t 1
	triadsetup close t

	# opening that fails leaves nothing behind
	dd if=/dev/vda of=/tmp/root bs=4k count=1 2>/dev/null
	dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync 2>/dev/null
	swap "0 16384 linear /dev/vda 0
16384 24 error
16408 $((sectors - 16408)) linear /dev/vda 16408"
	must_fail "healing fails" triadsetup open t /dev/mapper/base
	must_fail "and no mapping is left" dmsetup info t
	swap "0 $sectors linear /dev/vda 0"
	must "open again" map t /dev/mapper/base
	must "with all that was there" same a t 1
	triadsetup close t
	dmsetup remove base
}

# ---- read-only, odd tables ----------------------------------------------------------------

tables()
{
	pattern a
	fmt /dev/vda
	map t /dev/vda
	put a t 1
	triadsetup close t
	md5sum </dev/vda >/tmp/before
	map t /dev/vda --read-only
	is "$(field t 1)" ro "read-only"
	is "$(dmsetup table t | cut -d ' ' -f 5-)" "1 read_only" "the table says so"
	must "read-only reads" same a t 1
	must_fail "read-only does not write" dd if=/tmp/a of=/dev/mapper/t bs=4k count=1 oflag=direct
	triadsetup close t
	is "$(md5sum </dev/vda)" "$(cat /tmp/before)" "read-only changed nothing"

	line=$(triadsetup table /dev/vda)
	len=$(echo "$line" | awk '{ print $2 }')
	for bad in "0 $((len - 8)) triad /dev/vda" "0 $((len + 8)) triad /dev/vda" \
		"0 $len triad" "0 $len triad /dev/nothing" "0 $len triad /dev/vda 1 nonsense" \
		"0 $len triad /dev/vda 2 root_dev" "0 $len triad /dev/vda 4 root_dev /dev/vdb root_dev /dev/vdb" \
		"0 $len triad /dev/vda 2 interval_ms x" "0 $len triad /dev/vdb" "8 $len triad /dev/vda" \
		"0 $len triad /dev/vda x" "0 $len triad /dev/vda 2 cache_blocks 63" \
		"0 $len triad /dev/vda 2 cache_blocks 16777217" \
		"0 $len triad /dev/vda 2 nonsense 1" "0 $len triad /dev/vda 2 root_dev /dev/nothing" \
		"0 $len triad /dev/vda 2 root_dev /dev/vdd" \
		"0 $len triad /dev/vda 8 root_dev a root_dev b root_dev c root_dev d" \
		"0 $len triad /dev/vda 2 key 000" "0 $len triad /dev/vda 2 key 0x" \
		"0 $len triad /dev/vda 2 key 00" "0 $len triad /dev/vda 2 key :1:user:none" \
		"0 $len triad /dev/vda 2 key :1:none:none" "0 $len triad /dev/vda 2 key :user"; do
		must_fail "refused: $bad" dmsetup create bad --noudevsync --table "$bad"
		dmsetup remove bad 2>/dev/null
	done
	must "the right line works" dmsetup create good --noudevsync --table "$line"
	must "messages" dmsetup message good 0 clear_stats
	must_fail "unknown messages are refused" dmsetup message good 0 nonsense
	dmsetup remove good
	closed_cleanly "removed" vda
	dmsetup create t --noudevsync --table "$line 4 interval_ms 50 cache_blocks 64"
	dmsetup mknodes
	is "$(dmsetup table t | cut -d ' ' -f 5-)" "4 interval_ms 50 cache_blocks 64" "options are shown"
	must "random writes with little memory" fio --name=r --filename=/dev/mapper/t --rw=randwrite \
		--bs=4k --iodepth=8 --ioengine=libaio --direct=1 --size=400M --io_size=2M \
		--norandommap --randrepeat=1 --verify=crc32c --do_verify=1
	sleep 0.2
	[ "$(field t 9)" -gt 1 ] && ok "commits without being asked" || not_ok "commits without being asked"
	[ "$(field t 16)" -le 64 ] && ok "no more than 64 nodes are kept" || not_ok "no more than 64 nodes are kept"
	triadsetup close t
	closed_cleanly "with a short interval" vda
}

# ---- what triadsetup sees first, told by the kernel alone ----------------------------------

# The kernel has said so since the last call.
said() { dmesg -c >/tmp/said; grep -qF "$1" /tmp/said && ok "told: $1" || { not_ok "told: $1"; sed 's/^/# /' /tmp/said; }; }
# the PBA in an entry of the node at a PBA
entry() { od -An -t u8 -j $(($2 * 4096 + $3 * 16)) -N 8 /dev/$1 | tr -d ' '; }

refused()
{
	pattern a
	dmesg -c >/dev/null
	echo 00112233445566778899aabbccddeeff >/tmp/key
	fmt --hash 'hmac(sha256)' --key-file /tmp/key /dev/vdd
	line=$(triadsetup table --key-file /tmp/key /dev/vdd | sed 's/ [0-9]* key.*//')
	must_fail "refused without its key" dmsetup create t --noudevsync --table "$line"
	said "This device was formatted with a keyed hash: give its key"
	must "opened with it" map t /dev/vdd --key-file /tmp/key
	is "$(dmsetup table t | cut -d ' ' -f 5-)" "2 key $(cat /tmp/key)" "the table can be loaded again"
	triadsetup close t
	must_fail "refused with another one" dmsetup create t --noudevsync --table "$line 2 key 00ff"
	said "not opened"
	dmsetup remove t 2>/dev/null

	# the roots of another format come from behind: who has loaded a table has the disk
	fmt --size 32M /dev/vdd
	for slot in 0 1 2; do
		dd if=/dev/vdd of=/tmp/root$slot bs=4k skip=$(slot_block $slot) count=1 2>/dev/null
	done
	fmt /dev/vdd
	dmsetup create t --noudevsync --notable
	dmsetup load t --table "$(triadsetup table /dev/vdd)"
	for slot in 0 1 2; do
		dd if=/tmp/root$slot of=/dev/vdd bs=4k seek=$(slot_block $slot) conv=notrunc,fsync 2>/dev/null
	done
	md5sum </dev/vdd >/tmp/before
	must_fail "refused when formatted since the table was loaded" dmsetup resume t
	said "it was formatted again since the table was loaded"
	dmsetup remove t
	is "$(md5sum </dev/vdd)" "$(cat /tmp/before)" "and not changed"

	fmt /dev/vdd
	line=$(triadsetup table /dev/vdd)
	for slot in 0 1; do
		dd if=/dev/urandom of=/dev/vdd bs=4k seek=$(slot_block $slot) count=1 conv=fsync 2>/dev/null
	done
	md5sum </dev/vdd >/tmp/before
	must_fail "refused with two bad roots" dmsetup create t --noudevsync --table "$line"
	said "no two roots prove which one is current"
	dmsetup remove t 2>/dev/null
	is "$(md5sum </dev/vdd)" "$(cat /tmp/before)" "and not changed"

	# A leaf of the map, and what lies behind another one.
	fmt /dev/vdd
	map t /dev/vdd
	put a t 1
	put a t 9
	triadsetup close t
	root=$(triadsetup dump /dev/vdd root | awk -v slot="$(current vdd):" '
		$1 == "slot" { here = $2 == slot } here && $1 == "map_pba" { print $2 }')
	dd if=/dev/urandom of=/dev/vdd bs=4k seek="$(entry vdd $root 1)" count=1 conv=notrunc,fsync 2>/dev/null
	dmesg -c >/dev/null
	map t /dev/vdd
	must_fail "nothing is read through a damaged map node" same a t 1
	said "reads behind it fail"
	must "but through others" same a t 9
	must "a few writes do not need it" sh -c 'dd if=/tmp/a of=/dev/mapper/t bs=4k seek=300 count=1 \
		oflag=direct conv=fsync && dmsetup message t 0 commit'
	must_fail "no commit builds on it" sh -c 'dd if=/tmp/a of=/dev/mapper/t bs=4k seek=300 count=20 \
		oflag=direct conv=fsync && dmsetup message t 0 commit'
	triadsetup close t
	dmesg -c >/dev/null
	map t /dev/vdd
	must "what was written over it is kept" sh -c 'dd if=/dev/mapper/t bs=4k skip=300 count=20 iflag=direct |
		cmp -n 81920 - /tmp/a'
	triadsetup close t

	# A bitmap of the current root: made anew.
	fmt /dev/vdd
	map t /dev/vdd
	put a t 1
	triadsetup close t
	# zones of 32256 blocks; each slot has a plane for each, and a summary behind them
	zones=$((($(cat /sys/block/vdd/size) / 8 - 2560 + 32255) / 32256))
	dd if=/dev/urandom of=/dev/vdd bs=4k seek=$((2048 + $(current vdd) * (zones + 1))) count=1 \
		conv=notrunc,fsync 2>/dev/null
	dmesg -c >/dev/null
	map t /dev/vdd
	put a t 9
	dmsetup message t 0 commit
	said "a damaged space bitmap was found and is replaced"
	must "its data is there" same a t 1
	triadsetup close t
	checked "after a damaged bitmap" vdd
}

# ---- 16 TiB ----------------------------------------------------------------------------------

huge()
{
	t0=$(now)
	fmt /dev/vdd
	t1=$(now)
	fmt /dev/vdc
	small=$((t1 - t0)) ms=$(($(now) - t1))
	# a slow or busy machine is slow with 64 MiB, too
	[ $ms -lt 1000 ] || [ $ms -lt $((2 * small)) ] &&
		ok "16 TiB are formatted in $ms ms, 64 MiB in $small ms" ||
		not_ok "16 TiB are formatted in less than a second # $ms ms, 64 MiB: $small ms"
	map t /dev/vdc
	scattered "16 TiB" 15T
	checked "16 TiB" vdc

	dmsetup create one --noudevsync --table "0 2147483648 linear /dev/vdc 0"
	dmsetup mknodes
	fmt /dev/mapper/one
	map t /dev/mapper/one
	scattered "1 TiB" 1000G
	checked "1 TiB" mapper/one
	dmsetup remove one
}

# scattered WHAT SIZE: random writes, and what they cost in memory; closes t
scattered()
{
	must "random writes all over $1" fio --name=h --filename=/dev/mapper/t --rw=randwrite \
		--bs=4k --iodepth=32 --ioengine=libaio --direct=1 --size=$2 --io_size=$(some 32)M \
		--norandommap --randrepeat=1 --verify=crc32c --do_verify=1
	dmsetup message t 0 commit
	kib=$(field t 17)
	[ $kib -lt 131072 ] && ok "$1 are served with $kib KiB of memory" ||
		not_ok "$1 are served with less than 128 MiB # $kib KiB"
	triadsetup close t
}

# ---- huge discards ------------------------------------------------------------------

# beside_discard NAME: writes with fsync all over t while all of it is discarded; the
# longest must not wait for the discard.  They take another way to t, since blkdiscard
# locks its inode.
beside_discard()
{
	dmsetup create w --noudevsync --table "0 $(blockdev --getsz /dev/mapper/t) linear /dev/mapper/t 0"
	dmsetup mknodes
	t0=$(now)
	blkdiscard -f /dev/mapper/t &
	job=$!
	longest=0 nr=0
	while kill -0 $job 2>/dev/null; do
		# the last block first: what is discarded last
		t1=$(now)
		dd if=/dev/zero of=/dev/mapper/w bs=4k count=1 oflag=direct conv=notrunc,fsync \
			seek=$((blocks - 1 - nr * (blocks / 61) % blocks)) 2>/dev/null
		ms=$(($(now) - t1)) nr=$((nr + 1))
		[ $ms -le $longest ] || longest=$ms
	done
	wait $job || not_ok "$1: blkdiscard"
	ms=$(($(now) - t0))
	dmsetup remove w
	[ $longest -lt 5000 ] || [ $((longest * 4)) -lt $ms ] &&
		ok "$1: $nr writes with fsync beside the discard ($ms ms), the longest $longest ms" ||
		not_ok "$1: no write waits for the discard # $longest of $ms ms"
}

huge_discards()
{
	fmt /dev/vdc
	map t /dev/vdc
	blocks=$(($(blockdev --getsize64 /dev/mapper/t) / 4096))
	t0=$(now)
	must "all of an empty device of 15 TiB is discarded" blkdiscard /dev/mapper/t
	ms=$(($(now) - t0))
	is "$(field t 9) $(field t 10)" "0 0" "without a commit and a record, in $ms ms"
	must "and zeroed" blkdiscard -z /dev/mapper/t
	is "$(field t 9) $(field t 10)" "0 0" "in the same way"
	t0=$(now)
	must "mkfs.xfs" mkfs.xfs -q -f /dev/mapper/t
	echo "# mkfs.xfs of 15 TiB: $(($(now) - t0)) ms, $(field t 9) commits"
	must "random writes" fio --name=h --filename=/dev/mapper/t --rw=randwrite --bs=4k \
		--iodepth=32 --ioengine=libaio --direct=1 --size=15T --io_size=$(some 32)M \
		--norandommap --randrepeat=1
	dmsetup message t 0 commit
	commits=$(field t 9)
	beside_discard "8192 blocks all over 15 TiB"
	echo "# $(($(field t 9) - commits)) commits"
	must "the rest" blkdiscard -f /dev/mapper/t
	dmsetup message t 0 commit
	dmsetup message t 0 commit
	is "$(field t 7)" 0 "nothing is used then"
	triadsetup close t
	checked "huge discards" vdc
}

# What nobody reaches is given back to the disk, and nothing else, while the device is written and restarted.
held() { du -m /tmp/thin | cut -f 1; }
writer() { fio --name=w --filename=/dev/mapper/t --direct=1 --ioengine=libaio --iodepth=8 --verify=crc32c --randrepeat=1 "$@"; }
trim()
{
	modprobe loop
	truncate -s 1G /tmp/thin
	thin=$(losetup -f --show /tmp/thin)
	fmt $thin
	map t $thin
	must "300 MiB are written" writer --rw=write --bs=1m --size=300m --do_verify=0
	must "what holds data is not discarded" triadsetup trim t
	full=$(held)
	must "most of it is discarded" blkdiscard -l 240M /dev/mapper/t
	must "a trim before a commit" triadsetup trim t
	now=$(held)
	[ $now -ge 300 ] && ok "what the last roots reach is kept: $now MiB" || not_ok "what the last roots reach is kept # $now MiB"
	dmsetup message t 0 commit
	pattern a
	put a t 400
	dmsetup message t 0 commit
	must "a trim behind two" triadsetup trim t
	now=$(held)
	[ $now -lt 120 ] && ok "then the disk has it back: $now MiB of $full" || not_ok "then the disk has it back # $now MiB of $full"
	must "the rest is there" writer --rw=read --bs=1m --offset=240m --size=60m
	must "a device that is told twice" triadsetup trim t
	must_fail "a zone that is no number" dmsetup message t 0 trim x

	: >/tmp/trims
	: >/tmp/trimming
	(while [ -e /tmp/trimming ]; do triadsetup trim -q t || echo "trim: $?"; echo . >>/tmp/trims; done) >/tmp/trim.out 2>&1 &
	trimmer=$!
	writer --rw=randwrite --bs=4k-64k --size=200m --io_size=$(some 160)m --do_verify=0 >/tmp/writer.out 2>&1 &
	writer=$!
	for i in 1 2 3 4; do
		sleep 2
		must "held still beside it" triadsetup suspend t
		seen=$(cat /sys/block/${thin#/dev/}/stat)
		sleep 1
		is "$(cat /sys/block/${thin#/dev/}/stat)" "$seen" "the disk is still then"
		must "and goes on" triadsetup resume t
		must "a restart beside it" triadsetup restart $([ $((i % 2)) = 0 ] && echo --crash) t
		dmsetup message t 0 commit
	done
	must "a writer beside trims" wait $writer
	rm /tmp/trimming
	wait $trimmer
	echo "# $(wc -l </tmp/trims) trims, $(grep -c '^trim' /tmp/trim.out) of them cut short by a restart"
	grep -v "is suspended\|takes over\|^  \|^trim: 5" /tmp/trim.out | sed 's/^/# /'
	must "all that it wrote is there" writer --rw=randwrite --bs=4k-64k --size=200m --io_size=$(some 160)m --verify_only
	is "$(field t 14)" 0 "no checksum was wrong"
	triadsetup close t
	must "check --data is clean" triadsetup check --data $thin
	losetup -d $thin
	rm /tmp/thin
	if [ "$(cat /sys/block/vdd/queue/discard_max_bytes)" = 0 ]; then
		fmt /dev/vdd
		map t /dev/vdd
		must_fail "a disk without discards" triadsetup trim t
		grep -q "takes no discards" /tmp/out && ok "which is told" || not_ok "which is told # $(cat /tmp/out)"
		triadsetup close t
	fi
}

# ---- memory, and who does not wait ------------------------------------------------------

# Map nodes are given back when the system wants memory; reads fetch them again.
pressure()
{
	fmt /dev/vda
	map t /dev/vda
	must "blocks are written to all leaves" fio --name=w --filename=/dev/mapper/t --rw=write --bs=4k \
		--zonemode=strided --zonesize=64k --zonerange=1m --size=300m --io_size=19200k \
		--direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c --do_verify=0
	dmsetup message t 0 commit
	reader="fio --name=r --filename=/dev/mapper/t --rw=read --bs=4k --zonemode=strided --zonesize=64k
		--zonerange=1m --size=300m --io_size=19200k --direct=1 --ioengine=libaio --iodepth=16
		--verify=crc32c --verify_only=0"
	must "and read" $reader
	full=$(field t 16)
	memory=$(field t 17)
	[ $full -ge 300 ] && ok "$full map nodes are in memory" || not_ok "300 map nodes are in memory # $full"
	echo 2 >/proc/sys/vm/drop_caches
	few=$(field t 16)
	[ $few -lt $((full / 10)) ] && ok "memory pressure leaves $few of them" ||
		not_ok "memory pressure leaves a tenth of them # $few"
	[ $(field t 17) -le $((memory - (full - few) * 4)) ] && ok "and status says so" ||
		not_ok "and status says so # $memory $(field t 17)"
	must "all is read again" $reader
	while [ ! -e /tmp/enough ]; do echo 2 >/proc/sys/vm/drop_caches; done &
	for i in 1 2 3; do must "also while memory is short" $reader; done
	must "and written" fio --name=w --filename=/dev/mapper/t --rw=randwrite --bs=4k --size=300m \
		--io_size=8m --direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c
	must "and committed" dmsetup message t 0 commit
	touch /tmp/enough
	wait
	rm /tmp/enough
	triadsetup close t
	checked "memory pressure" vda
}

# The map is not in memory, and a disk that takes 100 ms for a read shows what is read at once.
cold()
{
	modprobe dm-delay
	sectors=$(blockdev --getsz /dev/vda)
	dmsetup create base --noudevsync --table "0 $sectors linear /dev/vda 0"
	dmsetup mknodes
	fmt /dev/mapper/base
	map t /dev/mapper/base
	must "256 blocks are written, each on its own" fio --name=w --filename=/dev/mapper/t --rw=randwrite \
		--bs=4k --size=1m --direct=1 --verify=crc32c --do_verify=0
	dd if=/dev/mapper/t of=/tmp/want bs=1M count=1 iflag=direct 2>/dev/null
	triadsetup close t
	slow="0 $sectors delay /dev/vda 0 100 /dev/vda 0 0"
	map t /dev/mapper/base
	swap "$slow"
	before=$(awk '{ print $3 }' /sys/block/vda/stat)
	must "32 blocks of one leaf are read at once" fio --name=r --filename=/dev/mapper/t --rw=randread \
		--bs=4k --size=1m --io_size=128k --direct=1 --ioengine=libaio --iodepth=32
	nodes=$((($(awk '{ print $3 }' /sys/block/vda/stat) - before) / 8 - 32))
	[ $nodes -le 6 ] && ok "each map node is read once, whoever waits for it ($nodes)" ||
		not_ok "each map node is read once, whoever waits for it # $nodes"
	swap "0 $sectors linear /dev/vda 0"
	triadsetup close t
	map t /dev/mapper/base
	swap "$slow"
	begun=$(now)
	dd if=/dev/mapper/t of=/tmp/got bs=1M count=1 iflag=direct 2>/dev/null
	took=$(($(now) - begun))
	[ $took -lt 5000 ] && ok "what was written in pieces is read at once ($took ms)" ||
		not_ok "what was written in pieces is read at once # $took ms"
	must "as it was written" cmp /tmp/got /tmp/want
	swap "0 $sectors linear /dev/vda 0"
	is "$(field t 13)" 1048576 "and counted"
	triadsetup close t
	dmsetup remove base
	checked "cold" vda
}

# answers WANT NAME COMMAND...: by its exit status: 0, or 11 for "not now"
answers()
{
	want=$1 what=$2
	shift 2
	"$@" >/tmp/got 2>/tmp/out
	is $? $want "$what"
}

# Only what is queued and goes on by itself is done; what has to wait is told so.
not_waiting()
{
	pattern a
	head -c 4096 /tmp/a >/tmp/block
	grep -q io_uring_setup /proc/kallsyms && uring=io_uring || uring=libaio
	sectors=$(blockdev --getsz /dev/vda)
	dmsetup create base --noudevsync --table "0 $sectors linear /dev/vda 0"
	dmsetup mknodes
	fmt --interval 8M /dev/mapper/base
	map t /dev/mapper/base --on-error hold
	answers 0 "a write that is only queued is done" nowait write /dev/mapper/t 512 </tmp/block
	answers 0 "and read from the log" nowait read /dev/mapper/t 512
	must "as it was written" cmp /tmp/got /tmp/block
	put a t 1
	triadsetup close t
	map t /dev/mapper/base --on-error hold
	answers 11 "a read whose map node is not in memory is not waited for" nowait read /dev/mapper/t 256
	is "$(field t 16)" 0 "nor begun"
	must "others wait" same a t 1
	answers 0 "from then on it is in memory" nowait read /dev/mapper/t 256
	must "and what is read is right" cmp /tmp/got /tmp/block
	triadsetup close t
	map t /dev/mapper/base --on-error hold
	must "io_uring, which does not wait at first, reads" fio --name=u --filename=/dev/mapper/t \
		--ioengine=$uring --rw=randread --bs=4k --offset=1m --size=4m --direct=1 --iodepth=32
	dmsetup suspend --noflush --nolockfs base
	answers 11 "a disk that would have to be waited for says so" nowait read /dev/mapper/t 256
	dmsetup resume base
	is "$(field t 1)" rw "which is no failure of the disk"

	# the intervals are full more often than not: each write to the disk takes so long
	modprobe dm-delay
	swap "0 $sectors delay /dev/vda 0 0 /dev/vda 0 250"
	fio --name=w --filename=/dev/mapper/t --rw=randwrite --bs=64k --offset=64m --size=64m --direct=1 \
		--ioengine=libaio --iodepth=128 --time_based --runtime=15 >/tmp/fio 2>&1 &
	writer=$!
	sleep 1
	yes=0 again=0 other=0
	while kill -0 $writer 2>/dev/null; do
		nowait write /dev/mapper/t 256 </tmp/block 2>/tmp/out
		case $? in
		0)	yes=$((yes + 1)) ;;
		11)	again=$((again + 1)) ;;
		*)	other=$((other + 1)) ;;
		esac
	done
	must "writers that wait see no error" wait $writer
	must "nor does io_uring" timeout 60 fio --name=u --filename=/dev/mapper/t --ioengine=$uring \
		--rw=randwrite --bs=64k --offset=64m --size=64m --direct=1 --iodepth=128 --io_size=24m
	is $other 0 "writes that do not wait see no other error"
	[ $again -gt 0 ] && [ $yes -gt 0 ] && ok "without room they are told so ($again), with room done ($yes)" ||
		not_ok "without room they are told so, with room done # $again $yes"
	swap "0 $sectors linear /dev/vda 0"
	dmsetup message t 0 commit
	answers 0 "with room again, they are done" nowait write /dev/mapper/t 256 </tmp/block

	swap "0 $sectors error"
	put a t 8 &
	within is_held
	answers 11 "nor do they wait for a disk that may come back" nowait write /dev/mapper/t 256 </tmp/block
	swap "0 $sectors linear /dev/vda 0"
	must "which others do" triadsetup restart t
	wait
	must "with success" same a t 8
	answers 0 "then they are done" nowait write /dev/mapper/t 256 </tmp/block
	triadsetup close t
	dmsetup remove base
	checked "not waiting" vda
}
is_held() { [ "$(field t 1)" = hold ]; }

# a disk with a queue for polling
polled()
{
	if ! grep -q io_uring_setup /proc/kallsyms; then
		echo "# skipped: this kernel has no io_uring"
		return
	fi
	scsi_disk dev_size_mb=96 submit_queues=2 poll_queues=1 || return
	until d=$(ls /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block 2>/dev/null); do
		sleep 0.1
	done
	fmt /dev/$d
	map t /dev/$d
	is "$(limit queue/io_poll)" 1 "polling is offered over a disk that has it"
	must "written and read, polled for" fio --name=p --filename=/dev/mapper/t --ioengine=io_uring --hipri \
		--rw=randrw --bs=4k-64k --size=24m --direct=1 --iodepth=8 --verify=crc32c
	triadsetup close t
	map t /dev/$d
	must "and with a map that is not in memory" fio --name=p --filename=/dev/mapper/t --ioengine=io_uring \
		--hipri --rw=randread --bs=4k-64k --size=24m --direct=1 --iodepth=8
	triadsetup close t
	checked polled $d
	rmmod scsi_debug
}

# a disk that unmaps by writing zeroes, and that has atomic writes
scsi()
{
	scsi_disk dev_size_mb=96 lbpws=1 lbprz=1 atomic_wr=1 || return
	until d=$(ls /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block 2>/dev/null); do
		sleep 0.1
	done
	fmt /dev/$d
	must "a disk that unmaps by writing zeroes can be used" map t /dev/$d
	pattern a
	put a t 1
	must "zeroes are written" blkdiscard -z -o 1M -l 4M /dev/mapper/t
	dd if=/dev/zero of=/tmp/zeroes bs=1M count=4 2>/dev/null
	must "and read" same zeroes t 1
	q=/sys/block/$(dmsetup info -c --noheadings -o blkdevname t)/queue
	if [ -e $q/write_zeroes_unmap_max_hw_bytes ]; then
		is "$(cat $q/write_zeroes_unmap_max_hw_bytes)" "$(cat $q/write_zeroes_max_bytes)" \
			"writing zeroes unmaps"
	fi
	case $(uname -r) in
	6.*)	must_fail "atomic writes: this kernel's device-mapper has none" atomic /dev/mapper/t 4096 ;;
	*)	most=$(cat $q/atomic_write_unit_max_bytes)
		is "$(cat $q/atomic_write_unit_min_bytes)" 4096 "atomic writes of one block"
		[ $most -ge 262144 ] && ok "and of up to $most bytes" || not_ok "and of 256 KiB # $most"
		must "one of 4096 bytes" atomic /dev/mapper/t 4096
		n=$(field t 10)
		must "one of $most bytes" atomic /dev/mapper/t $most
		is $(($(field t 10) - n)) 1 "which is one record"
		must_fail "one of more" atomic /dev/mapper/t $((most * 2)) ;;
	esac
	triadsetup close t
	checked scsi $d
	rmmod scsi_debug
}

parts=$*
for part in ${*:-filesystems under_load discards full kept elsewhere losing rot stuck_read one_buffer lost_log failing heal_fails synchronous lone group odd_sizes limits awaited waiting pressure cold trim not_waiting parked tables refused polled scsi huge huge_discards}; do
	begins $part
	$part
done
[ $failed = 0 ]
