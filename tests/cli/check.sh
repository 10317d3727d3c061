# SPDX-License-Identifier: GPL-2.0-or-later
# Sound devices of many histories check, dump and export as what was written.

sound()	# NAME LINES...: a history; the device must check and read as expected
{
	s_name=$1
	shift
	apply "$@"
	run check --data img
	[ $code = 0 ] && grep -q 'img: ok' out && ! grep -q '^d' out
	result $? "$s_name: check"
	rm -f content
	run export img content
	[ $code = 0 ] && cmp content expect >>err 2>&1
	result $? "$s_name: export"
	run dump img
	[ $code = 0 ]
	result $? "$s_name: dump"
	run dump --json img
	holds "$s_name: dump --json" out 'len(d["root"]) == 3 and {"log", "map", "space"} <= set(d)'
}

fresh
sound "nothing written" stop
fresh
sound "one block, dirty" 'write 0 1 1' stop
sound "reopened and closed" close
[ "$(fact roots 'd["slots"][d["current"]]["segment"]')" = 0 ]
result $? "a clean close leaves an empty segment pointer"
[ "$(fact dump 'len(d["log"])' log)" = 0 ]
result $? "and an empty log"
fresh
sound "the last block" 'write 11263 1 1' stop
fresh
sound "discard of nothing" 'discard 0 11264' stop
sound "discard of all" 'write 0 600 1' commit 'discard 0 11264' commit close
[ "$(fact dump 'd["map"]' map)" = '[]' ]
result $? "nothing is mapped after it"
fresh
sound "overwritten in the log" 'write 10 20 1' 'write 15 10 2' 'discard 12 5' 'write 14 1 3' stop
sound "a second session" 'write 0 20 4' flush stop
sound "a third" 'write 5 1 5' commit stop
fresh
sound "written full" 'write 0 11264 1' commit 'write 0 11264 2' 'write 0 11264 3' stop
sound "and closed" close
fresh 200M --checksum xxh64 --hash sha512
sound "xxh64 and sha512, two zones" 'write 0 30000 1' commit 'write 100 30000 2' \
	'discard 256 512' commit 'write 7 1 1' stop
fresh 64M --zone-size 24M --segment-size 64K --interval 6M
i=0
history=$(while [ $i -lt 60 ]; do
	echo "write $((i * 997 % 10500)) $((i % 30 + 1)) $i"
	[ $((i % 7)) != 0 ] || echo flush
	[ $((i % 11)) != 0 ] || echo commit
	[ $((i % 13)) != 0 ] || echo "discard $((i * 571 % 10000)) $((i * 10 + 1))"
	i=$((i + 1))
done)
sound "small zones and many commits" "$history" stop

run check --json --data img
holds "check --json" out 'd["result"] == "ok" and d["data_checked"] and d["data_verified"] > 0 and d["problems"] == []'
expect 0 "check -q: one line" '^img: ok' check -q img
run dump img log map
[ $code = 0 ] && grep -q '^log: ' out && grep -q '^map: ' out && ! grep -q '^slot' out
result $? "dump: only the parts that are named"
