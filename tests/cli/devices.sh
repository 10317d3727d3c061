# SPDX-License-Identifier: GPL-2.0-or-later
# Roots on one other device, and on three.

lay_out()	# ROOT-DEVICE...
{
	rm -f img img.* expect
	truncate -s 64M img
	roots='' files=''
	for root in "$@"; do
		truncate -s "${root#*:}" "img.${root%:*}"
		roots="$roots --root-device img.${root%:*}"
		files="$files img.${root%:*}"
	done
}

for set in 'one:50M' 'x:1M y:4K z:8K'; do
	lay_out $set
	count=$(echo $set | wc -w)
	expect 0 "$count root devices: format" 'formatted' format -q $roots img
	printf 'write 0 300 1\ncommit\nwrite 7 7 7\nstop\n' |
		"$MKIMAGE" img expect - $files 2>err
	result $? "$count root devices: write"
	expect 0 "$count root devices: check" 'img: ok' check --data $roots img
	expect 0 "$count root devices: dump" '^space: ' dump $roots img
	run roots --json $roots img
	holds "$count root devices: roots" out 'd["case"] == 1 and all("img." in s["device"] for s in d["slots"])'
	expect 0 "$count root devices: table" "img $((2 * count)) root_dev $dir/img" table $roots img
	rm -f content
	run export $roots img content
	cmp -s content expect
	result $? "$count root devices: export"
	refuse 4 "$count root devices: without naming them" 'name them with --root-device' roots img
	refuse 1 "$count root devices: export onto one of them" 'device to export' \
		export --force $roots img "img.$(echo "${set%%:*}")"
done

zero_block 0 img.y
expect 6 "three root devices: one is lost" '^case [23]' roots $roots img
rm -f content
run export $roots img content
[ $code = 0 ] && cmp -s content expect
result $? "and the content is the same"
zero_block 0 img.x
refuse 8 "three root devices: two are lost" 'no two roots prove' check $roots img

lay_out x:1M y:1M z:1M
tool format -q $roots img >/dev/null 2>&1
refuse 8 "three root devices: two of them swapped" 'no two roots prove' check \
	--root-device img.y --root-device img.x --root-device img.z img
grep -q 'in the order of the slots' err
result $? "and the order is named as the reason"
refuse 1 "root devices: two" 'given twice' roots --root-device img.x --root-device img.y img
refuse 1 "format: two root devices" 'given twice' format -q --root-device img.x \
	--root-device img.y img
refuse 1 "root devices: four" 'more than three' roots $roots --root-device img img
refuse 1 "root devices: the same twice" 'named twice' roots --root-device img.x \
	--root-device img.x --root-device img.y img
refuse 1 "format: the data device as root device" 'named twice' format -q --root-device img img
# one of three is missing
printf 'write 0 300 1\ncommit\nwrite 7 7 7\nstop\n' |
	"$MKIMAGE" img expect - img.x img.y img.z 2>err
for gone in x y z; do
	without=$(echo "$roots" | sed "s/img.$gone/missing/")
	expect 6 "without $gone: roots" 'go on with two roots' roots $without img
	expect 6 "without $gone: check" 'goes on with two roots' check --data $without img
	expect 0 "without $gone: table" 'root_dev - *' table $without img
	grep -q 'Nothing is lost, and the other two carry on' err
	result $? "without $gone: and it says so"
	rm -f content
	run export $without img content
	[ $code = 0 ] && cmp -s content expect
	result $? "without $gone: the content is the same"
	refuse 4 "without $gone: heal has nothing to write to" 'its device is missing' \
		heal $without img
	refuse 4 "without $gone: nor by force" 'its device is missing' heal --force $without img
done
refuse 1 "two are missing" 'no more' roots --root-device img.x --root-device missing \
	--root-device missing img
refuse 1 "the only one is missing" 'no more' roots --root-device missing img
refuse 1 "format: none may be missing" 'none that is missing' format -q --root-device img.x \
	--root-device img.y --root-device missing img
# what mkimage writes goes on without one, and takes an empty one in
cp img.y kept.y
printf 'write 40 20 2\ncommit\nwrite 50 3 3\ncommit\nwrite 60 4 4\nstop\n' |
	"$MKIMAGE" img expect - img.x missing img.z 2>err
result $? "without y: written"
without=$(echo "$roots" | sed "s/img.y/missing/")
for back in none old empty; do
	case $back in
	none)	now=$without code_now=6 ;;
	old)	now=$roots code_now=6 ;;
	empty)	zero_block 0 img.y; now=$roots code_now=6 ;;
	esac
	expect $code_now "y is $back: check" 'img: usable but degraded' check --data $now img
	rm -f content
	run export $now img content
	cmp -s content expect
	result $? "y is $back: what was written without it is there"
done
cp kept.y img.y
expect 0 "its own old root: heal" 'healed slot 1' heal $roots img
expect 0 "and all three are well" 'img: ok' check --data $roots img
rm -f kept.y

refuse 4 "root devices: one is missing" 'no such device' roots --root-device img.none img
# a root device may hold a device of its own, and a data device data without its roots
lay_out one:64M
printf 'write 0 9 1\nstop\n' >lines
tool format -q img.one >/dev/null 2>&1 && "$MKIMAGE" img.one expect <lines 2>err
refuse 5 "format: a root device that holds data" 'img.one: a dm-triad device with data' \
	format -q $roots img
expect 0 "format --force: a root device" 'formatted' format -q --force $roots img
"$MKIMAGE" img expect - $files <lines 2>err
refuse 5 "format: data whose roots are not named" 'whose roots lie elsewhere' format -q img
refuse 5 "format: data and its roots" 'img.one: a dm-triad device with data' format -q $roots img
lay_out one:40M
refuse 4 "format: root device too small" 'a root device needs 49 MiB' format -q $roots img
lay_out x:1M y:1M z:1K
refuse 4 "format: one of three too small" 'a root device needs 4 KiB' format -q $roots img

# roots inside must not be found any more once they lie outside
lay_out one:50M
tool format -q img >/dev/null 2>&1
expect 0 "format: from inside to a root device" 'formatted' format -q $roots img
refuse 4 "and the old roots are gone" 'no dm-triad device' roots img
