# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# In the guest: two daemons on the loopback, a device in use and its replica; or three.  vda: 128 MiB,
# the device; vdb and vdc: 160 MiB, replicas.  Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh

ip link set lo up
cd /tmp || exit 1
(umask 077; head -c 32 /dev/urandom | hexdump -v -e '1/1 "%02x"' >key)
echo "owner data t 127.0.0.1 key" >owner.conf
printf 'listen 127.0.0.1\nreplica data /dev/vdb key\n' >replica.conf

start_owner() { triadd -c owner.conf -s /tmp/owner.sock 2>>owner.log & owner=$!; }
start_replica() { triadd -c replica.conf -s /tmp/replica.sock 2>>replica.log & replica=$!; }
end() { kill $1 $2; wait $2 2>/dev/null; }

# number SIDE FIELD: of its status
number()
{
	TRIADD_SOCKET=/tmp/$1.sock triadsetup replica status --json 2>/dev/null |
		sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p"
}

# within NAME SECONDS COMMAND...: it comes true
within()
{
	w_name=$1 w_end=$(($(now) + $2 * 1000))
	shift 2
	until "$@"; do
		if [ "$(now)" -gt $w_end ]; then
			not_ok "$w_name # $*"
			{ TRIADD_SOCKET=/tmp/owner.sock triadsetup replica status
			  TRIADD_SOCKET=/tmp/replica.sock triadsetup replica status
			  dmsetup status; cat owner.log replica.log; } 2>&1 | sed 's/^/# /'
			return 1
		fi
		sleep 0.3
	done
	ok "$w_name"
}

has_more() { [ "$(number owner replica_record)" -gt "$1" ] 2>/dev/null; }
has() { has_more $(($1 - 1)); }
state_is() { TRIADD_SOCKET=/tmp/$1.sock triadsetup replica status 2>/dev/null | grep -q ": $2"; }

# What was a replica of another device is none of this one.
blank_replica()
{
	dd if=/dev/zero of=/dev/vdb bs=1M oflag=direct 2>/dev/null
	rm -f owner.log replica.log report state
}

# Whatever happened before, it moves on.
moves_on()
{
	within "$1: the replica comes up" 240 has "$(number owner owner_record || echo 1)"
	within "$1: and goes on" 240 has_more "$(number owner replica_record || echo 0)"
}

# A writer that leaves the daemons a processor: here they share two with it.
throttle()
{
	while kill -STOP $job 2>/dev/null; do
		sleep 0.6
		kill -CONT $job 2>/dev/null
		sleep 0.4
	done
}

# begin_writing FLUSH: so many of a hundred operations are one
begin_writing()
{
	stamp init state blocks=8192 threads=2 max=4 flush=$1 discard=5 >/dev/null
	stamp write state /dev/mapper/t report >/dev/null 2>&1 &
	job=$!
	throttle &
	throttle=$!
}

following()
{
	blank_replica
	fmt /dev/vda
	map t /dev/vda
	start_replica
	start_owner
	within "a blank device becomes a replica" 60 state_is owner 'in sync'
	begin_writing 2
	moves_on "written to"
	[ "$(number owner batches)" -gt 0 ] && ok "by the log" || not_ok "by the log"
	kill -9 $replica
	wait $replica 2>/dev/null
	sleep 3
	start_replica
	moves_on "its daemon killed"
	kill -9 $owner
	wait $owner 2>/dev/null
	sleep 3
	start_owner
	within "the owner's daemon killed: it finds the replica" 60 has 1
	moves_on "the owner's daemon killed"
	ip link set lo down
	before=$(number owner replica_record)
	end -TERM $throttle
	kill -CONT $job
	sleep 5
	is "$(field t 1)" rw "the link is cut: the device is written to, as fast as it takes it"
	throttle &
	throttle=$!
	ip link set lo up
	ip addr add 127.0.0.1/8 dev lo 2>/dev/null
	within "the link is back: the replica goes on" 90 has_more "$before"
	moves_on "the link is back"

	# what is durable now is in the replica soon
	grep '^F' report >flushed
	at=$(number owner owner_record)
	# that it saw after what was flushed
	within "it takes all that is durable" 60 has_more "$at"
	kill -9 $owner
	wait $owner 2>/dev/null
	sleep 1
	end -TERM $throttle
	kill -9 $job
	wait $job 2>/dev/null
}

# each_durable NAME: milliseconds for each of 50 writes that have to be
each_durable()
{
	d_begun=$(now)
	dd if=/dev/zero of=/dev/mapper/t bs=4k count=50 oflag=direct,dsync conv=notrunc 2>/dev/null
	echo "# $1: $((($(now) - d_begun) / 50)) ms for each write with a flush behind it"
}

# Flushes wait for the replica: what ends is in it, whoever is killed when.
synchronous()
{
	blank_replica
	echo "owner data t 127.0.0.1 key sync" >owner.conf
	fmt /dev/vda
	map --sync block --sync-ms 3000 t /dev/vda
	start_replica
	start_owner
	within "a blank device becomes a replica" 60 state_is owner "in sync" || return	# else flushes wait for ever
	each_durable "with a replica that is waited for"
	triadsetup replica sync t off
	each_durable "without"
	triadsetup replica sync t block
	begin_writing 10
	moves_on "written to"
	kill -9 $replica
	wait $replica 2>/dev/null
	within "its daemon killed: flushes wait" 60 sh -c "dmsetup status t | grep -q ' block waits '"
	flushes=$(grep -c '^F' report)
	sleep 3
	is "$(grep -c '^F' report)" "$flushes" "and none ends"
	start_replica
	moves_on "it is back"
	ip link set lo down
	within "the link is cut: flushes wait" 60 sh -c "dmsetup status t | grep -q ' block waits '"
	ip link set lo up
	ip addr add 127.0.0.1/8 dev lo 2>/dev/null
	moves_on "the link is back"
	kill -9 $owner
	wait $owner 2>/dev/null
	sleep 2
	start_owner
	moves_on "the owner's daemon killed"
	must "restart of the device meanwhile" triadsetup restart t
	moves_on "behind that"
	within "flushes end again" 60 sh -c "[ \$(grep -c '^F' report) -gt $flushes ]"

	triadsetup replica sync t async
	within "async: up to date under load" 60 sh -c "dmsetup status t | grep -q ' async yes '"
	triadsetup replica sync t block

	# nothing of the owner is there any more, from one moment to the next
	kill -9 $owner
	end -TERM $throttle
	kill -9 $job
	grep '^F' report >flushed
	wait $owner 2>/dev/null	# the writer may wait for a flush, until the device is fenced
}

# The daemon does not notice that it is another one; the records have the same numbers.
another_device()
{
	blank_replica
	echo "owner data t 127.0.0.1 key sync" >owner.conf
	fmt /dev/vda
	map t /dev/vda
	pattern a
	put a t 3
	put a t 9
	start_replica
	start_owner
	within "a blank device becomes a replica" 60 state_is owner 'in sync'
	kill -STOP $owner
	triadsetup close t
	fmt /dev/vda
	map --sync block --sync-ms 1000 t /dev/vda
	kill -CONT $owner
	dd if=/tmp/a of=/dev/mapper/t bs=1M oflag=direct conv=notrunc,fsync 2>/dev/null &
	job=$!
	within "another device of this name is none that the replica fits" 60 state_is owner stopped
	is "$(field t 30)" 0 "and nothing of it is taken to be there"
	end -TERM $owner
	end -TERM $replica
	triadsetup replica sync t off
	wait $job
	is $? 0 "its flush ends when it waits for nobody any more"
	triadsetup close t
	checked "the replica" vdb
}

taking_over()
{
	TRIADD_SOCKET=/tmp/replica.sock must "takeover" triadsetup replica takeover -q data
	sed 's/^/# /' /tmp/out
	checked "it" vdb
	map r /dev/vdb
	is "$(field r 1)" rw "it is a device of its own"
	{ grep '^S' report; cat flushed; } >report.2
	must "stamp: the report" stamp absorb state report.2
	must "it holds a prefix of what was written, with all that had been flushed" \
		stamp verify state /dev/mapper/r
	must "and is written to" dd if=/dev/zero of=/dev/mapper/r bs=4k count=1 oflag=direct
	start_owner
	within "the one before comes back, and is fenced" 60 grep -q FENCED owner.log
	case $(triadsetup status t) in
	*kept*)	within "its device is read-only" 10 [ "$(field t 1)" = ro ] ;;
	esac
	TRIADD_SOCKET=/tmp/owner.sock triadsetup replica status >/tmp/out
	is $? 6 "status says so"
	end -TERM $owner
	end -TERM $replica
	triadsetup close r
	checked "closed again, it" vdb
	wait
	triadsetup close t
}

# Both are closed: they hold the same.
alike()
{
	triadsetup export -q /dev/vda a.img && triadsetup export -q /dev/vdb b.img && cmp a.img b.img &&
		ok "$1" || not_ok "$1"
	rm -f a.img b.img
}

# What was the device follows the one that took over, and takes over in its turn.
coming_back()
{
	must "rejoin: what was the device becomes a replica" triadsetup replica rejoin -q /dev/vda
	map t /dev/vda
	is "$(field t 1)" ro "which opens read-only"
	triadsetup close t
	echo "owner data r 127.0.0.1 key" >owner.conf
	printf 'listen 127.0.0.1\nreplica data /dev/vda key\n' >replica.conf
	map r /dev/vdb
	pattern a
	put a r 3
	start_replica
	start_owner
	within "it is brought on" 60 state_is owner 'in sync'
	is "$(number owner differences) $(number owner fulls)" "1 0" "by what differs"
	put a r 40
	within "and follows" 60 has "$(field r 24)"
	end -TERM $owner
	end -TERM $replica
	triadsetup close r
	alike "both hold the same"
	checked "it" vda
	must "it takes over" triadsetup replica takeover -q --force /dev/vda
	map t /dev/vda
	is "$(field t 1)" rw "and is the device again"
	triadsetup close t
	echo "owner data t 127.0.0.1 key" >owner.conf
	printf 'listen 127.0.0.1\nreplica data /dev/vdb key\n' >replica.conf
}

# At rest both hold the same.
resting()
{
	blank_replica
	fmt /dev/vda
	map t /dev/vda
	pattern a
	put a t 3
	start_replica
	start_owner
	within "begun with data" 60 state_is owner 'in sync'
	put a t 20
	blkdiscard -o 4M -l 1M /dev/mapper/t
	dd if=/tmp/a of=/dev/mapper/t bs=4k seek=9 count=20 oflag=direct conv=notrunc,fsync 2>/dev/null
	sleep 1
	within "it comes to rest" 60 has "$(number owner owner_record)"
	sleep 3
	p=$(number owner owner_record)
	sleep 3
	is "$(number owner owner_record)" "$p" "and nothing is written at rest"
	end -TERM $owner
	end -TERM $replica
	triadsetup close t
	alike "both hold the same"
	p=$(triadsetup position /dev/vdb)
	map t /dev/vda
	map r /dev/vdb
	is "$(field r 1)" ro "the replica opens read-only"
	must "with something in its log" test "$(field r 5)" -gt 0
	must "the kernel reads the same of both" cmp /dev/mapper/t /dev/mapper/r
	is "$(triadsetup position r)" "$p" "position: of a replica that is open"
	triadsetup info r | grep -qF "$p" && ok "info: of one" || not_ok "info: of one"
	triadsetup close r
	triadsetup close t
	checked "the replica" vdb
}

# host N: of three; what one of them says, and the device's flushes that have ended
start_host() { triadd -c host$1.conf -s /tmp/host$1.sock 2>>host$1.log & eval "host$1=$!"; }
kill_host() { eval "kill -9 \$host$1; wait \$host$1 2>/dev/null"; }
at_host() { a_host=$1; shift; TRIADD_SOCKET=/tmp/host$a_host.sock triadsetup replica "$@"; }
in_sync() { [ "$(at_host 1 status 2>/dev/null | grep -c ': in sync')" = $1 ]; }
flushes() { cat report 2>/dev/null | grep -c '^F'; }
flushed_since() { [ "$(flushes)" -gt $(($1 + 3)) ]; }
waits() { dmsetup status t | grep -q ' block waits '; }

# Flushes end with a majority, and who takes over with one has all of them.
three_hosts()
{
	blank_replica
	rm -f host?.log
	dd if=/dev/zero of=/dev/vdc bs=1M oflag=direct 2>/dev/null
	for h in 1 2 3; do
		(umask 077; head -c 32 /dev/urandom | hexdump -v -e '1/1 "%02x"' >key$h)
		printf 'listen 127.0.0.%s\ngroup data key1 127.0.0.1 127.0.0.2 127.0.0.3\n' $h >host$h.conf
	done
	for h in 2 3; do echo "owner data t 127.0.0.$h key$h sync" >>host1.conf; done
	echo "replica data /dev/vdb key2" >>host2.conf
	echo "replica data /dev/vdc key3" >>host3.conf
	fmt /dev/vda
	map --sync block --sync-ms 3000 t /dev/vda
	for h in 1 2 3; do start_host $h; done
	within "two blank devices become replicas" 60 in_sync 2 || return
	begin_writing 20
	within "flushes end" 60 flushed_since 0
	kill_host 3
	n=$(flushes)
	within "one replica is gone: flushes end" 60 flushed_since "$n"
	kill_host 2
	within "both are: they wait" 60 waits
	start_host 3
	n=$(flushes)
	within "one is back: they end again" 120 flushed_since "$n"
	start_host 2
	sleep 4
	eval "kill -STOP \$host3"
	n=$(flushes)
	within "one hangs: they end, by the other one" 120 flushed_since "$n"
	at_host 2 group data >/tmp/out
	grep -q '2 of 3\|1 of 3' /tmp/out && ok "the group says who is there" || not_ok "group # $(cat /tmp/out)"
	eval "kill -CONT \$host3"

	kill_host 1
	end -TERM $throttle
	kill -9 $job
	grep '^F' report >flushed
	won=
	for h in 2 3; do
		at_host $h takeover -q data >/tmp/out 2>&1 && won="$won$h"
		sed 's/^/# /' /tmp/out
	done
	case $won in
	2)	disk=vdb ;;
	3)	disk=vdc ;;
	*)	not_ok "one of them takes over # '$won'"; return ;;
	esac
	ok "one of them takes over, and no other"
	for h in 2 3; do kill_host $h; done
	checked "it" $disk
	map r /dev/$disk
	{ grep '^S' report; cat flushed; } >report.2
	must "stamp: the report" stamp absorb state report.2
	must "it holds a prefix of what was written, with all that had been flushed" \
		stamp verify state /dev/mapper/r
	triadsetup close r
	triadsetup replica sync t off
	wait $job 2>/dev/null
	triadsetup close t
}

for part in ${*:-resting following taking_over synchronous taking_over coming_back another_device three_hosts}; do
	begins $part
	$part
done
[ $failed = 0 ]
