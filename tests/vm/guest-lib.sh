# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# For the scripts that test a mapped device in the guest.  Lines "ok - ..." and
# "not ok - ..."; a script ends with the value of [ $failed = 0 ].

failed=0
ok() { echo "ok - $*"; }
not_ok() { echo "not ok - $*"; failed=$((failed + 1)); }

# A part of it, and when: how long each takes is to be seen.
begins() { echo "# $1, at $(cut -d . -f 1 /proc/uptime) s"; }

# must NAME COMMAND...: it succeeds; must_fail: it does not
must()
{
	what=$1
	shift
	if "$@" >/tmp/out 2>&1; then ok "$what"; else
		not_ok "$what # $*: $?"; sed 's/^/# /' /tmp/out; dmesg | tail -n 8 | sed 's/^/# /'
	fi
}

must_fail()
{
	what=$1
	shift
	if "$@" >/tmp/out 2>&1; then not_ok "$what # $*: succeeded"; else ok "$what"; fi
}

field() { dmsetup status "$1" | awk -v n=$(($2 + 3)) '{ print $n }'; }
is() { if [ "$1" = "$2" ]; then ok "$3"; else not_ok "$3 # got '$1', want '$2'"; fi; }
fmt() { triadsetup format -q --force "$@" >/dev/null || not_ok "format $*"; }
map() { triadsetup open "$@" 2>/dev/null; }
checked() { must "$1: check --data is clean" triadsetup check --data /dev/$2; }

# the slot of the current root
current() { triadsetup roots --json /dev/$1 | tr -d ' \n' | tee /tmp/roots | sed 's/.*"current":\([0-9]*\).*/\1/'; }

# closed_cleanly WHAT DISK: the current root points at no log
closed_cleanly()
{
	current=$(current $2)
	grep -q "\"slot\":$current,[^}]*\"segment\":0[,}]" /tmp/roots &&
		ok "$1: nothing is left in the log" || not_ok "$1: nothing is left in the log # $(cat /tmp/roots)"
}

# pattern NAME: a 4 MiB file of random bytes
pattern() { dd if=/dev/urandom of=/tmp/$1 bs=1M count=4 2>/dev/null; }
put() { dd if=/tmp/$1 of=/dev/mapper/$2 bs=1M seek=$3 oflag=direct conv=notrunc,fsync 2>/dev/null; }
same() { dd if=/dev/mapper/$2 bs=1M skip=$3 count=4 iflag=direct 2>/dev/null | cmp - /tmp/$1; }

# slot_pba N: byte offset of a slot / 4096
slot_block() { case $1 in 0) echo 0 ;; 1) echo 4096 ;; 2) echo 12288 ;; esac; }
# Of N, as many as make sense here: system calls under User-mode Linux are slow, and so are
# the kernel's checkers, which need no volume.
some() { if grep -q 'User Mode Linux' /proc/cpuinfo; then echo $((($1 + 3) / 4)); else echo "$1"; fi; }
# milliseconds
now() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
