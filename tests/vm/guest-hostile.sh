# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: the module opens hostile images, one after the other, and uses them.
# /list has a line for each, as "lay disk" prints it; the images lie on vda.

. /usr/lib/guest-lib.sh

# A commit may have to write the bitmaps of 16 TiB anew, 130,000 of them: a matter of minutes for
# the checkers of User-mode Linux.
limit=60
[ "$(some 4)" = 4 ] || limit=400
echo $limit >/proc/sys/kernel/hung_task_timeout_secs

# in_time WHAT COMMAND...: it may fail, but must end
in_time()
{
	what=$1
	shift
	timeout -s KILL $limit "$@" >/dev/null 2>&1
	status=$?
	[ $status != 137 ] || not_ok "$name: $what takes longer than $limit s"
	return $status
}

use()
{
	in_time reading dd if=/dev/mapper/t of=/dev/null bs=1M count=64 iflag=direct conv=noerror
	in_time "reading the end" dd if=/dev/mapper/t of=/dev/null bs=4096 count=64 iflag=direct \
		conv=noerror skip=$((table / 8 - 64))
	in_time writing dd if=/dev/urandom of=/dev/mapper/t bs=4096 count=3 seek=3 \
		oflag=direct conv=notrunc,fsync
	in_time "a commit" dmsetup message t 0 commit
	in_time writing dd if=/dev/urandom of=/dev/mapper/t bs=4096 count=1 seek=5 \
		oflag=direct conv=notrunc,fsync
	in_time reading dd if=/dev/mapper/t of=/dev/null bs=1M count=4 iflag=direct conv=noerror
	in_time closing dmsetup remove t || not_ok "$name: cannot be closed"
}

while read -r name begin length table want <&3; do
	begun=$(now)
	dmsetup create h --table "0 $length linear /dev/vda $begin" || not_ok "$name: no disk"
	if in_time opening dmsetup create t --table "0 $table triad /dev/mapper/h"; then
		got=open
		use
	else
		got=refuse
		dmsetup remove t 2>/dev/null
	fi
	if [ "$want" = any ] || [ "$got" = "$want" ]; then
		ok "$name: $got, $((($(now) - begun) / 1000)) s"
	else
		not_ok "$name: $got, but the core says $want"
		dmesg | tail -n 6 | sed 's/^/# /'
	fi
	dmsetup remove h || not_ok "$name: its disk stays in use"
done 3</list
[ $failed = 0 ]
