# SPDX-License-Identifier: GPL-2.0-or-later
# send, receive, position: replicas on images.

at() { tool position "$1" 2>err; }
send() { tool send -q "$@" 2>err; }	# into standard output
receive() { tool receive "$@" >out 2>err; }

# takes NAME STREAM IMAGE [OPTION...]: it is received
takes()
{
	t_name=$1 t_stream=$2 t_image=$3
	shift 3
	receive -q "$@" "$t_image" <"$t_stream"
	result $? "$t_name"
}

# keeps CODE NAME PATTERN STREAM IMAGE [OPTION...]: it is refused, and the image does not show it
keeps()
{
	k_want=$1 k_name=$2 k_pattern=$3 k_stream=$4 k_image=$5
	shift 5
	k_at=$(at "$k_image")
	receive "$@" "$k_image" <"$k_stream"
	code=$?
	[ $code = "$k_want" ] && grep -q -- "$k_pattern" err && is_one_error &&
		[ "$(at "$k_image")" = "$k_at" ] && [ -n "$k_at" ]
	result $? "$k_name"
}

# ---- all of it, then what changed --------------------------------------------------------

fresh 128M --size 64M --label own
on img 'write 0 200 1' 'write 1000 50 2' 'write 9000 10 3' commit 'write 9005 2 9' stop
send img >full
truncate -s 300M img.large; truncate -s 90M img.small; truncate -s 64M img.none
takes "receive: into a larger image" full img.large
alike img img.large
result $? "holds what the device holds, its log included"
takes "receive: into a smaller one that suffices" full img.small
alike img img.small
result $? "and so does that"
[ "$(at img)" = "$(at img.small)" ] && [ "$(at img)" = "$(at img.large)" ]
result $? "position: of a replica it is the device's"
tool receive img.none <full >out 2>err
[ $? = 4 ] && grep -q 'maps to .* at most' err && is_one_error
result $? "receive: refuses what does not fit"
[ "$(tool info img.large | head -1)" = "own: a dm-triad device of 64 MiB" ]
result $? "a replica has the device's size and label"
run send --dry-run --json img
size=$(stat -c %s full)
holds "send --dry-run --json: says the bytes" out "d['bytes'] == $size and d['holes'] == 0"
run send --json img
[ $code = 1 ] && is_one_error
result $? "send: --json and the stream do not mix"

# a chain, in a replica of each size; discards of a few blocks, of leaves, of nearly all
p=$(at img)
step_nr=0
for step in 'write 100 300 4|discard 1000 20|write 16000 3 5' \
	'discard 0 512|write 4 1 6|commit|write 40 1 7' \
	'discard 0 16384' \
	'write 256 600 8|commit|commit|write 300 10 9|commit|discard 310 400|close' \
	'write 0 1 10|write 2 1 10|write 4 1 10|commit|write 600 1 10|discard 2 1|stop'; do
	step_nr=$((step_nr + 1))
	printf '%s\n' "$step" | tr '|' '\n' | "$MKIMAGE" img expect >out 2>err
	send --since "$p" img >delta.$step_nr
	for image in img.large img.small; do
		receive -q $image <delta.$step_nr && alike img $image && [ "$(at $image)" = "$(at img)" ]
		result $? "difference $step_nr: $image holds the same ($(stat -c %s delta.$step_nr) bytes)"
	done
	p=$(at img)
done
send --since "$p" img >delta.none
takes "a difference of nothing" delta.none img.small
[ "$(stat -c %s delta.none)" -lt 1000 ]
result $? "is a few bytes"

# many random changes, from an old position at once
cp --sparse=always img.small img.old
p=$(at img)
python3 - >script <<'P'
import random
random.seed(3)
for i in range(400):
    r = random.random()
    if r < .6: print('write', random.randrange(16384 - 16), random.randrange(1, 16), i + 100)
    elif r < .85:
        a = random.randrange(16384 - 700); print('discard', a, random.randrange(1, 700))
    elif r < .97: print('commit')
    else: print('flush')
P
"$MKIMAGE" img expect <script >out 2>err
send --since "$p" img >delta
takes "random changes over many commits" delta img.small
alike img img.small
result $? "are the same in the replica"
send img >full.2
rm -f img.new; truncate -s 200M img.new
tool receive --hash sha512 --checksum xxh64 -q img.new <full.2 >out 2>err && alike img img.new
result $? "receive: with another hash and checksum"
cp --sparse=always img.old img.full
takes "receive: all of it, over a replica" full.2 img.full
alike img img.full
result $? "leaves nothing of what it held"
keeps 8 "receive: all of it, but older, is refused" 'it is ahead of what comes' full img.full
takes "unless that may go" full img.full --force

# ---- what is not this replica's ------------------------------------------------------------

keeps 8 "receive: refuses a difference since another position, and names both" \
	"it is at $(at img.small),\$" delta img.small
keeps 8 "the other one, too" "what comes is since $p" delta img.small
rm -f img.other; truncate -s 128M img.other
tool format -q --size 64M img.other >out
on img.other 'write 0 10 1' close
send img.other >other
keeps 8 "receive: refuses another device's" 'a replica of another device' other img.small
p_img=$(at img) p_other=$(at img.other)
tool send --since "$p_other" img >out 2>err
[ $? = 8 ] && grep -q "it is at $p_img" err && grep -q "since is $p_other" err
result $? "send: refuses another device's position, and names both"
tool send --since nonsense img >out 2>err
[ $? = 1 ] && grep -q 'is no position' err
result $? "send: refuses what is no position"
tool send --since "$p" img.small >out 2>err
[ $? = 8 ] && grep -q 'does not know what changed' err
result $? "send: a replica does not tell differences"
send img.small >chain && rm -f img.new && truncate -s 100M img.new
takes "send: all of a replica" chain img.new
[ "$(at img.new)" = "$(at img)" ] && alike img img.new
result $? "makes another of the same position"
rm -f img.plain; truncate -s 128M img.plain
tool receive -q img.plain <delta.1 >out 2>err
[ $? = 8 ] && grep -q 'no replica yet' err
result $? "receive: a blank one takes no difference"
before=$(sums)
tool receive -q img.other <full.2 >out 2>err
[ $? = 5 ] && [ "$before" = "$(sums)" ]
result $? "receive: a device with data is left alone"

# copies that went on by themselves have the same versions and numbers
cp --sparse=always img img.twin
on img 'write 500 3 900' close
on img.twin 'write 700 4 901' close
p=$(at img.small)
send --since "$p" img.twin >delta.twin
send --since "$p" img >delta.own
takes "a copy's difference from before they parted" delta.twin img.small
on img 'write 501 1 902' close
on img.twin 'write 701 1 903' close
send --since "$(at img.small)" img >delta.wrong
keeps 8 "receive: what would not be the sender's content is refused" 'of another history' \
	delta.wrong img.small
alike img.twin img.small
[ $? = 1 ]
result $? "(they do differ)"

# healed, and rolled back
cp --sparse=always img img.healed
rm -f img.rep; truncate -s 128M img.rep
send img.healed >s && receive -q img.rep <s
on img.healed 'write 90 4 77' commit 'write 91 1 78' commit stop
tool send --since "$(at img.rep)" img.healed >s 2>err && receive -q img.rep <s && alike img.healed img.rep
result $? "set-up: a replica of it"
p=$(at img.rep)
tool rollback -q img.healed >out 2>err
tool send --since "$p" img.healed >s 2>err && grep -q 'healed or rolled back since' err
result $? "send: warns of a position that may have been rolled back"
keeps 8 "receive: and what was is refused" 'of another history' s img.rep
on img.healed 'write 600 4 79' commit 'write 601 1 80' close
tool send --since "$p" img.healed >s 2>err
keeps 8 "receive: also when the numbers have gone on" 'of another history' s img.rep

# ---- streams that are not whole ------------------------------------------------------------

fresh 128M --size 64M
on img 'write 0 30 1' 'write 100 5 1' commit 'write 300 3 1' close
send img >full
rm -f img.rep; truncate -s 100M img.rep
receive -q img.rep <full
p=$(at img)
on img 'write 10 2 2' 'discard 100 3' 'write 200 4 2' commit 'write 310 1 3' close
send --since "$p" img >delta
cat >frames.py <<'P'
import struct, sys
data = open(sys.argv[1], 'rb').read()
at, out = 0, []
while at < len(data):
    n = 32 + struct.unpack_from('<I', data, at + 8)[0]
    out.append(data[at:at + n]); at += n
def put(name, frames):
    open(name, 'wb').write(b''.join(frames))
i = 0
def flip(f, at):
    return f[:at] + bytes([f[at] ^ 4]) + f[at + 1:]
for n, f in enumerate(out):
    put('bad.cut.%d' % n, out[:n])
    put('bad.half.%d' % n, out[:n] + [f[:len(f) // 2]])
    put('bad.short.%d' % n, out[:n] + [f[:-1]])
    put('bad.gone.%d' % n, out[:n] + out[n + 1:])
    put('bad.twice.%d' % n, out[:n + 1] + out[n:])
    put('bad.junk.%d' % n, out[:n] + [b'\0' * 512] + out[n:])
    # test_stream has them all
    for at in (0, 13, 32, len(f) - 1):
        put('bad.flip.%d.%d' % (n, at), out[:n] + [flip(f, at)] + out[n + 1:])
    if n + 1 < len(out):
        put('bad.order.%d' % n, out[:n] + [out[n + 1], f] + out[n + 2:])
put('bad.more', out + [b'x'])
P
python3 frames.py delta
cp --sparse=always img.rep img.kept
at_first=$(at img.rep)
nr_bad=0 wrong=
for s in bad.*; do
	nr_bad=$((nr_bad + 1))
	tool receive -q img.rep <$s >out 2>err
	code=$?
	is_one_error && { [ $code = 7 ] || [ $code = 1 ]; } && [ "$(at img.rep)" = "$at_first" ] ||
		wrong="$wrong $s"
done
[ -z "$wrong" ]
result $? "receive: refuses $nr_bad streams that were cut, changed, or put out of order${wrong:+:$wrong}"
rm -f content.*
tool export -q img.kept content.1 && tool export -q img.rep content.2 && cmp -s content.1 content.2
result $? "and shows none of them"
run receive --dry-run --json img.rep
tool receive --dry-run --json img.rep <delta >out 2>err
holds "receive --dry-run: verifies it" out "d['full'] == False and d['position'] == '$(at img)'"
[ "$(at img.rep)" = "$at_first" ]
result $? "and changes nothing"
takes "receive: the whole one after all of these" delta img.rep
alike img img.rep
result $? "makes it the same"
rm -f bad.*

# ---- cut short at any write ------------------------------------------------------------------

if [ -n "$CUT" ]; then
	rm -f content.old content.new
	tool export -q img.kept content.old && tool export -q img content.new
	at=0 old=0 new=0 wrong=
	while at=$((at + 1)); do
		cp --sparse=always img.kept img.rep
		LD_PRELOAD=$CUT CUT_AT=$at "$TRIADSETUP" receive -q img.rep <delta >out 2>err
		code=$?
		[ $code = 99 ] || break
		rm -f content.2
		tool export -q img.rep content.2 >out 2>err || wrong="$wrong $at"
		if [ "$(at img.rep)" = "$at_first" ]; then
			old=$((old + 1))
			cmp -s content.old content.2 || wrong="$wrong $at"
		else
			new=$((new + 1))
			cmp -s content.new content.2 || wrong="$wrong $at"
		fi
		# it is resumed from where it is
		if [ "$(at img.rep)" = "$at_first" ]; then
			tool receive -q img.rep <delta >out 2>err || wrong="$wrong $at:again"
		fi
		tool check --data img.rep >out 2>err && rm -f content.2 &&
			tool export -q img.rep content.2 && cmp -s content.new content.2 ||
			wrong="$wrong $at:check"
	done
	[ $code = 0 ] && [ $old -gt 5 ] && [ -z "$wrong" ]
	result $? "receive: cut at each of $((at - 1)) writes it is the old state ($old) or the new one ($new)${wrong:+:$wrong}"
	at=0 wrong=
	while at=$((at + 7)); do
		rm -f img.rep; truncate -s 100M img.rep
		LD_PRELOAD=$CUT CUT_AT=$at "$TRIADSETUP" receive -q img.rep <full >out 2>err
		code=$?
		[ $code = 99 ] || break
		tool receive -q img.rep <full >out 2>err && tool check --data img.rep >out 2>err ||
			wrong="$wrong $at"
	done
	[ $code = 0 ] && [ $at -gt 7 ] && [ -z "$wrong" ]
	result $? "receive: a new one that was cut short is received again${wrong:+:$wrong}"
	cp --sparse=always img.kept img.rep
	at=0 wrong=
	while at=$((at + 1)); do
		cp --sparse=always img.kept img.rep
		LD_PRELOAD=$CUT CUT_AT=$at "$TRIADSETUP" receive --promote -q img.rep >out 2>err
		code=$?
		[ $code = 99 ] || break
		rm -f content.2
		tool export -q img.rep content.2 >out 2>err && cmp -s content.old content.2 ||
			wrong="$wrong $at"
		# whichever it is, it goes on as that: also when what comes next is lost with its root
		if tool receive --promote -q img.rep >out 2>err; then
			:
		elif grep -q 'is no replica' err; then
			:
		else
			wrong="$wrong $at:again"
		fi
		on img.rep 'write 7 1 70' flush stop
		tool check --data img.rep >out 2>err || [ $? = 6 ] || wrong="$wrong $at:check"
	done
	[ $code = 0 ] && [ $at -gt 3 ] && [ -z "$wrong" ]
	result $? "receive --promote: cut at each of $((at - 1)) writes it is a whole replica or a whole device${wrong:+:$wrong}"
else
	skip "receive: cut at each write" "needs an uninstrumented build"
fi

# ---- longer than a commit ---------------------------------------------------------------------

fresh 128M
python3 -c 'for i in range(70): print("write", i * 128, 128, i + 1)
print("close")' | "$MKIMAGE" img expect >out 2>err
rm -f img.rep; truncate -s 128M img.rep
send img >full; receive -q img.rep <full
p=$(at img)
python3 -c 'for i in range(70): print("write", i * 128, 128, i + 200)
print("close")' | "$MKIMAGE" img expect >out 2>err
send --since "$p" img >delta
takes "receive: 8960 blocks at once" delta img.rep
alike img img.rep
result $? "are one commit"
p=$(at img)
python3 -c 'for i in range(172): print("write", i * 128, 128, i + 400)
print("close")' | "$MKIMAGE" img expect >out 2>err
send --since "$p" img >delta
keeps 10 "receive: more than there is room for beside the old state is refused" \
	'more than it can take in one commit' delta img.rep
if [ -n "$CUT" ]; then
	cp --sparse=always img.rep img.kept
	LD_PRELOAD=$CUT CUT_AT=230 "$TRIADSETUP" receive -q --in-steps img.rep <delta >out 2>err
	head -c 90000000 delta | tool receive -q --in-steps img.rep >out 2>err
	[ $? = 7 ] && grep -q 'not complete' err
	result $? "receive --in-steps: cut short it says what it is"
	refuse 6 "position: of an incomplete one there is none" "since $p" position img.rep
	refuse 6 "open: refuses it" 'not complete' table img.rep
	refuse 6 "export: refuses it" 'not complete' export img.rep content
	refuse 6 "receive --promote: refuses it" 'not complete' receive --promote img.rep
	tool receive -q img.rep <delta.none >out 2>err
	[ $? = 8 ]
	result $? "receive: it takes nothing that does not make it whole"
fi
takes "receive --in-steps: takes it" delta img.rep --in-steps
alike img img.rep
result $? "and is the same at the end"
[ "$(tool roots img.rep | grep -c valid)" -ge 3 ] && [ "$(at img.rep)" = "$(at img)" ]
result $? "with its position"

# ---- a replica is only read, and promoted a device of its own ---------------------------------

refuse 4 "a replica: no other label" 'it is a replica' label img.rep x
refuse 4 "a replica: no other UUID" 'it is a replica' uuid img.rep
refuse 4 "a replica: its roots stay" 'it is a replica' move-roots --to img.small img.rep
refuse 4 "a replica: no rollback" 'it is a replica' rollback -q img.rep
refuse 4 "a replica: no import" 'it is a replica' import --force full img.rep
expect 0 "info: tells that it is one, and of what" "replica  *$(at img)" info img.rep
expect 0 "table: of a replica" 'it opens read-only' table img.rep
was=$(at img.rep)
rm -f content.1
tool export -q img.rep content.1
refuse 1 "receive --promote: only of a replica" 'it is no replica' receive --promote img
expect 0 "receive --promote" "it held $was" receive --promote img.rep
rm -f content.2
tool export -q img.rep content.2 && cmp -s content.1 content.2
result $? "holds what the replica held"
[ "$(at img.rep)" != "$was" ] && [ "$(at img.rep | cut -d : -f 1)" != "$(at img | cut -d : -f 1)" ]
result $? "and has a history of its own"
tool dump --json img.rep root >out 2>err
on img.rep 'write 3 2 5' commit stop
expect 0 "it is written to as any other" 'img.rep: ok' check --data img.rep
tool receive -q img.rep <delta >out 2>err
[ $? = 5 ]
result $? "and receives no more"
rm -f img.* full* delta* s other chain script frames.py content.*
