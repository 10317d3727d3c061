# SPDX-License-Identifier: GPL-2.0-or-later
# move-roots: from any place to any other, and cut before each of its writes.

# options OPTION PLACE: a place is "in" or the names of its devices
options()
{
	[ "$2" = in ] || for n in $2; do printf -- '%s img.%s ' "$1" "$n"; done
}

target() { if [ "$1" = in ]; then echo '--to img'; else options --to "$1"; fi; }

begin()	# PLACE: a device with its roots there, and with a log
{
	rm -f img img.* expect
	truncate -s 64M img
	for n in one other; do truncate -s 50M img.$n; done
	for n in x y z u v w; do truncate -s 8K img.$n; done
	# shellcheck disable=SC2046 # options
	tool format -q $(options --root-device "$1") img >out 2>err || result 1 "set-up: format"
	files=
	[ "$1" = in ] || for n in $1; do files="$files img.$n"; done
	# shellcheck disable=SC2086
	printf 'write 0 300 1\ncommit\nwrite 7 7 7\nwrite 900 9 2\nstop\n' |
		"$MKIMAGE" img expect - $files 2>err || result 1 "set-up: write"
}

all() { cat img img.* | cksum; }

content_is_there()	# NAME OPTION...
{
	cc_name=$1
	shift
	rm -f content
	run export "$@" img content
	[ $code = 0 ] && cmp -s content expect
	result $? "$cc_name"
}

move()	# FROM TO
{
	from=$(options --root-device "$1") to=$(target "$2") there=$(options --root-device "$2")
	m_name="move-roots, '$1' to '$2'"
	begin "$1"
	expect 0 "$m_name" 'its roots lie' move-roots $from $to img
	expect 0 "$m_name: all is well there" 'img: ok' check --data $there img
	content_is_there "$m_name: with the content" $there
	refuse 4 "$m_name: nothing opens where they were" 'roots were moved from here' table $from img
	refuse 5 "$m_name: a second time" 'moved to there already' move-roots $from $to img
	[ "$2" = in ] || { expect 0 "$m_name: table" ' root_dev ' table $there img; }
	# and back, over what was left there
	expect 0 "$m_name: and back" 'its roots lie' move-roots $there $(target "$1") img
	content_is_there "$m_name: and back: the content" $from
	[ -n "$CUT" ] || { skip "$m_name, cut" "cannot be loaded first"; return; }
	for at in 1 2 3 4 5 6 7 8 9; do
		begin "$1"
		LD_PRELOAD=$CUT CUT_AT=$at "$TRIADSETUP" move-roots $from $to img >out 2>err
		[ $? = 99 ]
		result $? "$m_name, cut before write $at"
		if [ $at -le 4 ]; then
			content_is_there "$m_name, cut before write $at: the old place is valid" $from
			expect 0 "$m_name, cut before write $at: and whole" 'img: ok' check --data $from img
		else
			refuse 4 "$m_name, cut before write $at: the old place is left" \
				'roots were moved from here' table $from img
		fi
		before=$(all)
		run table $there img
		[ $code != 0 ] && [ "$before" = "$(all)" ]
		result $? "$m_name, cut before write $at: the new one is not valid"
		# one that goes on where it was does not go on there
		if [ $at = 4 ]; then
			files=
			[ "$1" = in ] || for n in $1; do files="$files img.$n"; done
			printf 'write 50 9 5\ncommit\nwrite 60 9 6\nstop\n' |
				"$MKIMAGE" img expect - $files 2>err
			content_is_there "$m_name, cut before write $at: the old place is written on" $from
		fi
		expect 0 "$m_name, cut before write $at: done again" 'its roots lie' \
			move-roots $from $to img
		expect 0 "$m_name, cut before write $at: all is well" 'img: ok' check --data $there img
		content_is_there "$m_name, cut before write $at: with the content" $there
	done
}

move in 'x y z'
move 'x y z' in
move 'x y z' 'u v w'
move in one
move one 'x y z'
move one other

begin in
printf 'LUKS\272\276' | dd of=img.y conv=notrunc status=none
refuse 5 "move-roots: over what others keep" "may be somebody else's" move-roots \
	$(target 'x y z') img
expect 0 "move-roots: by force" 'its roots lie' move-roots --force $(target 'x y z') img
if command -v mkfs.ext4 >/dev/null; then
	begin in
	mkfs.ext4 -q -F -b 4096 img.one 2>/dev/null
	refuse 5 "move-roots: onto a filesystem" "somebody else's\|it holds data" move-roots \
		$(target one) img
else
	skip "move-roots: onto a filesystem" "no mkfs.ext4"
fi
begin in
refuse 1 "move-roots: without --to" '--to is missing' move-roots img
refuse 1 "move-roots: two places" 'one device or three' move-roots $(target 'x y') img
refuse 1 "move-roots: the same twice" 'named twice' move-roots --to img.x --to img.x \
	--to img.y img
refuse 1 "move-roots: the device itself as one of three" 'named twice' move-roots --to img.x \
	--to img.y --to img img
refuse 1 "move-roots: to where they are" 'lie there already' move-roots --to img img
truncate -s 40M img.one
refuse 4 "move-roots: too small" 'ends before the place of slot 2' move-roots $(target one) img
refuse 4 "move-roots: no such device" 'no such device' move-roots --to img.none img
zero_block 4096
refuse 6 "move-roots: with a bad root" 'Heal it first' move-roots $(target 'x y z') img
rm -f img.*
