# SPDX-License-Identifier: GPL-2.0-or-later
# roots and the cases of the protocol, with each combination of bad slots.

fresh
apply 'write 0 8 1' commit 'write 8 8 2' commit 'write 100 8 3' stop
run roots --json img
holds "roots --json: three slots" out '[s["slot"] for s in d["slots"]] == [0, 1, 2]'
holds "roots --json: places" out '[s["offset"] for s in d["slots"]] == [0, 16 << 20, 48 << 20]'
holds "roots --json: letters" out 'sorted(s["letter"] for s in d["slots"]) == ["a", "b", "c"]'
holds "roots --json: current is c" out 'd["slots"][d["current"]]["letter"] == "c"'
holds "roots --json: case and degraded" out 'd["case"] == 1 and d["degraded"] is False'
holds "roots --json: all valid" out 'all(s["state"] == "valid" for s in d["slots"])'
holds "roots --json: b is the predecessor" out \
	'd["slots"][d["current"]]["prev"] == d["slots"][d["backup"]]["version"]'
holds "roots --json: types" out 'all(isinstance(s["generation"], int) and
	isinstance(s["segment"], int) and len(s["version"]) == 64 for s in d["slots"])'
python3 - out <<'END'
import hashlib, json, sys
d = json.load(open(sys.argv[1]))
by = {s["letter"]: bytes.fromhex(s["version"]) for s in d["slots"]}
sys.exit(hashlib.sha256(by["a"] + by["b"]).digest() != by["c"])
END
result $? "H(a,b) = c, computed by another program"
expect 0 "roots: the table" 'LETTER' roots img
expect 0 "roots -v: whole versions" '[0-9a-f]\{64\}' roots -v img

current=$(fact roots 'd["current"]')
backup=$(fact roots 'd["backup"]')
oldest=$((3 - current - backup))
cp --sparse=always img kept
cp --sparse=always expect expect.kept

# 0: slot stays; the case of the protocol and the exit code that must come of it
zeroed()	# A B C CASE CODE
{
	cp --sparse=always kept img
	[ "$1" = 0 ] || zero_block "$(slot_block "$oldest")"
	[ "$2" = 0 ] || zero_block "$(slot_block "$backup")"
	[ "$3" = 0 ] || zero_block "$(slot_block "$current")"
	run roots --json img
	[ $code = "$5" ] && [ "$(json out 'd["case"]')" = "$4" ]
	result $? "zeroed a=$1 b=$2 c=$3: case $4, exit code $5"
	if [ "$4" = 4 ]; then
		refuse "$5" "zeroed a=$1 b=$2 c=$3: check refuses" 'img' check img
		refuse "$5" "zeroed a=$1 b=$2 c=$3: table refuses" 'img' table img
		refuse "$5" "zeroed a=$1 b=$2 c=$3: export refuses" 'img' export img content
		expect 0 "zeroed a=$1 b=$2 c=$3: dump root still works" 'slot 2' dump img root
		return
	fi
	expect "$5" "zeroed a=$1 b=$2 c=$3: check" 'img: ' check --data img
	rm -f content
	run export img content
	[ $code = 0 ] && cmp -s content expect.kept
	result $? "zeroed a=$1 b=$2 c=$3: the content is the same"
}
zeroed 0 0 0 1 0
zeroed 1 0 0 2 6
zeroed 0 1 0 3 6
zeroed 0 0 1 2 6
zeroed 1 1 0 4 8
zeroed 1 0 1 4 8
zeroed 0 1 1 4 8
zeroed 1 1 1 4 4

cp --sparse=always kept img
flip $(($(slot_block "$oldest") * 4096 + 200))
expect 6 "a torn root is named" 'torn.*crc does not match' roots img
expect 6 "check: a torn root is degraded" "slot $oldest is torn" check img
run check --json img
holds "check --json: degraded" out 'd["result"] == "degraded" and d["problems"][0]["what"] == "root"'
expect 0 "table: degraded works and says so" 'degraded' table img
apply stop
expect 0 "healed by the next writer" '^case 1' roots img
run export --force img content
cmp -s content expect.kept
result $? "and the content is the same"

cp --sparse=always kept img
flip $(($(slot_block "$current") * 4096 + 600))
expect 0 "bytes behind the root's sector do not count" '^case 1' roots img

old_slot()	# the content that the oldest slot had comes back
{
	dd if=kept of=img bs=4096 count=1 skip="$(slot_block "$oldest")" \
		seek="$(slot_block "$oldest")" conv=notrunc status=none
}
cp --sparse=always kept img
apply 'write 200 4 9' commit stop
old_slot
expect 0 "a root write that was lost: the letters before it" '^case 1' roots img
rm -f content
run export img content
cmp -s content expect
result $? "and its interval is replayed"
expect 0 "and it checks" 'img: ok' check --data img
cp --sparse=always kept img
apply 'write 200 4 9' commit 'write 300 4 9' commit stop
old_slot
expect 6 "a stale root is named" 'stale.*older copy' roots img
rm -f content
run export img content
cmp -s content expect
result $? "and never used"
expect 6 "check: a stale root is degraded" "slot $oldest is stale" check --data img

# a root of another device in a slot
truncate -s 64M other
tool format -q other >/dev/null 2>&1
cp --sparse=always kept img
dd if=other of=img bs=4096 count=1 skip="$(slot_block "$oldest")" \
	seek="$(slot_block "$oldest")" conv=notrunc status=none
expect 6 "a root of another device is named" 'foreign.*another device' roots img
cp --sparse=always kept img
dd if=kept of=img bs=4096 count=1 skip="$(slot_block "$current")" \
	seek="$(slot_block "$oldest")" conv=notrunc status=none
expect 6 "a root copied to another slot is named" 'written for another slot' roots img
rm -f other

cp --sparse=always kept img
truncate -s 40M img
expect 4 "roots: an image that was cut short" 'cut short' roots img
refuse 4 "check: an image that was cut short" 'cut short' check img
refuse 4 "export: an image that was cut short" 'cut short' export img target
cp --sparse=always kept img
truncate -s 100M img
expect 0 "a device that has grown is fine" 'img: ok' check img

openssl rand -hex 32 >key
openssl rand -hex 32 >key.other
rm -f img
truncate -s 64M img
expect 0 "a keyed device: format" 'hmac(sha256)' format -q --hash 'hmac(sha256)' --key-file key img
printf 'write 5 5 5\nstop\n' | "$MKIMAGE" img expect.key key 2>err
result $? "a keyed device: write"
expect 0 "a keyed device: check" 'img: ok' check --data --key-file key img
expect 0 "a keyed device: the table line has the key" "key $(cat key)" table --key-file key img
refuse 2 "a keyed device: no key" 'need a key' roots img
refuse 2 "a keyed device: wrong key" 'key does not fit' check --key-file key.other img
refuse 2 "a keyed device: wrong key, export" 'key does not fit' export --key-file key.other img c
fresh
refuse 1 "a key for a device that has none" 'takes no key' roots --key-file key img
