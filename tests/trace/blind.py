#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Is the trace test blind?  Break a copy of the module in one way at a time; recording must
# work as if nothing were wrong, and replay must find it.
#
#   tests/trace/blind.py [NAME]...		KERNEL=6.1|6.12|7.3 IMAGES=n WORKLOAD=fio
#   tests/trace/blind.py --check		is what is to be broken still there?
#
# "rules" and "images" say what found it: the order of events in the trace alone, or a cut
# whose image holds what it must not.  What no image can show has to be found by the rules.

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
KERNEL = os.environ.get("KERNEL", "6.12")
IMAGES = os.environ.get("IMAGES", "10000")
WORKLOAD = os.environ.get("WORKLOAD", "fio")

FLUSH_OF_COMMIT = """durable before the root is written */
	if (!r)
		r = triad_lost_flush(core);"""
FLUSH_OF_OPENING = """rec->place, 1, core->window);
	if (!r)
		r = triad_lost_flush(core);"""

SEND = "triad_io_record(t, w, w->durable ? REQ_FUA : 0);"

# name: file, what stands there, what instead, in which workload
BREAKS = {
    "none": ("write.c", SEND, SEND),
    "flush-not-sent": ("write.c", "	submit_bio(&t->flush_bio);",
                       "	flush_endio(&t->flush_bio);"),
    "flush-covers-late": ("write.c", "triad_order_flush_end(&t->core.order, t->flush_covers, r);",
                          "triad_order_flush_end(&t->core.order, t->core.order.published, r);"),
    "fua-swallowed": ("write.c", SEND, "triad_io_record(t, w, 0);"),
    "fua-alone": ("write.c", " &&\n		     triad_order_fua_suffices(&t->core.order, w->rec.seq);", ";"),
    "early-acknowledgement": ("write.c", "	flush(t);\n	triad_hold_look",
                              "	struct triad_write *w;\n"
                              "	list_for_each_entry(w, &t->in_flight, list)\n"
                              "		acknowledge(t, w);\n	flush(t);\n	triad_hold_look"),
    "out-of-order": ("write.c", "/* before w->status */\n			break;",
                     "/* before w->status */\n			continue;"),
    "root-before-flush": ("core/commit.c", FLUSH_OF_COMMIT, "durable before the root is written */"),
    "root-without-fua": ("store.c", "REQ_OP_WRITE | REQ_FUA, (void", "REQ_OP_WRITE, (void"),
    "no-pointer": ("core/log.c", "if (!r && !core->root.segment && !core->degraded &&",
                   "if (0 && !core->degraded &&"),
    "opening-not-flushed": ("core/log.c", FLUSH_OF_OPENING, "rec->place, 1, core->window);"),
    "backup-log-freed": ("core/commit.c", "	space->log_frozen.nr = 0;\n	space->nodes.nr = 0;",
                         "	space->log_frozen.nr = 0;\n	space->log_backup.nr = 0;\n"
                         "	space->nodes.nr = 0;", "full"),
    "failure-acknowledged": ("write.c", "		r = blk_status_to_errno(w->status);", "		r = 0;",
                             "failing.write"),
    "failed-flush-covers": ("write.c", "	r = blk_status_to_errno(t->flush_bio.bi_status);",
                            "	r = 0;", "failing.early"),
    "block-lost": ("write.c", "	r = triad_log_write(&t->core, rec, tb->lba, tb->nr);",
                   "	r = triad_log_write(&t->core, rec, tb->lba, tb->nr > 1 ? tb->nr - 1 : 1);"),
}


def run(command, **more):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **more)


def must(command):
    done = run(command)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stdout}")
    return done.stdout.strip()


def broken(name):
    """-> file, its text, the text with the break"""
    file, old, new = BREAKS[name][:3]
    with open(f"{TOP}/kernel/{file}") as f:
        text = f.read()
    if text.count(old) != 1:
        sys.exit(f"blind: {name}: what is to be broken is not there once: {old!r}")
    return file, text, text.replace(old, new)


def build(name, where):
    """One build directory for all: only what differs is compiled again."""
    file, text, changed = broken(name)
    path = f"{where}/kernel/{file}"
    with open(path, "w") as f:
        f.write(changed)
    must([f"{TOP}/scripts/kernel", KERNEL, "--make", where])
    built, = glob.glob(f"{where}/dm-triad-[0-9]*.ko")
    shutil.copy(built, f"{where}/{name}.ko")
    with open(path, "w") as f:
        f.write(text)


def build_all(names, where):
    shutil.copy(f"{TOP}/Kbuild", where)
    shutil.copy(f"{TOP}/version.mk", where)
    shutil.copytree(f"{TOP}/kernel", f"{where}/kernel",
                    ignore=shutil.ignore_patterns("*.o", ".*"))
    for name in names:
        build(name, where)


def record(names, where):
    tool = f"{TOP}/userspace/triadsetup"
    vm = [f"{TOP}/scripts/vm", "--kernel", KERNEL, "--mem", 2048, "--timeout", 1800, "--tool", tool,
          "--module", must([f"{TOP}/scripts/module", KERNEL, HERE]),
          "--module", f"{where}/dm-triad-base.ko"]
    for name in names:
        base = f"{where}/{name}"
        must(["truncate", "-s", "64M", f"{base}.base"])
        must([tool, "format", "-q", "--interval", "6M", f"{base}.base"])
        shutil.copy(f"{base}.base", f"{base}.disk")
        must(["truncate", "-s", "1G", f"{base}.trace"])
        vm += ["--disk", f"{base}.disk", "--disk", f"{base}.trace",
               "--file", f"{base}.ko:/broken/{name}.ko"]
    done = run(vm + [f"{HERE}/guest-record.sh"] +
               [f"{(BREAKS[name] + (WORKLOAD,))[3]}:1:/broken/{name}.ko" for name in names])
    if done.returncode:
        sys.exit(f"not recorded: {done.stdout}")


def replay(name, where):
    base = f"{where}/{name}"
    done = run([f"{HERE}/build/replay", "--images", IMAGES, "--name", name, f"{base}.base",
                f"{base}.trace", f"{base}.disk"])
    found = re.search(r"(\d+) violations of rules, (\d+) by images", done.stdout)
    if not found:
        print(f"{name:24} replay failed: {done.stdout}")
        return False
    rules, images = int(found.group(1)), int(found.group(2))
    good = (rules or images) if name != "none" else not (rules or images)
    first = re.search(r"VIOLATION: (.*)", done.stdout)
    print(f"{name:24} {'found' if rules or images else 'nothing found':14}"
          f" rules {rules:5}, images {images:5}  {first.group(1) if first else ''}", flush=True)
    return bool(good)


def main():
    if sys.argv[1:] == ["--check"]:
        for name in BREAKS:
            broken(name)
        return
    names = sys.argv[1:] or list(BREAKS)
    must(["make", "-s", "-C", HERE])
    with tempfile.TemporaryDirectory() as where:
        build_all(names, where)
        for i in range(0, len(names), 10):	# a machine has room for some 28 disks
            record(names[i:i + 10], where)
        good = [replay(name, where) for name in names]
    return 0 if all(good) else 1


sys.exit(main())
