// SPDX-License-Identifier: GPL-2.0-or-later
/* commit, trim, suspend and resume: what an open device is told to do. */
#include <inttypes.h>
#include <stdio.h>

#include "dm.h"
#include "report.h"
#include "status.h"

/* There is one, and it is ours: has said so if not. */
static int look_at(const struct options *opt, struct status *status)
{
	if (opt->json)
		json_add_text(json_document(), "name", opt->args[0]);
	return status_get(opt->args[0], status);
}

static int told(const struct options *opt, const struct status *status, int error,
		const char *what, const char *advice)
{
	if (!error)
		return 0;
	return tool_fail(error == EROFS || error == EIO ? TOOL_DAMAGED : tool_exit_of(-error), advice,
			 "%s: %s: %s", opt->args[0], what, error == EROFS ?
			 status->text[STATUS_REASON] && !status_is(status, STATUS_REASON, "-") ?
			 status->text[STATUS_REASON] : "it is read-only" : strerror(error));
}

int cmd_commit(const struct options *opt)
{
	struct status status;
	int error, r = look_at(opt, &status);

	if (!r && status.suspended)
		r = tool_fail(TOOL_BUSY, "Nothing was changed.  First: triadsetup resume NAME.",
			      "%s: it is suspended", opt->args[0]);
	if (!r) {
		error = dm_message(opt->args[0], "commit");
		r = told(opt, &status, error, "it cannot commit", error == EAGAIN ?
			 "Another instance takes over: once more, then." :
			 "What was flushed is in the log.  See triadsetup status.");
	}
	status_free(&status);
	return r;
}

/* All of it, some at a time, so that the device can be suspended in between. */
static int trim_all(const char *name, u64 *blocks)
{
	u64 next = 0, end = 1, nr;
	char message[32], answer[64];
	int error = 0;

	for (*blocks = 0; !error && next < end; *blocks += nr) {
		snprintf(message, sizeof(message), "trim %" PRIu64, next);
		error = dm_ask(name, message, answer, sizeof(answer));
		nr = 0;
		if (!error && sscanf(answer, "%" SCNu64 " %" SCNu64 " %" SCNu64, &next, &end, &nr) != 3)
			error = EINVAL;
		progress("trim", next, end ? end : 1);
	}
	progress("", 0, 0);
	return error;
}

int cmd_trim(const struct options *opt)
{
	char size[TEXT_SIZE];
	struct status status;
	u64 blocks = 0;
	int error, r = look_at(opt, &status);

	if (!r && status.suspended)
		r = tool_fail(TOOL_BUSY, "Nothing was changed.  First: triadsetup resume NAME.",
			      "%s: it is suspended", opt->args[0]);
	if (!r) {
		error = trim_all(opt->args[0], &blocks);
		r = told(opt, &status, error, error == EOPNOTSUPP ? "its disk takes no discards" :
			 error == EINVAL ? "the module that is loaded does not know how" :
			 error == EBUSY ? "another trim is under way" :
			 error == EAGAIN ? "another instance takes over: once more, then" :
			 "it cannot be trimmed",
			 "Its data is as it was.");
	}
	if (!r && opt->json)
		json_add_number(json_document(), "bytes", blocks * TRIAD_BLOCK_SIZE);
	else if (!r && !opt->batch)
		printf("%s: %s told to its disk to be free\n", opt->args[0],
		       text_size(blocks * TRIAD_BLOCK_SIZE, size));
	status_free(&status);
	return r;
}

static int tell(const struct options *opt, int (*fn)(const char *name), const char *what,
		const char *advice)
{
	struct status status;
	int r = look_at(opt, &status);

	if (!r)
		r = told(opt, &status, fn(opt->args[0]), what, advice);
	status_free(&status);
	return r;
}

int cmd_suspend(const struct options *opt)
{
	return tell(opt, dm_suspend, "it is not suspended", "It goes on.  See dmesg.");
}

int cmd_resume(const struct options *opt)
{
	return tell(opt, dm_resume, "it does not go on",
		    "It is suspended, and its users wait.  See dmesg, then: triadsetup restart.");
}
