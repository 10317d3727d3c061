# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2034
#
# dm-triad and its peers, each on one disk, for the guest scripts that compare them:
#
#   stack_make TARGET DISK [NAME]    new, what was there is lost
#   stack_open                       $file is what to use, of $size bytes
#   settle                           what it has put off is done
#   stack_close
#
# What wants two devices (thin: metadata; writecache, writeboost: the cache) gets two parts of
# the same disk, so that its reads and writes are counted, and limited, as those of the others.

# create NAME TABLE
create() { dmsetup create "$1" --noudevsync --table "$2" && dmsetup mknodes; }
zero() { dd if=/dev/zero of="$1" bs=1M count="$2" oflag=direct conv=notrunc 2>/dev/null; }

# parts MIB: the disk's first MiB and the rest, as $name-a and $name-b
parts()
{
	sectors=$(blockdev --getsz "$disk") a=$(($1 * 2048))
	create "$name-a" "0 $a linear $disk 0" &&
		create "$name-b" "0 $((sectors - a)) linear $disk $a"
}

# what the superblock of dm-integrity says: sectors for the user
provided() { hexdump -v -s 16 -n 8 -e '1/8 "%u"' "$disk"; }
integrity()
{
	case $target in *-journal) mode=J ;; *-bitmap) mode=B ;; *) mode=D ;; esac
	create "$name" "0 $1 integrity $disk 0 - $mode 2 block_size:4096 internal_hash:crc32c"
}

# a cache of a fifth
cached() { parts $(($(blockdev --getsz "$disk") / 2048 / 5)); }

stack_load()
{
	case $target in
	integrity-*)	modprobe dm_integrity ;;
	thin)		modprobe dm_thin_pool ;;
	writecache)	modprobe dm_writecache ;;
	writeboost)
		[ ! -e /mod/why-no-writeboost ] || { cat /mod/why-no-writeboost; return 1; }
		[ -d /sys/module/dm_writeboost ] || insmod /mod/dm-writeboost.ko ;;
	esac
}

stack_make()
{
	target=$1 disk=$2 name=${3:-t}
	stack_load || return
	zero "$disk" 16 || return
	case $target in
	triad-*)	triadsetup format -q --force --checksum "${target#triad-}" "$disk" ;;
	integrity-*)	integrity 8 && dmsetup remove "$name" ;;
	writecache | writeboost)
		# a zeroed cache is a new one
		cached && zero "/dev/mapper/$name-a" 16
		dmsetup remove "$name-a"
		dmsetup remove "$name-b" ;;
	btrfs)		mkfs.btrfs -q -f -K "$disk" ;;
	esac
}

stack_try()
{
	stack_load || return
	case $target in
	raw)		create "$name" "0 $(blockdev --getsz "$disk") linear $disk 0" ;;
	triad-*)	triadsetup open "$name" "$disk" ;;
	integrity-*)	integrity "$(provided)" ;;
	thin)
		# 64 KiB a block; what is not written as a whole block is zeroed first, as by default
		parts 8 && create "$name-pool" "0 $((sectors - a)) thin-pool /dev/mapper/$name-a /dev/mapper/$name-b 128 0" ||
			return
		# it is there if this is not the first time
		dmsetup message "$name-pool" 0 create_thin 0 2>/dev/null
		create "$name" "0 $((sectors - a)) thin /dev/mapper/$name-pool 0" ;;
	writecache)	cached && create "$name" "0 $((sectors - a)) writecache s /dev/mapper/$name-b /dev/mapper/$name-a 4096 0" ;;
	writeboost)	cached && create "$name" "0 $((sectors - a)) writeboost /dev/mapper/$name-b /dev/mapper/$name-a" ;;
	btrfs)
		mkdir -p "/mnt/$name"
		mount -t btrfs -o nodiscard "$disk" "/mnt/$name" || return
		truncate -s "$(df -k "/mnt/$name" | awk 'NR == 2 { print $4 }')K" "/mnt/$name/file" ;;
	*)		echo "no such target: $target"; false ;;
	esac
}

stack_open()
{
	stack_try >/tmp/open 2>&1 || return
	if [ "$target" = btrfs ]; then
		file=/mnt/$name/file
		size=$(stat -c %s "$file")
	else
		file=/dev/mapper/$name
		size=$(blockdev --getsize64 "$file")
	fi
}

settle()
{
	case $target in
	triad-*)	dmsetup message "$name" 0 commit ;;
	writecache)	dmsetup message "$name" 0 flush ;;
	writeboost)	dmsetup suspend "$name" && dmsetup resume "$name" && dmsetup message "$name" 0 drop_caches ;;
	integrity-* | thin) dmsetup suspend "$name" && dmsetup resume "$name" ;;
	btrfs)		sync -f "$file" ;;
	*)		dmsetup info "$name" ;;
	esac >/dev/null 2>&1
}

stack_close()
{
	if [ "$target" = btrfs ]; then
		umount "/mnt/$name"
		return
	fi
	for n in "$name" "$name-pool" "$name-a" "$name-b"; do
		[ ! -b "/dev/mapper/$n" ] || dmsetup remove --retry "$n"
	done
}
