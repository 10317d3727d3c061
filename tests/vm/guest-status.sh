# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# In the guest: a mapped device says honestly how it is, and the tool why one is not
# opened.  vda, vdb: 64 MiB.  Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh

# sees CODE PATTERN NAME: the status of t
sees()
{
	triadsetup status t >/tmp/out 2>&1
	code=$?
	if [ $code = "$1" ] && grep -q -- "$2" /tmp/out; then ok "$3"; else
		not_ok "$3 # exit code $code"; sed 's/^/# /' /tmp/out
	fi
}
# says MODE HEALTH REASON ERROR NAME: its status line
says() { is "$(field t 1) $(field t 4) $(field t 18) $(field t 19)" "$1 $2 $3 $4" "$5: the status line"; }
# the first block of the pattern, to block N
block() { dd if=/tmp/a of=/dev/mapper/t bs=4k seek=$1 count=1 oflag=direct conv=notrunc,fsync 2>/dev/null; }
read_block() { dd if=/dev/mapper/t of=/dev/null bs=4k skip=$1 count=1 iflag=direct 2>/dev/null; }
pattern a
sectors=$(blockdev --getsz /dev/vda)
swap() { dmsetup suspend --noflush --nolockfs base; echo "$1" | dmsetup load base; dmsetup resume base; }
base()
{
	dmsetup create base --noudevsync --table "0 $sectors linear /dev/vda 0"
	dmsetup mknodes
}

# ---- as it was asked to be -----------------------------------------------------------

wanted()
{
	fmt /dev/vda
	map t /dev/vda
	says rw ok - 0 "writable"
	sees 0 'mode  *rw' "writable: all is well"
	triadsetup status --json t >/tmp/out
	grep -q '"device": "/dev/vda"' /tmp/out && grep -q '"reason": null' /tmp/out &&
		ok "the device is named" || not_ok "the device is named # $(cat /tmp/out)"
	dmsetup suspend t
	says fail ok suspended 0 "suspended"
	sees 0 'mode  *suspended' "suspended is no failure"
	triadsetup status --json t | grep -q '"mode": "suspended"' && ok "nor in JSON" ||
		not_ok "nor in JSON"
	dmsetup resume t
	sees 0 'mode  *rw' "and it goes on"
	triadsetup close t
	map t /dev/vda --read-only
	says ro ok asked_for 0 "read-only by the table"
	sees 0 'reason  *asked for' "read-only by the table: as it was asked to be"
	triadsetup close t
	dmsetup create t --readonly --noudevsync --table "$(triadsetup table /dev/vda)"
	says ro ok asked_for 0 "read-only by dmsetup"
	sees 0 'reason  *asked for' "read-only by dmsetup: as it was asked to be"
	dmsetup remove t
}

# ---- as nobody asked -------------------------------------------------------------------

write_error()
{
	fmt /dev/vda
	base
	map t /dev/mapper/base
	block 1
	swap "0 $sectors error"
	block 2
	says ro failed "$(field t 18)" -5 "after a write error"
	case $(field t 18) in
	-|asked_for|suspended|'')	not_ok "after a write error: a reason # $(field t 18)" ;;
	*)			ok "after a write error: a reason" ;;
	esac
	sees 7 'health  *failed' "after a write error: it has failed"
	sees 7 'read-only, and nobody asked for that: [a-z ]* (Input/output error)' "and says why"
	sees 7 'triadsetup check /dev/mapper/base' "and what to do"
	triadsetup status --json t 2>/dev/null | tr -d ' \n' >/tmp/out
	grep -q '"health":"failed".*"error_number":-5,"version":"[^"]*","next_record":[0-9]*,"durable_record":[0-9]*,"kept_record":[0-9]*,"kept_blocks":[0-9]*,"keep":null,"sync":null,"synchronous":null,"replicated_record":0,"exit_code":7,"error":{"message":"t:' /tmp/out &&
		ok "and in JSON" || not_ok "and in JSON # $(cat /tmp/out)"
	swap "0 $sectors linear /dev/vda 0"
	dmsetup suspend t
	dmsetup resume t
	says rw ok - 0 "opened again"
	triadsetup close t
	dmsetup remove base
}

rot()
{
	fmt /dev/vda
	map t /dev/vda
	block 5
	triadsetup close t
	n=$(triadsetup dump /dev/vda map | sed -n 's/.*LBA 5+.* block \([0-9]*\),.*/\1/p')
	echo rotten | dd of=/dev/vda bs=4096 seek="$n" conv=notrunc,fsync 2>/dev/null
	map t /dev/vda
	sees 0 'health  *ok' "rotten data: not seen yet"
	must_fail "reading it fails" read_block 5
	says rw rotten - 0 "rotten data"
	sees 6 'health  *rotten: blocks did not match' "rotten data: told"
	dmsetup message t 0 clear_stats
	sees 0 'health  *ok' "rotten data: until clear_stats"
	triadsetup close t
}

degraded()
{
	fmt /dev/vda
	dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=notrunc,fsync 2>/dev/null
	map t /dev/vda --read-only
	says ro degraded asked_for 0 "a bad root, read-only"
	sees 6 'health  *degraded: one root is bad' "a bad root, read-only: told"
	triadsetup close t
	map t /dev/vda
	sees 0 'health  *ok' "healed: all is well"
	triadsetup close t
}

lost_log()
{
	fmt /dev/vdb
	map t /dev/vdb
	for i in 1 2 3; do block $i; done
	# as a power cut would leave it
	dd if=/dev/vdb of=/dev/vda bs=1M count=64 iflag=direct conv=fsync 2>/dev/null
	triadsetup close t
	place=$(triadsetup dump /dev/vda log | awk '/: write/ { print $5 + 0; exit }')
	dd if=/dev/urandom of=/dev/vda bs=4096 seek="$place" count=1 conv=notrunc,fsync 2>/dev/null
	triadsetup open t /dev/vda 2>/tmp/out &&
		grep -q "opened read-only: a flushed record of the log is damaged" /tmp/out &&
		grep -q "triadsetup export /dev/vda FILE" /tmp/out &&
		ok "a damaged log: open says why it is read-only" ||
		not_ok "a damaged log: open says why it is read-only # $(cat /tmp/out)"
	says ro failed a_flushed_record_of_the_log_is_damaged -74 "a damaged log"
	sees 7 'nobody asked for that: a flushed record' "a damaged log: status does, too"
	triadsetup close t
	# also who wanted it read-only must learn that
	map t /dev/vda --read-only
	sees 7 'a flushed record' "a damaged log, opened read-only on purpose"
	triadsetup close t
}

not_opened()
{
	fmt /dev/vda
	dmsetup create t --noudevsync --notable
	dmsetup load t --table "$(triadsetup table /dev/vda)"
	for slot in 0 1; do
		dd if=/dev/zero of=/dev/vda bs=4k seek=$(slot_block $slot) count=1 conv=notrunc,fsync 2>/dev/null
	done
	must_fail "two bad roots: resuming fails" dmsetup resume t
	says fail failed it_could_not_be_opened -61 "not opened"
	sees 7 'has failed: it could not be opened (No data available)' \
		"not opened, and suspended therefore: it has failed"
	dmsetup remove t
}

# ---- all of them -------------------------------------------------------------------------

several()
{
	triadsetup status >/tmp/out 2>&1
	is "$? $(cat /tmp/out)" "0 No dm-triad device is open." "status: nothing is open"
	fmt --label 'Größe x' /dev/vda
	fmt --label - /dev/vdb
	map t /dev/vda --interval-ms 5000
	map u /dev/vdb --read-only
	uuid=$(triadsetup roots --json /dev/vda | sed -n 's/.*"uuid": *"\([-0-9a-f]*\)".*/\1/p' | head -n 1)
	is "$(field t 21) $(field t 22)" "$uuid Gr\\xc3\\xb6\\xc3\\x9fe\\x20x" "UUID and label: the status line"
	is "$(field u 22)" '\x2d' "a label that is a sign"
	sees 0 "UUID  *$uuid" "status tells the UUID"
	sees 0 'label  *Größe x' "and the label"
	sees 0 'options  *--interval-ms 5000$' "and the options"
	triadsetup status >/tmp/out 2>&1
	is "$? $(grep -c '^/dev/mapper' /tmp/out)" "0 2" "status: all that are open"
	triadsetup list >/tmp/out 2>&1
	is "$? $(grep -c 'MiB .*% .*ok' /tmp/out) $(grep -c '^u .*/dev/vdb .* ro  *ok  *-$' /tmp/out)" "0 2 1" "list"
	block 1
	dmsetup suspend t
	sees 0 'label  *Größe x' "suspended, UUID and label are told as well"
	dmsetup resume t
	triadsetup status --prometheus >/tmp/metrics
	is "$? $(awk -f /usr/lib/exposition.awk /tmp/metrics)" "0 " "status --prometheus: the text format"
	is "$(grep -c '^dm_triad_info{' /tmp/metrics)" 2 "status --prometheus: each device"
	triadsetup close u
	triadsetup close t
}

# What a command that watches says of what happens meanwhile.
watching()
{
	fmt /dev/vda
	base
	triadsetup monitor >/tmp/said 2>/tmp/err &
	monitor=$!
	sleep 2
	map t /dev/mapper/base
	triadsetup status t --watch 1 --count 3 >/tmp/live 2>&1 &
	for i in 1 2 3 4 5 6; do block $i; sleep 0.3; done
	wait $!
	is "$? $(grep -c '^t  *rw ' /tmp/live)" "0 3" "status --watch: a line for each look"
	grep -q '^t  *rw  *[0-9.]* KiB ' /tmp/live && ok "with what was written" ||
		not_ok "with what was written # $(cat /tmp/live)"
	swap "0 $sectors error"
	begun=$(now)
	block 2
	while ! grep -q 'instead of ok' /tmp/said && [ $(($(now) - begun)) -lt 10000 ]; do sleep 0.1; done
	grep -q ' t: mode ro instead of rw: ' /tmp/said && grep -q ' t: health failed instead of ok' /tmp/said &&
		ok "monitor: a device that fails, after $(($(now) - begun)) ms" ||
		not_ok "monitor: a device that fails # $(cat /tmp/said)"
	triadsetup close t
	sleep 2
	kill -TERM $monitor
	wait $monitor
	is "$? $(sed 's/^[-0-9]* [0-9:]* //' /tmp/said | grep -v 'instead of' | tr '\n' ';')" \
		"0 t: opened, mode rw, health ok;t: closed;" "monitor: opened and closed, and nothing else"
	dmsetup remove base
}

# Each tracepoint, when it should and not otherwise; a trace goes on over a restart.
tracing()
{
	trace=/sys/kernel/tracing
	[ -d $trace/events ] || mount -t tracefs tracefs $trace 2>/dev/null
	[ -d $trace/events/triad ] && ok "the tracepoints are there" || { not_ok "the tracepoints are there"; return; }
	seen() { grep -c " $1: $(cat /tmp/devt) " $trace/trace; }
	at_least() { [ "$(seen "$1")" -ge "$2" ] && ok "$3" || not_ok "$3 # $(grep " $1: " $trace/trace | tail -n 3)"; }
	fmt /dev/vda
	base
	map t /dev/mapper/base
	dmsetup info -c --noheadings -o major,minor --separator : t | tr -d ' ' >/tmp/devt
	[ -s /tmp/devt ] && ok "the device has a number" || not_ok "the device has a number"
	echo 1 >$trace/events/triad/enable
	: >$trace/trace
	block 1
	at_least record_submit 1 "record_submit"
	at_least record_publish 1 "record_publish"
	grep -q 'record_publish: .* error 0$' $trace/trace && ok "without an error" || not_ok "without an error"
	at_least flush 1 "flush: with its time"
	is "$(seen commit_begin) $(seen mode) $(seen checksum_error)" "0 0 0" "nothing else"
	triadsetup commit t
	is "$(seen commit_begin) $(seen commit_end)" "1 1" "commit_begin and commit_end"
	next=$(grep ' commit_end: ' $trace/trace | sed 's/.*generation \([0-9]*\) .*/\1/')
	is "$next" "$(field t 3)" "with the generation that is current then"
	grep -q ' flush: .* of a commit ' $trace/trace && grep -q ' flush: .* of the log ' $trace/trace &&
		ok "a flush tells who sent it" || not_ok "a flush tells who sent it"
	triadsetup restart t >/dev/null
	: >$trace/trace
	read_block 1
	at_least read_miss 1 "read_miss: a fresh instance has nothing in memory"
	: >$trace/trace
	read_block 1
	is "$(seen read_miss)" 0 "and not the second time"
	block 2
	at_least record_submit 1 "the trace goes on over a restart"
	triadsetup close t
	n=$(triadsetup dump /dev/vda map | sed -n 's/.*LBA 1+.* block \([0-9]*\),.*/\1/p' | head -n 1)
	echo rotten | dd of=/dev/vda bs=4096 seek="$n" conv=notrunc,fsync 2>/dev/null
	map t /dev/mapper/base
	: >$trace/trace
	read_block 1
	at_least checksum_error 1 "checksum_error"
	grep -q "checksum_error: .* lba 1 pba $n\$" $trace/trace && ok "with its place" || not_ok "with its place # $(grep checksum_error $trace/trace)"
	swap "0 $sectors error"
	block 3
	at_least mode 1 "mode"
	grep -q ' mode: .* mode 2 error -5: [a-z]' $trace/trace && ok "with the reason" || not_ok "with the reason # $(grep ' mode: ' $trace/trace)"
	echo 0 >$trace/events/triad/enable
	swap "0 $sectors linear /dev/vda 0"
	triadsetup close t
	dmsetup remove base
	fmt /dev/vda
}

# ---- why it is not opened ------------------------------------------------------------------

kernel_words()
{
	fmt /dev/vda
	base
	map t /dev/mapper/base
	block 1
	# as a power cut leaves it, with one root gone, and the bitmaps cannot be written
	dd if=/dev/mapper/base of=/dev/vdb bs=1M count=64 iflag=direct conv=fsync 2>/dev/null
	triadsetup close t
	dd if=/dev/vdb of=/dev/vda bs=1M count=64 iflag=direct oflag=direct conv=fsync 2>/dev/null
	dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=notrunc,fsync 2>/dev/null
	swap "0 16384 linear /dev/vda 0
16384 24 error
16408 $((sectors - 16408)) linear /dev/vda 16408"
	must_fail "a healing that fails" triadsetup open t /dev/mapper/base
	grep -q 'The kernel says:' /tmp/out && grep -q '^  device-mapper: .*healing failed' /tmp/out &&
		ok "open shows what the kernel said" || not_ok "open shows what the kernel said # $(cat /tmp/out)"
	dmsetup remove base
}

# has NAME HASH: what can be formatted without a warning opens; what cannot be opened is named
has()
{
	options=
	case $1 in hmac*) options="--key-file /tmp/key" ;; esac
	# shellcheck disable=SC2086
	triadsetup format -q --force --hash "$1" $options /dev/vda >/tmp/fmt 2>&1 ||
		not_ok "format --hash $1 # $(cat /tmp/fmt)"
	# shellcheck disable=SC2086
	triadsetup open t /dev/vda $options >/tmp/out 2>&1
	code=$?
	[ $code != 0 ] || triadsetup close t
	if grep -q 'this kernel .* does not have it' /tmp/fmt; then
		[ $code = 9 ] && grep -q "the hash $1, which this kernel" /tmp/out &&
			! dmsetup info t >/dev/null 2>&1 && ok "$1: this kernel lacks it, and both say so" ||
			not_ok "$1: this kernel lacks it, and both say so # $code: $(cat /tmp/out)"
	else
		[ $code = 0 ] && ok "$1: what is offered can be opened" ||
			not_ok "$1: what is offered can be opened # $code: $(cat /tmp/out)"
	fi
}

hashes()
{
	echo 00112233445566778899aabbccddeeff >/tmp/key
	# a kernel without it, as some are
	file=$(find /lib/modules/ -name 'blake2b*.ko*')
	if [ -n "$file" ] && ! grep -q '^name *: blake2b-512' /proc/crypto; then
		mkdir /tmp/away
		mv $file /tmp/away
		depmod
		has blake2b-512
		grep -q 'does not have it' /tmp/fmt && ok "format warns of a hash that is missing" ||
			not_ok "format warns of a hash that is missing # $(cat /tmp/fmt)"
		has 'hmac(blake2b-512)'
		mv /tmp/away/* "$(dirname "$(echo "$file" | head -n 1)")"
		depmod
	fi
	for hash in $(triadsetup version --json | sed -n '/"hashes"/,/]/s/^ *"\(.*[0-9]\)",*$/\1/p'); do
		has "$hash"
		has "hmac($hash)"
	done
	must_fail "sm3 is not offered: no kernel has it" triadsetup format -q --force --hash sm3 /dev/vda
}

for part in ${*:-wanted several watching tracing write_error rot degraded lost_log not_opened kernel_words hashes}; do
	begins $part
	$part
done
[ $failed = 0 ]
