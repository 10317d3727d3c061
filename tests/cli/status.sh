# SPDX-License-Identifier: GPL-2.0-or-later
# What is said of open devices, with a stand-in for device-mapper: list, status, monitor.
# With real ones: tests/vm/test-status.

if [ -z "$FAKEDM" ]; then
	skip "status, list, monitor" "device-mapper's stand-in cannot be loaded first"
	return 0
fi
export FAKE_DM="$dir/mappings"

faked()	# COMMAND...: sets code, out, err
{
	LD_PRELOAD=$FAKEDM timeout -s KILL 60 "$TRIADSETUP" "$@" >out 2>err </dev/null
	code=$?
}

uuid=01234567-89ab-cdef-0123-456789abcdef
# mapping NAME SUSPENDED EVENT TABLE MODE HEALTH CHECKSUM_ERRORS REASON ERROR [REST]
mapping()
{
	printf '%s\tTRIAD-%s-%s\t%s\t%s\t1968128\ttriad-0.2.0\t%s\t%s cab 7 %s 3 40 25893 258928 5 60 8388608 9437184 4096 %s 9 10 13765 %s %s 0.2.0%s\n' \
		"$1" $uuid "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" "${10- $uuid -}"
}

: >mappings
faked status
[ $code = 0 ] && grep -q '^No dm-triad device is open' out
result $? "status: nothing is open"
faked list --json
[ $code = 0 ] && [ "$(json out "d['devices'] == [] and d['exit_code'] == 0")" = True ]
result $? "list --json: nothing is open"
faked status missing
[ $code = 4 ] && is_one_error
result $? "status: no such mapping"

mapping good 0 3 "/dev/vda" rw ok 0 - 0 " $uuid Gr\\xc3\\xb6\\xc3\\x9fe\\x20x" >mappings
cp mappings one
faked status good
[ $code = 0 ] && grep -q '^  device  *\/dev\/vda$' out && grep -q "^  UUID  *$uuid\$" out &&
	grep -q '^  label  *Größe x$' out && ! grep -q '^  options' out &&
	grep -q '^  used  *101 MiB of 1011 MiB, 10.0 %' out &&
	grep -q '^  log  *160 KiB of it, 3 records to be applied by a commit' out &&
	grep -q '^  roots, slot 0 to 2  *current, written next, backup$' out
result $? "status: device, UUID, label and how full it is"
sed 's/ 3 40 25893 / 555 51786 0 /' one >mappings
faked status good
[ $code = 0 ] && grep -q '^  used  *202 MiB of 1011 MiB, 20.0 %' out
result $? "status: what lies in the log takes room, too"
cp one mappings
mapping other 0 1 "/dev/vdb 19 root_dev /dev/vdc read_only interval_ms 500 on_error hold hold_ms 9 sync ro sync_ms 70 keep_max 7 heartbeat_ms 2000 key 0011" \
	rw degraded 0 - 0 >>mappings
mapping broken 0 1 "/dev/my\\disk" ro failed 0 a_write_failed -5 >>mappings
mapping away 1 1 "/dev/vdd" fail ok 0 suspended 0 >>mappings
faked status other
[ $code = 6 ] && grep -q -- '^  options  *--root-device /dev/vdc --read-only --interval-ms 500 --on-error hold --hold-ms 9 --sync ro --sync-ms 70 --keep-max 7 --wait --key-file ...$' out &&
	! grep -q 0011 out err
result $? "status: its options, but not its key; a bad root is exit code 6"
faked status away
[ $code = 0 ] && grep -q '^  mode  *suspended' out
result $? "status: suspended is no error"
faked status
[ $code = 7 ] && [ "$(grep -c '^/dev/mapper/' out)" = 4 ] && is_one_error && grep -q 'broken: it is read-only, and nobody' err
result $? "status: all of them, and the exit code of the worst"
faked status --json
[ $code = 7 ] && [ "$(json out "[x['name'] for x in d['devices']] == ['away', 'broken', 'good', 'other'] and [x['exit_code'] for x in d['devices']] == [0, 7, 0, 6] and 'broken' in d['error']['message'] and d['devices'][2]['label'] == 'Größe x' and d['devices'][3]['options'] == {'read_only': True, 'backup': False, 'interval_ms': 500, 'cache_blocks': 16384, 'on_error': 'hold', 'hold_ms': 9, 'heartbeat_ms': 2000, 'keep_max': 7, 'sync': 'ro', 'sync_ms': 70, 'keyed': True, 'root_devices': ['/dev/vdc']}")" = True ] &&
	! grep -q 0011 out err
result $? "status --json: all of them"
faked status --json good other
[ $code = 6 ] && [ "$(json out "len(d['devices']) == 2 and d['error'] is None")" = True ]
result $? "status --json: those that are named"
faked status --json good
[ $code = 0 ] && [ "$(json out "d['name'] == 'good' and d['uuid'] == '$uuid' and d['label'] == 'Größe x' and d['mode'] == 'rw' and 'devices' not in d")" = True ]
result $? "status --json NAME: one object"
mapping kept 0 3 "/dev/vda" rw ok 0 - 0 " $uuid - 4800 4711 4000 256 4100" >mappings
mapping lost 0 3 "/dev/vda" rw ok 0 - 0 " $uuid - 4800 4711 4790 0 given_up" >>mappings
mapping none 0 3 "/dev/vda" rw ok 0 - 0 " $uuid - 4800 4711 4790 0 -" >>mappings
faked status --json
[ $code = 0 ] && [ "$(json out "[[x[k] for k in ('next_record', 'durable_record', 'kept_record', 'kept_blocks', 'keep')] for x in d['devices']] == [[4800, 4711, 4000, 256, '4100'], [4800, 4711, 4790, 0, 'given_up'], [4800, 4711, 4790, 0, None]]")" = True ]
result $? "status --json: where the log is, for who follows it"
faked status
[ $code = 0 ] && [ "$(grep -c '^  log kept' out)" = 2 ] && grep -q '^  log kept  *from record 4100, 1 MiB' out &&
	grep -q '^  log kept  *given up, for want of room' out
result $? "status: what is kept, if anybody has asked for it"
faked status --prometheus
[ $code = 0 ] && grep -qxF 'dm_triad_kept_bytes{name="kept"} 1048576' out && grep -qxF 'dm_triad_durable_record{name="kept"} 4711' out
result $? "status --prometheus: the same"
sed 's/ 0\.2\.0 .*$//' one >mappings
faked status good
[ $code = 0 ] && grep -q "^  UUID  *$uuid\$" out && ! grep -q '^  label' out
result $? "status: of an older module, whose line is shorter"
printf 'good\tu\t0\t0\t8\ttriad\t/dev/vda\trw abc x ok\n' >mappings
faked status good
[ $code = 9 ] && is_one_error
result $? "status: a line of no known form is refused"

# ---- a table -----------------------------------------------------------------------

long=a-name-as-long-as-somebody-may-well-choose
{
	cat one
	mapping $long 0 1 /dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part1-and-more-of-it rw ok 0 - 0 \
		" $uuid A-label-of-two-and-thirty-bytes!"
	mapping away 1 1 "/dev/vdd" fail ok 0 suspended 0
} >mappings
faked list
[ $code = 0 ] && grep -q '^good  */dev/vda  *961 MiB  *10.0%  *rw  *ok  *Größe x' out && grep -q "^$long .*A-label" out
result $? "list: a line for each"
faked list --json
[ $code = 0 ] && [ "$(json out "len(d['devices']) == 3 and d['devices'][0]['name'] == '$long'")" = True ]
result $? "list --json"
if command -v script >/dev/null; then
	LD_PRELOAD=$FAKEDM script -qc "stty cols 80; '$TRIADSETUP' list" /dev/null </dev/null >out 2>err
	tr -d '\r' <out >table
	[ "$(LC_ALL=C.UTF-8 wc -L <table)" -le 80 ] && [ "$(wc -l <table)" = 4 ]
	result $? "list: 80 columns are enough on a terminal"
fi

# ---- Prometheus ----------------------------------------------------------------------

mapping 'odd"name\' 0 1 "/dev/a\\b" ro failed 2 a_write_failed -5 >>mappings
faked status --prometheus
[ $code = 0 ] && awk -f "$here/../lib/exposition.awk" out >err && [ ! -s err ]
result $? "status --prometheus: the text format, whatever the names hold, and exit code 0"
grep -qxF 'dm_triad_worth{name="odd\"name\\"} 7' out && grep -qxF 'dm_triad_used_bytes{name="good"} 106057728' out &&
	grep -qxF 'dm_triad_mode{name="good",mode="rw"} 1' out && grep -qxF 'dm_triad_mode{name="away",mode="suspended"} 1' out &&
	grep -qxF "dm_triad_info{name=\"good\",device=\"/dev/vda\",uuid=\"$uuid\",label=\"Größe x\",version=\"0.2.0\"} 1" out
result $? "with the numbers that status has"
cp out metrics
printf 'a 1\n# HELP b x\n# TYPE b counter\nb{l="\\x"} 1\n' | awk -f "$here/../lib/exposition.awk" >out
[ $? = 1 ] && [ "$(grep -c 'a sample outside\|_total: #\|wrong labels' out)" = 3 ]
result $? "(what checks the format finds what is wrong)"
board=$here/../../contrib/grafana-dm-triad.json
python3 - "$board" metrics >out 2>err <<'END'
import json, re, sys
there = set(re.findall(r'^# TYPE (\S+)', open(sys.argv[2]).read(), re.M))
board = json.load(open(sys.argv[1]))
used = set(re.findall(r'dm_triad_\w+', json.dumps(board)))
print(sorted(used - there))
sys.exit(not used or bool(used - there) or len(board["panels"]) < 5)
END
result $? "the example of a board shows metrics that there are"
: >mappings
faked status --prometheus
[ $code = 0 ] && awk -v EMPTY_IS_FINE=1 -f "$here/../lib/exposition.awk" out >err
result $? "status --prometheus: nothing is open"

# ---- what goes on ---------------------------------------------------------------------

lines()	# NR: wait until out has so many, and no longer than 20 s
{
	for l_try in $(seq 200); do
		[ "$(wc -l <out)" -lt "$1" ] || break
		sleep 0.1
	done
}

cp one mappings
(sleep 0.5; sed 's/ 8388608 9437184 / 10485760 12582912 /' one >two; mv two mappings) &
faked status --watch 1 --count 2
wait
[ $code = 0 ] && [ "$(grep -c '^good' out)" = 2 ] && grep -q '^NAME' out &&
	grep -q '^good  *rw  *[12][.]. MiB  *0 B  *[123][.]. MiB  *1.50 ' out && grep -q '^good  *rw  *0 B  *0 B  *0 B  *- ' out
result $? "status --watch: what was done between two looks"
awk 'length($0) > 80 { exit 1 }' out
result $? "in 80 columns"
faked status --watch 1 --count 1 --json
[ $code = 0 ] && [ "$(wc -l <out)" = 2 ] && head -n 1 out >first && tail -n 1 out >last &&
	[ "$(json first "d['devices'][0]['name'] == 'good' and d['devices'][0]['amplification'] is None")" = True ] &&
	[ "$(json last "d['exit_code'] == 0 and d['error'] is None")" = True ]
result $? "status --watch --json: an object a line, and one at the end"
faked status --watch 1 --count 1 --json missing
[ $code = 4 ] && [ "$(json out "d['exit_code'] == 4 and len(d['error']['message']) > 9")" = True ]
result $? "status --watch --json: no such mapping"
mapping broken 0 1 "/dev/vdb" ro failed 0 a_write_failed -5 >mappings
faked status --watch 1 --count 1
[ $code = 7 ]
result $? "status --watch: the exit code of the last look"
LD_PRELOAD=$FAKEDM timeout -s KILL 60 "$TRIADSETUP" status --watch 1 --json >out 2>err </dev/null &
lines 1
pkill -INT -P $! triadsetup
wait $!
code=$?
tail -n 1 out >last
[ $code = 7 ] && [ "$(json last "d['exit_code'] == 7")" = True ]
result $? "status --watch: SIGINT ends it as its last look"

faked_monitor()	# OPTIONS...: the mappings go through "$dir/step1", "step2", ... when all is told of the one before
{
	cp step0 mappings
	: >out
	LD_PRELOAD=$FAKEDM timeout -s KILL 60 "$TRIADSETUP" monitor "$@" >out 2>err </dev/null &
	f_pid=$!
	sleep 2
	for step in 1:1 2:3 3:5 4:6 5:7; do
		cp step${step%:*} step
		mv step mappings
		lines "${step#*:}"
	done
	wait $f_pid
	code=$?
}
cp one step0
{ cat one; mapping new 0 1 /dev/vdb rw ok 0 - 0; } >step1
{ cat one; mapping new 0 2 /dev/vdb rw rotten 2 - 0; } >step2
{ cat one; mapping new 0 3 /dev/vdb ro failed 2 a_write_failed -5; } >step3
{ cat one; mapping new 0 4 /dev/vdb ro failed 2 a_write_failed -5; } >step4
cp one step5
faked_monitor --count 7
[ $code = 0 ] && [ "$(sed 's/^[-0-9]* [0-9:]* //' out)" = "new: opened, mode rw, health ok
new: health rotten instead of ok
new: 2 blocks did not match their checksums; dmesg tells which
new: mode ro instead of rw: a write failed
new: health failed instead of rotten
new: something happened, and it is ro, failed; dmesg tells what
new: closed" ]
result $? "monitor: opened, rotten, failed, closed"
faked_monitor --count 7 --json new good
[ $code = 0 ] && head -n 1 out >first
tail -n 1 out >last
[ "$(wc -l <out)" = 8 ] && [ "$(json first "d['name'] == 'new' and d['event'] == 'opened' and d['time'] > 0")" = True ] &&
	[ "$(json last "d['exit_code'] == 0 and d['error'] is None")" = True ]
result $? "monitor --json: an object a line, and one at the end"

# ---- what a device is told to do -----------------------------------------------------------

cp one mappings
mapping away 1 1 "/dev/vdd" fail ok 0 suspended 0 >>mappings
for command in commit suspend resume; do
	faked $command good
	[ $code = 0 ] && [ ! -s out ] && [ ! -s err ]
	result $? "$command: says nothing"
	faked $command --json good
	[ $code = 0 ] && [ "$(json out "d['name'] == 'good' and d['exit_code'] == 0")" = True ]
	result $? "$command --json"
	faked $command missing
	[ $code = 4 ] && is_one_error
	result $? "$command: no such mapping"
done
[ "$(tr '\n' ' ' <mappings.log)" = "message good commit message good commit suspend good suspend good resume good resume good " ]
result $? "and device-mapper is told, once each"
faked commit away
[ $code = 5 ] && is_one_error
result $? "commit: not of a suspended device"
: >mappings.log
faked trim good
[ $code = 0 ] && grep -qx 'good: 12 MiB told to its disk to be free' out &&
	[ "$(tr '\n' ' ' <mappings.log)" = "message good trim 0 message good trim 2 message good trim 4 " ]
result $? "trim: some zones at a time"
faked trim --json good
[ $code = 0 ] && [ "$(json out "d['bytes'] == 3000 * 4096")" = True ]
result $? "trim --json"
faked trim missing
[ $code = 4 ] && is_one_error
result $? "trim: no such mapping"
faked trim away
[ $code = 5 ] && is_one_error
result $? "trim: not of a suspended device"
