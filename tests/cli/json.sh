# SPDX-License-Identifier: GPL-2.0-or-later
# --json: one whole object whatever happens; what nobody could read was not said.

# told NAME CODE EXPRESSION COMMAND...: one document on stdout, with the exit code in it
told()
{
	t_name=$1 t_code=$2 t_expression=$3
	shift 3
	run "$@"
	[ $code = "$t_code" ] && [ "$(json out "$t_expression and d['exit_code'] == $code" 2>&1)" = True ]
	result $? "$t_name"
}

fails='len(d["error"]["message"]) > 9'
fresh 64M --label 'Größe'
apply 'write 0 8 1' commit 'write 8 8 2' commit 'write 100 8 3' stop
named='d["device"] == "img" and len(d["uuid"]) == 36 and d["label"] == "Größe"'
for command in roots dump check table; do
	told "$command --json: device, UUID and label" 0 \
		"$named and d['error'] is None and d['warnings'] == []" $command --json img
done
rm -f content
told "export --json: device, UUID and label" 0 "$named" export --json img content
told "export --json: a failure keeps them" 5 "$named and $fails" export --json img content
truncate -s 64M other
told "format --json: device, UUID and label" 0 \
	'd["device"] == "other" and len(d["uuid"]) == 36 and d["label"] == "x"' \
	format --json -q --label x other
told "format --json: a failure is told" 1 "$fails and d['device'] == 'other'" \
	format --json --label "$(printf 'a\nb')" other
rm -f other

cp --sparse=always img kept
for command in roots dump check table; do
	told "$command --json: no such device" 4 "$fails and d['device'] == 'missing'" $command --json missing
	told "$command --json: a directory" 4 "$fails" $command --json directory
	told "$command --json: too few arguments" 1 "$fails" $command --json
	told "$command --json: an unknown option" 1 "$fails" $command --nonsense img --json
	zero_block 0
	zero_block 4096
	[ $command = dump ] && part='img log' || part=img
	told "$command --json: no root can be proven" 8 \
		"'no two roots' in d['error']['message'] and 'slot 1: empty' in d['error']['advice']" \
		$command --json $part
	cp --sparse=always kept img
done
for command in heal rollback label uuid info import move-roots; do
	case $command in
	label)	args='missing x' ;;
	import)	args='kept missing' ;;
	*)	args=missing ;;
	esac
	told "$command --json: no such device" 4 "$fails and d['device'] == 'missing'" $command --json $args
	told "$command --json: too few arguments" 1 "$fails" $command --json
done
told "heal --json: nothing to heal" 0 "$named and d['healed'] is None" heal --json img
zero_block 4096
told "heal --json" 0 "$named and d['healed'] == 1 and d['generation'] > 0" heal --json img
cp --sparse=always kept img
told "rollback --json: asks nobody" 1 "$fails and $named" rollback --json img
told "rollback --json" 0 "$named and d['gone_back'] and d['lost_writes'] > 0" rollback -q --json img
cp --sparse=always kept img
truncate -s 64M other
told "move-roots --json" 0 "$named and d['root_devices'] == ['other']" move-roots --json --to other img
told "move-roots --json: a failure is told" 5 "$fails" move-roots --json --to other img
rm other
cp --sparse=always kept img
told "status --json: a failure is told" "$(tool status nothing >/dev/null 2>&1; echo $?)" \
	"$fails and d['name'] == 'nothing'" status --json nothing
for command in "status --watch 1" list monitor "info nothing" "scrub nothing" "commit nothing" "trim nothing" "suspend nothing" \
	"resume nothing" "fail nothing" "watch nothing"; do
	told "$command --json: a failure is told" "$(tool $command >/dev/null 2>&1; echo $?)" "$fails" $command --json
done
told "an unknown command with --json" 1 "$fails" frobnicate --json
zero_block "$(slot_block 0)"
told "table --json: what is said beside it is a warning" 0 \
	'd["error"] is None and "degraded" in d["warnings"][0]' table --json img
told "roots --json: degraded is no error" 6 'd["error"] is None' roots --json img
cp --sparse=always kept img
# half of the parts are dumped, then the map cannot be opened
current=$(fact roots 'd["current"]')
map=$(fact dump "d['root'][$current]['map_pba']" root)
flip $((map * 4096))
flip $(((2048 + 2 * current + 1) * 4096 + 100))
told "dump --json: a failure half way" 7 "$fails and len(d['root']) == 3" dump --json img
told "check --json: a failure half way" 7 "$fails and $named" check --json img
cp --sparse=always kept img

name=$(printf 'a\033[2J\nb\377')
told "a name that is no text is valid JSON" 4 \
	'd["device"].startswith("a\x1b[2J\nb") and d["device"].endswith("\ufffd")' roots --json "$name"

# ---- an output that takes nothing ------------------------------------------------

full()	# CODE NAME COMMAND...
{
	f_code=$1 f_name=$2
	shift 2
	tool "$@" >/dev/full 2>err </dev/null
	code=$?
	: >out
	[ $code = "$f_code" ] && is_one_error
	result $? "/dev/full: $f_name"
}

if [ -c /dev/full ]; then
	full 10 "--help" --help
	full 10 "roots --help" roots --help
	full 10 "version" version
	full 10 "version --json" version --json
	for command in roots dump check table; do
		full 10 "$command" $command img
		full 10 "$command --json" $command --json img
	done
	rm -f content
	full 10 "export" export img content
	cmp -s content expect
	result $? "and the content is there"
	full 4 "an error stays what it is" roots missing
	full 4 "and with --json, too" roots --json missing
	full 10 "format" format -q --force img
	grep -q 'asked for was done' err
	result $? "and it says that the device is formatted"
	expect 0 "and it is" '^case 1' roots img
	zero_block 0
	full 10 "a degraded device" roots img
else
	skip "/dev/full" "there is none"
fi
