# SPDX-License-Identifier: GPL-2.0-or-later
# format: what it checks before it writes, and what it writes.

rm -f img*
truncate -s 64M img
refuse 1 "format: refuses without a terminal" 'no terminal to ask on' format img
expect 0 "format -q: goes ahead" 'formatted, UUID' format -q img
expect 0 "a fresh device has three good roots" '^case 1' roots img
expect 0 "a fresh device checks" 'img: ok' check --data img
expect 0 "format -q: again over its own" 'formatted' format -q img
refuse 1 "format: asks before it overwrites its own" 'no terminal' format img

if command -v script >/dev/null; then
	before=$(sums)
	printf 'no\n' | script -qec "$TRIADSETUP format img" /dev/null >out 2>err
	[ $? = 1 ] && grep -q 'not confirmed' out && grep -q 'a dm-triad device' out &&
		[ "$before" = "$(sums)" ]
	result $? "format: on a terminal, anything but YES changes nothing"
	printf 'YES\n' | script -qec "$TRIADSETUP format img" /dev/null >out 2>err
	[ $? = 0 ] && grep -q 'formatted' out && [ "$before" != "$(sums)" ]
	result $? "format: on a terminal, YES goes ahead"
fi

# with data, by whatever of it can be seen, it takes --force
fresh 64M --label precious
apply 'write 0 1 1' stop
for state in 'in the log' 'in the map' 'torn' 'replaced'; do
	case $state in
	'in the map')	apply commit close ;;
	torn)	for slot in 0 1 2; do flip $(($(slot_block $slot) * 4096 + 476)); done ;;
	replaced)	fresh; apply 'write 0 300 1' 'discard 0 300' stop ;;
	esac
	refuse 5 "format -q: refuses over data of its own, $state" 'data of dm-triad' format -q img
	grep -q 'a dm-triad device with data, UUID' err
	result $? "and says which"
done
refuse 5 "format: refuses over data of its own" 'data of dm-triad' format img
expect 0 "format -q --force: goes ahead" 'formatted' format -q --force img
[ ! -s err ]
result $? "and says nothing"
expect 0 "format -q: there is no data then" 'formatted' format -q img
grep -q 'a dm-triad device without data, UUID' err
result $? "which is told, too"

rm -f img
truncate -s 63M img
refuse 4 "format: too small" 'smaller than 64 MiB' format -q img
if truncate -s 17T img 2>/dev/null; then
	refuse 4 "format: too large" 'larger than 16 TiB' format -q img
	expect 0 "format --size: of a larger disk the first 16 TiB are used" 'maps to 1 TiB' \
		format -q --size 1T img
	expect 0 "and it checks" 'img: ok' check img
else
	skip "format: too large" "this filesystem has no such files"
fi
rm -f img
if truncate -s 16T img 2>/dev/null || truncate -s 15T img 2>/dev/null; then
	start=$(date +%s%N)
	run format -q img
	took=$((($(date +%s%N) - start) / 1000000))
	[ $code = 0 ] && { [ $took -lt 1000 ] || [ -n "${VALGRIND:-}" ]; }
	result $? "format: 16 TiB in under a second ($took ms)"
	expect 0 "roots of 16 TiB" '^case 1' roots img
	expect 0 "check of 16 TiB" 'img: ok' check img
fi
rm -f img
truncate -s 64M img
refuse 1 "format: a size that does not fit" 'holds at most 44 MiB' format -q --size 48M img
refuse 1 "format: a size that is not whole" 'multiple of 1 MiB' format -q --size 1000000 img
refuse 1 "format: no size at all" 'is no size' format -q --size big img
refuse 1 "format: negative size" 'is no size' format -q --size=-5M img
refuse 1 "format: zone too small" 'zone size' format -q --zone-size 2M img
refuse 1 "format: zone too large" 'zone size' format -q --zone-size 127M img
refuse 1 "format: zone uneven" 'multiple of 4096' format -q --zone-size 5000000 img
refuse 1 "format: segment not a power of two" 'segment size' format -q --segment-size 96K img
refuse 1 "format: interval too short" 'interval' format -q --interval 1M img
refuse 1 "format: label too long" 'longer than 32' format -q img \
	--label 123456789012345678901234567890123
refuse 1 "format: no UUID" 'is no UUID' format -q --uuid 1234 img
refuse 1 "format: unknown checksum" 'neither crc32c nor xxh64' format -q --checksum md5 img
refuse 1 "format: unknown hash" 'not known here' format -q --hash nonsense img
refuse 1 "format: OpenSSL's name of a hash" 'not known here' format -q --hash SHA2-256 img
refuse 1 "format: hash too short" 'shorter than 32 bytes' format -q --hash sha1 img
refuse 1 "format: hash name too long" 'longer than 32 bytes' format -q img \
	--hash 'hmac(sha256-with-a-very-long-name)'
refuse 1 "format: keyed hash without its bracket" 'not known' format -q --hash 'hmac(sha256' img
refuse 1 "format: keyed hash without a key" 'needs a key' format -q --hash 'hmac(sha256)' img
openssl rand -hex 32 >key
refuse 1 "format: a key for a hash that takes none" 'takes no key' format -q --key-file key img
refuse 1 "format: missing key file" 'No such file' format -q --key-file none img
refuse 1 "format: a directory as key file" 'directory' format -q --key-file directory img
echo 'not hex' >key.bad
refuse 1 "format: key that is not hexadecimal" 'hexadecimal' format -q --key-file key.bad img
printf 'abc' >key.bad
refuse 1 "format: half a byte of key" 'hexadecimal' format -q --key-file key.bad img
: >key.bad
refuse 1 "format: empty key" 'hexadecimal' format -q --key-file key.bad img
openssl rand -hex 300 >key.bad
refuse 1 "format: key too long" 'more than 256' format -q --key-file key.bad img

expect 0 "format: all options" 'formatted' format -q --label 'my disk' --size 32M \
	--uuid 01234567-89ab-cdef-0123-456789abcdef --checksum xxh64 --hash sha512 \
	--zone-size 24M --segment-size 256K --interval 64M img
run dump --json img root
for pair in label:"'my disk'" logical_blocks:8192 checksum:"'xxh64'" hash:"'sha512'" \
	uuid:"'01234567-89ab-cdef-0123-456789abcdef'" zone_blocks:6144 segment_blocks:64 \
	interval_blocks:16384 device_blocks:16384 root_layout:0 incompat:0; do
	holds "format kept ${pair%%:*}" out "all(r['${pair%%:*}'] == ${pair#*:} for r in d['root'])"
done

fresh 64M --json
holds "format --json" out 'd["size"] == 44 << 20 and d["zones"] == 1 and len(d["uuid"]) == 36'

if command -v mkfs.ext4 >/dev/null; then
	rm -f img
	truncate -s 64M img
	mkfs.ext4 -q -F -L precious img 2>/dev/null
	refuse 5 "format -q: refuses over a filesystem" 'another program' format -q img
	run format -q img
	grep -q 'ext4, label precious' err
	result $? "format: says which filesystem would be lost"
	expect 0 "format --force: goes ahead" 'formatted' format -q --force img
	[ -z "$(blkid -p -o value -s TYPE img 2>/dev/null)" ]
	result $? "format: wiped the old signature"
	expect 0 "and the device is good" '^case 1' roots img
else
	skip "format over a filesystem" "no mkfs.ext4"
fi
if command -v sfdisk >/dev/null; then
	rm -f img
	truncate -s 64M img
	echo 'label: gpt' | sfdisk -q img >/dev/null 2>&1
	refuse 5 "format -q: refuses over a partition table" 'another program' format -q img
	expect 0 "format --force: over a partition table" 'formatted' format -q --force img
	[ -z "$(blkid -p -o value -s PTTYPE img 2>/dev/null)" ]
	result $? "format: wiped both copies of the partition table"
fi
exec 9<img	# kept open, as whoever uses it does
if command -v flock >/dev/null; then
	flock -n 9
	refuse 5 "format: an image in use" 'in use' format -q img
	exec 9<&-
fi
if command -v python3 >/dev/null; then
	python3 -c 'import fcntl, os, struct, subprocess, sys
fd = os.open("img", os.O_RDWR)
# F_OFD_SETLK, as QEMU locks some bytes of an image
fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 100, 1, 0))
sys.exit(subprocess.call(sys.argv[1:], close_fds=False))' "$TRIADSETUP" format -q img >out 2>err
	[ $? = 5 ] && is_one_error && grep -q 'in use' err
	result $? "format: an image that a virtual machine uses"
fi
exec 9<&-
