# SPDX-License-Identifier: GPL-2.0-or-later
# Commands, options, and devices that are none.

expect 0 "help lists the commands" '^  export ' --help
tool --help >out
[ "$(sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' out | sort | tr '\n' ' ')" = \
	"$(sed -n '/^static const struct command commands/,/^};/s/^\t{ "\([a-z-]*\)".*/\1/p' \
	"$here/../../userspace/triadsetup.c" | sort | tr '\n' ' ')" ]
result $? "help: each command is in one group"
expect 0 "version" 'on-disk format 2' version
expect 0 "version as an option" 'on-disk format 2' --version
run version --json
holds "version --json" out 'd["format"] == 2 and len(d["version"]) > 0'
expect 1 "no command: usage" '^usage:'
refuse 1 "unknown command" "no command 'frobnicate'" frobnicate
for command in format open close table status roots dump check export version; do
	expect 0 "$command --help tells its options" "^usage: triadsetup $command" "$command" --help
done
expect 0 "help COMMAND tells its options" '--hash NAME' help format
refuse 1 "help of an unknown command" "no command 'frobnicate'" help frobnicate
for slip in 'formt:format' 'stauts:status' 'restrat:restart' 'imprt:import' 'create:format' 'ls:list' \
	'verify:scrub' 'moveroots:move-roots' 'exp:export'; do
	refuse 1 "did you mean: ${slip#*:}" "no command '${slip%:*}'; did you mean ${slip#*:}: " ${slip%:*}
done
run help stauts
[ "$code" = 1 ] && grep -q 'did you mean status' err
result $? "did you mean: of help, too"
run xyzzy
! grep -q 'did you mean' err
result $? "did you mean: only what is close"
refuse 1 "did you mean: an option" 'no option --hsah; did you mean --hash?' format --hsah sha256 img
refuse 1 "did you mean: only an option that it takes" 'no option --hsah$' roots --hsah sha256 img
run stauts --json
holds "did you mean: in JSON" out '"did you mean status" in d["error"]["message"]'
refuse 1 "unknown option" "--nonsense" roots --nonsense img
refuse 1 "option of another command" "--zone-size" roots --zone-size 8M img
refuse 1 "option without its value" "--key-file" roots img --key-file
refuse 1 "too few arguments" 'too few' roots
refuse 1 "too many arguments" 'too many' roots a b
refuse 1 "close: impossible name" 'cannot be the name' close a/b
refuse 1 "open: impossible name" 'cannot be the name' open a/b img

fresh
mkdir -p directory
mkfifo fifo
for command in format roots dump check table; do
	refuse 4 "$command: no such device" 'no such device' "$command" missing
	refuse 4 "$command: a directory" 'a directory' "$command" directory
	refuse 4 "$command: a fifo" 'neither a block device nor a file' "$command" fifo
done
refuse 4 "export: no such device" 'no such device' export missing target
refuse 4 "open: no such device" 'no such device' open name missing

# A closed descriptor is what the next file gets: it must not be the device.
closed()	# COMMAND...: with each of 0, 1 and 2 closed, and all three
{
	c_before=$(sums)
	tool "$@" <&-
	tool "$@" >&-
	tool "$@" 2>&-
	tool "$@" <&- >&- 2>&-
	[ "$c_before" = "$(sums)" ]
} >/dev/null 2>&1

: >out
for command in roots dump check table 'export img' 'open name' status close format nonsense; do
	case $command in
	export*)	closed export img ./none/x ;;
	*)	closed $command img ;;
	esac
	result $? "${command%% *}: no word gets into the device when 0, 1 or 2 are closed"
done
head -c 64M /dev/urandom >img
if command -v mkfs.ext4 >/dev/null; then
	mkfs.ext4 -q -F img 2>/dev/null
	closed format -q img
	result $? "format: and none into a filesystem"
fi
for descriptor in 0 1 2; do
	rm -f img
	truncate -s 64M img
	case $descriptor in
	0)	tool format -q img <&- ;;
	1)	tool format -q img >&- ;;
	2)	tool format -q img 2>&- ;;
	esac >out 2>err
	tool check --data img >out 2>err && ! grep -qa triadsetup: img
	result $? "format: without descriptor $descriptor it is as good"
done

fresh
chmod 000 img
if [ -r img ]; then
	skip "roots: no permission" "root may read everything"
	skip "format: no permission" "root may read everything"
	chmod 755 .
	chmod 600 img
	if command -v setpriv >/dev/null && setpriv --reuid 65534 --clear-groups true 2>/dev/null &&
	   [ -z "${VALGRIND:-}" ]; then
		cp "$TRIADSETUP" tool
		# what was built for coverage writes its counts at the end, or complains
		mkdir -m 777 counts
		export GCOV_PREFIX="$dir/counts"
		for command in roots format; do
			setpriv --reuid 65534 --clear-groups ./tool $command img >out 2>err </dev/null
			[ $? = 2 ] && grep -q 'no permission' err && is_one_error
			result $? "$command: no permission, as nobody"
		done
		chmod 644 img
		setpriv --reuid 65534 --clear-groups ./tool check img >out 2>err </dev/null
		result $? "check: works without rights on a file that may be read"
		unset GCOV_PREFIX
	fi
else
	refuse 2 "roots: no permission" 'no permission to read' roots img
	refuse 2 "format: no permission" 'no permission' format -q img
fi
chmod 644 img

for command in roots dump check table; do
	rm -f img
	truncate -s 64M img
	refuse 4 "$command: an empty image is no dm-triad device" 'no dm-triad device' $command img
	head -c 52M /dev/urandom >img
	refuse 4 "$command: garbage is no dm-triad device" 'no dm-triad device' $command img
	truncate -s 0 img
	refuse 4 "$command: an image of 0 bytes" 'no dm-triad device' $command img
	truncate -s 5000 img
	refuse 4 "$command: an image of 5000 bytes" 'no dm-triad device' $command img
done
refuse 4 "export: garbage is no dm-triad device" 'no dm-triad device' export img target
[ ! -e target ]
result $? "a refused export leaves no file"
refuse 1 "dump: unknown part" "no part 'tree'" dump img tree

fresh
expect 0 "table prints the line" "^0 [0-9]* triad $dir/img\$" table img
expect 0 "table with options" " 5 read_only interval_ms 500 cache_blocks 1000\$" \
	table --read-only --interval-ms 500 --cache-blocks 1000 img
for name in 'a b' "a'b" 'a\b' 'é' . .. control; do
	refuse 1 "open: '$name' cannot be a name" 'cannot be the name' open "$name" img
done
refuse 1 "interval-ms out of range" 'no number from 10' table --interval-ms 5 img
refuse 1 "cache-blocks is no number" 'no number from 64' table --cache-blocks many img
sectors=$(tool table img | cut -d' ' -f2)
[ "$sectors" = $(($(fact dump 'd["root"][0]["logical_blocks"]' root) * 8)) ]
result $? "the table's length is the logical size"
