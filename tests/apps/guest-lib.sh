# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2034,SC2046,SC2086
#
# In the guest: the databases' programs, and how their servers are started.
#
# They live in a root of their own, /a.  The filesystem of the database NAME is mounted on
# /a/m/NAME and holds data/; its socket and its server's log are in /tmp/NAME.

# The same for every set.  Small caches and frequent checkpoints keep data pages on their way to
# the disk.  What protects from torn pages is off, what makes commits durable is on.
pg_settings='fsync=on full_page_writes=off synchronous_commit=on wal_sync_method=fdatasync
	wal_level=minimal max_wal_senders=0 wal_recycle=off min_wal_size=2MB max_wal_size=2MB
	shared_buffers=1MB checkpoint_timeout=30s checkpoint_flush_after=8kB backend_flush_after=8kB
	bgwriter_delay=20ms bgwriter_lru_maxpages=200 bgwriter_flush_after=8kB max_connections=8
	autovacuum_max_workers=1 jit=off listen_addresses= checkpoint_warning=0'
mariadb_settings='--no-defaults --user=root --skip-networking --skip-grant-tables --skip-log-bin
	--tmpdir=/tmp --performance-schema=off --innodb-doublewrite=0
	--innodb-flush-log-at-trx-commit=1 --innodb-flush-method=O_DIRECT --innodb-log-file-size=4M
	--innodb-buffer-pool-size=6M --innodb-buffer-pool-dump-at-shutdown=off
	--innodb-buffer-pool-load-at-startup=off --innodb-max-dirty-pages-pct=5
	--innodb-max-dirty-pages-pct-lwm=1 --innodb-io-capacity=400 --innodb-flush-neighbors=0'
pg_bin=/usr/lib/postgresql/15/bin

# enter ROOT: mount the disk with the programs
enter()
{
	mkdir -p /a /fresh
	mount -t ext4 -o ro "$1" /a
	for d in dev dev/shm proc tmp run; do
		mount --bind /$d /a/$d
	done
	mount -t tmpfs m /a/m
	cp /client-* /tmp
	# what is dirty goes to the disk soon
	echo 50 >/proc/sys/vm/dirty_writeback_centisecs
	echo 100 >/proc/sys/vm/dirty_expire_centisecs
}

# set_up NAME DEVICE [FRESH]: a filesystem with a database of which nothing is lost yet.  A cluster
# keeps the blocks of a database's page together: what lies apart would be written apart.
set_up()
{
	mkfs.ext4 -q -O bigalloc -C 16384 "$2" 2>/dev/null &&
	mount -t ext4 "$2" "/a/m/$1" &&
	cp -a "/fresh/${3:-${1%.*}}/." "/a/m/$1" &&
	sync -f "/a/m/$1"
}

inside() { chroot /a "$@"; }
# PostgreSQL refuses to be root
be_postgres='/usr/bin/setpriv --reuid 70 --regid 70 --clear-groups'

engine() { case $1 in sqlite*) echo sqlite ;; *) echo "${1%%.*}" ;; esac; }

# client NAME VERB [ARG]
client()
{
	case $1 in
	pg*)		where=/tmp/$1 ;;
	mariadb*)	where=/tmp/$1/socket ;;
	sqlitewal*)	where=/m/$1/data/db,wal,extra ;;
	sqlitefull*)	where=/m/$1/data/db,delete,full ;;
	sqlite*)	where=/m/$1/data/db,delete,extra ;;
	*)		where=/m/$1/data ;;
	esac
	name=$1
	shift
	inside "/tmp/client-$(engine "$name")" "$where" "$@"
}

# start NAME: returns when the server answers; fails if it ends instead.  Started with no function
# between, so that $server is the server itself and not a shell that waits for it.
start()
{
	mkdir -p "/tmp/$1"
	case $1 in
	pg*)
		chown 70:70 "/tmp/$1"
		chroot /a $be_postgres $pg_bin/postgres -D "/m/$1/data" -k "/tmp/$1" \
			$(printf ' -c %s' $pg_settings) >"/tmp/$1/log" 2>&1 &
		server=$!
		;;
	mariadb*)
		chroot /a mariadbd $mariadb_settings --datadir="/m/$1/data" --socket="/tmp/$1/socket" \
			--pid-file="/tmp/$1/pid" >"/tmp/$1/log" 2>&1 &
		server=$!
		;;
	*)
		return 0
		;;
	esac
	n=0
	until client "$1" ping >/dev/null; do
		n=$((n + 1))
		if [ $n = 1500 ] || ! kill -0 $server 2>/dev/null; then
			kill -9 $server 2>/dev/null
			return 1
		fi
		sleep 0.2
	done
}

# stop NAME: in an orderly way, as far as it runs
stop()
{
	case $1 in
	pg*)		kill -INT $server ;;
	mariadb*)	kill -TERM $server ;;
	*)		return 0 ;;
	esac
	wait $server
}
