# SPDX-License-Identifier: GPL-2.0-or-later
# import: the inverse of export.

fresh
apply 'write 0 300 1' 'write 5000 200 2' 'write 11200 5 3' stop
cp --sparse=always expect content
truncate -s 44M content
fresh 64M --label kept
was=$(tool roots img | sed -n 's/^UUID \(.*\), label kept$/\1/p')
expect 0 "import: a file" '505 blocks with data' import content img
expect 0 "the device is well" 'img: ok' check --data img
tool roots img | grep -q "UUID $was, label kept"
result $? "and keeps its names"
rm -f back
tool export -q img back && cmp -s back content
result $? "export gives the same back"
refuse 5 "import: over data only with --force" 'holds data' import content img
head -c 10000 /dev/urandom >short
run import --force --json short img
holds "import --force --json" out 'd["bytes"] == 10000 and d["blocks"] == 3 and d["device"] == "img" and d["file"] == "short"'
rm -f back
tool export -q img back && cmp -n 10000 back short && [ "$(tail -c +10001 back | tr -d '\0' | wc -c)" = 0 ]
result $? "what the file does not have is empty"
expect 0 "of which nothing is left" '3 mapped blocks' check img
fresh
tool import - img <content >out 2>err && rm -f back && tool export -q img back && cmp -s back content
result $? "import: from a file on standard input"
fresh
cat content | tool import - img >out 2>err && rm -f back && tool export -q img back && cmp -s back content
result $? "import: from a pipe"
fresh
truncate -s 48M large
refuse 4 "import: a file that is too large" 'a larger device' import large img
head -c 48M /dev/urandom | tool import - img >out 2>err
[ $? = 10 ] && is_one_error
result $? "import: a stream that is too long"
expect 0 "the device is well all the same" 'img: ok' check --data img
expect 0 "import --force: what fills it, twice" 'blocks with data' import --force content img
head -c 44M /dev/urandom >full
for i in 1 2; do
	expect 0 "import --force: a full device, $i" '11264 blocks with data' import --force full img
done
rm -f back
tool export -q img back && cmp -s back full
result $? "with all of it"
expect 0 "import: it is well" 'img: ok' check --data img
refuse 1 "import: the device itself" 'device to fill' import --force img img
refuse 4 "import: no such file" 'no such device or file' import missing img
run import --json missing img
holds "import --json: a failure is told" out 'd["exit_code"] == 4 and len(d["error"]["message"]) > 9'
zero_block 4096
refuse 6 "import: a bad root is healed first" 'Heal it first' import --force content img
rm -f full large back content short
