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
refuse 7 "export --backup: with its map gone" 'the backup is damaged' export --backup img content3
rm -f content content2 want expect.b
