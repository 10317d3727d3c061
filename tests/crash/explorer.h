/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explorer.h - power cuts at every operation of random lives of a device.
 *
 * A life is a run of the driver on the simulated disk; its trace gives the
 * images after a power cut at any operation.  Each image is opened by the core
 * and compared with the oracle: the content must be that of a prefix of the
 * submitted operations, at or behind the last acknowledged flush.  Some images
 * are rotted in one place first; some live on and crash again.
 *
 * A seed decides everything and is independent of all other seeds, so they can
 * be explored by several processes in any order.
 */
#ifndef EXPLORER_H
#define EXPLORER_H

#include "driver.h"
#include "env.h"

#define MAX_DEPTH	4u	/* crashes behind the first one */
#define SEED_STATES	3000u	/* explored of each seed */
#define MAX_SUBSET_BITS	12u	/* up to 2^12 images of one moment */

/* What is done to an image before it is opened. */
enum class {
	CLASS_PLAIN,		/* power cut only */
	CLASS_ROOT,		/* one root rotten, zeroed or an old copy */
	CLASS_ROOT_PLANES,	/* ... with its planes */
	CLASS_DEAD_SLOT,	/* one slot's device answers with errors, later it is back */
	CLASS_PLANES,		/* planes of one slot rotten */
	CLASS_SUMMARY,		/* a summary block of c rotten */
	CLASS_PAYLOAD,		/* a payload block in the log rotten */
	CLASS_HEADER,		/* a header in the log rotten */
	CLASS_DATA,		/* a block of committed data rotten */
	CLASS_NODE,		/* a map node rotten */
	NR_CLASSES,
};

/* Under what circumstances an image was made; several may hold at once. */
enum circumstance {
	WITH_ROOT_DEVICE,	/* the roots on one other device */
	WITH_ROOT_DEVICES,	/* the roots on three other devices */
	WITH_SUMMARIES,		/* more zones in use than one summary block holds */
	WITH_BLOCK_SUBSETS,	/* one of all subsets of up to 12 pending blocks */
	WITH_SECTOR_SUBSETS,	/* ... of up to 12 pending sectors */
	WITH_WARM_RESTART,	/* the driver was restarted before, the disk was not */
	WITH_RESTART,		/* another instance took over before */
	WITH_ROOT_LANDED,	/* a root write was reported failed, yet had landed */
	WITH_ROOT_UNKNOWN,	/* ... and stayed in the cache */
	WITH_ROOT_LEFT,		/* ... and was not repeated before the driver died */
	WITH_SLOT_DEAD,		/* a slot's device was dead */
	WITH_SLOT_GIVEN_UP,	/* a root write failed for good, the root went over b */
	WITH_SLOT_BACK,		/* ... and with it, or another in its place, all was well */
	WITH_ROOT_LOST,		/* a root write was reported done and had been lost */
	WITH_LATE_RECORD,	/* records came in behind a finished root image */
	WITH_VOID_DISCARD,	/* a discard was acknowledged without a record */
	WITH_LOG_KEPT,		/* intervals of the log before b were kept for a follower */
	WITH_FREE_DISCARDED,	/* blocks of a zone that was lent for that */
	WITH_FAILED_DISK,	/* a read, write or flush failed */
	WITH_FAILED_COMMIT,	/* ... inside a commit with records beside it */
	WITH_DAMAGED_MAP,	/* a map node rotted in an earlier life */
	WITH_SAME_AGAIN,	/* the life repeats the operations of the one before */
	WITH_ROLLBACK,		/* the device was taken back to its backup */
	IN_ROLLBACK,		/* cut while that was done */
	IN_RECOVERY,		/* cut while a degraded device healed itself */
	IN_RECOVERY_2,		/* ... and the time before, too */
	IN_RECOVERY_3,
	NR_CIRCUMSTANCES,
};

struct counts {
	u64 states, lives, continued, commits, records;
	u64 classes[NR_CLASSES], depths[MAX_DEPTH + 1], cases[4];
	u64 circumstances[NR_CIRCUMSTANCES];
};

struct fault {
	enum class class;
	u32 slot;
	u64 seq;		/* of the record that is hit */
	u64 pba;
	bool durable;		/* ... it is behind a durable mark */
	u8 bad;			/* slots that may hold anything */
	bool unseen;		/* an old root that passes for a root not yet overwritten */
	int state;		/* that is found without the fault (data, node) */
	u64 nr_candidates;
	u64 first_seq;		/* of what the oracle knows */
	u64 first_lba, nr_lbas;	/* that read as errors (data, node) */
	bool is_leaf;
	struct rng *rng;
};

enum step_kind {
	STEP_OPERATE, STEP_FILL, STEP_FAIL, STEP_RESTART, STEP_LOSE, STEP_REVIVE,
	STEP_WARM, STEP_ROLLBACK,	/* these two work also behind an error */
};

struct step {
	enum step_kind kind;
	u64 seed;		/* of all that is random in it */
};

struct life {
	struct rng rng;		/* of the steps */
	struct trace trace;
	struct oracle oracle;
	struct disk disk;
	struct driver driver;
	u32 *view;
	struct step *steps;	/* done so far */
	u32 nr_steps;
	bool clean_lineage;	/* no root write was lost and nothing rotted before */
	bool leftovers;		/* see leaves_planes() */
	bool rotten;		/* so are blocks of data */
	bool damaged;		/* a map node is rotten: errors are allowed, lies are not */
	bool failed_commit, root_left, same_again, warm, restarted;
	bool lost;		/* a slot was bad at some time, also in a life before */
	bool dead, back;
	u32 nr_recovery_ops;	/* of the trace: opening and healing */
	u32 rollback_from, rollback_to;	/* operations of the trace; to 0: none was done */
	bool half_back;		/* it began in a rollback: until healed a bad root ends that */
	bool begins_back;	/* the oracle's first operation is a rollback, no record */
	u32 nr_recoveries;	/* crashes in a row that hit a recovery */
};

/* Where a life on the main line begins: all that is needed to repeat it. */
struct beginning {
	u32 *image, *content;
	bool clean_lineage, leftovers, lost, rotten, half_back;
	u8 bad;			/* slots that may hold anything */
	u64 states;		/* explored before */
	u64 random;		/* state of the generators */
	struct rng test_random;
};

struct explorer {
	struct rng rng;
	u64 seed;
	u64 budget;		/* states for this seed */
	struct counts counts;
	enum disk_break broken;
	int profile;		/* -1: by seed */
	bool trial;		/* a violation ends this process and says nothing */
	bool minimised;		/* the script is short already */
	u32 most_steps;		/* of lives that continue */

	struct workload load;
	u32 life;
	u32 old_roots[TRIAD_NR_SLOTS][64];	/* of the lives before, on the main line */
	u32 nr_old_roots[TRIAD_NR_SLOTS];
	const struct triad_position *expected;	/* how far the image's driver had published */
	struct life *running;	/* whose lines explain a violation */
	struct fault fault;	/* the newest */
	struct beginning beginning;
	const struct step *script;	/* of the main line */
	u32 nr_script;
	enum circumstance subset;	/* how the image was made, or NR_CIRCUMSTANCES */
	u32 *image[MAX_DEPTH + 1];
	u32 *content;		/* found in the newest image */
	u32 *want;
};

/* explore.c: report, minimise, and end the process. */
void violation(struct explorer *x, const char *what, const char *more)
	__attribute__((noreturn));

/* profile.c: the workload of a seed, and a device that is ready for it. */
void profile_choose(struct explorer *x);
void profile_first_image(struct explorer *x, u32 *image, u32 *content);

/* rot.c: make a fault in the image, if one is allowed there now. */
void make_fault(struct explorer *x, const struct life *life, u32 at, u32 *image,
		struct fault *fault);

/* Nothing is rotten in this image of a life, and what was bad was healed. */
bool may_have_fault(const struct life *life, const u32 *image);

/* The slot in which anything may lie at this moment, or -1. */
int bad_slot(const struct life *life, u32 at);

/* Rot in the log that cannot be told from its end. */
bool cuts_log(const struct fault *fault);

/*
 * After these a commit that never landed, or was lost, may have left planes that
 * the next one has no reason to write again: they must be recognised.
 */
bool leaves_planes(const struct fault *fault);

/* state.c: open the image, judge it; returns the state of the oracle that it is. */
int check_state(struct explorer *x, u32 *image, u32 from, u32 to, struct fault *fault,
		const struct life *life);
void check_live(struct explorer *x, struct life *life);
void open_or_die(struct explorer *x, struct life *life);
int find_plain_state(struct explorer *x, const struct oracle *oracle, u32 from, u32 to);

/* life.c */
struct life *life_create(struct explorer *x, const u32 *image, const u32 *content, u8 bad);
void life_destroy(struct explorer *x, struct life *life);

/* The script, from x->beginning; every moment of it may be explored. */
/* Would a life that begins at this operation's cut be half_back? */
bool life_is_half_back(const struct life *life, u32 at);

struct life *life_of_script(struct explorer *x);
void explore_life(struct explorer *x, struct life *life, u32 depth, u32 nr);

/* minimise.c: print the shortest script found that still fails. */
void minimise(struct explorer *x);

#endif
