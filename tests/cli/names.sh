# SPDX-License-Identifier: GPL-2.0-or-later
# label and uuid: the content stays, whichever write is the last one.

uuid=11111111-2222-3333-4444-555555555555
same_content() { rm -f content; tool export -q img content >/dev/null 2>&1 && cmp -s content expect; }

fresh 64M --label old
apply 'write 0 300 1' commit 'write 300 200 2' commit 'write 5000 100 3' commit 'write 20 9 4' stop
refuse 1 "label: too long" 'longer than 32 bytes' label img 123456789012345678901234567890123
refuse 1 "label: no text" 'control characters' label img "$(printf 'a\nb')"
expect 0 "label: another one" 'its label is Größe now' label img Größe
expect 0 "all three roots have it" '' dump --json img root
holds "as the dump shows" out '[r["label"] for r in d["root"]] == ["Größe"] * 3'
expect 0 "nothing else has changed" 'img: ok' check --data img
same_content
result $? "label: the content is the same"
run label --json img new
holds "label --json" out 'd["label"] == "new" and d["exit_code"] == 0'
expect 0 "label: none" 'it has no label now' label img ''
expect 0 "which is none" '^case 1' roots img
cp --sparse=always img kept
zero_block 0
refuse 6 "label: a bad root is healed first" 'Heal it first' label img x
refuse 6 "uuid: that, too" 'Heal it first' uuid img
cp --sparse=always kept img
refuse 1 "uuid: none" 'is no UUID' uuid img nonsense

run uuid --json img $uuid
holds "uuid --json" out "d['uuid'] == '$uuid' and len(d['old_uuid']) == 36 and d['exit_code'] == 0"
expect 0 "uuid: all that carries it has the new one" 'img: ok' check --data img
! grep -q 'note\|degraded' out
result $? "without a word about anything"
expect 0 "it is there" "^UUID $uuid" roots img
same_content
result $? "uuid: the content is the same"
cp --sparse=always img shown
apply 'write 0 40 7' commit 'write 9000 70 8' commit 'write 300 10 9' close
same_content
result $? "written to behind it"
expect 0 "it is well" 'img: ok' check --data img
run uuid img
[ $code = 0 ] && ! tool roots img | grep -q "$uuid"
result $? "uuid: a random one"
expect 0 "of a device that is empty" 'its UUID is' uuid img
fresh
expect 0 "uuid: of a new device" "its UUID is $uuid now" uuid img $uuid
expect 0 "uuid: and it is well" 'img: ok' check --data img

fresh_roots='--root-device img.0 --root-device img.1 --root-device img.2'
rm -f img
truncate -s 64M img
truncate -s 1M img.0 img.1 img.2
tool format -q $fresh_roots img >out 2>err
printf '%s\n' 'write 0 300 1' commit 'write 9000 20 2' stop | "$MKIMAGE" img expect - img.0 img.1 img.2 >out 2>err
expect 0 "uuid: with roots on three devices" "its UUID is $uuid now" uuid $fresh_roots img $uuid
expect 0 "label: with roots on three devices" 'its label is there now' label $fresh_roots img there
expect 0 "all is well there" 'img: ok' check --data $fresh_roots img
rm -f content
tool export -q $fresh_roots img content && cmp -s content expect
result $? "with the same content"
rm -f img.*

# ---- cut before each write -----------------------------------------------------------------

# cut_at N COMMAND...
cut_at() { at=$1; shift; CUT_AT=$at LD_PRELOAD=$CUT "$TRIADSETUP" "$@" >out 2>err </dev/null; }

if [ -z "$CUT" ]; then
	skip "label and uuid, cut" "cannot be loaded first"
	return 0
fi
fresh 64M --label old --zone-size 11M
apply 'write 0 300 1' commit 'write 300 200 2' commit 'write 8000 1500 3' commit 'write 20 9 4' close
cp --sparse=always img kept
cp expect wanted
for command in "label img new" "uuid img $uuid"; do
	what=${command%% *} at=1 bad=
	while cp --sparse=always kept img; cut_at $at $command; [ $? = 99 ]; do
		same_content || bad="$bad before-$at"
		tool check --data img >out 2>&1
		[ $? -le 6 ] || bad="$bad check-$at"
		# what goes on from there under the old name, as a boot would, is as good
		cp --sparse=always img half
		tool roots img >out 2>&1
		if ! grep -q 'somebody else' out; then
			apply 'write 8100 40 7' commit 'write 100 70 8' commit 'write 300 10 9' close
			same_content || bad="$bad used-$at"
			tool $command >out 2>&1 || bad="$bad used-again-$at"
			tool check --data img >out 2>&1 || bad="$bad used-check-$at"
			same_content || bad="$bad used-content-$at"
		fi
		cp wanted expect
		cp --sparse=always half img
		tool $command >out 2>&1 || bad="$bad again-$at"
		same_content || bad="$bad after-$at"
		tool check --data img >out 2>&1 || bad="$bad checked-$at"
		! grep -q 'degraded' out || bad="$bad degraded-$at"
		at=$((at + 1))
	done
	echo "$bad" >out
	[ -z "$bad" ] && [ $at -gt 3 ]
	result $? "$what, cut before each of its $((at - 1)) writes: nothing is lost, and once more finishes it"
done
