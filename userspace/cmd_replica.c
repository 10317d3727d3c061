// SPDX-License-Identifier: GPL-2.0-or-later
/* replica: what triadd does, and how its replica takes over. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dm.h"
#include "lines.h"
#include "replica.h"
#include "report.h"
#include "view.h"

#define MOST_ANSWER	(1u << 20)
#define PATIENCE_US	100000u		/* until the daemon has given the image free, */
#define MOST_TRIES	50u		/* so often */
#define ANSWER_SECONDS	120		/* a seal, and votes, wait for what is under way on each host */

/* ---- the daemon ---------------------------------------------------------------------------- */

const char *triadd_socket_path(void)
{
	const char *path = getenv("TRIADD_SOCKET");

	return path && *path ? path : TRIADD_SOCKET;
}

static bool was_asked;		/* of the last question: it was sent, whether answered or not */

struct json_object *triadd_ask(const char *verb, const char *what)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct json_object *answer = NULL;
	struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *text = malloc(MOST_ANSWER), line[1024];
	size_t nr = 0;
	ssize_t n;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", triadd_socket_path());
	snprintf(line, sizeof(line), "%s%s%s\n", verb, what ? " " : "", what ? what : "");
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	was_asked = fd >= 0 && text && !connect(fd, (struct sockaddr *)&to, sizeof(to)) &&
		    send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line);
	if (was_asked) {
		while (nr < MOST_ANSWER - 1 && (n = recv(fd, text + nr, MOST_ANSWER - 1 - nr, 0)) > 0)
			nr += n;
		text[nr] = 0;
		answer = json_tokener_parse(text);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return answer;
}

bool triadd_was_asked(void)
{
	return was_asked;
}

static int no_daemon(void)
{
	return tool_fail(geteuid() ? TOOL_PERMISSION : TOOL_SYSTEM, "Nothing was changed.  "
			 "systemctl status triadd tells why.", "%s: no triadd answers there",
			 triadd_socket_path());
}

/* It was asked for a seal, or votes, and nobody knows what came of that. */
static int no_word(const char *path)
{
	return tool_fail(TOOL_BUSY, "It may be sealed now, and its owner refused; no data is lost.  Give the "
			 "command again.", "%s: triadd was asked, and does not answer", path);
}

static const char *text_of(struct json_object *peer, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(peer, name, &value) && value ?
	       json_object_get_string(value) : NULL;
}

static u64 number_of(struct json_object *peer, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(peer, name, &value) ? json_object_get_int64(value) : 0;
}

static double seconds_of(struct json_object *peer)
{
	struct json_object *value;

	return json_object_object_get_ex(peer, "heard_seconds_ago", &value) && value ?
	       json_object_get_double(value) : -1;
}

static bool flag_of(struct json_object *peer, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(peer, name, &value) && json_object_get_boolean(value);
}

static struct json_object *list_of(struct json_object *answer, const char *name)
{
	struct json_object *list;

	return json_object_object_get_ex(answer, name, &list) &&
	       json_object_is_type(list, json_type_array) ? list : NULL;
}

/* ---- status ----------------------------------------------------------------------------------- */

static bool is_well(struct json_object *peer)
{
	const char *state = text_of(peer, "state");

	return state && flag_of(peer, "connected") && !flag_of(peer, "fenced") &&
	       strcmp(state, "stopped");
}

static void print_peer(struct json_object *peer)
{
	bool owner = !strcmp(text_of(peer, "role") ?: "", "owner");
	u64 behind = number_of(peer, "records_behind");
	const char *why = text_of(peer, "reason");
	double heard = seconds_of(peer);
	char size[TEXT_SIZE];

	printf("%s: %s of %s%s%s: %s%s%s\n", text_of(peer, "name") ?: "?", owner ? "owner" : "replica",
	       text_of(peer, owner ? "device" : "image") ?: "?", owner ? ", to " : "",
	       owner ? text_of(peer, "host") ?: "?" : "", flag_of(peer, "fenced") ? "FENCED, " : "",
	       text_of(peer, "state") ?: "?", why ? ":" : "");
	if (why)
		printf("  %s\n", why);
	if (text_of(peer, "position"))
		printf("  the replica is at record %" PRIu64 ", the device at %" PRIu64 "%s; epoch %" PRIu64 "%s\n",
		       number_of(peer, "replica_record"), number_of(peer, "owner_record"),
		       behind ? " when it was heard of" : "", number_of(peer, "epoch"),
		       flag_of(peer, "synchronous") ? "; flushes wait for it" : "");
	if (heard >= 0)
		printf("  last heard %.0f s ago; in this session %s, %" PRIu64 " batch%s of records, %" PRIu64
		       " difference%s\n", heard, text_size(number_of(peer, "bytes"), size),
		       number_of(peer, "batches"), number_of(peer, "batches") == 1 ? "" : "es",
		       number_of(peer, "differences"), PLURAL(number_of(peer, "differences")));
}

static const struct {
	const char *name, *type, *help, *field;
} metrics[] = {
	{ "records_behind", "gauge", "Records that the replica does not have.", "records_behind" },
	{ "replica_record", "gauge", "Record that the replica is at.", "replica_record" },
	{ "owner_record", "gauge", "Last durable record of the device.", "owner_record" },
	{ "bytes_total", "counter", "Bytes of this session.", "bytes" },
};

static void print_labels(struct json_object *peer)
{
	/* names are made of letters, digits and such: triadd.conf(5) */
	printf("{name=\"%s\",role=\"%s\"}", text_of(peer, "name") ?: "", text_of(peer, "role") ?: "");
}

static void print_prometheus(struct json_object *list)
{
	size_t i, k, nr = json_object_array_length(list);

	printf("# HELP dm_triad_replica_connected 1 while the two ends talk to each other.\n"
	       "# TYPE dm_triad_replica_connected gauge\n");
	for (i = 0; i < nr; i++) {
		printf("dm_triad_replica_connected");
		print_labels(json_object_array_get_idx(list, i));
		printf(" %d\n", is_well(json_object_array_get_idx(list, i)));
	}
	for (k = 0; k < sizeof(metrics) / sizeof(metrics[0]); k++) {
		printf("# HELP dm_triad_replica_%s %s\n# TYPE dm_triad_replica_%s %s\n", metrics[k].name,
		       metrics[k].help, metrics[k].name, metrics[k].type);
		for (i = 0; i < nr; i++) {
			printf("dm_triad_replica_%s", metrics[k].name);
			print_labels(json_object_array_get_idx(list, i));
			printf(" %" PRIu64 "\n", number_of(json_object_array_get_idx(list, i), metrics[k].field));
		}
	}
}

static int status(const struct options *opt)
{
	struct json_object *answer = triadd_ask("status", NULL), *list = answer ? list_of(answer, "peers") : NULL;
	const char *name = opt->nr_args > 1 ? opt->args[1] : NULL;
	bool found = !name, well = true;
	size_t i;

	if (!list) {
		json_object_put(answer);
		return no_daemon();
	}
	if (opt->json)
		json_add(json_document(), "peers", json_object_get(list));
	else if (opt->prometheus)
		print_prometheus(list);
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *peer = json_object_array_get_idx(list, i);

		if (name && strcmp(name, text_of(peer, "name") ?: ""))
			continue;
		found = true;
		well &= is_well(peer);
		if (!opt->json && !opt->prometheus)
			print_peer(peer);
	}
	json_object_put(answer);
	if (!found)
		return tool_fail(TOOL_USAGE, "See triadsetup replica status.", "%s: triadd knows no such name",
				 name);
	return well || opt->prometheus ? TOOL_OK : TOOL_DEGRADED;
}

/* ---- a replica, and who has it ----------------------------------------------------------------------- */

struct takeover {
	const struct options *opt;
	char path[4096];
	struct json_object *answer;	/* of the daemon, or NULL */
	struct json_object *peer;	/* in it: this replica */
	struct json_object *group;	/* what its group says, or NULL: it has none */
	struct view view;
};

/* By its name, as the daemon knows it, or the image itself. */
static void find(struct takeover *t, const char *what)
{
	struct json_object *list;
	size_t i;

	snprintf(t->path, sizeof(t->path), "%s", what);
	t->answer = triadd_ask("status", NULL);
	list = t->answer ? list_of(t->answer, "peers") : NULL;
	for (i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *peer = json_object_array_get_idx(list, i);
		const char *image = text_of(peer, "image"), *name = text_of(peer, "name");

		if (!image || !name || (strcmp(name, what) && !device_is_same(image, what)))
			continue;
		t->peer = peer;
		snprintf(t->path, sizeof(t->path), "%s", image);
		break;
	}
}

/* The image, opened to be looked at, or to be written. */
static int open_image(struct takeover *t, bool to_write)
{
	struct view *view = &t->view;
	struct device dev;
	unsigned int i;
	int r;

	/* a session that is refused has it for a moment */
	for (i = 0; i < MOST_TRIES && t->peer && to_write; i++) {
		r = device_open(&dev, t->path, DEVICE_WRITE);
		device_close(&dev);
		if (r != -EBUSY)
			break;
		usleep(PATIENCE_US);
	}
	r = to_write ? view_probe_to_write(view, t->opt, t->path) : view_probe(view, t->opt, t->path);
	if (!r && !view_current(view))
		r = view_refuse(view);
	if (!r && !triad_root_is_replica(view_current(view)))
		r = tool_fail(TOOL_USAGE, "Nothing was changed.", "%s: it is no replica", t->path);
	if (!r)
		r = view_ready(view);
	return r;
}

static int open_core(struct takeover *t, bool to_write)
{
	struct view *view = &t->view;
	int r;

	view->core.receives = true;
	r = view_open(view);
	if (!r && triad_core_lost_log(&view->core))
		r = tool_fail(TOOL_DAMAGED, "Nothing was changed.", "%s: flushed records of its log are "
			      "damaged", t->path);
	return r || !to_write ? r : view_may_write(view);
}

/* ---- groups ---------------------------------------------------------------------------------------- */

/*
 * Ask the members, for an epoch or, with 0, where they are.  NULL: triadd does not answer; without
 * "members" it knows no such group.
 */
static struct json_object *ask_group(const char *name, u32 epoch)
{
	char text[128];

	snprintf(text, sizeof(text), epoch ? "%s %u" : "%s", name, epoch);
	return triadd_ask("group", text);
}

static void describe_member(FILE *f, struct json_object *m)
{
	const char *kind = text_of(m, "kind"), *reason = text_of(m, "reason");

	fprintf(f, "  %s%s: ", text_of(m, "host") ?: "?", flag_of(m, "self") ? " (here)" : "");
	if (!kind)
		fprintf(f, "no answer: %s\n", reason ?: "?");
	else if (text_of(m, "position"))
		fprintf(f, "%s at record %" PRIu64 ", epoch %" PRIu64 "\n", kind, number_of(m, "record"),
			number_of(m, "epoch"));
	else
		fprintf(f, "%s, epoch %" PRIu64 "\n", strcmp(kind, "incomplete") ? kind : "witness, or incomplete",
			number_of(m, "epoch"));
}

static void describe_group(FILE *f, struct json_object *group)
{
	struct json_object *list = list_of(group, "members");
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		describe_member(f, json_object_array_get_idx(list, i));
}

/* 0: it may take over; sealed: members gave their votes, and it is this that is judged. */
static int judge(const struct takeover *t, bool sealed)
{
	const char *verdict = text_of(t->group, "verdict") ?: "", *advice, *host;
	struct json_object *which = json_object_array_get_idx(list_of(t->group, "members"), number_of(t->group, "which"));
	/* whoever reads exit codes is to know that it is not as it was */
	int too_few = sealed ? TOOL_BUSY : TOOL_DEVICE, other = sealed ? TOOL_BUSY : TOOL_USAGE;

	advice = sealed ? "What was its owner is refused by those that voted; no data is lost.  Give the command "
			  "again.\n  --force takes over all the same: what others hold beyond this is lost then." :
			  "Nothing was changed.  --force takes over all the same: what others hold beyond this\n"
			  "  is lost then, and another one may take over, too.";
	host = text_of(which, "host") ?: "?";
	if (t->opt->force || !strcmp(verdict, "yes"))
		return 0;
	if (!strcmp(verdict, "too few"))
		return tool_fail(too_few, advice, "%s: %" PRIu64 " of its group %s, and %" PRIu64 " have to: "
				 "see triadsetup replica group", t->path, number_of(t->group, "votes"),
				 sealed ? "voted for it" : "can vote", number_of(t->group, "majority"));
	if (!strcmp(verdict, "further"))
		return tool_fail(other, advice, "%s: that on %s is further, at record %" PRIu64 ": take over "
				 "there", t->path, host, number_of(which, "record"));
	if (!strcmp(verdict, "unrelated"))
		return tool_fail(other, advice, "%s: that on %s is of another device, or another history of it; "
				 "nobody here knows which one is the newer", t->path, host);
	return tool_fail(other, advice, "%s: no whole replica of this host answered for it: is this host in "
			 "its group's line, and its image not in use?", t->path);
}

/* First it is asked how it would end, so that nobody is sealed in vain. */
static int canvass(struct takeover *t)
{
	const char *name = t->peer ? text_of(t->peer, "name") : NULL;

	t->group = name ? ask_group(name, 0) : NULL;
	/* who does not answer has not said that there is no group */
	if ((!t->answer || (name && !t->group)) && !t->opt->force)
		return tool_fail(geteuid() ? TOOL_PERMISSION : TOOL_SYSTEM, "Nothing was changed.  Start it "
				 "(systemctl start triadd), and give the\n  command again; or --force takes over and "
				 "asks nobody whether another one does.", "%s: no triadd answers there, which knows "
				 "whether it belongs to a group", triadd_socket_path());
	if (list_of(t->group, "members"))
		return judge(t, false);
	json_object_put(t->group);
	t->group = NULL;
	return 0;
}

/*
 * Who asks nobody's leave takes an epoch that nobody is elected in at the same time: of two devices
 * with the same one neither would find itself fenced.
 */
static u32 epochs_ahead(const struct takeover *t)
{
	u8 random = 0;

	if (t->opt->force)
		triad_random(&random, sizeof(random));
	return t->opt->force ? 2 + random : 1;
}

/* The epoch is granted by each member once, and what voted takes nothing more. */
static int elect(struct takeover *t, u32 *epoch)
{
	const char *name = text_of(t->peer, "name");
	u64 last = number_of(t->group, "epoch");

	*epoch = last + epochs_ahead(t);
	if (*epoch <= last)
		return tool_fail(TOOL_DEVICE, "Nothing was changed.", "%s: a member of its group says that there "
				 "is no later epoch", t->path);
	json_object_put(t->group);
	t->group = ask_group(name, *epoch);
	return list_of(t->group, "members") ? judge(t, true) : was_asked ? no_word(t->path) : no_daemon();
}

static bool is_granted_here(const struct takeover *t)
{
	struct json_object *list = t->group ? list_of(t->group, "members") : NULL, *m;
	size_t i;

	for (i = 0; list && i < json_object_array_length(list); i++) {
		m = json_object_array_get_idx(list, i);
		if (flag_of(m, "self") && flag_of(m, "granted"))
			return true;
	}
	return false;
}

static int show_group(const struct options *opt)
{
	struct json_object *group = ask_group(opt->args[1], 0), *list = list_of(group, "members");
	bool there;

	if (!group)
		return no_daemon();
	if (!list) {
		json_object_put(group);
		return tool_fail(TOOL_USAGE, "See triadd.conf(5).", "%s: triadd knows no such group", opt->args[1]);
	}
	there = number_of(group, "votes") >= number_of(group, "majority");
	if (opt->json) {
		json_add(json_document(), "members", json_object_get(list));
		json_add_number(json_document(), "votes", number_of(group, "votes"));
		json_add_number(json_document(), "majority", number_of(group, "majority"));
	} else {
		printf("%s: %" PRIu64 " of %zu could vote; a replica takes over with %" PRIu64 "\n", opt->args[1],
		       number_of(group, "votes"), json_object_array_length(list),
		       number_of(group, "majority"));
		describe_group(stdout, group);
	}
	json_object_put(group);
	return there ? TOOL_OK : TOOL_DEGRADED;
}

/* ---- seals, and taking over ------------------------------------------------------------------------ */

/* By the daemon, if it has the image; else here. */
static int seal_it(struct takeover *t, u32 *epoch)
{
	struct json_object *answer = t->peer ? triadd_ask("seal", t->path) : NULL;
	const char *error = answer ? text_of(answer, "error") : NULL;
	bool known = answer && flag_of(answer, "known");
	int r;

	if (t->peer && !answer && was_asked)
		return no_word(t->path);
	if (known && !error) {
		*epoch = number_of(answer, "epoch");
		json_object_put(answer);
		return 0;
	}
	if (known) {
		r = tool_fail(TOOL_DEVICE, "It is not sealed.", "%s: triadd: %s", t->path, error);
		json_object_put(answer);
		return r;
	}
	json_object_put(answer);
	r = open_image(t, true);
	if (!r)
		r = open_core(t, true);
	if (!r) {
		*epoch = t->view.core.root.epoch + 1;
		r = replica_seal(&t->view.core, *epoch);
		if (r)
			r = tool_fail(tool_exit_of(r), "It may be sealed or not: seal it again.", "%s: %s",
				      t->path, strerror(-r));
	}
	view_close(&t->view);
	return r;
}

static int seal(const struct options *opt)
{
	struct takeover t = { .opt = opt };
	u32 epoch = 0;
	int r;

	disk_none(&t.view.disk);
	find(&t, opt->args[1]);
	r = open_image(&t, false);
	view_close(&t.view);
	if (!r)
		r = seal_it(&t, &epoch);
	if (!r && opt->json)
		json_add_number(json_document(), "epoch", epoch);
	else if (!r && !opt->batch)
		printf("%s: sealed: it takes nothing any more from who owned it before epoch %u\n", t.path,
		       epoch);
	json_object_put(t.answer);
	return r;
}

/* What it holds, and what may be missing, as far as anybody here knows. */
static void describe(const struct takeover *t, char *text, size_t size)
{
	const struct triad_root *root = view_current(&t->view);
	char where[POSITION_SIZE], when[TEXT_SIZE];
	struct json_object *peer = t->peer;
	const char *position = peer ? text_of(peer, "position") : NULL;
	double heard = peer ? seconds_of(peer) : -1;
	u64 behind = peer ? number_of(peer, "records_behind") : 0;
	FILE *f = fmemopen(text, size, "w");

	*text = 0;
	if (!f)
		return;
	fprintf(f, "%s\n  holds %s,\n  last committed %s.\n", t->path,
		position ? position : position_text(&t->view.core.origin, where), text_time(root->time, when));
	if (heard < 0)
		fprintf(f, "  How far its owner was is not known here.  What that wrote since is missing.\n");
	else if (behind)
		fprintf(f, "  Its owner was heard %.0f s ago, and was at record %" PRIu64 "; here is %" PRIu64
			":\n  %" PRIu64 " record%s missing, and what it wrote since.\n", heard,
			number_of(peer, "owner_record"), number_of(peer, "replica_record"), behind,
			behind == 1 ? " is" : "s are");
	else
		fprintf(f, "  Its owner was heard %.0f s ago, and all that it had flushed then is here.  What it "
			"wrote since is missing.\n", heard);
	if (peer && flag_of(peer, "connected"))
		fprintf(f, "  ITS OWNER IS THERE, and connected: it becomes read-only, under whoever uses it.\n");
	if (t->group)
		describe_group(f, t->group);
	else if (!peer)
		fprintf(f, "  Nobody else was asked whether another one takes over: triadd %s.\n",
			t->answer ? "has no line for it" : "does not run here");
	fprintf(f, "It becomes a device of its own.  What its owner writes from now on, if it lives, is lost.\n");
	fclose(f);
	text[size - 1] = 0;
}

/* Nobody else can give or take a vote while it is open here.  raise: to this epoch; or 0. */
static int promote(struct takeover *t, u32 epoch, u32 raise, struct triad_origin *held)
{
	int r = open_image(t, true);

	if (!r)
		r = open_core(t, true);
	if (!r && t->view.core.root.epoch != epoch)
		r = tool_fail(TOOL_BUSY, "It is a replica still, and no data is lost.", "%s: another one was elected "
			      "meanwhile: epoch %u, and this one %u", t->path, t->view.core.root.epoch, epoch);
	if (!r) {
		*held = t->view.core.origin;
		if (raise > epoch)
			r = replica_seal(&t->view.core, raise);
		if (!r)
			r = replica_promote(&t->view.core);
		if (r)
			r = tool_fail(tool_exit_of(r), "It is sealed.  Give the same command again.", "%s: %s",
				      t->path, strerror(-r));
	}
	view_close(&t->view);
	return r;
}

static int take_over(const struct options *opt)
{
	struct takeover t = { .opt = opt };
	struct triad_origin held;
	char text[2048], position[POSITION_SIZE];
	u32 epoch = 0, raise = 0;
	int r;

	disk_none(&t.view.disk);
	find(&t, opt->args[1]);
	r = open_image(&t, false);
	/* a daemon that has it tells where it is, and writes to it */
	if (!r && !(t.peer && text_of(t.peer, "position")))
		r = open_core(&t, false);
	if (!r)
		r = canvass(&t);
	if (!r) {
		describe(&t, text, sizeof(text));
		r = tool_confirm(opt, t.path, text);
	}
	view_close(&t.view);
	/* first nothing more may come; then it is seen what is there */
	if (!r && t.group)
		r = elect(&t, &epoch);
	if (!r && !is_granted_here(&t)) {
		/* those that voted refuse an earlier one; without them it is told from all others */
		raise = epoch;
		r = seal_it(&t, &epoch);
		if (!r && opt->force && !t.answer)
			raise = epoch + epochs_ahead(&t);
	}
	if (!r)
		r = promote(&t, epoch, raise, &held);
	epoch = max_t(u32, epoch, raise);
	json_object_put(t.group);
	json_object_put(t.answer);
	if (r)
		return r;
	position_text(&held, position);
	if (opt->json) {
		json_add_text(json_document(), "image", t.path);
		json_add_text(json_document(), "was", position);
		json_add_number(json_document(), "epoch", epoch);
	} else if (!opt->batch) {
		printf("%s: no replica any more; it held %s.  Epoch %u.\n  triadsetup open NAME ", t.path,
		       position, epoch);
		put_quoted(stdout, t.path);
		printf(" makes it a device.\n");
	}
	return 0;
}

/* ---- coming back -------------------------------------------------------------------------------- */

/* What was the device becomes a replica of itself, for whoever took over to bring on. */
static int demote(struct view *view, const struct options *opt)
{
	struct triad_core *core = &view->core;
	char text[POSITION_SIZE];
	int r;

	if (triad_root_is_replica(&core->root))
		return tool_fail(TOOL_USAGE, "Nothing was changed.", "%s: it is a replica already", view->path);
	r = view_may_write(view);
	if (r)
		return r;
	if (triad_core_lost_log(core))
		return tool_fail(TOOL_DAMAGED, "Nothing was changed.", "%s: flushed records of its log are "
				 "damaged", view->path);
	if (core->root.root_layout != TRIAD_ROOTS_INSIDE)
		return tool_fail(TOOL_USAGE, "Nothing was changed.  triadsetup move-roots brings them back.",
				 "%s: its roots lie on other devices, those of a replica do not", view->path);
	if (view->key)
		return tool_fail(TOOL_USAGE, "Nothing was changed.", "%s: it has a key, and triadd none for it",
				 view->path);
	r = replica_demote(core);
	if (r)
		return tool_fail(tool_exit_of(r), "What it holds is as it was.  triadsetup receive --promote undoes it;\n"
				 "  then give the same command again.",
				 "%s: %s", view->path, strerror(-r));
	position_text(&core->root.origin, text);
	if (opt->json)
		json_add_text(json_document(), "position", text);
	else if (!opt->batch)
		printf("%s: a replica, of itself: it holds %s.\n"
		       "What only it holds is there until triadd brings it on: triadsetup export saves it,\n"
		       "and triadsetup receive --promote makes it a device again.\n", view->path, text);
	return 0;
}

/* Of a device in use.  A suspended one forgets it. */
static int set_sync(const struct options *opt)
{
	static const char advice[] = "Nothing was changed.  It is: replica sync NAME off|block|async|ro.";
	const char *name = opt->nr_args > 1 ? opt->args[1] : "", *word = opt->nr_args > 2 ? opt->args[2] : "";
	enum triad_sync sync;
	char text[32];
	int error;

	if (!triad_params_sync(word, &sync))
		return tool_fail(TOOL_USAGE, advice, *word ? "replica sync: it is not '%s'" :
				 "replica sync: the name of a device, and what it is to be", word);
	if (!dm_is_ours(name))
		return tool_fail(TOOL_DEVICE, "Nothing was changed.  See triadsetup status.",
				 "%s: no dm-triad device of this name is open", name);
	snprintf(text, sizeof(text), "sync %s", word);
	error = dm_message(name, text);
	if (error)
		return tool_fail(tool_exit_of(-error), "Nothing was changed.  See triadsetup status, and dmesg.",
				 "%s: %s", name, error == EINVAL ? "its module knows no synchronous replicas" :
				 error == EAGAIN ? "it is suspended" : strerror(error));
	return 0;
}

int cmd_replica(const struct options *opt)
{
	const char *what = opt->args[0];
	bool names = opt->nr_args == 2;

	if (!strcmp(what, "sync"))
		return set_sync(opt);
	if (!strcmp(what, "invite"))
		return lines_invite(opt);
	if (!strcmp(what, "join"))
		return lines_join(opt);
	if (!strcmp(what, "remove"))
		return lines_remove(opt);
	if (opt->nr_args > 2)
		return tool_fail(TOOL_USAGE, "Nothing was changed.", "replica %s: '%s' is too much", what,
				 opt->args[2]);

	if (!strcmp(what, "status"))
		return opt->json && opt->prometheus ?
		       tool_fail(TOOL_USAGE, "Take one of them.", "replica status: --prometheus is a form of "
				 "its own, without --json") : status(opt);
	if (strcmp(what, "seal") && strcmp(what, "takeover") && strcmp(what, "rejoin") && strcmp(what, "group"))
		return tool_fail(TOOL_USAGE, "Nothing was changed.  It is invite, join, remove, status, group, seal, "
				 "takeover, rejoin or sync.", "replica: '%s' is not known", what);
	if (!names)
		return tool_fail(TOOL_USAGE, "Nothing was changed.", "replica %s: name the replica, or its image",
				 what);
	if (!strcmp(what, "group"))
		return show_group(opt);
	if (!strcmp(what, "rejoin"))
		return view_change(opt, opt->args[1], demote);
	return strcmp(what, "seal") ? take_over(opt) : seal(opt);
}
