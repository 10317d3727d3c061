# SPDX-License-Identifier: GPL-2.0-or-later
# export: where it writes, and where it refuses to.

fresh
apply 'write 0 1 1' 'write 12000 5 2' stop
rm -f content
run export --json img content
holds "export --json" out 'd["blocks"] == 6 and d["lost"] == [] and d["size"] == 47 << 20'
[ "$(stat -c %b content)" -lt 200 ]
result $? "the file is sparse"
echo kept >content
refuse 5 "export: refuses to overwrite" 'it exists' export img content
[ "$(cat content)" = kept ]
result $? "and leaves the file alone"
expect 0 "export --force: replaces it" '6 blocks with data' export --force img content
cmp -s content expect
result $? "with the content"
refuse 1 "export: onto the device itself" 'the device to export' export --force img img
ln -sf img link
refuse 1 "export: onto the device by another name" 'the device to export' export --force img link
refuse 4 "export: onto a directory" 'directory' export img directory
refuse 4 "export: into a directory that is not there" 'No such file' export img none/content
if [ -e /dev/full ]; then
	(ulimit -f 100; trap '' XFSZ; tool export img limited >out 2>err)
	[ $? != 0 ] && is_one_error && [ ! -e limited ]
	result $? "export: no space leaves no half of a file"
fi
before=$(sums)
run export --force img content
[ "$before" = "$(sums)" ]
result $? "export only reads the device"
chmod 444 img
expect 0 "export: from a file that may only be read" '6 blocks' export --force img content
chmod 644 img
