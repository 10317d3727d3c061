# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# In the guest: Linux's SCSI target serves vda to two initiators, so that sda's names there are two
# hosts' names of one disk.  Another SCSI disk takes no reservations.  Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh

config=/sys/kernel/config/target
plain=/dev/sda

serve()
{
	for m in configfs target_core_mod target_core_iblock tcm_loop; do
		insmod /mod/$m.ko
	done
	mount -t configfs configfs /sys/kernel/config
	# where the target keeps what is to outlive its power cuts
	mkdir -p /var/target/pr $config/core/iblock_0/disk
	echo udev_path=/dev/vda >$config/core/iblock_0/disk/control
	echo 4711 >$config/core/iblock_0/disk/wwn/vpd_unit_serial
	echo 1 >$config/core/iblock_0/disk/enable
	for host in 1 2; do
		group=$config/loopback/naa.600140500000000$host/tpgt_1
		mkdir -p $group/lun/lun_0
		echo naa.600140500000010$host >$group/nexus
		ln -s $config/core/iblock_0/disk $group/lun/lun_0/port
	done
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ ! -b /dev/sdc ] || break
		sleep 0.5
	done
}

# on HOST COMMAND...: as that host
on()
{
	printf '%032d\n' $1 >/etc/machine-id
	shift
	"$@"
}

# refused CODE WORDS NAME COMMAND...
refused()
{
	code=$1 words=$2 name=$3
	shift 3
	"$@" >/tmp/out 2>&1
	is $? $code "$name"
	grep -q "$words" /tmp/out && ok "$name: told so" || not_ok "$name: told so # $(cat /tmp/out)"
}

serve
must "two hosts have one disk" test -b /dev/sdc
one=/dev/sdb two=/dev/sdc
fmt $one
pattern a
pattern b
pattern c

must "a host reserves it" on 1 triadsetup open --reserve t $one
put a t 1
refused 5 'another host has it reserved, key' "another host is refused" on 2 triadsetup open --reserve u $two
must "what it reads there is the disk's state" on 2 triadsetup check $two
on 2 triadsetup open u $two >/tmp/out 2>&1
triadsetup close u 2>/dev/null
put b t 8
must "without --reserve it does no harm either" same b t 8
is "$(field t 1)" rw "and the first goes on"

must "it is taken" on 2 triadsetup open --take u $two
is "$(field u 1)" rw "and can be written to"
must "with all that had been flushed" same a u 1
must "up to the last" same b u 8
must_fail "whoever had it writes nothing any more" put c t 20
is "$(field t 1)" ro "and is read-only"
put c u 30
must "the one who took it goes on" same c u 30
on 1 triadsetup close t
must "closed there" test ! -e /dev/mapper/t
on 1 triadsetup open --reserve t $one 2>/dev/null && not_ok "it is not given back by that" || ok "it is not given back by that"
on 2 triadsetup close u >/tmp/out 2>&1
grep -q 'stays reserved' /tmp/out && ok "whoever took it keeps it: the other one may come back" ||
	not_ok "whoever took it keeps it: the other one may come back # $(cat /tmp/out)"
checked "closed, it" sdc
refused 5 'another host' "which finds it reserved" on 1 triadsetup open --reserve t $one
must "opened again without taking it" on 2 triadsetup open --reserve u $two
on 2 triadsetup close --deferred u
must "it is given back" on 1 triadsetup open --reserve t $one
for p in a:1 b:8 c:30; do
	must "with all that was written, at ${p#*:} MiB" same ${p%:*} t ${p#*:}
done

# a host that is gone did not close it
put c t 40
rm /run/triadsetup/reserved.t
on 1 triadsetup close t
refused 5 'another host' "a host that is gone has it still" on 2 triadsetup open --reserve u $two
must "until it is taken" on 2 triadsetup open --take u $two
must "with all that it had flushed" same c u 40
on 2 triadsetup close u 2>/dev/null
must "the same host opens it again behind that" on 2 triadsetup open --reserve u $two
on 2 triadsetup close u

fmt $plain
refused 9 'takes no reservations' "a disk that takes none" on 1 triadsetup open --reserve t $plain
must "is not mapped" test ! -e /dev/mapper/t
refused 1 'who writes' "nobody reserves what he only reads" on 1 triadsetup open --reserve --read-only t $one
dmsetup create volume --table "0 $(blockdev --getsz $two) linear $two 0"
refused 9 'its disk does' "a volume on it has none of its own" on 2 triadsetup open --reserve u /dev/mapper/volume
dmsetup remove volume
rm -f /etc/machine-id
refused 9 'machine-id' "a host without a name is told" triadsetup open --reserve t $one
checked "all the time, it" sdb

# ---- without reservations: heartbeats, and who waits for them --------------------------------------

# opens HOST NAME DISK: in the background; its exit code into /tmp/code.NAME
opens()
{
	rm -f /tmp/code.$2
	(triadsetup open --wait $2 $3 >/tmp/out.$2 2>&1; echo $? >/tmp/code.$2) &
}
# soon SECONDS COMMAND...: it comes true
soon() { s_left=$((10 * $1)); shift; until "$@"; do sleep 0.1; s_left=$((s_left - 1)); [ $s_left -gt 0 ] || return 1; done; }
is_ro() { [ "$(field $1 1)" = ro ]; }

fmt $one
t=$(now)
must "a host opens it, and waits" triadsetup open --wait t $one
t=$(($(now) - t))
[ $t -ge 13000 ] && ok "for 13 s" || not_ok "for 13 s # $t ms"
refused 5 'another host has it open' "while nobody writes there another host is refused" triadsetup open --wait u $two
must "it is not mapped" test ! -e /dev/mapper/u
put a t 1
( while [ ! -e /tmp/enough ]; do dd if=/tmp/b of=/dev/mapper/t bs=4k count=1 oflag=direct seek=2000 2>/dev/null; done ) &
refused 5 'another host has it open' "and while somebody does" triadsetup open --wait u $two
touch /tmp/enough
wait $!
is "$(field t 1)" rw "which the first does not notice"
must "it is restarted" triadsetup restart t
refused 5 'another host has it open' "nor does a restart end it" triadsetup open --wait u $two
triadsetup close t
must "once it is closed there it is opened" triadsetup open --wait u $two
must "with what was written" same a u 1
refused 5 'another host has it open' "and is not to be had on the first" triadsetup open --wait t $one
triadsetup close u
opens 1 t $one
opens 2 u $two
soon 60 test -e /tmp/code.t && soon 60 test -e /tmp/code.u
is "$(sort /tmp/code.t /tmp/code.u | tr '\n' ' ')" "0 5 " "of two that open it at once one does"
[ -e /dev/mapper/t ] && dev=t || dev=u
put b $dev 3
must "and can be written to" same b $dev 3
triadsetup close $dev
must "a host has it" triadsetup open --wait t $one
echo "# and another one opens it and asks nobody"
triadsetup open u $two
put c u 40
dmsetup message u 0 commit
must "the first finds that, and nobody had to write there" soon 10 is_ro t
triadsetup close u
triadsetup close t
checked "shared, it" sdb
must "a host opens it once more" triadsetup open --wait t $one
must "with what the other one wrote" same c t 40
dmsetup table t | grep -q 'heartbeat_ms 2000' && ok "its table says so" || not_ok "its table says so # $(dmsetup table t)"
triadsetup close t
checked "in the end it" sdb

for host in 1 2; do
	group=$config/loopback/naa.600140500000000$host/tpgt_1
	rm $group/lun/lun_0/port
	rmdir $group/lun/lun_0
	echo NULL >$group/nexus
	rmdir $group ${group%/*}
done
rmdir $config/core/iblock_0/disk $config/core/iblock_0
[ $failed = 0 ]
