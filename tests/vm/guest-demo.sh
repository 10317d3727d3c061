# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest, for scripts/demo-restart: vda is the disk.

. /usr/lib/guest-lib.sh

die() { echo "FAILED: $*"; exit 1; }

# step KIND WHAT COMMAND...: a line with what the last line of its output says
step()
{
	kind=$1 what=$2
	shift 2
	at=$(now)
	"$@" >/tmp/said 2>&1 || die "$what: $(cat /tmp/said)"
	echo "event $((at - begun)) $(($(now) - begun)) $kind" >>/tmp/events
	printf '%5d.%d s   %-34s %s\n' $(((at - begun) / 1000)) $(((at - begun) / 100 % 10)) "$what" \
		"$(tail -n 1 /tmp/said | sed 's/^db: //')"
	sleep 2
}

# The disk goes and comes back: below dm-triad lies a dm-linear that becomes a dm-error.
disk_is()
{
	dmsetup suspend --noflush --nolockfs disk
	dmsetup load disk --table "0 $(blockdev --getsz /dev/vda) $*"
	dmsetup resume disk
}

pulled()
{
	disk_is error
	sleep 2
	triadsetup status db | sed -n 's/^ *mode: */it holds: /p; s/.*hold.*/it holds its users; nobody sees an error/p' | head -n 1
	sleep 1
}

put_back()
{
	disk_is linear /dev/vda 0
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ "$(field db 1)" = rw ] && break
		sleep 0.5
	done
	grep restarted /tmp/watch | tail -n 1 | sed 's/^db: /triadsetup watch: /'
}

# as long as /tmp/go is there; each run verifies what it wrote
load()
{
	while [ -e /tmp/go ]; do
		fio --name=verified --directory=/mnt/db --size=48M --numjobs=2 --bsrange=4k-64k --rw=randrw \
			--ioengine=libaio --iodepth=8 --direct=1 --fsync=16 --rate_iops=150 --verify=crc32c \
			--verify_backlog=64 --time_based --runtime=5 --group_reporting \
			--output-format=terse --terse-version=3 >>/tmp/fio 2>&1 || return 1
	done
}

mkdir -p /mnt/db
dmsetup create disk --table "0 $(blockdev --getsz /dev/vda) linear /dev/vda 0"
triadsetup format -q /dev/mapper/disk >/dev/null && triadsetup open --on-error hold db /dev/mapper/disk &&
	mkfs.ext4 -q /dev/mapper/db && mount /dev/mapper/db /mnt/db || die "no filesystem"
dd if=/dev/zero of=/mnt/db/lone bs=1M count=32 oflag=direct status=none
echo "ext4 on it; fio writes, syncs and verifies there, and a lone writer of 4 KiB is watched."
echo
triadsetup watch db >/tmp/watch 2>&1 &
touch /tmp/go
load &
load=$!
sleep 2
begun=$(now)
pausemeter -t /tmp/lone /mnt/db/lone &
writer=$!
sleep 2
for i in 1 2 3; do
	step restart "triadsetup restart db" triadsetup restart db
	step crash "triadsetup restart --crash db" triadsetup restart --crash db
	if [ $((i % 2)) = 1 ]; then m=newer; else m=this; fi
	step upgrade "triadsetup upgrade" triadsetup upgrade --module /mod/$m.ko
done
step pulled "the disk is pulled" pulled
step back "the disk is put back" put_back
step restart "triadsetup restart db" triadsetup restart db
kill $writer
wait $writer || die "the lone writer saw an error"
rm /tmp/go
wait $load || die "fio: $(cat /tmp/fio)"
umount /mnt/db
e2fsck -fn /dev/mapper/db >/tmp/fsck 2>&1 || die "e2fsck: $(cat /tmp/fsck)"
triadsetup close db
triadsetup check --data /dev/mapper/disk >/tmp/check 2>&1 || die "check: $(cat /tmp/check)"
dmsetup remove disk

echo
# terse: read KiB 6, written KiB 47
awk -F ';' '{ r += $6; w += $47 } END { printf "fio:                     %d MiB written, %d MiB read and verified, no error\n", w / 1024, r / 1024 }' /tmp/fio
echo "e2fsck:                  clean"
echo "triadsetup check --data: $(grep 'match' /tmp/check | sed 's/^ *//')"
awk -v begun="$begun" '
	FILENAME == "/tmp/events" { at[++n] = $2; to[n] = $3; kind[n] = $4; next }
	{
		t = $1 - begun
		k = "else"
		for (i = 1; i <= n; i++)
			if (at[i] < t + $2 && to[i] > t) k = kind[i] == "back" ? "pulled" : kind[i]
		if ($2 > longest[k]) longest[k] = $2
		# of each 20 ms the longest is kept
		bin = int(t / 20)
		if ($2 > most[bin]) { most[bin] = $2; line[bin] = t " " $2 " " k }
	}
	END {
		printf "longest wait of the 4 KiB writer: restart %d ms, crash %d ms, upgrade %d ms, disk away %.1f s; else %d ms\n",
			longest["restart"], longest["crash"], longest["upgrade"],
			longest["pulled"] / 1000, longest["else"]
		for (bin in line) print "write", line[bin] >"/dev/report"
	}' /tmp/events /tmp/lone
