# SPDX-License-Identifier: GPL-2.0-or-later
# At home on a machine: what udev is told, devices by name, /etc/triadtab and what systemd
# is told of it.  That it works is shown by make packages-check.

# ---- probe --------------------------------------------------------------------

fresh 64M --label 'de mo' --uuid 01234567-89ab-cdef-0123-456789abcdef
cat >wanted <<END
ID_FS_TYPE=triad
ID_FS_USAGE=other
ID_FS_VERSION=$(tool version --json | sed -n 's/.*"format": \([0-9]*\).*/\1/p')
ID_FS_UUID=01234567-89ab-cdef-0123-456789abcdef
ID_FS_UUID_ENC=01234567-89ab-cdef-0123-456789abcdef
ID_FS_LABEL=de_mo
ID_FS_LABEL_ENC=de\\x20mo
END
told_udev()	# NAME: what udev is told of img is what is wanted, and nothing is written
{
	before=$(sums)
	run probe --udev img
	[ $code = 0 ] && cmp -s out wanted && [ ! -s err ] && [ "$before" = "$(sums)" ]
	result $? "$1"
}
told_udev "probe --udev: type, UUID and label, encoded for a link"
expect 0 "probe: for people" 'UUID 01234567-89ab-cdef-0123-456789abcdef, label de mo$' probe img
run probe --json img
holds "probe --json" out 'd["type"] == "triad" and d["label"] == "de mo" and d["error"] is None'
apply 'write 0 300 1' commit 'write 7 7 7' stop
told_udev "probe --udev: the same of one that was written"
for slot in 0 1; do
	zero_block "$(slot_block $slot)"
	told_udev "probe --udev: without the roots in the slots up to $slot"
done
zero_block "$(slot_block 2)"
run probe --udev img
[ $code = 4 ] && [ ! -s out ] && [ ! -s err ]
result $? "probe --udev: says nothing of what has no root"
refuse 4 "probe: no root" 'no dm-triad device' probe img
refuse 4 "probe: no such device" 'no such device' probe missing
printf '00112233445566778899aabbccddeeff' >key
fresh 64M --label 'de mo' --uuid 01234567-89ab-cdef-0123-456789abcdef --hash 'hmac(sha256)' \
	--key-file key
told_udev "probe --udev: needs no key"
truncate -s 64M img.two && tool format -q --force img.two >out 2>err
dd if=img.two of=img bs=4096 count=1 conv=notrunc status=none
told_udev "probe --udev: two roots outvote a foreign one"

rm -f img img.*
truncate -s 64M img && truncate -s 50M img.one && truncate -s 1M img.x img.y img.z
tool format -q --label far --root-device img.one img >out 2>err
expect 0 "probe: a root device" '^img.one: triad_root, UUID .*, label far$' probe img.one
refuse 4 "probe: data whose roots lie elsewhere is not known" 'no dm-triad device' probe img
tool format -q --force --root-device img.x --root-device img.y --root-device img.z img >out 2>err
for third in x y z; do
	expect 0 "probe: root device $third of three" 'triad_root' probe img.$third
done

# ---- tags ----------------------------------------------------------------------

for tag in LABEL=nobody-has-this UUID=01234567-0000-4000-8000-0123456789ab \
		PARTUUID=01234567-77 PARTLABEL=nobody-has-this; do
	run roots "$tag"
	{ [ $code = 4 ] || [ $code = 2 ]; } && is_one_error && grep -q "$tag: no .* has it" err
	result $? "${tag%%=*}=: nothing has it"
done
refuse 1 "UUID=: no UUID" 'this is no UUID' open name UUID=xyz
fresh
mv img LABEL=x
expect 0 "a file of that name is meant by its path" 'UUID' roots ./LABEL=x
rm LABEL=x

# ---- triadtab -------------------------------------------------------------------

export TRIADTAB="$dir/tab"
rm -f tab
fresh
refuse 4 "open NAME: no triadtab" 'No such file' open data
cat >tab <<END
# comment

data LABEL=nobody-has-this
late	$dir/missing	none	nofail
never $dir/missing - noauto
END
refuse 1 "open NAME: no line of this name" 'has no line for other' open other
refuse 4 "open NAME: its device is not there" 'no such device' open never
refuse 1 "open: no name" 'too few' open
refuse 1 "open --all: and a name" 'no name is given' open --all data
refuse 1 "close: no name" 'too few' close
refuse 1 "close --all: and a name" 'no name is given' close --all data
run open --all
{ [ $code = 4 ] || [ $code = 2 ]; } && [ "$(grep -c '^triadsetup: ' err)" = 2 ] &&
	grep -q nobody-has-this err && grep -q "$dir/missing" err
result $? "open --all: goes on behind what fails, and leaves out noauto"
run open --all --json
holds "open --all --json: each device, and no device alone" out \
	'[e["name"] for e in d["devices"]] == ["data", "late"] and all(e["exit_code"] for e in d["devices"]) and d["error"]["message"] and "name" not in d'
run open --json never
holds "open --json: a failure keeps the name" out 'd["name"] == "never" and d["error"] is not None'
run close --json nothing
holds "close --json: a failure keeps the name" out 'd["name"] == "nothing" and d["error"] is not None'
sed -i 1,3d tab
expect 0 "open --all: what may be missing is no failure" 'no such device' open --all
for wrong in 'data' 'data /dev/x - a b' 'data /dev/x - read-olny' 'data /dev/x - read-only=1' \
	'data /dev/x - on-error=wait' 'data /dev/x - interval-ms=1' 'data /dev/x - hold-ms=x' 'data /dev/x - sync=yes' 'data /dev/x - sync-ms=9' \
	'data /dev/x - cache-blocks' 'never /dev/x' \
	'data /dev/x - root-device=a,root-device=b,root-device=c,root-device=d'; do
	{ printf 'never /dev/x - noauto\n'; echo "$wrong"; } >tab
	expect 1 "triadtab: '$wrong' is left out" "$dir/tab, line 2: " open --all
done

# ---- systemd ---------------------------------------------------------------------

generator=${TRIADSETUP%/*}/triad-generator
generate()	# LINE...: into units/
{
	rm -rf units && mkdir units
	printf '%s\n' "$@" >tab
	"$generator" "$dir/units" "$dir/units" "$dir/units" >out 2>err
}

has()	# UNIT LINE...: its drop-in has these lines
{
	h_file="units/$1.d/50-triadtab.conf"
	shift
	for h_line; do
		grep -Fqx -e "$h_line" "$h_file" || { cat "$h_file" >out 2>&1; return 1; }
	done
}

links()	# LINK...: these, and no others
{
	[ "$(cd units && find . -type l | sort)" = "$(printf './%s\n' "$@" | sort)" ]
}

rm -f tab
mkdir -p units && "$generator" units && [ -z "$(ls units)" ]
result $? "generator: nothing without triadtab"
generate '# nothing' && [ -z "$(ls units)" ]
result $? "generator: nothing without a line"
generate 'data UUID=2B4CFDFD-1cfa-49d4-9df2-3037ad73ba06' &&
	disk='dev-disk-by\x2duuid-2b4cfdfd\x2d1cfa\x2d49d4\x2d9df2\x2d3037ad73ba06.device' &&
	has triad@data.service "Requires=$disk" "After=$disk" 'Before=triad.target' \
		'Before=blockdev@dev-mapper-data.target' &&
	links sysinit.target.wants/triad.target triad.target.requires/triad@data.service \
		dev-mapper-data.device.requires/triad@data.service
result $? "generator: a device waits for its disk, and the boot and its mounts for the device"
! grep -rq BindsTo units
result $? "generator: a disk that goes away closes nothing"
generate 'my-data LABEL=my\040disk none nofail,x-systemd.device-timeout=5min' &&
	disk='dev-disk-by\x2dlabel-my\x5cx20disk.device' &&
	has triad@my-data.service "Requires=$disk" && ! grep -rq Before=triad.target units &&
	links sysinit.target.wants/triad.target triad.target.wants/triad@my-data.service \
		"$disk.wants/triad@my-data.service" \
		'dev-mapper-my\x2ddata.device.requires/triad@my-data.service'
result $? "generator: nofail: the boot does not wait, and a disk that comes late is opened"
has "$disk" JobRunningTimeoutSec=5min &&
	has 'dev-mapper-my\x2ddata.device' JobRunningTimeoutSec=5min
result $? "generator: the time to wait for a disk"
generate 'box /srv/a"b%.img /etc/keys/box noauto' &&
	has triad@box.service 'RequiresMountsFor="/srv/a\"b%%.img"' \
		'RequiresMountsFor="/etc/keys/box"' && ! grep -rq After= units &&
	links sysinit.target.wants/triad.target dev-mapper-box.device.requires/triad@box.service
result $? "generator: noauto: only by name; a file waits for the mounts it lies on"
generate 'a+b /dev/vda - root-device=/dev/vdb,root-device=missing,root-device=/dev/vdc' &&
	has 'triad@a\x2bb.service' Requires=dev-vda.device Requires=dev-vdb.device \
		Requires=dev-vdc.device && ! grep -rq missing units
result $? "generator: root devices; a name that no unit can have"
refuse 1 "and the tool knows what the unit means" 'has no line for b+a' open 'b\x2ba'
refuse 1 "which is no name that was mistyped" 'has no line for b\\x2' open 'b\x2'
generate 'root /dev/vda - x-initrd.attach' && has triad@root.service ExecStop=
result $? "generator: what the initramfs opened is not closed"
generate 'net /dev/nbd0 - _netdev' && has triad@net.service Before=remote-fs.target \
	After=network-online.target && ! grep -rq Before=triad.target units
result $? "generator: _netdev: behind the network"
generate 'bad /dev/x - nonsense' 'good /dev/y' && [ -d units/triad@good.service.d ] &&
	! ls units | grep -q bad
result $? "generator: a line that is wrong costs no other"
for unit in watch scrub; do
	! grep -q '/dev/mapper\|dev-mapper' "$here/../../userspace/system/triad-$unit@.service"
	result $? "triad-$unit@: no path or unit of a name that a unit spells otherwise"
done
grep -qx 'After=triad@%i.service' "$here/../../userspace/system/triad-watch@.service"
result $? "triad-watch@: begins behind the service that opens its device"
if command -v systemd-analyze >/dev/null; then
	generate 'a+b LABEL=x' 'data /dev/vda' 'box /srv/box.img'
	mkdir -p units/lib && for unit in triad@.service triad.target; do
		sed "s|@sbindir@/triadsetup|/bin/true|" "$here/../../userspace/system/$unit" >"units/$unit"
	done
	for unit in 'a\x2bb' data box; do
		SYSTEMD_UNIT_PATH="$dir/units:" systemd-analyze verify --man=no --recursive-errors=no \
			"$dir/units/triad@.service" "triad@$unit.service" >out 2>&1
		! grep triad out | grep -v 'is not executable' >err
		result $? "systemd takes triad@$unit.service"
	done
else
	skip "systemd takes what is generated" "no systemd-analyze"
fi
unset TRIADTAB
