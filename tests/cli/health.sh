# SPDX-License-Identifier: GPL-2.0-or-later
# info, scrub and doctor.  Of real devices: tests/vm/test-tool.

uuid=01234567-89ab-cdef-0123-456789abcdef
fresh 64M --label 'my disk' --uuid $uuid
apply 'write 0 300 1' commit 'write 5000 200 2' stop
before=$(sums)
expect 0 "info: of an image" '^my disk: a dm-triad device of 44 MiB' info img
grep -q "^  UUID  *$uuid\$" out && grep -q '^  where  *img (64 MiB)' out && grep -q '^  how safe  *well' out &&
	grep -q '^  how full  *2.0 MiB of' out && grep -q 'last commit 20.*, and [1-9] writes* in the log' out
result $? "what, where, how full, how safe, since when"
grep -q '^ .* not open, and was not closed: opening it applies its log$' out
result $? "and that it was not closed"
! grep -qi 'letter\|plane\|case\|slot' out && awk 'length($0) > 80 { exit 1 }' out && [ "$(wc -l <out)" -le 24 ]
result $? "on one screen, without inner words"
[ "$before" = "$(sums)" ]
result $? "and nothing is changed"
run info --json img
holds "info --json" out "d['exit_code'] == 0 and d['uuid'] == '$uuid' and d['label'] == 'my disk' and not d['open'] and d['size'] == 44 << 20 and d['last_commit'] > 0 and d['name'] is None"
apply close
expect 0 "info: with nothing in its log it counts as closed" '^ .* closed$' info img
grep -q 'not closed' out
result $((! $?)) "and as nothing else"
zero_block 0
expect 6 "info: a bad root" 'triadsetup heal img' info img
run info --json img
holds "info --json: a bad root" out 'd["exit_code"] == 6 and d["safe"].startswith("degraded") and d["error"] is None'
refuse 4 "info: no such device" 'no such device' info missing
run info --json missing
holds "info --json: no such device" out 'd["exit_code"] == 4 and len(d["error"]["message"]) > 9'

run doctor
case $code in 0|6|9) ! [ -s err ] && grep -q '^ok  *kernel\|^cannot  *kernel' out && grep -q 'speed .*GB/s' out ;; *) false ;; esac
result $? "doctor: what was found"
# on a terminal
LC_ALL=C.UTF-8 awk 'length($0) > 110 { print; wide = 1 } END { exit wide }' out >err
result $? "in lines that can be read"
run doctor --json
holds "doctor --json" out 'd["exit_code"] in (0, 6, 9) and {"kernel", "sha256", "crc32c", "speed"} <= {c["what"] for c in d["checks"]} and {c["finding"] for c in d["checks"]} <= {"ok", "note", "to do", "cannot"}'
run doctor --json no-disk
holds "doctor --json: a disk that is not there" out 'd["exit_code"] in (6, 9) and "No such file" in str(d["checks"])'

printf '%s\n' 'gone /dev/vdz' 'asked /dev/vdy - noauto' 'odd /dev/vdx - nonsense' >tab
TRIADTAB="$dir/tab" tool doctor >out 2>err
[ "$(grep -c '^to do  *triadtab  ' out)" = 2 ] && grep -q 'gone (/dev/vdz) is not open' out &&
	grep -q "$dir/tab, line 3: " out
result $? "doctor: what triadtab opens at boot and is not open, and lines that are wrong; no more"

if [ -z "$FAKEDM" ]; then
	skip "scrub" "device-mapper's stand-in cannot be loaded first"
	return 0
fi
export FAKE_DM="$dir/mappings" STATE_DIRECTORY="$dir/state"
# one NAME MODE SUSPENDED
one() { printf '%s\tTRIAD-%s-x\t%s\t1\t8192\ttriad\t/dev/vda\t%s cab 7 ok 3 40 25893 258928 5 60 8388608 9437184 4096 0 9 10 13765 - 0 0.2.0 %s -\n' "$1" $uuid "$3" "$2" $uuid; }
faked()	# COMMAND...: sets code, out, err
{
	LD_PRELOAD=$FAKEDM timeout -s KILL 60 "$TRIADSETUP" "$@" >out 2>err </dev/null
	code=$?
}
mkdir -p mappings.nodes
head -c 4M /dev/urandom >mappings.nodes/good
one good rw 0 >mappings
faked scrub --status good
if ! dd if=mappings.nodes/good of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; then
	skip "scrub" "no direct I/O here"
	return 0
fi
[ $code = 0 ] && grep -q 'not verified yet' out
result $? "scrub --status: never"
faked scrub good
[ $code = 0 ] && grep -q '^good: finished, 100.0 % (4 MiB of 4 MiB), .* 0 bad blocks' out
result $? "scrub: all of it"
faked scrub --status --json good
[ $code = 0 ] && [ "$(json out "d['state'] == 'finished' and d['verified'] == d['size'] == 4 << 20 and d['bad'] == [] and d['ended'] >= d['begun'] > 0 and d['name'] == 'good'")" = True ]
result $? "scrub --status --json: finished"
LD_PRELOAD=$FAKEDM timeout -s KILL 60 "$TRIADSETUP" scrub --rate 1M good >out 2>err </dev/null &
for try in $(seq 100); do
	LD_PRELOAD=$FAKEDM "$TRIADSETUP" scrub --status good 2>/dev/null | grep -q running && break
	sleep 0.1
done
sleep 1
LD_PRELOAD=$FAKEDM "$TRIADSETUP" scrub good >second 2>&1
[ $? = 5 ] && grep -q 'is being verified already' second
result $? "scrub: not twice at once"
pkill -INT -P $! triadsetup
wait $!
[ $? = 0 ] && grep -q '^good: interrupted, [257][05].0 %' out
result $? "scrub: at its rate, and what is interrupted is told"
cp "state/scrub-$uuid" left
faked scrub --json good
[ $code = 0 ] && [ "$(json out "d['state'] == 'finished'")" = True ] &&
	[ "$(json "state/scrub-$uuid" 'd["begun"]')" = "$(json left 'd["begun"]')" ]
result $? "scrub: goes on from there"
cp left "state/scrub-$uuid"
truncate -s 2M mappings.nodes/good	# what is behind it cannot be read
faked scrub --json --anew good
[ $code = 7 ] && [ "$(json out "d['bad_blocks'] == 512 and d['bad'] == list(range(512, 1024)) and 'could not be read' in d['error']['message']")" = True ]
result $? "scrub --anew: what cannot be read is named, block by block, and all else is verified"
faked scrub --status good
[ $code = 7 ] && is_one_error
result $? "scrub --status: tells it, too"
one good rw 1 >mappings
faked scrub good
[ $code = 5 ] && is_one_error
result $? "scrub: a suspended device is not waited for"
echo '{"blocks": "nonsense' >"state/scrub-$uuid"
one good rw 0 >mappings
faked scrub --status good
[ $code = 0 ] && grep -q 'not verified yet' out
result $? "scrub: a state that is none"
chmod 500 state
[ "$(id -u)" = 0 ] || { faked scrub good; [ $code = 2 ] && is_one_error; result $? "scrub: a state that cannot be kept"; }
chmod 700 state
faked doctor --json good
[ "$(json out "[c['found'] for c in d['checks'] if c['what'] == 'device'] == ['good is open, rw, and well']")" = True ]
result $? "doctor: an open device"
