# SPDX-License-Identifier: GPL-2.0-or-later
# repair: what each root leads to, and a copy of it; the damaged device is only read.

copied()	# NAME [OPTION...]: img into new; what new holds is expected, and it is well
{
	c_name=$1
	shift
	rm -f new content
	expect 0 "$c_name: is copied" 'a new device, UUID' repair "$@" img new
	run check --data new
	[ $code = 0 ]
	result $? "$c_name: the copy is a healthy device"
	run export new content
	cmp -s content expect
	result $? "$c_name: with the content"
	[ "$sum" = "$(cksum img)" ]
	result $? "$c_name: the damaged device was only read"
}

fresh 64M --label precious --checksum xxh64
apply 'write 0 300 1' 'write 5000 3 1' flush commit
cp expect expect.b
apply 'write 0 8 1' 'write 600 8 2' flush commit
cp expect expect.c
apply 'write 700 8 3' flush stop
cp expect expect.first
apply 'write 10 5 4' flush 'write 800 8 5' flush 'discard 5000 2' stop
cp --sparse=always img kept
cp expect expect.all
sum=$(cksum img)
c=$(fact roots 'd["current"]') b=$(fact roots 'd["backup"]')

# ---- nothing is wrong ---------------------------------------------------------------

run repair --json img
holds "repair --json: each root with its log leads to the newest write" out \
	'all(x["usable"] and x["lost_blocks"] == x["records_missing"] == 0 for x in d["candidates"])'
expect 0 "repair: tells what to do" "triadsetup repair --slot SLOT img TARGET" repair img
copied "the current root" --slot "$c"
run roots --json new
holds "the copy has the label, the hash and a UUID of its own" out 'd["label"] == "precious"'
[ "$(json out 'd["uuid"]')" != "$(fact roots 'd["uuid"]')" ]
result $? "and not the old one's"
run dump --json new root
holds "and the checksum" out '"xxh64" in str(d)'
refuse 5 "repair: not over a file that is there" 'it exists' repair --slot "$c" img new
refuse 1 "repair: not into the damaged device" 'the device to export' repair --force --slot "$c" img img
refuse 1 "repair: takes no target without --slot" 'takes --slot' repair img new2
refuse 1 "repair: nor a slot without a target" 'takes a target' repair --slot 1 img
refuse 1 "repair: a slot is 0, 1 or 2" 'no number from 0 to 2' repair --slot 3 img new2
refuse 1 "repair: no pipe" 'cannot write to a pipe' repair --slot 1 img -
expect 0 "repair --force --uuid" 'UUID 01234567-89ab-cdef-0123-456789abcdef' repair --force \
	--uuid 01234567-89ab-cdef-0123-456789abcdef --slot "$c" img new
rm -f new
(ulimit -f 12000; tool repair --slot "$c" img new >out 2>err)
[ $? = 10 ] && is_one_error && [ ! -e new ] && [ "$(ls -A | grep -c triadsetup)" = 0 ]
result $? "repair: no space leaves no half of a device"

# ---- the log has lost what was flushed ------------------------------------------------



record()	# N: the header of a write behind the current root
{
	fact dump "[r for r in d['log'] if r['kind'] == 'write'][$1]['place']" log
}

place=$(record 1)
zero_block "$place"
sum=$(cksum img)
cp expect.first expect
expect 7 "a lost log: check says so" 'was durable and is damaged' check img
refuse 7 "a lost log: heal does not" 'would make that final' heal img
expect 0 "a lost log: repair shows it" \
	"slot $c: record [0-9]* at block $place was flushed and is damaged" repair img
copied "what comes before the damaged record" --slot "$c"
cp new img.new
mv img img.damaged
mv img.new img
apply 'write 900 4 6' commit stop
expect 0 "and can be written to" 'img: ok' check --data img
mv img.damaged img

# ---- a root and no log ----------------------------------------------------------------

cp --sparse=always kept img
sum=$(cksum img)
cp expect.c expect
copied "the current root without its log" --slot "$c" --without-log
cp expect.b expect
copied "the backup without its log" --slot "$b" --without-log
run repair --json --without-log img
holds "repair --without-log: counts what is left out" out \
	'[(x["log_records"], x["records_missing"]) for x in sorted(d["candidates"],
	 key=lambda x: -x["generation"])] == [(0, 7), (0, 11), (0, 15)]'

# ---- two bad roots ---------------------------------------------------------------------

cp --sparse=always kept img
cp expect.all expect
for slot in 0 1 2; do
	[ "$slot" = "$c" ] || zero_block "$(slot_block "$slot")"
done
sum=$(cksum img)
refuse 8 "two bad roots: export refuses" 'no two roots prove' export img content2
run repair --json img
holds "two bad roots: repair shows the one that is left" out \
	'[x["usable"] for x in d["candidates"]].count(True) == 1 and d["case"] == 4'
copied "the last good root with its log" --slot "$c"
refuse 7 "two bad roots: the others lead nowhere" 'nothing but zeroes' \
	repair --slot $((($c + 1) % 3)) img new2
zero_block "$(slot_block "$c")"
refuse 4 "three bad roots: there is nothing to show" 'no slot holds a root' repair img

# ---- a rotten node and rotten data ----------------------------------------------------------

cp --sparse=always kept img
map=$(fact dump "d['root'][$c]['map_pba']" root)
leaf=$(($(word $((map * 4096))) & 0xffffffffffff))
zero_block "$leaf"
data=$(fact dump '[r["pba"] for r in d["map"] if r["lba"] == 5000][0]' map)
zero_block $((data + 2))	# of LBA 5002
sum=$(cksum img)
run repair --json img
# of the leaf's 256 the log has five, and eight are pending in the node above
holds "repair --json: what a rotten node costs" out "d['candidates'][$c]['lost_blocks'] == 243"
run repair --json --data img
holds "repair --json --data: and rotten data" out "d['candidates'][$c]['lost_blocks'] == 244"
rm -f new content
run repair --json --slot "$c" img new
[ $code = 7 ] && [ -e new ]
result $? "a rotten node: all else is copied"
holds "and its blocks are named" out 'd["lost_blocks"] == 244 and [(x["lba"], x["blocks"]) for x in
	d["lost"]] == [(8, 2), (15, 241), (5002, 1)]'
grep -q 'LBA 15 to 255: lost, and will read as errors' err
result $? "in words, too"
run check --data new
[ $code = 7 ] && [ "$(grep -c '^damaged: data: LBA .* does not match' out)" = 50 ] && ! grep -q 'map:\|plane:\|summary:' out
result $? "they read as errors there, and nothing else is wrong"
run export --json new content
holds "and no other does" out 'd["lost_blocks"] == 244'
for lba in 0 9 15 255 5002; do
	dd if=/dev/zero of=expect bs=4096 seek=$lba count=1 conv=notrunc status=none
done
cmp -l content expect | awk '{ b = int(($1 - 1) / 4096); if ((b > 9 && b < 15) || b > 255) bad = 1 } END { exit bad }'
result $? "all else is as it was"
[ "$sum" = "$(cksum img)" ]
result $? "the damaged device was only read"
mv img img.damaged
mv new img
apply 'write 0 10 7' 'write 15 241 7' 'write 5002 1 7' commit stop
expect 0 "written anew they are good" 'img: ok' check --data img
rm -f content
run export img content
cmp -s content expect
result $? "and the device is whole"

# ---- a device that was cut short -----------------------------------------------------------

cp --sparse=always kept img
cp expect.all expect
truncate -s 63M img
sum=$(cksum img)
refuse 4 "cut short: export refuses" 'was cut short' export img content2
copied "what lies before its end" --slot "$c"
rm -f new content content2 kept img.damaged expect.b expect.c expect.first expect.all
