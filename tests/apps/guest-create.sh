# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC1091,SC2086,SC2154
#
# In the guest, once: create and fill the databases.  vda holds the programs, vdb gets a
# filesystem with pg/, mariadb/, sqlite/, sqlitewal/ and lmdb/.
. /guest-lib.sh
enter /dev/vda
mkfs.ext4 -q /dev/vdb
mount -t ext4 /dev/vdb /fresh
must() { "$@" || { echo "failed: $*"; cat /tmp/*/log; exit 1; }; }

for name in pg mariadb sqlite sqlitewal lmdb; do
	mkdir -p /fresh/$name/data /a/m/$name
	mount --bind /fresh/$name /a/m/$name
	case $name in
	pg)
		chown -R 70:70 /fresh/$name
		must inside $be_postgres $pg_bin/initdb -D /m/pg/data -U postgres -A trust -E UTF8 --no-locale \
			--data-checksums --wal-segsize=1 --no-sync --no-instructions
		;;
	mariadb)
		{
			printf '%s\n' 'CREATE DATABASE mysql;' 'USE mysql;'
			cat /a/usr/share/mysql/mysql_system_tables.sql
		} >/tmp/bootstrap.sql
		must inside mariadbd $mariadb_settings --bootstrap --datadir=/m/mariadb/data </tmp/bootstrap.sql
		;;
	esac
	echo "$(cut -d ' ' -f 1 /proc/uptime) s: $name"
	must start $name
	must client $name create
	must client $name verify 0
	must stop $name
done
sync
du -sm /fresh/*
for name in pg mariadb sqlite sqlitewal lmdb; do
	umount /a/m/$name
done
umount /fresh
