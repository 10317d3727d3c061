# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# In both guests of scripts/bench-replica: NAME "DELAY..." "TARGET..." SECONDS ROUNDS.  fio is used.
# vda is dm-triad's, vdb DRBD's; far does what near says.  near prints "@job DELAY TARGET JOB IOPS".
#
#   raw      near's vda, alone, no device on it
#   alone    dm-triad, no replica
#   async    triadd follows; nothing waits for it
#   sync     flushes wait for the replica
#   drbd-A   protocol A: a write ends when it is sent
#   drbd-C   protocol C: a write ends when it is on both disks

name=$1 delays=$2 targets=$3 seconds=$4 rounds=$5
[ "$name" = near ] && own=10.0.0.1 other=10.0.0.2 || own=10.0.0.2 other=10.0.0.1
modprobe libcrc32c 2>/dev/null
for m in lru_cache sch_netem; do insmod /mod/$m.ko; done
insmod /mod/drbd.ko disable_sendpage=1 usermode_helper=disabled 2>/dev/null || insmod /mod/drbd.ko usermode_helper=disabled
ip link set lo up
ip addr add $own/24 dev eth0
ip link set eth0 up
chmod 600 /key
mkdir -p /run /etc /var/lib/drbd /var/lock

# Half of it on each side; "50,1": and 1 % of the packets lost.  busybox has a tc of its own, which a
# shell of nc would take.
delay()
{
	d_ms=${1%,*} d_loss=${1#"$d_ms"}
	/usr/bin/tc qdisc del dev eth0 root 2>/dev/null
	[ "$1" = 0 ] || /usr/bin/tc qdisc add dev eth0 root netem limit 100000 delay "$((d_ms * 500))us" ${d_loss:+loss ${d_loss#,}%}
}

drbd_up()
{
	drbdmeta --force 0 v08 /dev/vdb internal create-md >/dev/null 2>&1
	drbdsetup-84 new-resource r0
	drbdsetup-84 new-minor r0 0 0
	drbdsetup-84 attach 0 /dev/vdb /dev/vdb internal
	drbdsetup-84 connect r0 ipv4:$own:7789 ipv4:$other:7789 --protocol=$1
}
drbd_down() { drbdsetup-84 down r0; }

if [ "$name" = far ]; then
	echo up >/dev/report
	cat >/tmp/serve <<END
read -r command
case \$command in
delay*|drbd*)	. /tmp/functions; \$command ;;
triad)	dd if=/dev/zero of=/dev/vda bs=1M oflag=direct
	printf 'listen 10.0.0.2\nreplica data /dev/vda /key\n' >/etc/triadd.conf
	triadd >/tmp/triadd.log 2>&1 & echo \$! >/tmp/pid ;;
still)	kill \$(cat /tmp/pid); sleep 0.5 ;;
end)	echo end >/tmp/end ;;
esac >/tmp/serve.log 2>&1 </dev/null
echo done
END
	{ echo "own=$own other=$other"; sed -n '/^delay()/,/^drbd_down/p' "$0"; } >/tmp/functions
	while [ ! -e /tmp/end ]; do
		nc -l -p 99 -e sh /tmp/serve
	done
	exit 0
fi

# far COMMAND...
far()
{
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		said=$(echo "$*" | nc -w 20 $other 99) && [ "$said" = done ] && return
		sleep 0.3
	done
	echo "# far does not answer: $*"
	exit 1
}

# job NAME DEVICE FIO-OPTION...
job()
{
	j_name=$1 j_device=$2
	shift 2
	fio --name=$j_name --filename=$j_device --size=128M --direct=1 --ioengine=libaio --time_based \
		--runtime=$seconds --ramp_time=1 --norandommap --randrepeat=1 --group_reporting \
		--output-format=terse --terse-version=3 "$@" >/tmp/fio 2>&1
	echo "@job $delay $target $j_name $(awk -F ';' '$1 == 3 { print $49 }' /tmp/fio)"
}

jobs()
{
	job fsync1 $1 --rw=randwrite --bs=4k --fdatasync=1
	job fsync8 $1 --rw=randwrite --bs=4k --fdatasync=1 --numjobs=8
	job random $1 --rw=randwrite --bs=4k --iodepth=32
	job seq256k $1 --rw=write --bs=256k --iodepth=4
}

replicated()
{
	until triadsetup replica status 2>&1 | grep -q 'in sync'; do
		sleep 0.3
		n=$((${n:-0} + 1))
		[ $n -lt 200 ] || { triadsetup replica status; cat /tmp/triadd.log; exit 1; }
	done
}

run()
{
	target=$1
	case $target in
	raw)	jobs /dev/vda ;;
	alone)
		triadsetup format -q --force /dev/vda >/dev/null
		triadsetup open data /dev/vda
		jobs /dev/mapper/data
		triadsetup close data ;;
	async|sync)
		far triad
		triadsetup format -q --force /dev/vda >/dev/null
		if [ $target = sync ]; then
			triadsetup open --sync block data /dev/vda
			echo "owner data data $other /key sync" >/etc/triadd.conf
		else
			triadsetup open data /dev/vda
			echo "owner data data $other /key" >/etc/triadd.conf
		fi
		triadd >/tmp/triadd.log 2>&1 &
		pid=$!
		n=0
		replicated
		jobs /dev/mapper/data
		kill $pid
		wait $pid
		[ $target = async ] || triadsetup replica sync data off
		triadsetup close data
		far still ;;
	drbd-*)
		far drbd_up ${target#drbd-}
		drbd_up ${target#drbd-}
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			grep -q 'cs:Connected' /proc/drbd && break
			sleep 0.5
		done
		drbdsetup-84 new-current-uuid --clear-bitmap 0
		drbdsetup-84 primary 0
		grep -q 'ro:Primary/Secondary ds:UpToDate/UpToDate' /proc/drbd || { echo "# DRBD:"; sed 's/^/# /' /proc/drbd; }
		jobs /dev/drbd0
		drbdsetup-84 secondary 0
		drbd_down
		far drbd_down ;;
	esac
}

for delay in $delays; do
	far delay $delay
	delay $delay
	echo "@ping $delay $(ping -c 5 -q $other | sed -n 's,.* = [^/]*/\([^/]*\)/.*,\1,p')"
	round=0
	while [ $round -lt $rounds ]; do
		for target in $targets; do
			run $target
		done
		round=$((round + 1))
	done
done
# its answer must get here before it is gone
far delay 0
delay 0
far end
exit 0
