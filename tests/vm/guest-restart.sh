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

# version NAME: of the build that runs it
version() { triadsetup status --json $1 | sed -n 's/.*"version": "\(.*\)".*/\1/p'; }
loaded() { dmsetup targets | sed -n 's/^triad-\([^ ]*\) .*/\1/p' | sort | tr '\n' ' '; }

upgrades()
{
	fmt --interval 6M /dev/vda
	fmt /dev/vdb
	map t /dev/vda
	map u /dev/vdb
	old=$(version t)
	: >/tmp/upgrades
	must "upgrade --dry-run" triadsetup upgrade --dry-run --module /mod/newer.ko
	grep -q 't: .*would be taken over' /tmp/out && ok "says what it would do" || not_ok "says what it would do"
	is "$(version t)" "$old" "and does nothing"
	load $(some 30)
	must "upgrade, of two devices" triadsetup upgrade --module /mod/newer.ko
	sed 's/^/# /' /tmp/out
	is "$(version t) $(version u)" "0.99.1 0.99.1" "both run on the new build"
	is "$(loaded)" "0.99.1 " "and the old one is unloaded"
	must "the target has its short name" sh -c 'dmsetup targets | grep -q "^triad  *v"'
	must "upgrade, back" triadsetup upgrade --module /mod/old.ko
	must "upgrade --check: a way back is kept" triadsetup upgrade --check
	is "$(version t)" "$old" "the old build runs it"
	for m in no_load no_table no_resume; do
		must_fail "$m: it is refused" triadsetup upgrade --module /mod/$m.ko
		sed 's/^/# /' /tmp/out
		is "$(version t) $(version u)" "$old $old" "$m: both go on with the old build"
		is "$(loaded)" "$old " "$m: the new one is unloaded"
	done
	must_fail "a file that is no module" triadsetup upgrade --module /bin/sh
	must_fail "a module of others" triadsetup upgrade --module $(modinfo -n dm-crypt)
	for i in 1 2 3 4; do
		for m in newer old; do
			triadsetup upgrade --module /mod/$m.ko >>/tmp/upgrades 2>&1 || not_ok "upgrade $i to $m"
		done
	done
	tail -n 2 /tmp/upgrades | sed 's/^/# /'
	must "fio verify passes" wait $job
	triadsetup close t
	triadsetup close u
	checked "after upgrades" vda
}

# The tool is killed wherever it is; a second call brings the device where it should be.
killed()
{
	fmt --interval 6M /dev/vda
	map t /dev/vda
	old=$(version t)
	load $(some 40)
	for i in 1 2 3 4 5 6 7 8 9 10; do
		triadsetup upgrade --module /mod/newer.ko >/tmp/out 2>&1 &
		pid=$!
		sleep 0.$(((i * 7) % 10))
		kill -9 $pid 2>/dev/null
		wait $pid 2>/dev/null
		must "$i: a second call ends it" triadsetup upgrade --module /mod/newer.ko
		is "$(version t)" 0.99.1 "$i: it runs on the new build"
		must "$i: and back" triadsetup upgrade --module /mod/old.ko
	done
	must "fio verify passes" wait $job
	triadsetup close t
	checked "after kills" vda
}

for part in ${*:-under_load upgrades killed}; do
	echo "# $part"
	$part
done
[ $failed = 0 ]
