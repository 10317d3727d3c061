# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
#
# In the guest: one life between two power cuts, of ext4 on each of several stacks.
#
#   guest-recovery.sh LIFE JOB JOB-BEFORE NAME:PAGES:FILES...
#
# The n-th NAME has /dev/vdX; how many of its page writes and files are known to be durable comes
# from the host (pages.c).  First each is opened, checked and mounted, one after the other, and
# what the cut has left is counted; then all are written to together until the power goes.
#
#   @life NAME LIFE JOB key=value...     JOB: what was cut off
#   @verify LIFE JOB                     and fio's JSON up to @end, all stacks in it
#   @absent NAME REASON                  it cannot be had here
#   @broken NAME LIFE JOB REASON         nothing could be mounted; it begins anew

. /usr/lib/guest-stacks.sh

life=$1 job=$2 before=$3
shift 3
now() { read -r now _ </proc/uptime; now=${now%.*}${now#*.}0; }
size_of() { case $1 in seqwrite) echo 256k ;; pages16k) echo 16k ;; *) echo 4k ;; esac; }
oneline() { tail -n 1 "$1" | tr '\t' ' '; }

# of NAME: target and options of mount
stack()
{
	name=$1 options=''
	case $name in
	raw-journal)	target=raw options=data=journal ;;
	raw-*)		target=raw ;;
	*)		target=$name ;;
	esac
	stack_load
}

begin()
{
	stack_make "$target" "$disk" "$name" >/tmp/made 2>&1 && stack_open || return
	# what was never written has no checksum
	case $target in integrity-*) dd if=/dev/zero of="$file" bs=1M oflag=direct 2>/dev/null ;; esac
	mkfs.ext4 -q -F "$file" >/tmp/made 2>&1 && mkdir -p "/m/$name" &&
		mount -t ext4 -o "$options" "$file" "/m/$name" >/tmp/made 2>&1
}

# what the life before has left
recover()
{
	now
	t0=$now
	stack_open || { echo "@broken $name $life $before $(oneline /tmp/open)"; return 1; }
	now
	t1=$now
	e2fsck -fy "$file" >/tmp/fsck 2>&1
	status=$?
	now
	t2=$now
	mkdir -p "/m/$name"
	mount -t ext4 -o "$options" "$file" "/m/$name" 2>/tmp/mount ||
		{ echo "@broken $name $life $before e2fsck $status, $(oneline /tmp/mount)"; return 1; }
	now
	# the superblock's sums are old after every replay of the journal
	repairs=$(($(grep -c '? yes' /tmp/fsck) - $(grep -cE '^Free (blocks|inodes) count wrong \(' /tmp/fsck)))
	echo "@life $name $life $before boot_ms=$boot open_ms=$((t1 - t0)) fsck_ms=$((t2 - t1))" \
		"mount_ms=$((now - t2)) fsck_status=$status repairs=$repairs" \
		"$(pages check "/m/$name" $((life - 1)) "$1" "$2")"
}

# section NAME OPTION...
section() { printf '[%s]\n' "$1"; shift; printf '%s\n' "$@"; }
global()
{
	section global direct=1 thread bs="$(size_of "$1")" size=8m verify=crc32c ioengine=libaio
	shift
	printf '%s\n' "$@"
}

now
boot=$now
letter=a
alive=''
for s in "$@"; do
	numbers=${s#*:}
	disk=/dev/vd$letter
	letter=$(echo $letter | tr a-y b-z)
	stack "${s%%:*}" >/tmp/why 2>&1 || { echo "@absent ${s%%:*} $(oneline /tmp/why)"; continue; }
	if [ "$life" = 1 ]; then
		begin || { echo "@absent $name $(cat /tmp/made /tmp/open 2>/dev/null | tail -n 1)"; continue; }
	elif ! recover "${numbers%:*}" "${numbers#*:}"; then
		umount "/m/$name" 2>/dev/null
		stack_close
		begin || { echo "@broken $name $life $before and cannot begin anew"; continue; }
	fi
	alive="$alive $name"
done

if [ "$life" != 1 ]; then
	{
		# bad blocks and errors are counted, and the rest is read
		global "$before" rw=write verify_only stonewall continue_on_error=all
		for n in $alive; do [ ! -f "/m/$n/fio" ] || section "$n" filename="/m/$n/fio"; done
	} >/tmp/verify.fio
	fio --output-format=json --output=/tmp/verify.json /tmp/verify.fio >/dev/null 2>&1
	echo "@verify $life $before"
	sed -n '/^{/,$p' /tmp/verify.json
	echo "@end"
fi
[ "$job" != end ] || exit 0

for n in $alive; do pages write "$n" "/m/$n" "$life" & done
{
	global "$job" rw=write do_verify=0 iodepth=4 end_fsync=1
	for n in $alive; do section "$n" filename="/m/$n/fio"; done
} >/tmp/lay.fio
fio --output=/tmp/lay.out /tmp/lay.fio >/dev/null 2>&1 || { echo "fio: $(grep -m 1 -i err /tmp/lay.out)"; exit 3; }
{
	global "$job" do_verify=0 time_based runtime=1000 norandommap
	case $job in
	seqwrite)	printf '%s\n' rw=write iodepth=4 fdatasync=8 ;;
	pages16k)	printf '%s\n' rw=randwrite iodepth=8 fdatasync=64 ;;
	fsync4k)	printf '%s\n' rw=randwrite ioengine=psync fdatasync=1 ;;
	rand4k)		printf '%s\n' rw=randwrite iodepth=16 fdatasync=512 ;;
	esac
	for n in $alive; do section "$n" filename="/m/$n/fio"; done
	# the last one begins
	printf '%s\n' "exec_prerun=sh /tmp/go"
} >/tmp/load.fio
echo 'echo go >/dev/report' >/tmp/go
fio --output=/tmp/load.out /tmp/load.fio >/dev/null 2>&1
echo "the power did not go: $(grep -m 1 -i err /tmp/load.out)"
exit 4
