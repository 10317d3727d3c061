# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: what a lone 4 KiB writer sees of restarts and upgrades, beside what it sees when
# the table of a dm-linear is reloaded.  vda: raw; vdb 2 GiB, vdc 256 MiB, vdd 64 GiB, vde 1 TiB,
# vdf 16 TiB.  A table, in ms, and lines "ok - ..." and "not ok - ...".  "log read" is what the
# last of the restarts found: records/blocks; "other" are the writes that no restart delayed.
#
#   guest-pause.sh N [PART]...      N times each

. /usr/lib/guest-lib.sh

row='%-40s %9s %5s %8s %8s %8s %8s %8s %8s\n'
load() { awk '{ print $1 }' /proc/loadavg; }

# One table, made anew for the running one, in one call as triadsetup does it.
printf '#!/bin/sh\n%s\n%s\n' 'dmsetup table $1 | dmsetup load $1' \
	'dmsetup resume --noflush --nolockfs $1' >/usr/bin/reload
printf '#!/bin/sh\n%s\n' 'f=/mod/newer.ko; [ -e /run/newer ] && f=/mod/old.ko
if [ -e /run/newer ]; then rm /run/newer; else : >/run/newer; fi
exec triadsetup upgrade --module $f' >/usr/bin/swap-builds
chmod +x /usr/bin/reload /usr/bin/swap-builds
sed -i 's/^	*//' /usr/bin/reload

# pause LABEL N NAME BEFORE COMMAND...: a row; leaves p50 in $p50
pause()
{
	label=$1 nr=$2 name=$3 before=$4
	shift 4
	log=-
	line=$(pausemeter -n $nr -p "$before" /dev/mapper/$name "$@") || { not_ok "$label"; return 1; }
	[ $name = raw ] || log=$(dmesg | sed -n 's/.*, \([0-9]*\) records with \([0-9]*\) blocks recovered.*/\1\/\2/p' | tail -n 1)
	set -- $line
	p50=$2
	# shellcheck disable=SC2059
	printf "$row" "$label" "$log" "$@"
}

# random DISK COUNT [OPTION]...: as many 4 KiB writes over all of it, in the map
random()
{
	disk=$1 count=$2
	shift 2
	fmt --interval 1G /dev/$disk
	map $disk /dev/$disk --interval-ms 3600000
	fio --name=r --filename=/dev/mapper/$disk --rw=randwrite --bs=4k --direct=1 --norandommap \
		--ioengine=libaio --iodepth=32 --number_ios=$count --randseed=1 "$@" >/tmp/fio 2>&1 ||
		not_ok "fio on $disk # $(tail -n 3 /tmp/fio)"
}

commit() { dmsetup message $1 0 commit; }

# at_most MS LIMIT WHAT
at_most() { awk "BEGIN { exit !($1 <= $2) }" && ok "$3" || not_ok "$3 # $1 ms, at most $2"; }

short()
{
	dmsetup create raw --table "0 $(blockdev --getsz /dev/vda) linear /dev/vda 0"
	pause "dm-linear, table reloaded" $n raw true reload raw
	linear=$p50
	fmt /dev/vdb
	map vdb /dev/vdb
	c="dmsetup message vdb 0 commit"
	pause "restart, short log" $n vdb "$c" triadsetup restart vdb
	# on a machine that is busy with other things a reload takes long as well
	at_most $p50 "($linear > 20 ? 10 * $linear : 200)" "a restart with a short log: median of 200 ms, or ten reloads"
	pause "restart --crash, short log" $n vdb "$c" triadsetup restart --crash vdb
	pause "upgrade, short log" $n vdb "$c" swap-builds
	triadsetup close vdb
	dmsetup remove raw
}

long()
{
	for mib in 16 64 256; do
		random vdb $((mib * 256))
		pause "restart, log of $mib MiB, queue depth 32" 3 vdb true triadsetup restart vdb
		triadsetup close vdb
	done
	random vdb 16384 --iodepth=1
	pause "restart, log of 64 MiB, lone writes" 3 vdb true triadsetup restart vdb
	triadsetup close vdb
}

sizes()
{
	for d in "vdc 256_MiB" "vdd 64_GiB" "vde 1_TiB" "vdf 16_TiB"; do
		set -- $d
		random $1 30000
		commit $1
		pause "restart, short log, $(echo $2 | tr _ ' '), 30000 blocks" $n $1 "dmsetup message $1 0 commit" \
			triadsetup restart $1
		[ $1 != vdc ] || small=$p50
		[ $1 = vdc ] || at_most $p50 "$small * 2 + 100" "$2: as long as on 256 MiB, within noise"
		triadsetup close $1
	done
}

# A commit of 10000 leaves that somebody waits for is under way.
committing()
{
	random vde 100
	pause "restart, 1 TiB, beside a commit message" $n vde \
		"fio --name=r --filename=/dev/mapper/vde --rw=randwrite --bs=4k --direct=1 --norandommap \
		--ioengine=libaio --iodepth=32 --number_ios=10000 >/dev/null; dmsetup message vde 0 commit 2>/dev/null & sleep 0.3" \
		triadsetup restart vde
	at_most $p50 5000 "a restart does not wait for a commit that a message waits for"
	triadsetup close vde
}

n=$1
shift
printf "# load %s\n" "$(load)"
# shellcheck disable=SC2059
printf "$row" "" "log read" times p50 p99 max "other p50" p99 max
for part in ${*:-short long sizes committing}; do
	$part
done
printf "# load %s\n" "$(load)"
[ $failed = 0 ]
