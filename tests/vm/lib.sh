# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# For tests on the host that use power-disks and the VM. Source it from bash:
#
#	. "$(dirname "$0")/lib.sh"
#	start_disk a 256M
#	vm_run "$(guest 'mkfs.ext4 -q /dev/vda')" --disk "$(disk a)"
#	is $? 0 "a filesystem can be made"
#	finish
#
# KERNEL says in which machine: 6.1, 6.12 or 7.3 in QEMU, uml or uml-plain under User-mode Linux.
# With KERNEL=uml COVERAGE=DIRECTORY collects there what suites reach of the module.
# $scratch is removed at the end, and everything that was started is ended.

set -u
vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$vm_dir/../.." && pwd)
KERNEL=${KERNEL:-6.12}
export KERNEL
case $KERNEL in
uml*)	VM=$top/tests/uml/run ;;
*)	VM=$top/scripts/vm ;;
esac

make -s -C "$vm_dir" || exit 1
scratch=$(mktemp -d -p "${TMPDIR:-/dev/shm}" dm-triad-test.XXXXXX) || exit 1
declare -A disk_pid=()
vm_pid=0
nr_passed=0
nr_failed=0

lib_cleanup()
{
	local name

	vm_kill
	for name in "${!disk_pid[@]}"; do
		kill -9 "${disk_pid[$name]}" 2>/dev/null
	done
	rm -rf "$scratch"
}
trap lib_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# -- results --

ok() { nr_passed=$((nr_passed + 1)); echo "ok $((nr_passed + nr_failed)) - $*"; }
not_ok() { nr_failed=$((nr_failed + 1)); echo "not ok $((nr_passed + nr_failed)) - $*"; }

# expect NAME COMMAND...: the command succeeds (refuse: fails); its output is shown if not
expect()
{
	local name=$1
	shift
	if "$@" >"$scratch/expect" 2>&1; then
		ok "$name"
	else
		not_ok "$name # $*: status $?"
		sed 's/^/# /' "$scratch/expect"
	fi
}

refuse()
{
	local name=$1
	shift
	if "$@" >"$scratch/refused" 2>&1; then
		not_ok "$name # $*: succeeded"
		sed 's/^/# /' "$scratch/refused"
	else
		ok "$name"
	fi
}

# is GOT WANT NAME
is()
{
	if [ "$1" = "$2" ]; then ok "$3"; else not_ok "$3 # got '$1', want '$2'"; fi
}

finish()
{
	echo "$nr_passed passed, $nr_failed failed"
	[ $nr_failed = 0 ]
	exit
}

# -- power-disks --

# start_disk NAME [SIZE [IMAGE]] [key=value...]: a new disk, or again on the medium it left
start_disk()
{
	local name=$1 size=${2:-0} image=${3:-$scratch/$1.img}
	shift $(($# < 3 ? $# : 3))
	rm -f "$scratch/$name.sock" "$scratch/$name.ctl"
	# a cut ends it with a request in flight: nbdkit's complaints say nothing
	nbdkit -f --exit-with-parent -U "$scratch/$name.sock" "$vm_dir/powerdisk.so" "$image" \
		size="$size" control="$scratch/$name.ctl" "$@" 2>>"$scratch/$name.err" &
	disk_pid[$name]=$!
	disown $!
	until [ -S "$scratch/$name.sock" ]; do
		kill -0 "${disk_pid[$name]}" || { cat "$scratch/$name.err" >&2; return 1; }
		sleep 0.02
	done
}

# what scripts/vm --disk wants
disk() { echo "nbd:unix:$scratch/$1.sock"; }
image() { echo "$scratch/$1.img"; }

# blank NAME:SIZE...: empty image files
blank()
{
	local name
	for name in "$@"; do
		rm -f "$(image "${name%%:*}")"
		truncate -s "${name#*:}" "$(image "${name%%:*}")"
	done
}

# disk_ctl NAME WORD...: see powerdisk.c
disk_ctl() { "$vm_dir/powerctl" "$scratch/$1.ctl" "${@:2}"; }

# disk_stat NAME FIELD
disk_stat() { disk_ctl "$1" stats | tr -d '{}" ' | tr , '\n' | sed -n "s/^$2://p"; }

disk_wait() { tail -s 0.02 -f /dev/null --pid="${disk_pid[$1]}"; unset "disk_pid[$1]"; }

# an orderly end: everything is written
stop_disk() { disk_ctl "$1" quit >/dev/null; disk_wait "$1"; }

# cut SEED NAME...[:MODE]: the power goes, for the machine and all these disks at one moment
cut()
{
	local seed=$1 name mode i=0
	shift
	for name in "$@"; do
		disk_ctl "${name%%:*}" freeze >/dev/null
	done
	vm_kill
	for name in "$@"; do
		mode=${name#"${name%%:*}"}
		disk_ctl "${name%%:*}" cut $((seed * 16 + i++)) ${mode:+"${mode#:}"}
		disk_wait "${name%%:*}"
	done
}

# pages_acked NAME FILE: writes and files that this database was promised to be durable (pages.c)
pages_acked()
{
	local acked
	acked=$(sed -n "s/^pages $1 acked //p" "$2" 2>/dev/null | tail -n 1)
	echo "${acked:-0 0}"
}

# -- the machine --

# guest TEXT: a script for the guest; prints its path
guest()
{
	local f
	f=$(mktemp "$scratch/guest.XXXXXX")
	printf '%s\n' "$1" >"$f"
	echo "$f"
}

# vm_run SCRIPT [option of scripts/vm]... [-- ARG...]
vm_run()
{
	vm_start "$@"
	vm_wait
}

# what a guest script has counted for itself
count_out()
{
	nr_passed=$((nr_passed + $(grep -c '^ok ' "$scratch/out")))
	nr_failed=$((nr_failed + $(grep -c '^not ok ' "$scratch/out")))
}

# suite SCRIPT [option of scripts/vm]... [-- ARG...]: a guest script that counts for itself
# (guest-lib.sh).  Before it runs prepare makes its disks; once more if the emulator failed.
suite()
{
	local status script=$1 options=(--file "$vm_dir/guest-lib.sh:/usr/lib/guest-lib.sh" --rmmod)
	shift
	[ -z "${COVERAGE-}" ] || options+=(--share "$COVERAGE")
	prepare
	vm_run "$script" "${options[@]}" "$@"
	status=$?
	if [ $status = 123 ]; then
		prepare
		vm_run "$script" "${options[@]}" "$@"
		status=$?
	fi
	count_out
	[ $status = 0 ] || [ "$nr_failed" != 0 ] || not_ok "the VM ended with status $status"
}

# vm_start: the same in the background; output in $scratch/out, reports in $scratch/report
vm_start()
{
	local script=$1 options=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ $# = 0 ] || shift
	rm -f "$scratch/qemu.pid"
	: >"$scratch/report"
	: >"$scratch/out"
	"$VM" --log "$scratch/klog" --pidfile "$scratch/qemu.pid" --port "$scratch/report" \
		"${options[@]}" "$script" "$@" >"$scratch/out" 2>"$scratch/vm.err" &
	vm_pid=$!
}

# the status of scripts/vm; the output is shown
vm_wait()
{
	local status=0
	wait $vm_pid || status=$?
	vm_pid=0
	cat "$scratch/out"
	cat "$scratch/vm.err" >&2
	return $status
}

# vm_expect WORD [SECONDS]: until the guest has reported this line
vm_expect()
{
	local n=$((${2:-60} * 20))
	until grep -qxF -- "$1" "$scratch/report"; do
		n=$((n - 1))
		if [ $n = 0 ] || ! kill -0 $vm_pid 2>/dev/null; then
			echo "# no '$1' from the guest; its output, and the log:" >&2
			tail -n 20 "$scratch/out" "$scratch/vm.err" "$scratch/klog" >&2
			return 1
		fi
		sleep 0.05
	done
}

# The machine stops where it is. A kernel that had complained until then: status 126, else 125.
vm_kill()
{
	local status=0
	[ $vm_pid != 0 ] || return 0
	# from the moment it exists, QEMU's pid is in the file
	while [ ! -s "$scratch/qemu.pid" ] && kill -0 $vm_pid 2>/dev/null; do
		sleep 0.02
	done
	kill -9 "$(cat "$scratch/qemu.pid")" 2>/dev/null
	wait $vm_pid || status=$?
	vm_pid=0
	if [ $status = 126 ]; then
		cat "$scratch/vm.err" >&2
		not_ok "the kernel has nothing to complain about"
	fi
	return $status
}

# -- stamped writes --

# stamp_init [key=value]...: a new history, see stamp.c
stamp_init() { "$vm_dir/stamp" init "$scratch/stamp" "$@"; }
stamp_absorb() { "$vm_dir/stamp" absorb "$scratch/stamp" "$scratch/report" >/dev/null; }

# The state is the guest's /dev/vda, what is tested begins with vdb (or sda).
# stamp_script DEVICE SETUP [TEARDOWN]: prints the path of a guest script that verifies the life
# before, begins the next ("go N") and, when its writes fail, waits for the disks'
# return ("down N")
stamp_script()
{
	guest "n=1
while :; do
	$2
	stamp verify /dev/vda $1 || exit 3
	echo go \$n >/dev/report
	stamp write /dev/vda $1 /dev/report
	case \$? in
	0) exit 0 ;;
	esac
	${3:-:}
	echo down \$n >/dev/report
	for d in /dev/[vs]d[a-z] /dev/nbd[0-9]; do
		[ -b \$d ] || continue
		until dd if=\$d of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null; do sleep 0.1; done
		blockdev --flushbufs \$d
	done
	n=\$((n + 1))
done"
}

# stamp_boot SCRIPT [option of scripts/vm]...: in the background, with stamp and its state
stamp_boot()
{
	vm_start "$1" --tool "$vm_dir/stamp" --disk "$scratch/stamp" --timeout 3600 "${@:2}"
}

# up to so many milliseconds, decided by the seed
nap() { sleep "$(awk -v s="$1" -v m="$2" 'BEGIN { srand(s); printf "%.3f", rand() * m / 1000 }')"; }

# stamp_life SEED MS SCRIPT NAME[:MODE]... -- [option of scripts/vm]...: boot, verify what the
# life before left, write for up to MS milliseconds, cut the power. Fails if verify did.
stamp_life()
{
	local seed=$1 ms=$2 script=$3 names=()
	shift 3
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		names+=("$1")
		shift
	done
	[ $# = 0 ] || shift
	stamp_boot "$script" "$@"
	vm_expect 'go 1' 120 || { vm_kill; return 1; }
	nap "$seed" "$ms"
	cut "$seed" "${names[@]}" >"$scratch/cut"
	stamp_absorb
}

# stamp_cycle N SEED MS NAME[:MODE]...: after stamp_boot: put the running guest through N power cuts
# of its disks. Some 2 s each, where a boot takes 6; what a dying kernel does is not seen.
stamp_cycle()
{
	local n=$1 seed=$2 ms=$3 i name mode
	shift 3
	for ((i = 1; i <= n; i++)); do
		vm_expect "go $i" 120 || return 1
		nap $((seed + i)) "$ms"
		for name in "$@"; do
			disk_ctl "${name%%:*}" freeze >/dev/null
		done
		for name in "$@"; do
			mode=${name#"${name%%:*}"}
			disk_ctl "${name%%:*}" off $((seed + i)) ${mode:+"${mode#:}"} >>"$scratch/cut"
		done
		vm_expect "down $i" 120 || return 1
		stamp_absorb
		for name in "$@"; do
			disk_ctl "${name%%:*}" on >/dev/null
		done
	done
	vm_expect "go $((n + 1))" 120
}
