# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the guest: another instance takes over a device that is in use.
# vda, vdb: 512 MiB.  Lines "ok - ..." and "not ok - ...".

. /usr/lib/guest-lib.sh

mkdir -p /m

# load SECONDS: random writes with flushes, verified while they go on and at the end
load()
{
	fio --name=load --filename=/dev/mapper/t --rw=randrw --bsrange=4k-64k --iodepth=16 \
		--ioengine=libaio --direct=1 --size=$(some 64)M --fsync=32 --time_based \
		--runtime=$1 --verify=crc32c --verify_backlog=256 >/tmp/fio 2>&1 &
	job=$!
}

# restarts N [OPTION]...: while the load goes on; each must succeed
restarts()
{
	n=$1
	shift
	i=0
	while [ $i -lt $n ]; do
		triadsetup restart "$@" t >>/tmp/restarts 2>&1 || { cat /tmp/restarts; return 1; }
		i=$((i + 1))
		sleep 0.$((i % 3))
	done
}

under_load()
{
	fmt --interval 6M /dev/vda
	map t /dev/vda
	: >/tmp/restarts
	load $(some 24)
	must "restart" restarts 8
	must "restart --crash" restarts 8 --crash
	must "restart, with commits in between" restarts 4
	must "fio verify passes" wait $job
	is "$(field t 1)" rw "the device is writable"
	sed 's/^/# /' /tmp/restarts | tail -n 3
	triadsetup close t
	checked "after restarts" vda
}

for part in ${*:-under_load}; do
	echo "# $part"
	$part
done
[ $failed = 0 ]
