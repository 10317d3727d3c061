# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC1091
#
# In the guest: one life of SQLite's databases between two power cuts, see test-sqlite.
#
#	guest-sqlite.sh LIFE ACKED...
#
# vda holds the programs, vdb the fresh databases; then come sqlitefull and sqlite, each on
# dm-triad and directly on the disk.  ACKED are their last acknowledged commits, in this order.
#
# Reports what the life before left: "kept NAME", "undone NAME" or "bad NAME: why".  Then one after
# the other commits 3 times and reports "done NAME".
. /guest-lib.sh

life=$1
shift

# found NAME ACKED: all that was acknowledged; or all but the last, and the journal that undid it
# back in its directory, without which the last would be there, too
found()
{
	data=/a/m/$1/data copy=${1%.*}.copy
	journal=$(head -c 8 "$data/db-journal" 2>/dev/null | hexdump -v -e '1/1 "%02x"')
	cp "$data/db" "/a/m/$copy/data/"
	if client "$1" verify "$2"; then
		echo "kept $1" >&3
	elif [ "$journal" != d9d505f920a163d7 ]; then
		echo "bad $1: commit $2 is lost, and no journal is to blame: '$journal'" >&3
	elif ! client "$copy" verify "$2"; then
		echo "bad $1: commit $2 is lost, with and without the journal" >&3
	elif ! client "$1" verify $(($2 - 1)); then
		echo "bad $1: more is lost than commit $2" >&3
	else
		echo "undone $1" >&3
	fi
}

exec 3>/dev/report
enter /dev/vda
mount -t ext4 -o ro /dev/vdb /fresh
mkdir -p /a/m/sqlitefull.copy/data /a/m/sqlite.copy/data
letters=cdef
for name in sqlitefull.triad sqlitefull.bare sqlite.triad sqlite.bare; do
	device=/dev/vd${letters%"${letters#?}"}
	letters=${letters#?}
	mkdir -p "/a/m/$name"
	case $name in
	*.triad)
		triadsetup open "${name%.*}" "$device" || exit 1
		device=/dev/mapper/${name%.*}
		;;
	esac
	if [ "$life" = 1 ]; then
		set_up $name "$device" sqlite || exit 1
	else
		mount -t ext4 "$device" "/a/m/$name" || exit 1
		found $name "$1"
	fi
	shift
done
for name in sqlitefull.triad sqlitefull.bare sqlite.triad sqlite.bare; do
	client $name run $name 3 || exit 1
	echo "done $name" >&3
done
sleep 1000
