# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC1091,SC2010,SC2086,SC2154
#
# In the guest: one life of the databases between two power cuts.
#
#	guest-apps.sh LIFE ACKED...
#
# vda holds the programs, vdb the fresh databases; then come pg, mariadb, sqlite, sqlitewal and
# lmdb, each twice: on dm-triad (NAME.triad) and directly on the disk (NAME.bare).  ACKED are the
# numbers of the last acknowledged commits in this order.  All that the life before left is
# verified, then everybody commits until the power goes.
#
# Reports: "ack NAME N"; "lost NAME: why", which only a bare one survives, by beginning afresh;
# "died NAME: why"; "go" when all have been verified.
. /guest-lib.sh

life=$1
shift

# What a power cut must leave.  On failure the reason is the last line of output.
recover()
{
	# the filesystem replays its own journal when mounted
	if ! mount -t ext4 "$2" "/a/m/$1" || ! umount "/a/m/$1"; then
		echo "ext4 cannot be mounted"
		return 1
	fi
	e2fsck -fn "$2" || { echo "e2fsck is not content"; return 1; }
	mount -t ext4 "$2" "/a/m/$1" || return 1

	torn=
	case $1 in
	mariadb*)
		for file in /m/$1/data/ibdata1 /m/$1/data/apps/page.ibd /m/$1/data/apps/last.ibd; do
			inside innochecksum "$file" || torn=$file
		done
		;;
	esac
	if ! start "$1"; then
		tail -n 30 "/tmp/$1/log"
		echo "the database does not recover${torn:+, torn page in $torn}: $(
			grep -E 'ERROR|FATAL|PANIC' "/tmp/$1/log" | grep -v 'starting up' | head -n 1)"
		return 1
	fi
	client "$1" verify "$3" || return 1
	case $1 in
	pg*)
		stop "$1"
		if ! inside $be_postgres $pg_bin/pg_checksums --check -D "/m/$1/data"; then
			echo "pg_checksums is not content"
			return 1
		fi
		start "$1" || return 1
		;;
	esac
	[ -z "$torn" ] || { echo "torn page in $torn, and recovered all the same"; return 1; }
}

# live NAME DISK ACKED
live()
{
	device=$2
	mkdir -p "/a/m/$1" "/tmp/$1"
	case $1 in
	*.triad)
		triadsetup open "${1%.*}" "$2" || return 1
		device=/dev/mapper/${1%.*}
		;;
	esac
	if [ "$life" = 1 ]; then
		set_up "$1" "$device" && start "$1" || return 1
	elif ! recover "$1" "$device" "$3"; then
		[ "${1#*.}" = bare ] || return 1
		echo "lost $1: $(tail -n 1 "/tmp/$1.out" | tr -s ' \t' ' ')" >&3
		# PostgreSQL's own children outlive a SIGKILL and keep the filesystem busy
		case $1 in
		pg*)	kill -QUIT "$server" ;;
		*)	kill -9 "$server" ;;
		esac 2>/dev/null
		wait
		umount "/a/m/$1" 2>/dev/null
		set_up "$1" "$device" && start "$1" || return 1
	fi
	cut -d ' ' -f 1 /proc/uptime >"/tmp/$1.up"
	# who is ready does not take the processor from those who still recover
	until [ -e /tmp/go ]; do sleep 0.1; done
	client "$1" run "$1" || return 1
}

# A report from several writers: the port is opened once, by one process.
exec 3>/dev/report
enter /dev/vda
mount -t ext4 -o ro /dev/vdb /fresh
letters=cdefghijkl
for name in pg mariadb sqlite sqlitewal lmdb; do
	for set in triad bare; do
		disk=/dev/vd${letters%"${letters#?}"}
		letters=${letters#?}
		(
			who=$name.$set
			live $who $disk "$1" >/tmp/$who.out 2>&1
			echo "died $who: $(tail -n 1 /tmp/$who.out)" >&3
			cp /tmp/$who.out /tmp/$who.failed
		) &
		shift
	done
done
# all are heard, also when one has failed
until [ "$(ls /tmp | grep -cE '\.(up|failed)$')" = 10 ]; do
	sleep 0.2
done
head -n 1 /tmp/*.up
cat /tmp/*.failed 2>/dev/null && exit 3
: >/tmp/go
echo go >&3
wait
echo "the power did not go"
exit 4
