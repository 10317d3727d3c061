# SPDX-License-Identifier: GPL-2.0-or-later
# Bash completion: offers what the tool takes, and nothing that it does not.

if ! command -v bash >/dev/null; then
	skip "completion" "there is no bash"
	return 0
fi

offers()	# WORD...: what bash would offer for the last one, in one line
{
	PATH="${TRIADSETUP%/*}:$PATH" LD_PRELOAD=${FAKEDM:-} FAKE_DM="$dir/mappings" bash -c '. "$1"; shift
		COMP_WORDS=(triadsetup "$@") COMP_CWORD=$#
		_triadsetup
		printf "%s\n" "${COMPREPLY[@]}"' - "$here/../../userspace/system/bash-completion" "$@" 2>err |
		sort -u | tr '\n' ' '
}

completes()	# WHAT WANT WORD...
{
	c_what=$1 c_want=$2
	shift 2
	offers "$@" >out
	[ "$(cat out)" = "$c_want" ] && [ ! -s err ]
	result $? "completion: $c_what"
}

commands=$(tool --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
[ "$(offers '')" = "$(printf '%s\n' $commands help | sort -u | tr '\n' ' ')" ]
result $? "completion: all commands"
completes "a command" "import info " i
completes "help, of commands" "suspend " help su
completes "no more behind that" " " help status s
bad=
for command in $commands; do
	want=$(tool help "$command" | sed -n 's|^  ...  *\(--[a-z-]*\) .*|\1|p; s|^  -., \(--[a-z-]*\) .*|\1|p' | sort -u | tr '\n' ' ')
	got=$(offers "$command" --)
	[ "$got" = "$want" ] || bad="$bad $command: got $got, want $want"
done
echo "$bad" >out
[ -z "$bad" ]
result $? "completion: all options of each command"
completes "an option" "--hash " format --ha
completes "the values of an option" "hold " open --on-error h
completes "the policies" "async " open --sync a
completes "... as an argument" "block " replica sync data b
completes "what replica does" "rejoin remove " replica re
completes "the hashes" "hmac(sha3-256) hmac(sha3-384) hmac(sha3-512) hmac(sha384) " format --hash 'hmac(sha3'
completes "what cannot be known" " " format --size 1
touch disk.img
completes "a file" "disk.img " format disk
completes "a file for an option" "disk.img " open --root-device disk
completes "parts of a dump" "map " dump disk.img m
completes "nothing for what is no command" " " nonsense --x
if [ -n "$FAKEDM" ]; then
	printf '%s\tTRIAD-x\t0\t1\t8192\ttriad-0.2.0\t/dev/vda\trw cab 7 ok\n' one two >mappings
	completes "open devices" "one two " status ''
	completes "open devices, behind another" "two " status one t
	completes "behind an option with a value" "one " scrub --rate 5M o
	completes "of a device by name or disk" "LABEL= " roots LAB
fi
