#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Take one rule out of a copy of the core, and see that the explorer notices.

  rules.py [--states N] [NAME...]     run from tests/, after make

A rule whose absence is not noticed is a hole in the tests.
"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile

# name: (file, text, replacement)
RULES = {
    "pointer-before-record": ("log.c", "if (!core->root.segment) {", "if (0) {"),
    "pointer-beside-a-commit": ("log.c", """core->window);
	if (!r)
		r = core->store->ops->write_root(core->store, core->slot_c, core->window);""",
                                """core->commit.block);
	if (!r)
		r = core->store->ops->write_root(core->store, core->slot_c, core->commit.block);"""),
    "flush-before-root": ("commit.c", """	if (!r)
		r = core->store->ops->flush(core->store);
	if (!r)
		r = triad_root_seal(""", """	if (!r)
		r = triad_root_seal("""),
    "keep-plane-of-b": ("space.c", "if (space->slot_b >= 0) {", "if (0) {"),
    "keep-log-of-b": ("space.c", "	mark(space, zone, &space->log_backup, z->bits);\n", ""),
    "keep-frozen-log": ("space.c", "	mark(space, zone, &space->log_frozen, z->bits);\n", ""),
    "keep-log-of-c": ("space.c", "	mark(space, zone, &space->log_active, z->bits);\n", ""),
    "keep-next-place": ("space.c", "if (space->next && triad_zone_of", "if (0 && triad_zone_of"),
    "note-at-once": ("log.c", """		if (!r)
			r = triad_space_note(&core->space.log_active, pba, got);
		if (r)
			return r;
		triad_record_add_run(rec, pba, got);
	}
	return 0;
""", """		if (r)
			return r;
		triad_record_add_run(rec, pba, got);
	}
	for (u32 i = 0; i < rec->nr_runs; i++)
		triad_space_note(&core->space.log_active, rec->runs[i].start, rec->runs[i].nr);
	return 0;
"""),
    "verify-payload": ("replay.c", "if (!r && rec->seq > scan->durable)", "if (0)"),
    "durable-mark": ("replay.c", "if (!r && rec->seq > scan->durable)", "if (!r)"),
    "opening-record": ("log.c", "	triad_log_begin(core, rec, TRIAD_RECORD_OPENING);\n",
                       "	core->session = true;\n	return 0;\n"
                       "	triad_log_begin(core, rec, TRIAD_RECORD_OPENING);\n"),
    "nonce": ("record.c", "triad_random(d->nonce, sizeof(d->nonce));", ";"),
    "heal-first": ("open.c", "return core->degraded ? triad_commit_run(core, false) : 0;",
                   "return 0;"),
    "doubt-planes": ("commit.c", "	doubt_planes(core);\n", ""),
    "doubt-suspects": ("commit.c", "if (core->suspects[zone])", "if (0)"),
    "doubt-degraded": ("commit.c", "for (zone = 0; core->degraded &&", "for (zone = 0; 0 &&"),
    "intent": ("replay.c", "if (rec->flags & TRIAD_RECORD_INTENT)\n		for (i = 0;",
               "if (0)\n		for (i = 0;"),
    "summary-after-pending": ("commit.c", "commit->zones[zone].changed <= TRIAD_TURNS;",
                              "commit->zones[zone].changed < TRIAD_TURNS;"),
    "three-turns": ("commit.c", "changed < TRIAD_TURNS;", "changed < 2;"),
    "planes-never-landed": ("space.c", "head.generation) - changed >= TRIAD_TURNS)",
                            "head.generation) - changed >= 0x80000000u)"),
    "rebuild-planes": ("space.c", "*rebuilt = r == -EBADMSG;", "return r;"),
    "grandchild-of-a-heal": ("root.c", "< x->root.generation + 2)", "!= x->root.generation + 2)"),
    "outrun": ("root.c", "int r = is_grandchild(hash, y, z);", "int r = 0;"),
    "outrun-fork": ("root.c", "if (!r && valid(z) && z->root", "if (0 && z->root"),
    "newer-record-wins": ("index.c", "newest = max_t(u32, newest,", "newest = max_t(u32, 0,"),
    "discard-covers": ("map.c", "		dropped = true;\n	}\n	node",
                       "		dropped = false;\n	}\n	node"),
    "cover-age": ("map.c", "cover = max_t(u32, cover, u->order[s.from] + 1);", ";"),
    "forget-backup": ("open.c", "space->zones[zone].pending = 0;", ";"),
    "frozen-budget": ("log.c", "return !core->nr_entries || core->nr_blocks + need + nodes <= core->budget;",
                      "return true;"),
    "nodes-reserved": ("log.c", "if (need + nodes > triad_space_available(&core->space) + mine)",
                       "if (need > triad_space_available(&core->space) + core->space.reserved)"),
}
CORE = "geometry root record index map space log replay open commit".split()


def build(directory, name):
    file, old, new = RULES[name]
    objects = glob.glob("build/lib/*.o") + [f"build/core/{c}.o" for c in CORE if c + ".c" != file]
    with open(f"../kernel/{file}") as f:
        text = f.read()
    if old not in text:
        raise SystemExit(f"{name}: {file} no longer holds the text that makes the rule")
    source, program = os.path.join(directory, file), os.path.join(directory, name)
    with open(source, "w") as f:
        f.write(text.replace(old, new, 1))
    subprocess.run(["cc", "-O2", "-g", "-w", "-D_GNU_SOURCE", "-I../userspace/include", "-I../kernel",
                    "-Ilib", "-o", program, source, "build/crash/explore.o", *objects,
                    "-lisal", "-lxxhash"], check=True)
    return program


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--states", type=int, default=60000)
    ap.add_argument("names", nargs="*", metavar="NAME")
    args = ap.parse_args()
    survivors = []
    with tempfile.TemporaryDirectory() as directory:
        for name in args.names or RULES:
            program = build(directory, name)
            for extra in [], ["--profile", "1"], ["--profile", "5"], ["--profile", "6"]:
                out = subprocess.run([program, "--states", str(args.states), *extra],
                                     capture_output=True, text=True)
                if out.returncode:
                    break
            if out.returncode:
                lines = (out.stdout + out.stderr).splitlines()
                why = next((x for x in lines if "VIOLATED" in x or "ssert" in x), str(out.returncode))
                where = next((x.split(";")[0] for x in lines if x.startswith("seed")), "")
                print(f"noticed   {name}: {why} ({' '.join([where, *extra])})", flush=True)
            else:
                print(f"SURVIVED  {name}", flush=True)
                survivors.append(name)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
