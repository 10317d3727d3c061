# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: triadsetup beside the kernel.  vda, vdb: 64 MiB, vdc: 17 TiB sparse.
# Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh

# One clear error: says CODE NAME PATTERN COMMAND...
says()
{
	want=$1 name=$2 pattern=$3
	shift 3
	triadsetup "$@" >/tmp/out 2>/tmp/err
	got=$?
	[ $got = $want ] && grep -q -- "$pattern" /tmp/err &&
		{ [ $want = 0 ] || [ "$(grep -c '^triadsetup: ' /tmp/err)" = 1 ]; } &&
		ok "$name" || { not_ok "$name # exit code $got, want $want"; sed 's/^/# /' /tmp/out /tmp/err; }
}

disk() { cat /sys/block/$1/dev; }
node() { mknod "$1" b $(disk $2 | tr : ' '); }	# PATH DISK
leads_to() { [ -b "/dev/mapper/$1" ] && [ "$(ls -lL /dev/mapper/$1 | awk '{ print $6 }')" = \
	"$(dmsetup info -c --noheadings -o minor "$1" | tr -d ' ')" ]; }
linear() { dmsetup create "$@" --noudevsync --table "0 2048 linear /dev/vdb 0"; dmsetup mknodes; }

# ---- open ------------------------------------------------------------------------

opening()
{
	fmt /dev/vda
	map t /dev/vda
	says 5 "open: what is open already is one error, and says by whom" 'part of /dev/mapper/t' \
		open u /dev/vda
	is "$(dmsetup ls | awk '{ print $1 }')" t "and leaves nothing"
	fmt /dev/vdb
	says 5 "open: a name that exists" 'mapping of this name exists' open t /dev/vdb
	is "$(field t 1)" rw "and the other mapping goes on"
	triadsetup close t
	# an instance that no claim shows: only the kernel knows
	dmsetup create base --noudevsync --table "0 131072 linear /dev/vda 0"
	dmsetup mknodes
	len=$(triadsetup table /dev/vda | cut -d ' ' -f 2)
	dmsetup create raw --noudevsync --notable
	dmsetup load raw --table "0 $len triad /dev/vda"
	says 5 "open: what only device-mapper has" 'in use' open u /dev/vda
	dmsetup remove raw
	dmsetup remove base
	: >/dev/mapper/t
	says 5 "open: a file in the place of the node" 'something else has this name' open t /dev/vda
	[ -f /dev/mapper/t ] && ! dmsetup info t >/dev/null 2>&1 &&
		ok "the file stays, and no mapping" || not_ok "the file stays, and no mapping"
	rm -f /dev/mapper/t
	# a node that was left behind
	node /dev/mapper/t vdb
	must "open: a stale node is replaced" triadsetup open t /dev/vda
	leads_to t && ok "and leads to the mapping" || not_ok "and leads to the mapping"
	triadsetup close t
	for name in 'a b' "a'b" 'a\x20b' 'é' . .. control; do
		before=$(ls -A /dev/mapper)
		says 1 "open: '$name' is no name" 'cannot be the name' open "$name" /dev/vda
		is "$(ls -A /dev/mapper)" "$before" "and leaves no node"
	done
	must "open: all characters that a name may have" triadsetup open '#+-.:=@_9Zz' /dev/vda
	leads_to '#+-.:=@_9Zz' && ok "with its node" || not_ok "with its node"
	must "close" triadsetup close '#+-.:=@_9Zz'
	is "$(ls -A /dev/mapper)" control "without its node"
}

# A path that device-mapper would split, or whose backslash it would take for a quote.
paths()
{
	mkdir -p '/tmp/a dir'
	fmt --root-device /dev/vdb /dev/vda
	for name in 'a disk' 'back\slash' "$(printf 'tab\there')" "$(printf 'nbsp\303\240')" \
		"$(printf 'line\nbreak')"; do
		for d in vda vdb; do
			node "/tmp/a dir/$d $name" $d
		done
		data="/tmp/a dir/vda $name" root="/tmp/a dir/vdb $name"
		must "open: '$name'" triadsetup open --root-device "$root" t "$data"
		triadsetup close t
		must "dmsetup takes the table of '$name'" dmsetup create t --noudevsync \
			--table "$(triadsetup table --root-device "$root" "$data")"
		must "which leads to the same disks" [ "$(dmsetup table t | cut -d ' ' -f 4-)" = \
			"$(disk vda) 2 root_dev $(disk vdb)" ]
		dmsetup remove t
	done
	fmt /dev/vda
}

read_only()
{
	fmt /dev/vda
	fmt /dev/vdb
	blockdev --setro /dev/vda
	md5sum </dev/vda >/tmp/before
	says 2 "format: a write-protected disk" 'it is read-only' format -q --force /dev/vda
	says 0 "open: a write-protected disk, with a notice" 'write-protected: it opens read-only' open t /dev/vda
	is "$(field t 1) $(blockdev --getro /dev/mapper/t)" "ro 1" "it is read-only"
	must "and can be read" dd if=/dev/mapper/t of=/dev/null bs=4k count=1 iflag=direct
	triadsetup close t
	triadsetup table /dev/vda 2>/dev/null | grep -q ' 1 read_only$' && ok "the table says so" ||
		not_ok "the table says so"
	says 2 "export: onto a write-protected disk" 'it is read-only' export --force /dev/vdb /dev/vda
	is "$(md5sum </dev/vda)" "$(cat /tmp/before)" "nothing was written"
	blockdev --setrw /dev/vda
	fmt --root-device /dev/vdb /dev/vda
	blockdev --setro /dev/vdb
	says 0 "open: a write-protected root device" 'write-protected' open --root-device /dev/vdb t /dev/vda
	is "$(field t 1)" ro "it is read-only, too"
	triadsetup close t
	blockdev --setrw /dev/vdb
}

# The roots of an open device, by its name: where they lie and the key are in its table.
living()
{
	echo 00112233445566778899aabbccddeeff >/tmp/key
	fmt --root-device /dev/vdb --hash 'hmac(sha256)' --key-file /tmp/key /dev/vda
	must "open" triadsetup open --root-device /dev/vdb --key-file /tmp/key t /dev/vda
	dmsetup message t 0 commit
	for name in t /dev/mapper/t; do
		triadsetup roots $name >/tmp/out 2>&1
		is $? 0 "roots $name: of an open device"
		grep -q "is open: its commits may have moved the letters" /tmp/out &&
			ok "it says that they may move" || not_ok "it says that they may move # $(cat /tmp/out)"
	done
	triadsetup roots --json t | tr -d ' \n' >/tmp/out
	slot=$(sed 's/.*"current":\([0-9]*\).*/\1/' /tmp/out)
	is "$(field t 2 | cut -c $((slot + 1)))" c "roots --json: the letters are those of the status"
	grep -q '"device":"/dev/vdb"' /tmp/out && grep -q '"mapping":"t"' /tmp/out &&
		ok "and where they lie" || not_ok "and where they lie # $(cat /tmp/out)"
	fio --name=w --filename=/dev/mapper/t --rw=randwrite --bs=4k --direct=1 --time_based \
		--runtime=4 --size=4M >/dev/null 2>&1 &
	job=$! n=0 bad=0
	while kill -0 $job 2>/dev/null; do
		dmsetup message t 0 commit
		triadsetup roots t >/tmp/out 2>&1 || { bad=$((bad + 1)); cp /tmp/out /tmp/bad; }
		n=$((n + 1))
	done
	is $bad 0 "roots of a device that commits, $n times # $(cat /tmp/bad 2>/dev/null)"
	triadsetup close t
	says 4 "roots: no such mapping" 'no such device' roots t
	fmt /dev/vda
}

# The state of the last commit but one, as a mapping.
backup()
{
	pattern a
	pattern b
	fmt /dev/vda
	map t /dev/vda
	put a t 0
	dmsetup message t 0 commit
	put b t 0
	dmsetup message t 0 commit
	put a t 8
	triadsetup close t
	# closing has committed, too: c has all, b ends where the last message came
	md5sum </dev/vda >/tmp/before
	says 0 "open --backup: says what it is" 'last commit but one' open --backup t /dev/vda
	is "$(field t 1) $(field t 4) $(field t 18)" "ro ok the_backup_was_asked_for" "it is read-only, and well"
	is "$(field t 2 | tr -d a)" "$(triadsetup roots --json /dev/vda | tr -d ' \n' |
		grep -o '"letter":"."' | cut -d '"' -f 4 | tr -d 'a\n')" "its letters are those of the roots"
	must "it holds what was committed before" same b t 0
	must_fail "and nothing of what came later" same a t 8
	is "$(blockdev --getro /dev/mapper/t)" 1 "the block layer knows"
	dd if=/dev/zero of=/dev/mapper/t bs=4k count=1 oflag=direct conv=notrunc 2>/dev/null &&
		not_ok "it cannot be written" || ok "it cannot be written"
	dmsetup table t | grep -q ' 2 read_only backup$' && ok "the table says so" || not_ok "the table says so"
	must "status: nothing is wrong" triadsetup status t
	dmsetup suspend t
	dmsetup resume t
	must "it is the same behind a suspend" same b t 0
	triadsetup close t
	is "$(md5sum </dev/vda)" "$(cat /tmp/before)" "nothing was written"
	# by hand: dmsetup's own mapping is writable
	dmsetup create t --noudevsync --table "$(triadsetup table --backup /dev/vda 2>/dev/null)"
	dmsetup mknodes
	must_fail "a mapping made with dmsetup refuses writes" \
		dd if=/dev/zero of=/dev/mapper/t bs=4k count=1 oflag=direct conv=notrunc
	must "and reads" same b t 0
	triadsetup close t
	is "$(md5sum </dev/vda)" "$(cat /tmp/before)" "again nothing was written"
	map t /dev/vda
	must "opened as always it holds all" same a t 8
	says 5 "open --backup: not of an active device" 'in use' open --backup u /dev/vda
	says 5 "rollback: nor that" 'in use' rollback -q /dev/vda
	triadsetup close t
	must "rollback" triadsetup rollback -q --data /dev/vda
	map t /dev/vda
	is "$(field t 1) $(field t 4)" "rw ok" "it opens as always"
	must "to what the backup held" same b t 0
	must_fail "and nothing else" same a t 8
	put a t 16
	dmsetup message t 0 commit
	put a t 20
	triadsetup close t
	checked "written to behind it" vda
	map t /dev/vda
	must "and what is written stays" same a t 20
	must "beside what was there" same b t 0
	must_fail "nothing comes back" same a t 8
	triadsetup close t
}

# A damaged device, copied: what could not be had is an error there, not zeroes.
repair()
{
	pattern a
	fmt /dev/vda
	fmt /dev/vdb
	map t /dev/vda
	put a t 0
	triadsetup close t
	current=$(current vda)
	pba=$(triadsetup dump --json /dev/vda map | tr -d ' \n' | sed 's/.*"map":\[{[^}]*"pba":\([0-9]*\).*/\1/')
	dd if=/dev/zero of=/dev/vda bs=4k seek=$((pba + 3)) count=1 conv=notrunc,fsync 2>/dev/null
	for slot in 0 1 2; do
		[ $slot = $current ] || dd if=/dev/zero of=/dev/vda bs=4k seek=$(slot_block $slot) count=1 \
			conv=notrunc,fsync 2>/dev/null
	done
	md5sum </dev/vda >/tmp/before
	says 8 "two bad roots: open refuses" 'no two roots prove' open t /dev/vda
	says 5 "repair: a block device takes --force" 'it is a block device' repair --slot $current /dev/vda /dev/vdb
	# 2 MiB in the midst of it cannot be written
	dmsetup create hole --noudevsync <<-END
		0 20480 linear /dev/vdb 0
		20480 4096 error
		24576 106496 linear /dev/vdb 24576
	END
	dmsetup mknodes
	must_fail "repair: a device that cannot be written" \
		triadsetup repair -q --force --slot $current /dev/vda /dev/mapper/hole
	says 4 "what was cut short there is no device, nor what was there before" 'no slot holds a root' \
		roots /dev/mapper/hole
	dmsetup remove hole
	triadsetup repair -q --force --slot $current /dev/vda /dev/vdb 2>/tmp/err
	is "$? $(grep -c 'LBA 3: lost' /tmp/err)" "7 1" "repair: into a block device"
	is "$(md5sum </dev/vda)" "$(cat /tmp/before)" "the damaged one was only read"
	map t /dev/vdb
	is "$(field t 1) $(field t 4)" "rw ok" "the copy opens as any device"
	dd if=/dev/mapper/t bs=4k skip=3 count=1 iflag=direct 2>&1 >/dev/null | grep -qi 'illegal\|multibyte\|error' &&
		ok "the lost block reads as an error" || not_ok "the lost block reads as an error"
	dd if=/dev/mapper/t bs=4k count=3 iflag=direct 2>/dev/null | cmp -n 12288 - /tmp/a &&
		ok "those before it do not" || not_ok "those before it do not"
	dd if=/dev/mapper/t bs=4k skip=4 count=1020 iflag=direct 2>/dev/null >/tmp/rest
	dd if=/tmp/a bs=4k skip=4 2>/dev/null | cmp - /tmp/rest && ok "nor those behind" || not_ok "nor those behind"
	dd if=/tmp/a of=/dev/mapper/t bs=4k skip=3 seek=3 count=1 oflag=direct conv=notrunc,fsync 2>/dev/null
	must "written anew it is good" same a t 0
	triadsetup close t
	checked "repaired" vdb
	rm -f /tmp/rest
}

# commit, suspend, resume
telling()
{
	pattern a
	fmt --label 'two words' /dev/vda
	map t /dev/vda
	put a t 0
	before=$(field t 9)
	must "commit" triadsetup commit t
	is "$(field t 9)" $((before + 1)) "it has committed"
	must "suspend" triadsetup suspend t
	is "$(dmsetup info t | awk '/State/ { print $2 }')" SUSPENDED "it is suspended"
	says 5 "commit: not of a suspended device" 'is suspended' commit t
	dd if=/dev/vda of=/dev/vdb bs=1M count=64 iflag=direct oflag=direct conv=fsync 2>/dev/null
	closed_cleanly "suspended" vdb
	must "triadsetup status: no error" triadsetup status t
	must "resume" triadsetup resume t
	must "it goes on" same a t 0
	put a t 8
	must "and takes writes" same a t 8
	# what was copied is a device by itself, under another name
	uuid=$(triadsetup roots --json /dev/vda | grep -o '"uuid": *"[-0-9a-f]*"' | head -n 1)
	says 5 "uuid: not of an open device" 'in use' uuid /dev/vda
	must "uuid: of the copy" triadsetup uuid /dev/vdb
	must "label: of the copy" triadsetup label /dev/vdb copy
	is "$(triadsetup roots --json /dev/vdb | grep -c "$uuid")" 0 "the copy has another UUID"
	checked "the copy" vdb
	must "both are open at once" triadsetup open u /dev/vdb
	is "$(field u 1) $(field u 4) $(field u 22)" "rw ok copy" "and the copy is well, with its label"
	must "with the same content" same a u 0
	put a u 16
	must "of its own from there" same a u 16
	must "scrub: the copy" triadsetup scrub u
	triadsetup close u
	triadsetup close t
	map t /dev/vda --read-only
	says 7 "commit: not of a read-only device" 'asked for' commit t
	triadsetup close t
}

# import: what export gives, also into a device that is mounted below
importing()
{
	fmt /dev/vda
	map t /dev/vda
	mkfs.ext4 -q -F /dev/mapper/t
	mount /dev/mapper/t /m
	cp /bin/busybox /m
	umount /m
	says 5 "import: not into an open device" 'in use' import --force /tmp/a /dev/vda
	triadsetup close t
	fmt /dev/vdb
	triadsetup export /dev/vda - 2>/dev/null | triadsetup import - /dev/vdb >/tmp/out 2>&1
	is $? 0 "import: what export writes to a pipe # $(cat /tmp/out)"
	map t /dev/vdb
	mount /dev/mapper/t /m
	cmp /bin/busybox /m/busybox && ok "it can be mounted" || not_ok "it can be mounted"
	umount /m
	triadsetup close t
	checked "filled" vdb
	triadsetup export --force /dev/vda /dev/vdb >/dev/null 2>&1
	must "format: of 1 TiB" triadsetup format -q --force --size 1T /dev/vdc
	must "import: from a block device" triadsetup import /dev/vdb /dev/vdc
	map t /dev/vdc
	must "the same content" cmp -n $((47 << 20)) /dev/vdb /dev/mapper/t
	triadsetup close t
}

# What is rotten is found, while the device is in use, and where it was left it goes on.
scrubbing()
{
	pattern a
	fmt /dev/vda
	map t /dev/vda
	for i in 0 8 16 24; do put a t $i; done
	triadsetup close t
	dump=$(triadsetup dump --json /dev/vda map | tr -d ' \n')
	pba=$(echo "$dump" | sed 's/.*"map":\[{[^}]*"pba":\([0-9]*\).*/\1/')
	echo rotten | dd of=/dev/vda bs=4096 seek=$((pba + 3)) conv=notrunc,fsync 2>/dev/null
	echo rotten | dd of=/dev/vda bs=4096 seek=$((pba + 200)) conv=notrunc,fsync 2>/dev/null
	map t /dev/vda
	triadsetup scrub --json t >/tmp/out 2>/tmp/err
	is "$? $(tr -d ' \n' </tmp/out | grep -o '"bad":[^]]*]')" '7 "bad":[3,200]' "scrub: what is rotten is named"
	says 7 "scrub --status: tells it" '2 blocks could not be read' scrub --status t
	triadsetup status t >/tmp/out
	is $? 6 "status: as well"
	dd if=/tmp/a of=/dev/mapper/t bs=4k skip=3 seek=3 count=1 oflag=direct conv=notrunc 2>/dev/null
	dd if=/tmp/a of=/dev/mapper/t bs=4k skip=200 seek=200 count=1 oflag=direct conv=notrunc,fsync 2>/dev/null
	fio --name=w --filename=/dev/mapper/t --rw=randwrite --bs=4k --direct=1 --time_based \
		--runtime=20 --size=4M --offset=32M >/dev/null 2>&1 &
	job=$!
	triadsetup scrub --rate 4M t >/tmp/out 2>&1 &
	scrub=$!
	sleep 2
	kill -INT $scrub
	wait $scrub
	is "$? $(grep -c 'interrupted, .* 0 bad' /tmp/out)" "0 1" "scrub: interrupted, nothing bad is left # $(cat /tmp/out)"
	begun=$(now)
	must "scrub: goes on, beside writes, through a restart" sh -c '(sleep 1; triadsetup restart t) & triadsetup scrub --rate 4M t; r=$?; wait; exit $r'
	took=$(($(now) - begun))
	[ $took -gt 1500 ] && [ $took -lt 15000 ] && ok "at its rate: $took ms for what was left of 16 MiB at 4 MiB/s" ||
		not_ok "at its rate # $took ms"
	kill $job
	wait $job
	says 5 "close: not while it is read" 'in use' close t </dev/mapper/t
	triadsetup close t
}

examining()
{
	fmt --label 'my disk' /dev/vda
	map t /dev/vda
	for what in t /dev/mapper/t /dev/vda; do
		must "info $what" triadsetup info $what
		grep -q '^my disk: a dm-triad device of 44 MiB' /tmp/out && grep -q 'open as /dev/mapper/t, rw' /tmp/out &&
			grep -q '/dev/vda (64 MiB)' /tmp/out && ok "what it is, and where" || not_ok "what it is, and where # $(cat /tmp/out)"
	done
	mkfs.ext4 -q -F /dev/mapper/t
	mount /dev/mapper/t /m
	triadsetup info t | grep -q 'mounted on /m' && ok "info: who uses it" || not_ok "info: who uses it"
	umount /m
	# here the module lies where modprobe does not look
	triadsetup doctor >/tmp/out 2>&1
	is "$? $(grep -c '^to do' /tmp/out) $(grep -c '^to do  *module .* is loaded, and modprobe knows none' /tmp/out)" "6 1 1" \
		"doctor: what is to be done"
	grep -q '^ok  *write cache  */dev/vda has one' /tmp/out &&
		grep -q '^ok  *alignment  */dev/vda begins at' /tmp/out && grep -q '^ok  *device  *t is open, rw, and well' /tmp/out &&
		ok "doctor: finds what there is" || not_ok "doctor: finds what there is # $(cat /tmp/out)"
	triadsetup doctor | sed 's/^/# /'
	triadsetup close t
	# a partition that begins at sector 63
	dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync 2>/dev/null
	printf '\0\0\0\0\203\0\0\0\077\0\0\0\0\100\0\0' |
		dd of=/dev/vda bs=1 seek=446 conv=notrunc 2>/dev/null
	printf '\125\252' | dd of=/dev/vda bs=1 seek=510 conv=notrunc,fsync 2>/dev/null
	blockdev --rereadpt /dev/vda
	triadsetup doctor /dev/vda1 >/tmp/out 2>&1
	is "$? $(grep -c '^to do  *alignment  */dev/vda1 begins in the middle' /tmp/out)" "6 1" \
		"doctor: a partition at sector 63 # $(cat /tmp/out)"
	echo "gone /dev/vdb none" >/etc/triadtab
	triadsetup doctor /dev/vdb >/tmp/out 2>&1
	is "$? $(grep -c '^to do  *triadtab  *gone (/dev/vdb) is not open' /tmp/out)" "6 1" "doctor: what is in triadtab and not open"
	rm /etc/triadtab
	dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync 2>/dev/null
	blockdev --rereadpt /dev/vda
	fmt /dev/vda
}

# ---- close -----------------------------------------------------------------------

closing()
{
	fmt /dev/vda
	for uuid in "" "--uuid LVM-abc" "--uuid CRYPT-LUKS2-abc-x"; do
		linear other $uuid
		says 4 "close: not a linear mapping ${uuid:+of $uuid}" 'no dm-triad mapping' close other
		dmsetup info other >/dev/null 2>&1 && ok "which stays" || not_ok "which stays"
		dmsetup remove other
	done
	says 4 "close: no such mapping" 'no mapping of this name' close other
	dmsetup create t --noudevsync --table "$(triadsetup table /dev/vda)"
	must "close: one that was made with dmsetup" triadsetup close t
	map t /dev/vda
	dmsetup suspend t
	must "close: one that is suspended" triadsetup close t
	# what has a look at it, as udev does
	map t /dev/vda
	sleep 2 </dev/mapper/t &
	sleep 0.3
	must "close: waits for who only has a look" triadsetup close t
	wait
	map t /dev/vda
	sleep 30 </dev/mapper/t &
	holder=$!
	sleep 0.3
	says 5 "close: not for ever" 'it is in use' close t
	kill $holder
	wait
	mkfs.ext4 -q -F /dev/mapper/t
	mkdir -p /m
	mount /dev/mapper/t /m
	begun=$(now)
	says 5 "close: a mount is told" 'mounted on /m' close t
	[ $(($(now) - begun)) -lt 3000 ] && ok "at once" || not_ok "at once"
	must "and is still there" touch /m/file
	umount /m
	must "close" triadsetup close t
	rm -f /dev/mapper/*[!l]
}

# ---- format, export ----------------------------------------------------------------

in_use()
{
	modprobe loop
	dd if=/dev/zero of=/tmp/f bs=1M count=64 2>/dev/null
	ln /tmp/f /tmp/hard
	loop=$(losetup --find --show /tmp/f)
	for f in /tmp/f /tmp/hard; do
		says 5 "format: ${f#/tmp/} of an attached file" "attached to $loop" format -q $f
	done
	fmt $loop
	says 1 "export: a loop device into its own file" 'device to export' \
		export --force $loop /tmp/hard
	rm /tmp/f
	says 5 "format: another name, and the one it was attached by is gone" "attached to $loop" \
		format -q --force /tmp/hard
	fmt /dev/vda
	says 5 "export --force: over it" "attached to $loop" export --force /dev/vda /tmp/hard
	says 1 "export: an attached file into its loop device" 'device to export' \
		export --force /tmp/hard $loop
	losetup -d $loop
	must "format: it is free then" triadsetup format -q /tmp/hard
	dd if=/dev/zero of=/tmp/swap bs=1M count=64 2>/dev/null
	losetup $loop /tmp/swap
	mkswap $loop >/dev/null 2>&1
	swapon $loop
	says 5 "format: swap" 'swap space' format -q --force $loop
	swapoff $loop
	losetup -d $loop
	rm -f /tmp/hard /tmp/swap

	dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync 2>/dev/null
	# one partition, of 8 MiB at 1 MiB
	printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\100\0\0' |
		dd of=/dev/vda bs=1 seek=446 conv=notrunc 2>/dev/null
	printf '\125\252' | dd of=/dev/vda bs=1 seek=510 conv=notrunc,fsync 2>/dev/null
	blockdev --rereadpt /dev/vda
	mkfs.ext4 -q -F /dev/vda1
	mount /dev/vda1 /m
	says 5 "format: a disk with a mounted partition" 'partition vda1: it is mounted on /m' \
		format -q --force /dev/vda
	umount /m
	must "format: a disk with partitions" triadsetup format -q --force /dev/vda
	[ ! -e /sys/block/vda/vda1 ] && ok "the kernel forgets them" || not_ok "the kernel forgets them"
}

exporting()
{
	pattern a
	fmt --label source /dev/vda
	map t /dev/vda
	put a t 3
	put a t 20
	dmsetup message t 0 commit
	put a t 30
	dd if=/dev/mapper/t of=/tmp/want bs=1M iflag=direct 2>/dev/null
	triadsetup close t
	fmt /dev/vdb
	dd if=/dev/urandom of=/dev/vdb bs=1M count=64 oflag=direct 2>/dev/null
	says 5 "export: a block device takes --force" 'it is a block device' \
		export /dev/vda /dev/vdb
	must "export: to a block device" triadsetup export --force /dev/vda /dev/vdb
	must "with what was zero as zeroes" cmp -n $(wc -c </tmp/want) /tmp/want /dev/vdb
	linear half
	says 5 "export: to a device in use" 'part of /dev/mapper/half' export --force /dev/vda /dev/vdb
	says 4 "export: to one that is too small" 'it has 1048576 bytes' \
		export --force /dev/vda /dev/mapper/half
	dmsetup remove half
	dmsetup create part --noudevsync --table "0 131072 linear /dev/vda 0"
	dmsetup mknodes
	says 1 "export: onto a mapping of the device itself" 'device to export' \
		export --force /dev/vda /dev/mapper/part
	says 1 "export: from it onto the device below" 'device to export' \
		export --force /dev/mapper/part /dev/vda
	dmsetup remove part
	must "export: the source was only read" triadsetup check --data /dev/vda

	# a full disk under an older copy
	mkfs.ext4 -q -F /dev/vdb 16M
	mount /dev/vdb /m
	echo kept >/m/copy
	dd if=/dev/zero of=/m/fill bs=1M count=5 2>/dev/null
	says 10 "export --force: a full disk" 'No space' export --force /dev/vda /m/copy
	is "$(cat /m/copy) $(ls -A /m | grep -c triadsetup)" "kept 0" "the old copy stays, nothing else"
	umount /m
	rm -f /tmp/want
}

large()
{
	says 4 "format: 17 TiB need --size" 'With --size' format -q /dev/vdc
	must "format: 1 TiB of 17" triadsetup format -q --force --size 1T /dev/vdc
	map t /dev/vdc
	is "$(blockdev --getsz /dev/mapper/t)" 2147483648 "maps to 1 TiB"
	pattern a
	put a t 1048572
	must "its end can be written" same a t 1048572
	triadsetup close t
	checked "17 TiB" vdc
}

# ---- by label, by file, by triadtab ------------------------------------------------------

loops() { losetup -nl | wc -l; }

tags()
{
	fmt --label one /dev/vda
	fmt --label two --uuid 01234567-89ab-cdef-0123-456789abcdef /dev/vdb
	must "open: by label" triadsetup open t LABEL=one
	says 5 "open: what has the label is in use" 'is part of /dev/mapper/t' open u LABEL=one
	triadsetup close t
	must "open: by UUID" triadsetup open t UUID=01234567-89AB-CDEF-0123-456789ABCDEF
	is "$(triadsetup status t --json | grep -c '"error": null')" 1 "and it is open"
	triadsetup close t
	dd if=/dev/vdb of=/dev/vda bs=1M count=64 conv=fsync 2>/dev/null
	says 5 "open: of two copies none is taken" '2 devices have it: /dev/vd[ab], /dev/vd[ab]$' \
		open t LABEL=two
	says 4 "open: nobody has the label" 'no dm-triad device has it' open t LABEL=one
	must "roots: by its path all the same" triadsetup roots /dev/vda
	linear lin
	must "what lies below a mapping does not count" triadsetup roots LABEL=two
	dmsetup remove lin
	dd if=/dev/zero of=/dev/vda bs=1M count=64 2>/dev/null
}

files()
{
	modprobe loop
	truncate -s 64M /tmp/box
	fmt --label box /tmp/box
	must "open: a file" triadsetup open box /tmp/box
	is "$(loops)" 1 "has a loop device"
	dd if=/dev/urandom of=/tmp/pattern bs=1M count=4 2>/dev/null
	dd if=/tmp/pattern of=/dev/mapper/box bs=1M oflag=direct 2>/dev/null
	must "restart: above a file" triadsetup restart box
	is "$(dd if=/dev/mapper/box bs=1M count=4 iflag=direct 2>/dev/null | md5sum)" \
		"$(md5sum </tmp/pattern)" "and what was written is there"
	says 5 "open: a file that is open" 'attached to /dev/loop' open u /tmp/box
	is "$(loops)" 1 "has no second loop device"
	must "close" triadsetup close box
	is "$(loops)" 0 "its loop device is gone"
	must "check: what it left" triadsetup check --data /tmp/box
	chmod 444 /tmp/box
	must "open: a file, read-only" triadsetup open --read-only box /tmp/box
	is "$(losetup -nlO RO | tr -d ' ')" 1 "has a read-only loop device"
	triadsetup close box
	truncate -s 50M /tmp/roots
	fmt --force --root-device /tmp/roots /tmp/box
	must "open: a file, and its roots in another" triadsetup open --root-device /tmp/roots box /tmp/box
	is "$(loops)" 2 "have two loop devices"
	triadsetup close box
	is "$(loops)" 0 "that go together"
	fmt --force /tmp/box
	: >/dev/mapper/box
	says 5 "open: a file, refused late" 'something else has this name' open box /tmp/box
	is "$(loops)" 0 "leaves no loop device"
	rm -f /dev/mapper/box /tmp/box /tmp/roots
}

triadtab()
{
	fmt --label one /dev/vda
	fmt --label two /dev/vdb
	cat >/etc/triadtab <<END
one LABEL=one
two LABEL=two - interval-ms=500
off /dev/vdc - noauto
upon /dev/mapper/one - nofail
END
	must "open --all" triadsetup open --all
	is "$(dmsetup ls | awk '{ print $1 }' | sort | xargs)" "one two" "opens what it names, and noauto not"
	dmsetup table two | grep -q 'interval_ms 500' && ok "with its options" || not_ok "with its options"
	must "open --all: all are open: it is well" triadsetup open --all
	must "open: and one of them" triadsetup open one
	mkfs.ext4 -q /dev/mapper/one && mount /dev/mapper/one /m
	says 5 "close --all: one is mounted" 'it is mounted on /m' close --all
	is "$(dmsetup ls | awk '{ print $1 }')" one "and the others are closed"
	must "close --deferred: what is mounted" triadsetup close --deferred one
	echo x >/m/x && ok "and is used all the same" || not_ok "and is used all the same"
	umount /m
	is "$(dmsetup ls --target triad | grep -c one)" 0 "is closed when it is unmounted"
	is "$(triadsetup check --json /dev/vda | grep -c '"log_records": 0')" 1 "as any other is: its log is empty"
	must "open NAME: with an option beside the file's" triadsetup open --read-only one
	is "$(field one 1)" ro "which counts"
	triadsetup close --all
	rm /etc/triadtab
}

# ---- modprobe -----------------------------------------------------------------------

modprobe_words()
{
	fmt /dev/vda
	module=$(cd /mod && echo dm-triad-[0-9]*.ko)
	rmmod "${module%.ko}"
	mkdir -p /tmp/bin
	for words in 'Key was rejected by service' 'Exec format error'; do
		printf '#!/bin/sh\necho "modprobe: ERROR: %s" >&2\nexit 1\n' "$words" >/tmp/bin/modprobe
		chmod 755 /tmp/bin/modprobe
		(PATH=/tmp/bin:$PATH; says 9 "open: modprobe's '$words' is shown" "ERROR: $words" \
			open t /dev/vda)
	done
	(PATH=/tmp/bin:$PATH; triadsetup open t /dev/vda 2>&1 | grep -q 'mokutil') &&
		not_ok "only a rejected key is about Secure Boot" ||
		ok "only a rejected key is about Secure Boot"
	insmod "/mod/$module"
}

# ---- send and receive ---------------------------------------------------------------

# What was sent of a device in use is a prefix of what was written to it, not older than
# what had been flushed when the sending began.
sending()
{
	fmt --interval 16M /dev/vda
	dd if=/dev/zero of=/dev/vdb bs=1M oflag=direct 2>/dev/null
	map t /dev/vda
	stamp init /tmp/state blocks=2048 threads=2 max=4 flush=2 discard=5 >/dev/null
	stamp write /tmp/state /dev/mapper/t /tmp/report >/dev/null 2>&1 &
	job=$!
	sleep 3
	must "send: all of a device in use" prefix_sent ""
	i=0
	while [ $i -lt 3 ]; do
		i=$((i + 1))
		sleep 2
		must "send: what changed meanwhile, $i" prefix_sent "--since $(triadsetup position /dev/vdb)"
	done
	says 5 "receive: not into a device that is in use" 'in use' receive --promote /dev/vda
	is "$(field t 1)" rw "the device is writable"
	kill -9 $job
	wait $job 2>/dev/null
	p=$(triadsetup position t)
	triadsetup close t
	map r /dev/vdb
	is "$(field r 1)" ro "a replica opens read-only"
	dmsetup status r | grep -q it_is_a_replica && ok "and its status says why" ||
		not_ok "and its status says why # $(dmsetup status r)"
	dd if=/dev/zero of=/dev/mapper/r bs=4k count=1 oflag=direct 2>/dev/null &&
		not_ok "and takes no write" || ok "and takes no write"
	must "position: of a replica in use" triadsetup position r
	triadsetup send r 2>/dev/null >/tmp/chain && [ -s /tmp/chain ] && ok "send: a replica in use" ||
		not_ok "send: a replica in use"
	triadsetup close r
	must "receive --promote" triadsetup receive --promote /dev/vdb
	map r /dev/vdb
	is "$(field r 1)" rw "promoted it is writable"
	must "and is written to" dd if=/dev/zero of=/dev/mapper/r bs=4k count=1 oflag=direct
	triadsetup close r
	checked "promoted" vdb
	rm -f /tmp/chain /tmp/report /tmp/state
}

# prefix_sent OPTIONS: from t into vdb, which holds a prefix then
prefix_sent()
{
	grep '^F' /tmp/report >/tmp/flushed
	# on a busy machine more may have changed than a device of 64 MiB takes in one commit
	triadsetup send $1 t 2>/tmp/sent | triadsetup receive ${1:+--in-steps} /dev/vdb ||
		{ cat /tmp/sent; return 1; }
	sed 's/^/# /' /tmp/sent
	cp /tmp/state /tmp/state.2
	# what may be there is all that was begun; what must be, what had been flushed
	{ grep '^S' /tmp/report; cat /tmp/flushed; } >/tmp/report.2
	stamp absorb /tmp/state.2 /tmp/report.2 && triadsetup check --data /dev/vdb &&
		triadsetup open r /dev/vdb && stamp verify /tmp/state.2 /dev/mapper/r
	r=$?
	triadsetup close r
	return $r
}

# ---- roots that move, and the power goes (test-tool: moved) -------------------------
# vda: 64 MiB with data; vdb, vdc, vdd: for its roots; the host tells on vde that it has armed the cut.

there="--root-device /dev/vdb --root-device /dev/vdc --root-device /dev/vdd"
out="--to /dev/vdb --to /dev/vdc --to /dev/vdd"
content() { seq 1000000 | head -c 4194304 >/tmp/seq; }
ready()
{
	echo ready >/dev/report
	until dd if=/dev/vde bs=512 count=1 iflag=direct 2>/dev/null | grep -q armed; do sleep 0.1; done
}

moved_1()
{
	content
	fmt /dev/vda
	map t /dev/vda
	put seq t 1
	triadsetup close t
	ready
	triadsetup move-roots $out /dev/vda
	not_ok "moved: the power did not go"
}

moved_2()
{
	content
	must_fail "moved: in the middle of a move its old place does not open" triadsetup open t /dev/vda
	must_fail "moved: nor does the new one" triadsetup open $there t /dev/vda
	must "moved: the same command again finishes it" \
		triadsetup move-roots $out /dev/vda
	must_fail "moved: the old place does not open" triadsetup open t /dev/vda
	must "moved: the new one does" triadsetup open $there t /dev/vda
	must "moved: all data is there" same seq t 1
	put seq t 9
	triadsetup close t
	must "moved: check --data is clean" triadsetup check --data $there /dev/vda
	ready
	triadsetup move-roots $there --to /dev/vda /dev/vda
	not_ok "moved: the power did not go"
}

moved_3()
{
	content
	must_fail "moved back: in the middle of it the device does not open" triadsetup open t /dev/vda
	must_fail "moved back: nor do its root devices" triadsetup open $there t /dev/vda
	must "moved back: the same command again finishes it" \
		triadsetup move-roots $there --to /dev/vda /dev/vda
	must_fail "moved back: the root devices do not open" triadsetup open $there t /dev/vda
	must "moved back: the device does" triadsetup open t /dev/vda
	must "moved back: all data is there" same seq t 1
	must "moved back: and what was written meanwhile" same seq t 9
	triadsetup close t
	checked "moved back" vda
}

mkdir -p /m
for part in ${*:-opening paths read_only living backup repair telling importing scrubbing examining closing in_use exporting large tags files triadtab sending modprobe_words}; do
	begins $part
	$part
done
[ $failed = 0 ]
