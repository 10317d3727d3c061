# SPDX-License-Identifier: GPL-2.0-or-later
# export: where it writes, and where it refuses to.

mkdir -p directory
[ -p fifo ] || mkfifo fifo
fresh
apply 'write 0 1 1' 'write 11200 5 2' stop
rm -f content
run export --json img content
holds "export --json" out 'd["blocks"] == 6 and d["lost"] == [] and d["size"] == 44 << 20'
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
before=$(sums)

# An older copy is all there is if the export fails.
leftovers() { ls -A | grep -c triadsetup; }
echo kept >content
chmod 640 content
(ulimit -f 100; tool export --force img content >out 2>err)
[ $? = 10 ] && is_one_error && [ "$(cat content)" = kept ] && [ "$(leftovers)" = 0 ]
result $? "export --force: no space leaves the old file as it was"
(ulimit -f 100; tool export img limited >out 2>err)
[ $? = 10 ] && is_one_error && [ ! -e limited ] && [ "$(leftovers)" = 0 ]
result $? "export: no space leaves no half of a file"
ln -f content other
expect 0 "export --force: replaces it" '6 blocks' export --force img content
[ "$(stat -c %a content)" = 640 ] && [ "$(cat other)" = kept ] && cmp -s content expect
result $? "as a new file, with the rights of the old one"
rm -f other content
ln -s real content
echo kept >real
expect 0 "export --force: through a link" '6 blocks' export --force img content
[ -L content ] && [ ! -L real ] && cmp -s real expect
result $? "the file is replaced, not the link"
rm real
refuse 4 "export: a link that leads nowhere" 'leads nowhere' export --force img content
rm -f content
if command -v flock >/dev/null; then
	echo kept >content
	exec 9<content
	flock -n 9
	refuse 5 "export --force: a file in use" 'in use' export --force img content
	exec 9<&-
	[ "$(cat content)" = kept ]
	result $? "which stays"
fi
if command -v python3 >/dev/null; then
	cp --sparse=always img few
	apply 'write 0 11264 9' stop	# so that it takes some time
	for signal in INT TERM HUP; do
		echo kept >content
		python3 - $signal "$TRIADSETUP" export --force img content <<'END' >out 2>&1
# as soon as it has begun to write, wherever
import os, signal, subprocess, sys
name, command = sys.argv[1], sys.argv[2:]
here = set(os.listdir("."))
p = subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
while p.poll() is None and set(os.listdir(".")) == here and os.path.getsize("content") == 5:
    pass
p.send_signal(getattr(signal, "SIG" + name))
print(p.wait())
END
		[ "$(leftovers)" = 0 ] && { [ "$(cat content)" = kept ] || cmp -s content expect; }
		result $? "export --force: SIG$signal leaves the old file or the whole new one"
	done
	mv few img
	tool export --force img content >out 2>err
	mv content expect
fi

# '-' is standard output
rm -f content
tool export img - 2>err | cat >content
cmp -s content expect && grep -q '6 blocks with data' err
result $? "export to a pipe: the content, zeroes included"
tool export img - >content 2>err
cmp -s content expect
result $? "export to standard output that is a file"
refuse 1 "export: --json has no place beside the content" 'standard output' export --json img -
tool export img - >>img 2>err
[ $? = 1 ] && is_one_error && [ "$before" = "$(sums)" ]
result $? "export: not to standard output that is the device itself"
if [ -e /dev/full ]; then
	tool export img - >/dev/full 2>err
	[ $? = 10 ] && is_one_error
	result $? "export: a full output is an error"
fi
for target in /dev/null fifo; do
	refuse 1 "export: not to $target" "'-' is standard output" export --force img $target
done
before=$(sums)
run export --force img content
[ "$before" = "$(sums)" ]
result $? "export only reads the device"
chmod 444 img
expect 0 "export: from a file that may only be read" '6 blocks' export --force img content
chmod 644 img
