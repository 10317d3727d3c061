# SPDX-License-Identifier: GPL-2.0-or-later
# The backup: looked at, and gone back to.

fresh
apply 'write 0 8 1' commit 'write 8 8 2' stop
cp expect expect.b
apply 'write 100 8 3' commit 'write 4 8 4' 'discard 0 2' stop
cp --sparse=always img kept
rm -f content
expect 0 "export --backup: says what it is" 'the state of the last commit but one, [0-9-]* [0-9:]*$' \
	export --backup img content
# the first commit's: what its log held is not part of it
cp expect.b want
dd if=/dev/zero of=want bs=4096 seek=8 count=8 conv=notrunc status=none
cmp -s content want
result $? "and holds just that"
cmp -s img kept
result $? "the device was only read"
run export --json --backup img content2
holds "export --backup --json: no record of the log" out 'd["log_records"] == 0 and d["blocks"] == 8'
expect 0 "table --backup" ' 1 backup$' table --backup img
b_block()	# where the root of the backup lies
{
	slot_block "$(fact roots '[s["slot"] for s in d["slots"] if s["letter"] == "b"][0]')"
}

zero_block "$(b_block)"
refuse 8 "export --backup: without a backup root" 'no backup to go back to: its root is lost' \
	export --backup img content3
refuse 8 "table --backup: without a backup root" 'its root is lost' table --backup img
cp --sparse=always kept img
zero_block "$(word $(($(b_block) * 4096 + 304)))"	# its map
expect 6 "check: with its map gone only the backup is lost" 'the backup is lost' check img
refuse 7 "export --backup: with its map gone" 'the backup is damaged' export --backup img content3
rm -f content content2 want

# ---- rollback --------------------------------------------------------------------

# what the backup held: the first record; the second was only in the log then
cp expect.b want
dd if=/dev/zero of=want bs=4096 seek=8 count=8 conv=notrunc status=none
cp --sparse=always kept img
apply 'write 300 2 5' stop
before=$(sums)
expect 1 "rollback: refuses without a terminal" 'no terminal to ask on' rollback img
[ "$before" = "$(sums)" ] && grep -q 'Lost would be 4 writes with 104 KiB and 1 discard in the' err
result $? "and says before what would be lost"
if command -v script >/dev/null; then
	printf 'no\n' | script -qec "$TRIADSETUP rollback img" /dev/null >out 2>err
	[ $? = 1 ] && grep -q 'not confirmed' out && [ "$before" = "$(sums)" ]
	result $? "rollback: on a terminal, anything but YES changes nothing"
fi
expect 0 "rollback -q --data: goes back" 'gone back to the backup' rollback -q --data img
cp want expect
rm -f content
run export img content
[ $code = 0 ] && cmp -s content expect
result $? "and what the backup held is all there is"
expect 0 "three good roots" '^case 1' roots img
expect 0 "check after it" 'img: ok' check --data img
expect 0 "a second time there is nothing to go back from" 'holds the same' rollback img
apply 'write 20 5 6' commit 'write 30 5 7' stop
rm -f content
run export img content
[ $code = 0 ] && cmp -s content expect
result $? "it is written to as before"
expect 0 "check after that" 'img: ok' check --data img

cp --sparse=always kept img
zero_block "$(b_block)"
refuse 6 "rollback: not with a bad root" 'need not be whole' rollback -q img

cp --sparse=always kept img
zero_block "$(word $(($(b_block) * 4096 + 224)))"	# where the log of the backup begins
expect 0 "rollback: says if it cannot count" 'at least 0 writes' rollback -q img
expect 0 "and goes back all the same" 'img: ok' check --data img
rm -f content
run export img content
cmp -s content want
result $? "to the same content"

# LBA 4 was written anew since
cp --sparse=always kept img
cp --sparse=always kept img.b
tool rollback -q img.b >out 2>err
tool dump --json img.b map >fact
zero_block "$(json fact '[r["pba"] + 4 - r["lba"] for r in d["map"] if r["lba"] <= 4 < r["lba"] + r["nr"]][0]')"
refuse 7 "rollback --data: not to data that is rotten" '1 block of the backup cannot be read' \
	rollback -q --data img
rm -f img.b content want expect.b kept
