# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: ten bugs that targets of this kind have had, one test for each.
# vda, vdb: 512 MiB, vdc, vdd: 64 MiB.  Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh

DELAY=500	# milliseconds that writes of "slow" take

# counter DISK FIELD: into $value, and no process is started for it
counter()
{
	nth=$2
	read -r line <"/sys/block/$1/stat"
	# shellcheck disable=SC2086 # fields
	set -- $line
	shift $((nth - 1))
	value=$1
}
flushes() { counter "$1" 16; echo "$value"; }
written() { counter "$1" 7; echo "$value"; }
# direct, N, COUNT: block N from the pattern to the device
block() { dd if=/tmp/a of=/dev/mapper/t bs=4k seek="$1" count=1 conv="$2" oflag="$3" 2>/dev/null; }
sum() { dd if="$1" bs=1M iflag=direct 2>/dev/null | md5sum; }
# a disk whose writes land late, while flushes pass at once
slow()
{
	dmsetup create slow --noudevsync --table \
		"0 $(blockdev --getsz /dev/vda) delay /dev/vda 0 0 /dev/vda 0 $DELAY /dev/vda 0 0"
	dmsetup mknodes
}
# watch JOB "DISK FIELD" VALUE "DISK FIELD" VALUE: of two counters the first, which a write of the
# slow disk moves, must move before the second.  $early looks found it otherwise, $seen says that
# there were looks while that write was under way.
# shellcheck disable=SC2086 # disk and field
watch()
{
	early=0 seen=0 last=0
	while kill -0 "$1" 2>/dev/null; do
		read -r began _ </proc/uptime
		counter $4
		second=$value
		counter $2
		if [ "$value" != "$3" ]; then
			read -r ended _ </proc/uptime
			[ $((${ended%.*}${ended#*.} - last)) -ge $((DELAY / 10)) ] || seen=1
			break
		fi
		last=${began%.*}${began#*.}
		[ "$second" = "$5" ] || early=$((early + 1))
	done
	wait "$1"
}
unslow() { triadsetup close t; dmsetup remove slow; }
blkname() { dmsetup info -c --noheadings -o blkdevname t; }
# recovers WHAT: what a power cut would leave of vdc has the content of t; closes t
recovers()
{
	dd if=/dev/null of=/dev/mapper/t conv=fsync,notrunc 2>/dev/null
	want=$(sum /dev/mapper/t)
	dd if=/dev/vdc of=/dev/vdd bs=1M iflag=direct conv=fsync 2>/dev/null
	triadsetup close t
	must "what a power cut leaves opens" map t /dev/vdd
	is "$(sum /dev/mapper/t)" "$want" "$1"
	triadsetup close t
	checked "what a power cut left" vdd
}

# 1. dm core strips flushes of a target that does not ask for them
flush_swallowed()
{
	fmt /dev/vda
	map t /dev/vda
	n=$(flushes vda)
	for i in 1 2 3 4 5 6 7 8; do block $i fsync,notrunc direct; done
	n=$(($(flushes vda) - n))
	[ $n -ge 8 ] && ok "8 flushes reach the disk as $n" || not_ok "8 flushes reach the disk # $n"
	n=$(flushes vda)
	must "flushing again" dd if=/dev/null of=/dev/mapper/t conv=fsync,notrunc
	is $(($(flushes vda) - n)) 0 "a flush of nothing new costs the disk nothing"
	triadsetup close t
}

# 2. a flush goes down while the data that it is for is still under way
flush_before_completion()
{
	slow
	fmt /dev/mapper/slow
	map t /dev/mapper/slow
	block 1 fsync,notrunc direct
	for i in 2 3 4 5; do
		n=$(flushes vda) w=$(written vda)
		block $i fsync,notrunc direct &
		watch $! "vda 7" "$w" "vda 16" "$n"
		# a machine that is busy enough sees nothing
		[ $seen = 0 ] || break
	done
	[ $seen = 1 ] && is $early 0 "no flush while the write is under way" ||
		not_ok "a write that is under way is seen"
	[ "$(flushes vda)" -gt "$n" ] && ok "and one when it is done" || not_ok "and one when it is done"
	unslow
}

# 3. the root is written before what it points at is durable
root_before_data()
{
	slow
	fmt --root-device /dev/vdb /dev/mapper/slow
	map t /dev/mapper/slow --root-device /dev/vdb
	for i in 1 2 3 4; do
		block $i notrunc direct
		w=$(written vdb) n=$(written vda)
		dmsetup message t 0 commit &
		job=$!
		dd if=/dev/mapper/t bs=4k skip=$i count=1 iflag=direct 2>/dev/null | cmp -n 4096 - /tmp/a &
		read=$!
		watch $job "vda 7" "$n" "vdb 7" "$w"
		must "meanwhile reads find what the commit applies" wait $read
		[ $seen = 0 ] || break
	done
	[ $seen = 1 ] && is $early 0 "no root while nodes and planes are under way" ||
		not_ok "nodes and planes that are under way are seen"
	[ "$(written vdb)" -gt "$w" ] && ok "and one when they are durable" ||
		not_ok "and one when they are durable"
	unslow
}

# 4. a FUA write is acknowledged when it is written, not when the log up to it is durable
fua_before_log()
{
	slow
	fmt /dev/mapper/slow
	map t /dev/mapper/slow
	block 1 fsync,notrunc direct
	is "$(cat "/sys/block/$(blkname)/queue/fua")" 1 "the device takes FUA"
	# one that is not flushed goes before
	block 2 notrunc direct
	n=$(flushes vda)
	# asynchronous: behind a synchronous one the kernel sends a flush of its own
	fio --name=fua --filename=/dev/mapper/t --rw=write --bs=4k --offset=12k --size=4k \
		--ioengine=libaio --direct=1 --sync=dsync >/tmp/out 2>&1 || not_ok "a FUA write"
	n=$(($(flushes vda) - n))
	[ $n -ge 1 ] && ok "FUA waits for its record and a flush" ||
		not_ok "FUA waits for its record and a flush # $n flushes"
	unslow
}

# 5. state that the constructor read is stale when the table is resumed
stale_after_reload()
{
	fmt /dev/vda
	map t /dev/vda
	put a t 1
	dmsetup table t | dmsetup load t
	put b t 1
	put a t 9
	dmsetup message t 0 commit
	put b t 17
	dmsetup suspend t
	dmsetup resume t
	must "the new table reads what the old one committed" same b t 1
	must "and what it only logged" same b t 17
	triadsetup close t
	checked "reload" vda
}

# 6. old records in segments that are used again are taken for the log's end
wrong_head()
{
	fmt --interval 6M /dev/vdc
	map t /dev/vdc
	for i in 1 2 3 4; do
		fio --name=w --filename=/dev/mapper/t --rw=randwrite --bs=4k-64k --iodepth=8 \
			--ioengine=libaio --direct=1 --loops=2 --randseed=$i --fsync=64 >/dev/null 2>&1
		recovers "the log's end is found in segments used $((2 * i)) times"
		map t /dev/vdc
	done
	triadsetup close t
}

# 7. an error is acknowledged as success, or a bio completes twice
error_as_success()
{
	dmsetup create base --noudevsync --table "0 $(blockdev --getsz /dev/vda) linear /dev/vda 0"
	dmsetup mknodes
	fmt /dev/mapper/base
	map t /dev/mapper/base
	put a t 1
	fio --name=e --filename=/dev/mapper/t --rw=randwrite --bs=4k --iodepth=32 --ioengine=libaio \
		--direct=1 --offset=64M --size=128M --time_based --runtime=3 --continue_on_error=all \
		--output=/tmp/fio &
	sleep 1
	block 9000 notrunc direct	# acknowledged, not flushed
	dmsetup suspend --noflush --nolockfs base
	echo "0 $(blockdev --getsz /dev/vda) error" | dmsetup load base
	dmsetup resume base
	wait
	grep -q "err=\|total_err\|error" /tmp/fio && ok "the writers are told" || not_ok "the writers are told"
	must_fail "a write to the dead disk" dd if=/tmp/a of=/dev/mapper/t bs=4k count=1 oflag=direct
	must_fail "a flush after it" dd if=/dev/null of=/dev/mapper/t conv=fsync,notrunc
	is "$(tr -s ' ' <"/sys/block/$(blkname)/inflight")" " 0 0" \
		"each bio has completed"
	triadsetup close t
	dmsetup remove base
	map t /dev/vda
	must "what was flushed before is there" same a t 1
	triadsetup close t
	checked "after errors" vda
}

# 8. hostile contents hang the one who creates the device
hostile_contents()
{
	fmt /dev/vdc
	map t /dev/vdc
	put a t 1
	dmsetup message t 0 commit
	put b t 9
	dd if=/dev/vdc of=/tmp/kept bs=1M iflag=direct 2>/dev/null
	line=$(dmsetup table t | sed 's,/dev/[^ ]*\|[0-9]*:[0-9]*,/dev/vdd,')
	triadsetup close t
	n=0
	while [ $n -lt "$(some 40)" ]; do
		n=$((n + 1))
		dd if=/tmp/kept of=/dev/vdd bs=1M conv=fsync 2>/dev/null
		# 64 KiB of noise, or ones, anywhere but in two of the three roots
		from=/dev/urandom
		[ $((n % 3)) = 0 ] && from=/tmp/ones
		dd if=$from of=/dev/vdd bs=4k count=16 seek=$((2048 + (n * 379) % 2000)) \
			conv=notrunc,fsync 2>/dev/null
		[ $((n % 4)) = 0 ] && dd if=$from of=/dev/vdd bs=512 count=1 conv=notrunc,fsync \
			seek=$(($(slot_block $((n % 3))) * 8)) 2>/dev/null
		timeout 20 dmsetup create h --noudevsync --table "$line" 2>/dev/null
		status=$?
		if [ $status -ge 124 ]; then not_ok "opening hostile contents $n # $status"; fi
		[ $status = 0 ] || continue
		dmsetup mknodes
		timeout 20 dd if=/dev/mapper/h of=/dev/null bs=1M conv=noerror 2>/dev/null
		[ $? -lt 124 ] || not_ok "reading hostile contents $n"
		timeout 20 dmsetup remove h || not_ok "removing hostile contents $n"
	done
	ok "40 disks with hostile contents are opened or refused, read and removed in time"
	dmesg | grep -c "checksum mismatch\|not opened\|opened degraded\|damaged" >/tmp/n
	[ "$(cat /tmp/n)" -gt 0 ] && ok "and something was noticed" || not_ok "and something was noticed"
}

available() { awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }
swapped_out() { awk '$1 == "pswpout" { print $2 }' /proc/vmstat; }
sixteen() { for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cat /tmp/a; done; }
write_above() { sixteen | dd of=/above/big bs=1M iflag=fullblock conv=fsync; }

# not unless it is asked for: swapping takes minutes on an emulated machine
# 9. memory is needed to free memory: swap on the device, the device on a loop file
memory_pressure()
{
	fmt /dev/vda
	map t /dev/vda
	mkswap /dev/mapper/t >/dev/null
	must "swap on the device" swapon /dev/mapper/t
	must "what was swapped out comes back" hog $(($(available) + 32)) 1
	n=$(swapped_out)
	[ "$n" -gt 4000 ] && ok "$n pages went out" || not_ok "more than 4000 pages went out # $n"
	must "and off" swapoff /dev/mapper/t
	triadsetup close t
	checked "swap" vda

	modprobe loop
	mkdir -p /below /above
	mkfs.ext4 -q -F /dev/vda
	mount /dev/vda /below
	truncate -s 300M /below/file
	loop=$(losetup --find --show /below/file)
	fmt "$loop"
	must "the device on a loop file" map t "$loop"
	mkswap /dev/vdb >/dev/null
	swapon /dev/vdb
	mkfs.ext4 -q -F /dev/mapper/t
	mount /dev/mapper/t /above
	n=$(swapped_out)
	until [ -e /tmp/written ]; do hog $(($(available) + 32)) 1 || exit; done &
	must "writing through loop and filesystem without memory" write_above
	: >/tmp/written
	must "and the hogs end well" wait $!
	n=$(($(swapped_out) - n))
	[ $n -gt 4000 ] && ok "$n pages went out" || not_ok "more than 4000 pages went out # $n"
	umount /above
	must "e2fsck above" e2fsck -fn /dev/mapper/t
	triadsetup close t
	must "on loop: check --data is clean" triadsetup check --data "$loop"
	must "and it opens again" map t "$loop"
	mount -o ro /dev/mapper/t /above
	is "$(md5sum </above/big)" "$(sixteen | md5sum)" "with what was written"
	umount /above
	triadsetup close t
	swapoff /dev/vdb
	losetup -d "$loop"
	umount /below
}

# not unless it is asked for, either
# 11. ... and that device nearly full: what goes out overwrites, and needs commits to go on
swap_full()
{
	fmt --interval 8M /dev/vde
	map t /dev/vde
	all=$(blockdev --getsz /dev/mapper/t)
	swap=$((160 * 2048))	# 160 MiB of swap, and the rest is full
	echo "0 $swap linear /dev/mapper/t 0" | dmsetup create swap --noudevsync
	echo "0 $((all - swap)) linear /dev/mapper/t $swap" | dmsetup create rest --noudevsync
	dmsetup mknodes
	must "the device is filled" fio --name=f --filename=/dev/mapper/rest --rw=write --bs=1M \
		--direct=1 --verify=crc32c --do_verify=0 --output=/tmp/fio
	mkswap /dev/mapper/swap >/dev/null
	must "swap on it" swapon /dev/mapper/swap
	commits=$(field t 9)
	n=$(swapped_out)
	must "what was swapped out comes back, again and again" hog $(($(available) + 64)) 4
	n=$(($(swapped_out) - n))
	commits=$(($(field t 9) - commits))
	[ $n -gt 8192 ] && ok "$n pages went out" || not_ok "more than 8192 pages went out # $n"
	[ $commits -ge 3 ] && ok "through $commits commits" || not_ok "through 3 commits and more # $commits"
	is "$(field t 1)" rw "and the device is writable still"
	used=$(($(field t 7) * 100 / $(field t 8)))
	[ $used -ge 85 ] && ok "at $used % full" || not_ok "at 85 % full or more # $used"
	must "and off" swapoff /dev/mapper/swap
	must "the rest is what it was" fio --name=f --filename=/dev/mapper/rest --rw=write --bs=1M \
		--direct=1 --verify=crc32c --verify_only --output=/tmp/fio
	dmsetup remove swap
	dmsetup remove rest
	triadsetup close t
	checked "swap on a full device" vde
}

# 10. a discard and a write of the same blocks at the same time
discard_race()
{
	fmt /dev/vdc
	map t /dev/vdc
	fio --name=d --filename=/dev/mapper/t --rw=randwrite --bs=4k-32k --iodepth=16 --ioengine=libaio \
		--direct=1 --size=4M --time_based --runtime=6 --buffer_pattern=0xaa >/tmp/fio 2>&1 &
	job=$!
	n=0
	while kill -0 $job 2>/dev/null; do
		blkdiscard -o $(((n * 13 % 200) * 4096)) -l $(((n * 7 % 500 + 1) * 4096)) /dev/mapper/t
		n=$((n + 1))
		[ $((n % 20)) = 0 ] && dmsetup message t 0 commit
	done
	must "writing beside $n discards" wait $job
	[ $n -ge 5 ] && ok "they were several" || not_ok "they were several # $n"
	blkdiscard -o 0 -l 65536 /dev/mapper/t
	dd if=/dev/mapper/t bs=1M count=4 iflag=direct 2>/dev/null >/tmp/now
	hexdump -v -e '4096/1 "%02x" "\n"' /tmp/now | sort -u | cut -c 1-8 >/tmp/kinds
	is "$(tr '\n' ' ' </tmp/kinds)" "00000000 aaaaaaaa " "each block is whole: written or discarded"
	recovers "and recovery makes the same of it"
}

tr '\0' '\377' </dev/zero | dd of=/tmp/ones bs=4k count=16 iflag=fullblock 2>/dev/null
pattern a
pattern b
for part in ${*:-flush_swallowed flush_before_completion root_before_data fua_before_log \
	stale_after_reload wrong_head error_as_success hostile_contents discard_race}; do
	begins $part
	$part
done
[ $failed = 0 ]
