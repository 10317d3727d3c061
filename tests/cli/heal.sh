# SPDX-License-Identifier: GPL-2.0-or-later
# heal: what may be written over, what may not, and the branch that tells states apart.

lay()	# SLOT FILE: its first block
{
	dd if="$2" of=img bs=4096 count=1 seek="$(slot_block "$1")" conv=notrunc status=none
}

kept_open()	# NAME PATTERN: slot $slot of img; it opens read-only and heals by force alone
{
	expect 6 "$1: roots says what lies there" "slot $slot may be somebody else's" roots img
	grep -q -- 'triadsetup heal --force img' out && grep -q -- "$2" out
	result $? "$1: and how to get rid of it"
	run roots --json img
	holds "$1: roots --json" out "d['occupied'] and d['degraded'] and d['current'] is not None"
	expect 6 "$1: check" 'triadsetup heal --force img' check --data img
	expect 0 "$1: table says that it opens read-only" 'read-only.*somebody' table img
	cp --sparse=always img before
	printf 'stop\n' | "$MKIMAGE" img expect >out 2>err
	[ $? != 0 ] && cmp -s img before
	result $? "$1: a writer does not heal it"
	refuse 5 "$1: nor does heal" 'use --force' heal img
	rm -f content
	run export img content
	[ $code = 0 ] && cmp -s content expect
	result $? "$1: the content is there"
	expect 0 "$1: heal --force" "healed slot $slot" heal --force img
	expect 0 "$1: three good roots" '^case 1' roots img
	expect 0 "$1: check after it" 'img: ok' check --data img
	rm -f content before
	run export img content
	cmp -s content expect
	result $? "$1: and the same content"
}

fresh
apply 'write 0 8 1' commit 'write 8 8 2' commit 'write 100 8 3' stop
cp --sparse=always img kept
cp --sparse=always expect expect.kept
truncate -s 64M other
tool format -q --uuid 01234567-89ab-cdef-0123-456789abcdef other >/dev/null 2>&1
for slot in 0 1 2; do
	cp --sparse=always kept img
	dd if=other of=block bs=4096 count=1 skip="$(slot_block $slot)" status=none
	lay $slot block
	kept_open "another device's root in slot $slot" 'UUID 01234567-89ab-cdef'
done
slot=0
dd if=other of=block bs=4096 count=1 status=none
printf '\001' | dd of=block bs=1 seek=300 conv=notrunc status=none
cp --sparse=always kept img
lay 0 block
kept_open "another device's torn root" 'another device'
cp --sparse=always kept img
printf 'LUKS\272\276\000\001' | dd of=img conv=notrunc status=none
kept_open "the beginning of a header over the root" 'other data'
if command -v mkfs.ext4 >/dev/null; then
	cp --sparse=always kept img
	truncate -s 64M other
	mkfs.ext4 -q -F -O ^metadata_csum other 2>/dev/null
	dd if=other of=block bs=4096 count=1 status=none
	lay 0 block
	[ "$(od -An -tx8 -N 512 img | tr -d ' \n0*')" = "" ]
	result $? "a filesystem leaves the first sector empty"
	expect 5 "a filesystem: heal names it" 'img: ext4' heal img
	kept_open "a filesystem" 'other data'
else
	skip "heal over a filesystem" "no mkfs.ext4"
fi

cp --sparse=always kept img
zero_block 0
expect 0 "an emptied slot heals without force" 'healed slot 0' heal img
expect 0 "and is good" 'img: ok' check --data img
expect 0 "a second time there is nothing to do" 'nothing to heal' heal img
cp --sparse=always kept img
flip 200
expect 0 "a root of its own that is torn, too" 'healed slot 0' heal img
expect 0 "and is good" 'img: ok' check --data img

# a root that was lost, and the one that healing made instead
cp --sparse=always kept img
cp --sparse=always expect.kept expect
apply 'write 300 4 7' commit 'write 310 4 7' stop
slot=$(fact roots 'd["current"]')
run roots --json img
cp out lost.json
dd if=img of=lost bs=4096 count=1 skip="$(slot_block "$slot")" status=none
zero_block "$(slot_block "$slot")"
apply stop
run roots --json img
python3 - lost.json out "$slot" <<'END'
import json, sys
lost, now = (json.load(open(f))["slots"][int(sys.argv[3])] for f in sys.argv[1:3])
same = all(lost[k] == now[k] for k in ("version", "generation"))
sys.exit(not (same and lost["next_seq"] < now["next_seq"] and lost["branch"] == 0 and
              now["branch"] == now["generation"]))
END
result $? "two roots of one generation: the branch tells them apart"
apply 'write 320 4 8' stop
lay "$slot" lost
expect 6 "the lost root comes back: it is known as such" 'stale.*lost once' roots img
expect 6 "and check says so" "slot $slot is stale" check --data img
rm -f content
run export img content
cmp -s content expect
result $? "and what was written since is there"
apply 'write 330 4 8' commit stop
expect 0 "and behind the next writer all is well" 'img: ok' check --data img
expect 0 "dump root shows the branch" '^  branch  *[1-9]' dump img root

# roots elsewhere: the disk that answers to a name is another one today
for n in x y z; do
	rm -f "img.$n"
	truncate -s 1M "img.$n"
done
rm -f img
truncate -s 64M img
roots='--root-device img.x --root-device img.y --root-device img.z'
tool format -q $roots img >/dev/null 2>&1
printf 'write 0 30 1\ncommit\nwrite 7 7 7\nstop\n' |
	"$MKIMAGE" img expect - img.x img.y img.z 2>err
mv img.y img.gone
printf 'LUKS\272\276\000\002' >img.y
truncate -s 1M img.y
expect 6 "another disk under the name of a root device" \
	"slot 1 may be somebody else's" roots $roots img
refuse 5 "it is not healed over" 'use --force' heal $roots img
mv img.gone img.y
expect 0 "and with the right one all is well" 'img: ok' check $roots img
flock img.y sleep 30 &
locker=$!
sleep 0.3
refuse 5 "heal: a root device is in use" 'in use' heal $roots img
kill $locker
refuse 8 "heal: nothing is healed on the word of one root" 'no two roots prove' heal img.x
rm -f img.* other block lost lost.json kept expect.kept
