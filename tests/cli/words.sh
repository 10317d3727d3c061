# SPDX-License-Identifier: GPL-2.0-or-later
# Words: what is said is right, can be typed again, fits, and leaves the terminal alone.

# ---- options ------------------------------------------------------------------

fresh
refuse 1 "a wrong letter beside others" 'there is no option -q' roots -qv img
refuse 1 "a value where none belongs" '--json takes no value' roots --json=1 img
refuse 1 "an option that is cut too short" '--r could be --root-device or --read-only' \
	table --r img
refuse 1 "a missing value" '--key-file needs a value: FILE' roots img --key-file
refuse 1 "an option of another command" 'it takes no --size' roots --size 1G img
refuse 1 "an option of no command" 'no option --nonsense=3' roots --nonsense=3 img
expect 0 "a short form that is clear" 'interval_ms 500' table --interval 500 img
for command in format close table status dump check export; do
	refuse 1 "$command: no -v that does nothing" 'no option -v' $command -v img img
done
for command in open close; do
	refuse 1 "$command: no -q that does nothing" 'no option -q' $command -q img img
done

# ---- labels and other people's names -------------------------------------------

fresh 64M --label 'Größe 磁盘 😀'
for command in roots check; do
	expect 0 "$command: shows a label in UTF-8" 'label Größe 磁盘 😀$' $command img
done
expect 0 "dump: shows a label in UTF-8" 'Größe 磁盘 😀$' dump img root
bad()	# NAME LABEL
{
	refuse 1 "label refused: $1" 'without control characters' format -q --label "$2" img
}
bad "a line end" "$(printf 'a\nb')"
bad "an escape" "$(printf 'a\033[2Jb')"
bad "DEL" "$(printf 'a\177')"
bad "a control character of two bytes" "$(printf 'a\302\233b')"
bad "no UTF-8" "$(printf 'a\377')"
bad "Latin-1" "$(printf 'Gr\366\337e')"
bad "half a character" "$(printf 'a\303')"
bad "a character in too many bytes" "$(printf 'a\300\257')"
bad "half of a pair" "$(printf 'a\355\240\200')"
bad "what turns the direction of text" "$(printf 'a\342\200\256b')"

# a label of somebody else: an escape in the place of the d
fresh 64M --label demo
for slot in 0 1 2; do
	python3 "$here/forge.py" img "$(slot_block $slot)" 40 127
done
silent()	# NAME: nothing in out and err does something to a terminal
{
	! cat out err | tr -d '\n' | grep -q '[[:cntrl:]]'
	result $? "$1: sends nothing to the terminal that acts"
}
for command in roots check dump; do
	expect 0 "$command: shows what a label may not hold as ?" '?emo' $command img
	silent "$command"
done
run roots "$(printf 'a\033[2J\ntriadsetup: all is well')"
silent "the name of a device"
is_one_error
result $? "and a name cannot speak for triadsetup"
if command -v mkfs.ext4 >/dev/null; then
	rm -f img
	truncate -s 64M img
	mkfs.ext4 -q -F img 2>/dev/null
	# s_volume_name; its checksum does not matter to who looks for it
	printf 'a\033[2Jb' | dd of=img bs=1 seek=$((1024 + 120)) conv=notrunc status=none
	run format -q img
	[ $code = 5 ] && grep -q 'a?\[2Jb' err
	result $? "format: shows what a foreign label may not hold as ?"
	silent "format"
fi

# ---- advice that can be typed ------------------------------------------------------

advised()	# NAME PATTERN: the command behind the pattern, run as it stands
{
	a_command=$(cat out err | grep -o "triadsetup $2.*" | head -n 1 |
		sed 's/ FILE.*/ content/; s/^triadsetup//; s/ heals it\.$//')
	rm -f content
	eval "run $a_command"
	[ -n "$a_command" ]
	result $? "$1: gives a command"
}

odd="it's a \$name"
rm -f img "$odd" root
truncate -s 64M "$odd"
truncate -s 50M root
openssl rand -hex 32 >'the key'
run format -q --root-device root --hash 'hmac(sha256)' --key-file 'the key' "$odd"
result $code "set-up: format"
run check --root-device root --key-file 'the key' "$odd"
advised "check: advice for the data" 'check --data'
[ $code = 0 ] && grep -q ': ok$' out
result $? "and it works as it stands"
zero_block 0 root
zero_block 4096 root
run check --root-device root --key-file 'the key' "$odd"
advised "check: advice for two bad roots" 'roots'
[ $code = 8 ] && grep -q '^SLOT' out
result $? "and it works as it stands, too"
rm -f "$odd" root

# ---- one, two --------------------------------------------------------------------------

fresh
apply 'write 5 1 1' stop
expect 0 "check: one record" ' 0 mapped blocks, 1 record \| 2 records in the log' check --data img
for command in check dump; do
	run $command img
	! grep -q '\b1 [a-z ]*\(blocks\|nodes\|records\)\b' out
	result $? "$command: one of a thing is not many"
done
run check --data img
grep -q '^1 block of data matches its checksum$' out
result $? "check --data: one block"
rm -f content
expect 0 "export: one block" '1 block with data' export img content

# ---- what open would do ------------------------------------------------------------------

rm -f img img.*
truncate -s 64M img
truncate -s 50M img.r
tool format -q img >/dev/null 2>&1
cp --sparse=always img img.r
run roots --root-device img.r img
[ $code = 1 ] && ! grep -q 'open would use' out && grep -q 'formatted with its roots inside' err
result $? "roots: does not say that open would use what it refuses"
run roots --json --root-device img.r img
holds "roots --json: neither" out 'd["exit_code"] == 1 and "roots inside" in d["error"]["message"]'
rm -f img.*
fresh
python3 "$here/forge.py" img "$(slot_block "$(fact roots 'd["current"]')")" 12 128
run roots img
[ $code = 4 ] && ! grep -q 'open would use' out && grep -q 'features' err
result $? "roots: nor with features of the future"

fresh
ln -sf img by-id
expect 0 "table: a link stays a link" " triad $dir/by-id\$" table by-id
rm -f by-id

# ---- width ------------------------------------------------------------------------------

widest() { tr -d '\r' <out | awk '/^SLOT/ { table = 1 } /^(slot|case)/ { table = 0 }
	table && length > n { n = length } END { print n + 0 }'; }
apply 'write 0 8 1' commit 'write 8 8 2' commit stop
zero_block 0
if command -v script >/dev/null; then
	for width in 60 80; do
		script -qec "stty cols $width && $TRIADSETUP roots -v img" /dev/null >out 2>err </dev/null
		[ "$(widest)" -gt 40 ] && [ "$(widest)" -le $width ]
		result $? "roots: the table fits $width columns ($(widest))"
	done
fi
tool --help >out
for command in format open close table status roots dump check export rollback repair \
		probe version; do
	tool $command --help >>out
done
[ "$(awk 'length > n { n = length } END { print n }' out)" -lt 80 ]
result $? "help fits 80 columns"

# ---- man pages ----------------------------------------------------------------------------

man=$here/../../doc/man
for option in $(grep -o -e '--[a-z][a-z-]*' out | sort -u); do
	[ "$option" = --help ] || grep -q -- "$(echo "$option" | sed 's/-/\\\\-/g')" "$man/triadsetup.8"
	result $? "triadsetup(8) knows $option"
done
for page in "$man"/*; do
	: >out
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning "$page" >out 2>err
		[ ! -s out ]
		result $? "mandoc has nothing to say about ${page##*/}"
	else
		skip "${page##*/}: mandoc" "it is not installed"
	fi
	if command -v groff >/dev/null; then
		groff -man -t -ww -z -Tutf8 "$page" >out 2>err
		[ ! -s err ]
		result $? "groff has nothing to warn of in ${page##*/}"
	else
		skip "${page##*/}: groff" "it is not installed"
	fi
done
