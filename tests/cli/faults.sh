# SPDX-License-Identifier: GPL-2.0-or-later
# check finds each fault that is put on the disk, says how bad it is, and changes nothing.

# three commits, then a log: two durable records, and one that is not
fresh
apply 'write 0 300 1' 'write 4000 10 1' commit 'write 0 20 2' 'discard 100 20' commit \
	'write 5000 64 3' 'write 0 4 4' commit \
	'write 600 8 5' 'write 700 8 6' flush 'write 800 8 7' 'write 900 8 8' stop
expect 0 "before: check --data" 'img: ok' check --data img
cp --sparse=always img kept
cp --sparse=always expect expect.kept

current=$(fact roots 'd["current"]')
backup=$(fact roots 'd["backup"]')
map=$(fact dump "d['root'][$current]['map_pba']" root)
leaf=$(($(word $((map * 4096))) & 0xffffffffffff))
data=$(fact dump 'd["map"][-1]["pba"]' map)
data_lba=$(fact dump 'd["map"][-1]["lba"]' map)
record()	# N FIELD: of the write records behind c
{
	fact dump "[r for r in d['log'] if r['kind'] == 'write'][$1]$2" log
}
log_durable=$(record 0 '["runs"][0]["start"]')
log_last=$(record -1 '["runs"][0]["start"]')
head_durable=$(record 0 '["place"]')
head_second=$(record 1 '["place"]')
head_last=$(record -1 '["place"]')
backup_log=$(fact dump "d['root'][$backup]['next']" root)

fault()	# BLOCK CODE NAME PATTERN [CHECK-OPTION...]: one bit of that block, then put back
{
	f_block=$1 f_code=$2 f_name=$3 f_pattern=$4
	shift 4
	cp --sparse=always kept img
	flip $((f_block * 4096 + 1234))
	f_before=$(sums)
	run check "$@" img
	[ $code = "$f_code" ] && grep -q -- "$f_pattern" out && [ "$f_before" = "$(sums)" ]
	result $? "$f_name"
}

same_content()	# NAME
{
	rm -f content
	run export img content
	[ $code = 0 ] && cmp -s content expect.kept
	result $? "$1"
}

fault $((2048 + 2 * current)) 6 "a flipped bit in a plane of c" '^degraded: plane: current.*rebuilt'
same_content "and the content is the same"
fault $((2048 + 2 * backup)) 6 "a flipped bit in a plane of b" '^degraded: plane: backup.*lost'
same_content "and the content is the same"
fault $((2048 + 2 * (3 - current - backup))) 0 "a's planes do not matter" 'img: ok'
fault $((2048 + 2 * current + 1)) 6 "a flipped bit in c's summary" '^degraded: summary: current.*rebuilt'
same_content "and the content is the same"
expect 0 "table: it still opens" ' triad ' table img
fault $((2048 + 2 * backup + 1)) 6 "a flipped bit in b's summary" '^degraded: summary: backup.*lost'
fault "$map" 7 "a flipped bit in the root node" "^damaged: map: node at block $map "
fault "$leaf" 7 "a flipped bit in a leaf" "^damaged: map: leaf at block $leaf .*LBA [0-9]* to 255"
fault "$data" 7 "a flipped bit in data, with --data" "^damaged: data: LBA $data_lba: " --data
fault "$data" 0 "a flipped bit in data, without --data: says that it did not look" \
	'data itself was not read'
fault "$log_durable" 7 "a flipped bit in durable data of the log, with --data" \
	'^damaged: data: LBA 600: its data in the log' --data
expect 7 "export: all but that block" '' export --force img content
cmp content expect.kept >out 2>&1
[ "$(cmp -l content expect.kept | awk 'NR == 1 { a = $1 } { b = $1 } END { print int((a - 1) / 4096), int((b - 1) / 4096) }')" = "600 600" ]
result $? "and nothing else differs"
fault "$log_last" 0 "a flipped bit in data behind the durable mark: the log ends there" \
	'note: log: the log ends at record' --data
fact dump '[r for r in d["log"] if r["kind"] == "write"][-1]["extents"][0]["start"]' log >out
[ "$(cat out)" = 800 ]
result $? "and the records before it count"
fault "$head_last" 0 "a flipped bit in the last header: a tear" 'normal after a power cut' --data
fault "$head_durable" 7 "a flipped bit in the first of the headers" 'log.*was durable and is damaged'
fault "$head_second" 7 "a flipped bit in a later header that was durable" 'was durable and is damaged'
cp --sparse=always kept img
zero_block "$head_durable"
expect 7 "a header that is gone without a trace" 'was durable and is damaged' check img
expect 0 "export: says that it is the state before it" 'this is the state before it' \
	export --force img content
cp --sparse=always kept img
flip $((head_durable * 4096))
expect 7 "a flipped bit in a header's magic" 'was durable and is damaged' check img
cp --sparse=always kept img
flip $((head_durable * 4096 + 104))
expect 7 "a flipped bit in a header's way to the next" 'was durable and is damaged' check img
fault "$backup_log" 6 "a flipped bit in the log behind b" 'the log from the backup'
same_content "and the content is the same"

# what carries a good checksum, but says the wrong thing
cp --sparse=always kept img
dd if=kept of=img bs=4096 count=1 skip=$((2048 + 2 * backup)) seek=$((2048 + 2 * current)) conv=notrunc \
	status=none
expect 6 "another slot's plane in the place of c's" 'plane: current' check img
cp --sparse=always kept img
apply 'write 3000 200 9' commit 'write 3300 1 9' commit 'write 3400 1 9' commit stop
dd if=kept of=img bs=4096 count=1 skip=$((2048 + 2 * current)) seek=$((2048 + 2 * current)) conv=notrunc \
	status=none
expect 6 "a plane whose last write was lost" 'plane: current' check img
cp --sparse=always kept img
apply 'write 3000 200 9' commit 'write 3300 1 9' commit 'write 3400 1 9' commit stop
dd if=kept of=img bs=4096 count=1 skip=$((2048 + 2 * current + 1)) seek=$((2048 + 2 * current + 1)) \
	conv=notrunc status=none
expect 6 "a summary whose last write was lost" 'summary: current' check img

# checksums forged to fit: only the comparison with the map tells
forge()	# BLOCK BYTE MASK: change a block with a header and its checksum
{
	python3 "$here/forge.py" img "$1" "$2" "$3"
}
cp --sparse=always kept img
forge $((2048 + 2 * current)) 3000 8
expect 7 "a plane that says too much is used" '1 free one is used' check img
cp --sparse=always kept img
at=$((data - 2048))
forge $((2048 + 2 * current)) $((64 + at / 8)) $((1 << (at % 8)))
expect 7 "a plane that says used blocks are free" '1 used block is free' check img
cp --sparse=always kept img
forge $((2048 + 2 * backup)) 3000 8
expect 6 "a plane of b that says too much" 'plane: backup' check img

cp --sparse=always kept img
forge "$(slot_block "$backup")" 377 1
expect 6 "a backup root that counts more zones than there are" 'backup root says something' check img
cp --sparse=always kept img
forge "$(slot_block "$current")" 377 1
refuse 7 "a current root that counts more zones than there are" 'something impossible' check img
cp --sparse=always kept img
forge "$(slot_block "$current")" 12 128
refuse 4 "a root with features of the future" 'features this program does not know' check img
cp --sparse=always kept img
forge "$(slot_block "$current")" 16 1
expect 0 "a root with features that forbid to write only" 'opens read-only' check img

# the map's root node is gone, and the summary with it
cp --sparse=always kept img
flip $((map * 4096))
flip $(((2048 + 2 * current + 1) * 4096 + 100))
refuse 7 "summary and map damaged: refused" 'summary is damaged, and so is the map' check img
cp --sparse=always kept img
flip $((leaf * 4096))
expect 7 "export: what a damaged leaf hides is named" 'map node at block' export --force img content
[ "$(stat -c %s content)" = "$(stat -c %s expect.kept)" ]
result $? "and the rest is exported"
rm -f content
