# SPDX-License-Identifier: GPL-2.0-or-later
# triadd: an image is followed while it is written, over TLS on the loopback; taking over.

triadd=${TRIADSETUP%/*}/triadd
port=$((20000 + $$ % 20000))
owner_pid='' replica_pid=''

start_owner() { "$triadd" -c owner.conf -s owner.sock >/dev/null 2>>owner.log & owner_pid=$!; }
start_replica() { "$triadd" -c replica.conf -s replica.sock >/dev/null 2>>replica.log & replica_pid=$!; }
kill_owner() { kill -9 $owner_pid; wait $owner_pid 2>/dev/null; }
kill_replica() { kill -9 $replica_pid; wait $replica_pid 2>/dev/null; }

status()	# owner|replica [OPTION...]: into status.json
{
	s_side=$1
	shift
	export TRIADD_SOCKET=$dir/$s_side.sock
	tool replica status "$@" data >status.json 2>err
}

until_true()	# COMMAND...: within a minute: triadd looks again after 30 s at the latest
{
	for _ in $(seq 600); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

is_at()	# IMAGE POSITION
{
	[ "$(tool position "$1" 2>/dev/null)" = "$2" ]
}

says()	# owner|replica EXPRESSION: of its peer p
{
	status "$1" --json
	[ "$(json status.json "[p for p in d['peers'] if $2] != []")" = True ]
}

# ---- what it is told ------------------------------------------------------------------------

rm -f key key.*
(umask 077; openssl rand -hex 32 >key; openssl rand -hex 32 >key.other; openssl rand -hex 32 >key.third; openssl rand -hex 4 >key.short)
cp key key.open && chmod 644 key.open
while IFS='|' read -r name pattern config; do
	printf "$config" >bad.conf
	"$triadd" --check -c bad.conf >out 2>err
	[ $? = 1 ] && [ "$(grep -c . err)" = 1 ] && grep -q "$pattern" err
	result $? "triadd.conf: refuses $name, in one line"
done <<'END'
a word that it does not know|line 2: 'ownr' is neither|listen *\nownr a b c d
an owner without a host|line 1: it has to be|owner data img key
a name that is none|is no name|owner a/b img host key
a key that others may read|chmod 600|owner data img host key.open
a key that is short|less than 16|owner data img host key.short
a key that is not there|No such file|owner data img host key.none
the same key for two|a key of its own|owner a img host1 key\nowner b img host2 key
a name twice|line 2: a is named|replica a x key\nreplica a y key.other
an image twice|line 1's already|replica a x key\nreplica b x key.other
two ports|listen|listen *:1\nlisten *:2
nothing|neither an owner nor|# empty\n
a group of two|at least 3 hosts|replica a x key\ngroup a key.other h1 h2
a group that names a host twice|names h1 twice|replica a x key\ngroup a key.other h1 h2 h1
a group of which nothing is here|named b|replica a x key\ngroup b key.other h1 h2 h3
a group with the key of a replica|a key of its own|replica a x key\ngroup a key h1 h2 h3
a group of which too few are waited for|wait for 2 of its replicas|owner a d h2 key sync\ngroup a key.other h1 h2 h3 h4 h5
a group that flushes wait for others than|is none|owner a d h9 key sync\ngroup a key.other h1 h2 h3
a group beside another name|for no other name|owner a d h2 key sync\nowner b d h3 key.other sync\ngroup a key.third h1 h2 h3
a witness with a key|witness NAME IMAGE|witness a x key
one device under two names of one line|named in line 1|owner a d1 h1 key\nowner a d2 h2 key.other
what is no text|line|\001\002\003
END

# ---- lines that are written, and read again --------------------------------------------------------

# at SIDE COMMAND...: as on that host
at() { a_side=$1; shift; TRIADD_CONF=$dir/$a_side/triadd.conf TRIADD_SOCKET=$dir/$a_side.sock tool "$@"; }
is_far() { at far replica status >out 2>err && grep -q "^data: replica of $dir/img.far: in sync" out; }
rm -rf near far img.far*
mkdir near far
fresh 128M
mv img data
at near replica invite data 127.0.0.1:$port >invitation 2>err && grep -q 'systemctl enable' err
result $? "invite: writes a line, and says if triadd does not run"
[ "$(cut -d ' ' -f 1-4 near/triadd.conf)" = "owner data $dir/data 127.0.0.1:$port" ] &&
	[ "$(stat -c %a near/triad/invited/*.key)" = 600 ] && ! grep -q "$(sed -n 's/^key //p' invitation)" near/triadd.conf
result $? "invite: with a key that is nobody else's to read"
cp -a near near.before
at near replica invite data 127.0.0.1:$port >out 2>err
[ $? = 1 ] && [ ! -s out ] && grep -q 'line 1: data is there already' err && diff -r near near.before
result $? "invite: once for each host"
for host in "far host" ::1 far:x far:99999 far: ../x 'x[31m'; do
	at near replica invite data "$host" >out 2>err
	[ $? = 1 ] && [ ! -s out ] && diff -r near near.before
	result $? "invite: '$host' is no host"
done
at near replica invite none far >out 2>err
[ $? = 4 ] && [ ! -s out ] && diff -r near near.before
result $? "invite: of what is there"
: >img.zero && truncate -s 128M img.zero
at near replica invite img.zero far >out 2>err
[ $? != 0 ] && [ ! -s out ] && diff -r near near.before
result $? "invite: of a dm-triad device"
at near replica invite data far --json </dev/null >out 2>err
[ $? = 1 ] && diff -r near near.before
result $? "invite: has no JSON"
echo 'ownr x' >far/triadd.conf
cp -a far far.before
at far replica join img.far <invitation >out 2>err
[ $? = 1 ] && grep -q "$dir/far/triadd.conf, line 1: 'ownr'" err && diff -r far far.before && [ ! -e img.far ]
result $? "join: not into a file that is wrong already"
rm -rf far/* far.before
while IFS='|' read -r name edit; do
	sed "$edit" invitation >bad
	at far replica join img.far <bad >out 2>err
	[ $? = 1 ] && grep -q 'no invitation' err && [ -z "$(ls far)" ] && [ ! -e img.far ]
	result $? "join: refuses $name"
done <<'END'
nothing|d
what is cut short|$d
another version|s/^\(dm-triad invitation\) 1/\1 2/
a name that is a path|s,^name .*,name ../x,
a key that is short|s/^key .*/key 0123456789abcdef0123456789abcdef/
a key that is none|s/^key ./key x/
no size|s/^image .*/image 0/
a number that is none|s/^blocks .*/blocks 1x/
a size that nothing has|s/^blocks .*/blocks 99999999999999999999/
more behind it|$a more
END
truncate -s 40M img.small
at far replica join img.small <invitation >out 2>err
[ $? = 4 ] && grep -q 'too few' err && [ -z "$(ls far)" ]
result $? "join: refuses an image that is too small"
truncate -s 128M img.foreign && mkfs.ext4 -q img.foreign
cp img.foreign img.before
at far replica join img.foreign <invitation >out 2>err
[ $? = 5 ] && grep -q ext4 err && [ -z "$(ls far)" ] && cmp img.foreign img.before
result $? "join: leaves alone what holds something else"
openssl rand 134217728 >img.foreign && cp img.foreign img.before
at far replica join img.foreign <invitation >out 2>err
[ $? = 5 ] && grep -q 'something else' err && [ -z "$(ls far)" ] && cmp img.foreign img.before
result $? "join: also what nobody knows, in the place of roots"
{ cat invitation; printf '\0x'; } >bad
at far replica join img.far <bad >out 2>err
[ $? = 1 ] && [ -z "$(ls far)" ]
result $? "join: refuses what is no text"
head -c $(($(stat -c %s invitation) - 1)) invitation >bad
at far replica join img.far <bad >out 2>err
[ $? = 1 ] && [ -z "$(ls far)" ]
result $? "join: refuses a line without its end"
at far replica join data <invitation >out 2>err
[ $? = 5 ] && grep -q 'no replica' err && [ -z "$(ls far)" ]
result $? "join: and what is a device itself"
at far replica join none/img.far <invitation >out 2>err
[ $? = 4 ] && [ -z "$(ls far)" ]
result $? "join: in a directory that is there"
at far replica join "img far" <invitation >out 2>err
[ $? = 1 ] && [ -z "$(ls far)" ] && [ ! -e "img far" ]
result $? "join: under a path that is one word"
printf '# ours\nlisten 127.0.0.1:%s' $port >far/triadd.conf	# no end of line
at far replica join img.far in_steps <invitation >out 2>err && grep -q "^$dir/img.far: the replica of data" out
result $? "join: writes a line, behind what is there"
printf '# ours\nlisten 127.0.0.1:%s\nreplica data %s/img.far %s/far/triad/invited/data-1.key in_steps\n' $port "$dir" "$dir" |
	cmp - far/triadd.conf && [ "$(stat -c '%s %a' img.far)" = "$(stat -c %s data) 600" ]
result $? "join: with an image as large as the device"
at far replica join img.other <invitation >out 2>err
[ $? = 1 ] && grep -q 'line 3: data is there already' err && [ ! -e img.other ]
result $? "join: once for each name"

"$triadd" -c near/triadd.conf -s near.sock >/dev/null 2>near.log & owner_pid=$!
"$triadd" -c far/triadd.conf -s far.sock >/dev/null 2>far.log & replica_pid=$!
until_true is_far && is_at img.far "$(tool position data)"
result $? "what was invited and has joined is a replica"
cp far/triadd.conf far.conf
connected=$(cat near.log far.log | grep -c 'data: connected')
echo "replica other $dir/img.zero" >>far/triadd.conf
kill -HUP $replica_pid
until_true grep -q 'goes on as before: .*line 4: it has to be' far.log
is_far && cp far.conf far/triadd.conf && at far replica invite data 127.0.0.1:1 >/dev/null 2>err
result $? "reload: a file that is wrong changes nothing"
at far replica status --json >status.json 2>err
[ "$(json status.json "sorted(p['role'] for p in d['peers'])")" = "['owner', 'replica']" ]
result $? "reload: what is new is there at once"
sed -i "s/^listen .*/listen 127.0.0.1:$((port + 1))/" far/triadd.conf
at far replica remove data 127.0.0.1:1 >out 2>err && grep -q ': 1 line removed' out
result $? "remove: takes a line away"
[ "$(ls far/triad/invited)" = data-1.key ] && grep -qx '# ours' far/triadd.conf && [ "$(grep -c . far/triadd.conf)" = 3 ]
result $? "remove: with its key, and nothing else"
at near replica invite data 127.0.0.1:$((port + 1)) >/dev/null 2>err
tries=0
until at near replica status data --json >status.json 2>err; [ "$(json status.json "[p['reason'] for p in d['peers'] if p['host'].endswith(':$((port + 1))') and p['reason'] and 'refused' not in p['reason']] != []")" = True ] || [ $((tries += 1)) -gt 100 ]; do
	sleep 0.2
done
[ $tries -le 100 ]
result $? "reload: another place is listened at"
sed -i "s/^listen .*/listen *:$((port + 1))/" far/triadd.conf
at far replica status >/dev/null 2>&1
kill -HUP $replica_pid
on data 'write 50 3 9' close
until_true is_at img.far "$(tool position data)"
[ "$(cat near.log far.log | grep -c 'data: connected')" = $connected ]
result $? "reload: and what is named again has gone on undisturbed"
at near replica remove data >out 2>err && grep -q ': 2 lines removed' out && grep -q 'Nothing is left' out &&
	[ ! -s near/triadd.conf ] && [ -z "$(ls near/triad/invited)" ]
result $? "remove: all of a name"
until_true grep -q 'hung up' far.log
at near replica status --json >status.json 2>err
[ "$(json status.json "len(d['peers'])")" = 0 ]
result $? "remove: and nothing is sent any more"
at near replica remove data >out 2>err
[ $? = 1 ] && grep -q 'no line for data' err
result $? "remove: what is there"
mkdir near/real && mv near/triadd.conf near/real/c && ln -s real/c near/triadd.conf && chmod 640 near/real/c
(umask 077; openssl rand -hex 32 >near/data.mine)
echo "owner data $dir/data h_1 $dir/near/data.mine" >near/real/c
kill -HUP $owner_pid
at near replica invite data h:1 >out 2>err && [ -L near/triadd.conf ] && [ "$(stat -c %a near/real/c)" = 640 ] &&
	grep -q ' h:1 ' near/real/c
result $? "invite: follows a link, and leaves the file what it is"
at near replica invite data h_2 >out 2>err && at near replica invite data h:2 >out 2>err &&
	"$triadd" --check -c near/triadd.conf
result $? "invite: of two hosts whose names are alike each has a key"
at near replica remove data >out 2>err && [ -e near/data.mine ] && [ -z "$(ls near/real/triad/invited)" ]
result $? "remove: leaves keys that others have made"
descriptors=$(ls /proc/$owner_pid/fd | wc -l) threads=$(ls /proc/$owner_pid/task | wc -l)
for i in 1 2 3 4 5 6 7 8; do
	at near replica invite data 127.0.0.1:1 >out 2>err && at near replica remove data >out 2>err || echo $i >bad.$i
done
[ ! -e bad.1 ] && until_true eval 'kill -HUP $owner_pid; sleep 0.2; [ $(ls /proc/$owner_pid/fd | wc -l) -le $((descriptors + 1)) ] && [ $(ls /proc/$owner_pid/task | wc -l) -le $((threads + 1)) ]'
result $? "reload: lines that have come and gone leave nothing behind"
at far replica remove data >out 2>err && at far replica status --json >status.json 2>err
[ "$(json status.json "len(d['peers'])")" = 0 ]
result $? "remove: a replica"
kill $owner_pid $replica_pid; wait $owner_pid $replica_pid
is_at img.far "$(tool position data)"
result $? "remove: which stays what it is"
mv data img

# ---- from nothing to a replica ----------------------------------------------------------------

echo "owner data img 127.0.0.1:$port key" >owner.conf
printf 'listen 127.0.0.1:%s\nreplica data img.replica key\n' $port >replica.conf
fresh 128M
truncate -s 160M img.replica
on img 'write 0 200 1' close
start_replica
start_owner
until_true is_at img.replica "$(tool position img)"
result $? "a blank image becomes a replica"
until_true says owner "p['state'] == 'in sync' and p['fulls'] == 1"
result $? "status: the owner tells that it is in sync"
until_true says replica "p['connected'] and p['records_behind'] == 0"
result $? "status: and so does the replica"
status owner && grep -q 'data: owner of img' status.json
result $? "status: in words, exit code 0"
status replica --prometheus && grep -q '^dm_triad_replica_connected{name="data",role="replica"} 1$' status.json
result $? "status: as Prometheus takes it"
awk -f "$here/../lib/exposition.awk" status.json >out 2>err
result $? "status: the exposition is well formed"
on img 'write 1000 50 2' 'flush' 'discard 100 20' 'flush' 'write 5 1 9' 'flush' close
until_true is_at img.replica "$(tool position img)" && says owner "p['batches'] >= 1 and p['differences'] == 0"
result $? "what is written comes by the log"

# ---- whoever is killed ------------------------------------------------------------------------------

for i in 1 2 3 4 5 6 7 8; do
	on img "write $((i * 700)) 40 $i" flush "write $((i * 300)) 3 $i" flush close
	sleep 0.3
	case $i in
	2|6)	kill_replica; start_replica ;;
	4)	kill_owner; start_owner ;;
	7)	kill_owner; kill_replica; on img 'write 20 20 77' commit 'write 40 2 78' close
		start_replica; start_owner ;;
	esac
done
on img 'write 1 1 99' close
until_true is_at img.replica "$(tool position img)"
result $? "daemons that are killed go on where they were"
# the last of it comes by the log
on img 'write 9 3 98' close
until_true is_at img.replica "$(tool position img)"
kill_owner
kill_replica
alike img img.replica
result $? "and the replica holds what the device holds"
position=$(tool position img)
tool dump --json img.replica log >log.json
holds "where it is stands in its log" log.json "[r['to'] for r in d['log'] if 'to' in r][-1] == '$position'"
holds "each arrival leads on from the one before" log.json \
	"(lambda a: all(x['to'] == y['from'] for x, y in zip(a, a[1:])))([r for r in d['log'] if 'to' in r])"
tool dump img.replica log | grep -qF "to $position"
result $? "dump: tells it in words, too"
tool info img.replica | grep -qF "$position"
result $? "info: tells where a replica is"
tool check -q --data img.replica >out
result $? "check: finds nothing wrong with it"

# ---- who is not let in -------------------------------------------------------------------------------

start_replica
sleep 0.5
python3 -c "import os, socket, sys
s = socket.create_connection(('127.0.0.1', $port)); s.settimeout(2)
try:
	s.sendall(os.urandom(100000)); s.recv(100)
except OSError: pass"
kill -0 $replica_pid
result $? "somebody's noise ends nothing"
sed 's/ key$/ key.other/' owner.conf >wrong.conf
"$triadd" -c wrong.conf -s wrong.sock 2>wrong.log &
pid=$!
until_true grep -q 'the key was not accepted' wrong.log
result $? "a wrong key is not let in, and its owner is told"
kill $pid; wait $pid
cp replica.log err

# ---- taking over -----------------------------------------------------------------------------------

start_owner
until_true says owner "p['connected']"
on img 'write 3000 5 5' close
until_true is_at img.replica "$(tool position img)"
position=$(tool position img)
export TRIADD_SOCKET=$dir/replica.sock
tool replica takeover data >out 2>err </dev/null
[ $? = 1 ] && is_at img.replica "$position" && says owner "p['connected']"
result $? "takeover: asks, and changes nothing without an answer"
export TRIADD_SOCKET=$dir/replica.sock
tool replica takeover -q --json data >took.json 2>err
[ $? = 0 ]
result $? "takeover: while its daemon serves it"
holds "takeover: tells what it held" took.json "d['was'] == '$position' and d['epoch'] == 1"
until_true says owner "p['fenced'] and not p['connected']"
result $? "the one who owned it finds itself fenced"
grep -q 'FENCED: somebody took over, in epoch 1' owner.log
result $? "and says so"
status owner
[ $? = 6 ]
result $? "status: exit code 6 then"
alike img img.replica
result $? "what took over holds what the device held"
on img.replica 'write 1 5 5' close
result $? "and can be written"
on img 'write 1 1 1' close
sleep 1
says replica "p['state'] == 'stopped' and not p['connected']"
result $? "nothing more is taken from who was fenced"
kill $owner_pid; wait $owner_pid
result $? "the daemon ends when it is told to"
kill $replica_pid; wait $replica_pid
[ ! -e replica.sock ]
result $? "and leaves no socket"

# ---- coming back ------------------------------------------------------------------------------------

on img 'write 50 7 3' flush 'write 9000 3 3' flush 'discard 1020 5' close
position=$(tool position img)
refuse 1 "rejoin: of one" 'name the replica' replica rejoin
tool replica rejoin --json img >rejoined.json 2>err
result $? "rejoin: what was the device becomes a replica"
holds "rejoin: it tells of what" rejoined.json "d['position'] == '$position'"
is_at img "$position"
result $? "rejoin: of itself"
refuse 1 "rejoin: once" 'replica already' replica rejoin img
tool receive -q --promote img && is_at img "$position"
[ $? != 0 ]
result $? "rejoin: can be taken back"
on img 'write 60 2 8' close
position=$(tool position img)
tool replica rejoin img >out 2>err && grep -q "holds $position" out
result $? "rejoin: in words"
echo "owner data img.replica 127.0.0.1:$port key" >owner.conf
printf 'listen 127.0.0.1:%s\nreplica data img key\n' $port >replica.conf
rm -f owner.log replica.log
start_replica
start_owner
until_true is_at img "$(tool position img.replica)"
result $? "what was the device follows the one that took over"
until_true says owner "p['state'] == 'in sync' and p['differences'] == 1 and p['fulls'] == 0"
result $? "by what differs"
on img.replica 'write 9000 5 5' close
until_true is_at img "$(tool position img.replica)" && says owner "p['differences'] == 1"
result $? "and then by the log"
kill_owner
kill_replica
alike img img.replica
result $? "and holds what that holds"
refuse 9 "takeover: with no daemon there to say whether it may" 'no triadd answers' replica takeover -q img
tool replica takeover -q --force --json img >took.json 2>err
holds "it takes over in its turn" took.json "2 < d['epoch'] < 300"
on img 'write 1 5 5' close
result $? "and can be written"

# ---- a device that is open, as its module tells ------------------------------------------------------

if [ -n "$FAKEDM" ]; then
	export FAKE_DM="$dir/mappings"
	# told DURABLE KEEP [SYNC]: by the status of "live", whose log is kept from the first record on
	told()
	{
		printf 'live\tu\t0\t0\t8\ttriad\t%s\t%s %s 1 0 %s %s\n' "$dir/img" \
			'rw abc 3 ok 9 2 0 100 0 1 0 0 0 0 1 0 100 - 0 0.2.0 - - 9' "$1" "$2" "${3-}" >mappings.new
		mv mappings.new mappings
	}
	fresh 128M
	rm -f mappings.log owner.log
	truncate -s 160M img.live
	on img 'write 0 3 1' flush 'write 10 3 2' flush 'write 20 3 3' flush 'write 30 3 4' flush stop
	(umask 077; openssl rand -hex 32 >key.live)
	echo "owner live live 127.0.0.1:$port key.live" >owner.conf
	printf 'listen 127.0.0.1:%s\nreplica live img.live key.live\n' $port >replica.conf
	told 3 -
	start_replica
	LD_PRELOAD=$FAKEDM start_owner
	until_true says owner "p['replica_record'] == 3"
	sleep 1
	says owner "p['replica_record'] == 3 and p['state'] == 'in sync'"
	result $? "nothing is sent that the module does not call durable"
	until_true grep -qx 'message live keep 4' mappings.log
	result $? "the module is asked to keep what comes behind that"
	told 4 given_up
	until_true says owner "p['replica_record'] == 4"
	result $? "what is durable is sent"
	until_true grep -qx 'message live keep 5' mappings.log
	result $? "and is not kept any more"
	asked=$(grep -c 'keep 5' mappings.log)
	told 4 given_up
	until_true eval '[ "$(grep -c "keep 5" mappings.log)" -gt $asked ]'
	result $? "what was given up is asked for again"
	! grep -q 'message live replicated' mappings.log
	result $? "the module is not told of replicas that nothing waits for"
	kill $owner_pid; wait $owner_pid
	echo "owner live live 127.0.0.1:$port key.live sync" >owner.conf
	told 4 - 'block yes 0'
	LD_PRELOAD=$FAKEDM start_owner
	until_true grep -qx 'message live replicated 4' mappings.log
	result $? "sync: it is told what the replica has"
	shown() { says owner "p['synchronous']" && TRIADD_SOCKET=$dir/owner.sock tool replica status | grep -q 'flushes wait for it'; }
	until_true shown
	result $? "sync: and status says that flushes wait"
	until_true grep -qx 'message live flush' mappings.log
	result $? "what nobody flushes is flushed by a message"
	told 5 - 'block yes 4'
	until_true grep -qx 'message live replicated 5' mappings.log
	result $? "and told again when that is more"
	asked=$(grep -c 'replicated 5' mappings.log)
	told 5 - 'block yes 0'
	until_true eval '[ "$(grep -c "replicated 5" mappings.log)" -gt $asked ]'
	result $? "and another instance is, which knows nothing"
	export TRIADD_SOCKET=$dir/replica.sock
	tool replica seal live >out 2>err
	result $? "seal: by the daemon"
	until_true grep -qx 'message live read_only' mappings.log
	result $? "a fenced device is made read-only"
	rm mappings; : >mappings
	until_true says owner "p['state'] == 'no device'"
	result $? "a device that was closed is let go"
	told 5 - 'block yes 5'
	export TRIADD_CONF=$dir/owner.conf TRIADD_SOCKET=$dir/owner.sock
	cp owner.conf owner.before
	LD_PRELOAD=$FAKEDM tool replica remove live >out 2>err
	[ $? = 5 ] && grep -q 'would for ever' err && cmp owner.conf owner.before
	result $? "remove: not of what flushes wait for"
	rm -f img.live mappings.log
	truncate -s 160M img.live
	kill $owner_pid; wait $owner_pid
	LD_PRELOAD=$FAKEDM start_owner
	until_true grep -qs 'message live keep 6' mappings.log
	told 5 6 'block yes 5'
	LD_PRELOAD=$FAKEDM tool replica remove --force live >out 2>err && until_true grep -qx 'message live keep none' mappings.log
	result $? "remove: with --force; and its log is kept no more"
	unset TRIADD_CONF
	kill $owner_pid $replica_pid; wait $owner_pid $replica_pid
	rm -f mappings
else
	skip "triadd: a device that is open" "nothing can be preloaded"
fi

# ---- three hosts: which one takes over ---------------------------------------------------------------

# host N: its daemon, and what it is told; on the loopback, with ports of their own
start_host() { "$triadd" -c host$1.conf -s host$1.sock >/dev/null 2>>host$1.log & eval "host$1_pid=$!"; }
kill_host() { eval "{ kill -9 \$host$1_pid; wait \$host$1_pid; } 2>/dev/null"; }
at_host() { h_host=$1; shift; TRIADD_SOCKET=$dir/host$h_host.sock tool "$@"; }
host_says()	# HOST EXPRESSION: of its peers p
{
	at_host $1 replica status --json data >status.json 2>err
	[ "$(json status.json "[p for p in d['peers'] if $2] != []")" = True ]
}
# also when too few others are there
host_answers()
{
	at_host $1 replica group data --json >group.json 2>err
	h_status=$?
	[ $h_status = 0 ] || [ $h_status = 6 ]
}
ask_host()	# HOST QUESTION: what its control socket answers
{
	python3 -c "import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect('host$1.sock'); s.sendall(b'$2\n')
while (b := s.recv(4096)): sys.stdout.buffer.write(b)"
}
holds_epoch() { tool dump --json $1 root >out 2>err && grep -q "\"epoch\": *$2" out; }
three_hosts()
{
	rm -f host?.log img.2 img.3 witness.3
	fresh 128M
	truncate -s 160M img.2 img.3
	(umask 077; for k in 2 3 group; do openssl rand -hex 32 >key.$k; done)
	for h in 1 2 3; do
		printf 'listen 127.0.0.1:%s\ngroup data key.group 127.0.0.1:%s 127.0.0.1:%s 127.0.0.1:%s\n' \
			$((port + h)) $((port + 1)) $((port + 2)) $((port + 3)) >host$h.conf
	done
	for h in 2 3; do echo "owner data img 127.0.0.1:$((port + h)) key.$h" >>host1.conf; done
	echo "replica data img.2 key.2" >>host2.conf
}

three_hosts
echo "replica data img.3 key.3" >>host3.conf
on img 'write 0 200 1' close
for h in 1 2 3; do start_host $h; done
until_true is_at img.2 "$(tool position img)" && until_true is_at img.3 "$(tool position img)"
result $? "one device is sent to two hosts under one name"
at_host 2 replica group data --json >group.json
result $? "group: all can be asked"
holds "group: it tells of each" group.json \
	"[m['kind'] for m in d['members']] == ['device', 'replica', 'replica'] and d['votes'] == 2 and d['majority'] == 2"
holds "group: and which one is here" group.json "[m['self'] for m in d['members']] == [False, True, False]"
at_host 2 replica group data >out
grep -q '(here): replica at record' out && grep -q ': device, epoch 0' out
result $? "group: in words"
at_host 2 replica group other >out 2>err
[ $? = 1 ] && grep -q 'knows no such group' err
result $? "group: one that is not known"
cp host1.log said
ask_host 2 'group data 70000' >voted.json
holds "a vote for an epoch that is far ahead is refused" voted.json \
	"[m['granted'] for m in d['members']] == [False] * 3 and [m['epoch'] for m in d['members']] == [0] * 3"
sleep 2
cmp host1.log said && host_says 1 "p['connected']"
result $? "and who is refused interrupts nobody"
kill_host 3
on img 'write 3000 9 5' flush 'write 3100 9 6' flush close
until_true is_at img.2 "$(tool position img)"
result $? "one of them is away: the other goes on"
at_host 2 replica takeover -q data >out 2>err
[ $? = 4 ] && grep -q '1 of its group can vote, and 2 have to' err && host_says 1 "p['connected'] and not p['fenced']"
result $? "takeover: not with a vote of its own alone, and nobody was sealed in vain"
# the device is gone, and the one that is behind comes back
kill_host 1
start_host 3
until_true host_answers 3
at_host 3 replica takeover -q data >out 2>err
[ $? = 1 ] && grep -q "that on 127.0.0.1:$((port + 2)) is further, at record" err
result $? "takeover: not of the one that is behind, which names the other"
run dump --json img.2 root
holds "and that was not sealed" out "d['root'][0]['epoch'] == 0"
at_host 2 replica takeover --json -q data >took.json 2>err
holds "takeover: of the one that is further, with both votes" took.json "d['epoch'] == 1"
alike img img.2
result $? "it holds all that the device held"
at_host 3 replica takeover -q data >out 2>err
[ $? = 4 ] && grep -q 'Nothing was changed' err
result $? "takeover: not of a second one behind it"
run dump --json img.3 root
holds "the other one has given its vote" out "[r['epoch'] for r in d['root']] == [1, 1, 1]"
start_host 1
until_true host_says 1 "p['fenced']"
result $? "the device comes back, and is fenced by either"
kill_host 2
sed "s|^replica.*|owner data img.2 127.0.0.1:$((port + 3)) key.3|" host2.conf >host2.new && mv host2.new host2.conf
on img.2 'write 5000 4 4' close
start_host 2
until_true is_at img.3 "$(tool position img.2)"
result $? "the one that is behind goes on with whoever took over"
host_says 2 "p['differences'] == 1 and p['fulls'] == 0"
result $? "by what differs"
kill_host 2
at_host 3 replica takeover -q --force data >out 2>err
[ $? = 0 ] && at_host 3 position img.3 >/dev/null
result $? "takeover: --force asks nobody's leave"
for h in 1 2 3; do kill_host $h; done

# A member that hangs for one (10 s), and is away for the other, gives that the time to be elected, too,
# behind the votes that the first one has.
three_hosts
echo "replica data img.3 key.3" >>host3.conf
sed "s|^group.*|group data key.group 127.0.0.1:$port 127.0.0.1:$((port + 2)) 127.0.0.1:$((port + 3))|" host3.conf >host.new
mv host.new host3.conf
on img 'write 0 20 1' close
for h in 1 2 3; do start_host $h; done
until_true is_at img.2 "$(tool position img)" && until_true is_at img.3 "$(tool position img)"
kill -STOP $host1_pid
at_host 2 replica takeover -q data >out.2 2>&1 &
first=$!
until_true holds_epoch img.3 1
at_host 3 replica takeover -q --json data >took.json 2>err
result $? "takeover: the later one of two has it"
holds "takeover: with the later epoch" took.json "d['epoch'] == 2"
wait $first
[ $? = 5 ] && grep -q 'another one was elected meanwhile' out.2
result $? "takeover: and the one before has not, though it had been elected"
tool info img.2 >out && grep -qi 'replica' out
result $? "takeover: which is a replica still"
for h in 1 2 3; do kill_host $h; done

three_hosts
echo "witness data witness.3" >>host3.conf
truncate -s 64M witness.3
sed -i '/owner.*key.3/d' host1.conf
on img 'write 0 200 1' close
for h in 1 2 3; do start_host $h; done
until_true is_at img.2 "$(tool position img)"
at_host 2 replica group data >out
grep -q ': witness, or incomplete, epoch 0' out
result $? "a witness is one of the group, and holds nothing"
at_host 3 replica takeover -q data >out 2>err
[ $? != 0 ] && grep -q 'not complete' err
result $? "takeover: not of a witness"
kill_host 1
at_host 2 replica takeover -q data >out 2>err
result $? "takeover: with the vote of a witness"
kill_host 3
start_host 3
until_true host_answers 3
holds "which outlives its daemon" group.json "d['members'][2]['epoch'] == 1 and d['members'][2]['self']"
for h in 2 3; do kill_host $h; done

# Of one that is incomplete nobody knows what it held; and of a witness that is not there, what it voted.
three_hosts
echo "replica data img.3 key.3" >>host3.conf
on img 'write 0 200 1' close
tool send -q img | head -c 400000 | tool receive -q img.3 >out 2>err
tool send -q img | tool receive -q img.2 >out 2>err
result $? "one replica is whole, another one was cut short"
for h in 2 3; do start_host $h; done
until_true host_answers 2
at_host 2 replica takeover -q data >out 2>err
[ $? = 4 ] && grep -q '1 of its group can vote' err
result $? "takeover: not with the vote of an incomplete one"
ask_host 2 'group data 1' >voted.json
holds "which gives none, if it is asked all the same" voted.json "[m['granted'] for m in d['members']] == [False, True, False]"
kill_host 3
sed 's/^replica.*/witness data witness.3/' host3.conf >host.new && mv host.new host3.conf
start_host 3
until_true host_answers 2
at_host 2 replica takeover -q data >out 2>err
[ $? = 4 ] && [ ! -e witness.3 ]
result $? "takeover: not with a witness that has lost its image"
truncate -s 64M witness.3
at_host 2 replica takeover -q --force --json data >took.json 2>err
holds "takeover: --force takes an epoch that nobody is elected in" took.json "3 < d['epoch'] < 300"
for h in 2 3; do kill_host $h; done

# seal, without a daemon
truncate -s 160M img.sealed
tool send -q img | tool receive -q img.sealed >out 2>err
expect 0 "seal: of an image that nobody serves" 'epoch 1' replica seal img.sealed
run dump --json img.sealed root
holds "seal: it is in all three roots" out "[r['epoch'] for r in d['root']] == [1, 1, 1]"
refuse 1 "seal: not of what is no replica" 'it is no replica' replica seal img
refuse 9 "status: says so when no daemon is there" 'no triadd' replica status
