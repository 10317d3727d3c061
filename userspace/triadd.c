// SPDX-License-Identifier: GPL-2.0-or-later
/* triadd: see triadd.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "triadd.h"

#include <ctype.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <fcntl.h>
#include <unistd.h>

#include "report.h"
#include "view.h"

#define MOST_SESSIONS	64	/* who has not shown a key counts, too */
#define MOST_QUESTIONS	64
#define LEAST_KEY	16u
#define QUESTION_SIZE	1024u
#define MOST_WORDS	(3 + VOTE_MEMBERS)
#define PATIENCE	60.0	/* seconds, for a session that is asked to end */

struct peer *peers[TRIADD_PEERS];
unsigned int nr_peers;
bool triadd_ends;
pthread_mutex_t triadd_dm = PTHREAD_MUTEX_INITIALIZER;

static const char *config_path = TRIADD_CONFIG, *socket_path = TRIADD_SOCKET;
static char *listen_at;

/* Threads of who came; strangers on the network keep nobody here from asking. */
static struct crowd {
	int nr, most;
} sessions = { .most = MOST_SESSIONS }, questions = { .most = MOST_QUESTIONS };
static pthread_mutex_t crowds = PTHREAD_MUTEX_INITIALIZER;

/* ---- words ------------------------------------------------------------------------------- */

static void say(const struct peer *peer, const char *format, va_list args)
{
	char text[512], *c;

	vsnprintf(text, sizeof(text), format, args);
	/* what another host says, too */
	for (c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	fprintf(stderr, "triadd: %s%s%s\n", peer ? peer->name : "", peer ? ": " : "", text);
}

void triadd_say(const struct peer *peer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(peer, format, args);
	va_end(args);
}

/* What is told in the log: not each batch of records. */
static const char *kind_of(const char *state)
{
	static const char *const fine[] = { "log", "behind", "in sync", "comparing", "difference" };
	unsigned int i;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (!strcmp(state, fine[i]))
			return "connected";
	return state;
}

void triadd_state(struct peer *peer, const char *state, const char *format, ...)
{
	char why[sizeof(peer->why)] = "";
	bool news;
	va_list args;

	if (format) {
		va_start(args, format);
		vsnprintf(why, sizeof(why), format, args);
		va_end(args);
	}
	pthread_mutex_lock(&peer->lock);
	news = strcmp(peer->said, kind_of(state)) || strcmp(peer->why, why);
	snprintf(peer->state, sizeof(peer->state), "%s", state);
	snprintf(peer->said, sizeof(peer->said), "%s", kind_of(state));
	snprintf(peer->why, sizeof(peer->why), "%s", why);
	pthread_mutex_unlock(&peer->lock);
	if (news && strcmp(state, "connecting"))
		triadd_say(peer, "%s%s%s", kind_of(state), why[0] ? ": " : "", why);
}

/* A full pipe wakes as well. */
void triadd_wake(struct peer *peer)
{
	if (write(peer->wake[1], "", 1) < 0)
		return;
}

struct timespec triadd_time(double seconds)
{
	return (struct timespec) { .tv_sec = seconds, .tv_nsec = (seconds - (time_t)seconds) * 1e9 };
}

int triadd_wait(struct peer *peer, double until)
{
	struct timespec end = triadd_time(until);

	return -pthread_cond_timedwait(&peer->changed, &peer->lock, &end);
}

/* What systemd waits for.  Without it nobody is told. */
static void tell_systemd(const char *what)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	socklen_t size;
	int fd;

	if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	strcpy(to.sun_path, path);
	size = offsetof(struct sockaddr_un, sun_path) + strlen(path);
	if (*path == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		sendto(fd, what, strlen(what), MSG_NOSIGNAL, (struct sockaddr *)&to, size);
		close(fd);
	}
}

/* ---- configuration -------------------------------------------------------------------------- */

PRINTF(2, 3)
static bool wrong(unsigned int line, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "triadd: %s, line %u: %s\n", config_path, line, text);
	return false;
}

static bool is_key_of(const u8 *key, size_t size, const u8 *other, size_t other_size)
{
	return size == other_size && size && !memcmp(key, other, size);
}

static bool take_key(const char *path, u8 **key, size_t *size, unsigned int line_nr)
{
	unsigned int i, other = 0;
	struct stat st;

	if (stat(path, &st))
		return wrong(line_nr, "key file %s: %s", path, strerror(errno));
	if (st.st_mode & 077)
		return wrong(line_nr, "key file %s: others may read it: chmod 600 %s", path, path);
	if (key_read(path, key, size))
		return wrong(line_nr, "key file %s cannot be taken", path);
	if (*size < LEAST_KEY)
		return wrong(line_nr, "key file %s: it holds less than %u bytes", path, LEAST_KEY);
	/* who has a key can be either end of a session with it */
	for (i = 0; i < nr_peers && !other; i++)
		if (is_key_of(peers[i]->key, peers[i]->key_size, *key, *size))
			other = peers[i]->line_nr;
	for (i = 0; i < nr_groups && !other; i++)
		if (is_key_of(groups[i]->key, groups[i]->key_size, *key, *size))
			other = groups[i]->line_nr;
	return !other || wrong(line_nr, "its key is that of line %u: each replica, and each group, has a "
			       "key of its own, or one could write to the other", other);
}

static bool is_name(const char *name)
{
	return *name && strlen(name) < 48 && strspn(name, "abcdefghijklmnopqrstuvwxyz"
	       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen(name);
}

/* A witness is a replica without data, and so without a key: nobody sends it any. */
static const struct form {
	const char *word, *usage;
	enum role role;
	bool witness;
	int least;		/* words */
	const char *option;	/* one more; NULL: there is none */
} forms[] = {
	{ "owner", "owner NAME DEVICE HOST[:PORT] KEYFILE [sync]", ROLE_OWNER, false, 5, "sync" },
	{ "replica", "replica NAME IMAGE KEYFILE [in_steps]", ROLE_REPLICA, false, 4, "in_steps" },
	{ "witness", "witness NAME IMAGE", ROLE_REPLICA, true, 3, NULL },
};

/* One device may be sent to several hosts; a replica's name is one image. */
static bool is_taken(const struct peer *peer, const struct peer *other)
{
	if (peer->role != other->role || strcmp(peer->name, other->name))
		return false;
	return peer->role == ROLE_REPLICA || strcmp(peer->path, other->path) ||
	       (!strcmp(peer->host, other->host) && !strcmp(peer->port, other->port));
}

static bool take_peer(const struct form *form, char **words, int nr, char *line, unsigned int line_nr)
{
	enum role role = form->role;
	pthread_condattr_t clock;
	struct peer *peer;
	unsigned int i;

	if (nr_peers == TRIADD_PEERS)
		return wrong(line_nr, "more than %u lines", TRIADD_PEERS);
	if (nr != form->least &&
	    (!form->option || nr != form->least + 1 || strcmp(words[form->least], form->option)))
		return wrong(line_nr, "it has to be: %s", form->usage);
	if (!is_name(words[1]))
		return wrong(line_nr, "'%s' is no name: letters, digits, - _ and .", words[1]);
	peer = calloc(1, sizeof(*peer));
	if (!peer || pipe2(peer->wake, O_CLOEXEC | O_NONBLOCK))
		return wrong(line_nr, "out of memory");
	pthread_mutex_init(&peer->asking, NULL);
	pthread_mutex_init(&peer->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&peer->changed, &clock);
	pthread_condattr_destroy(&clock);
	strcpy(peer->state, role == ROLE_OWNER ? "connecting" : "offline");
	peer->role = role;
	peer->line = line;
	peer->line_nr = line_nr;
	peer->name = words[1];
	peer->path = words[2];
	peer->in_steps = nr > form->least && role == ROLE_REPLICA;
	peer->sync = nr > form->least && role == ROLE_OWNER;
	peer->witness = form->witness;
	if (role == ROLE_OWNER && !net_split(words[3], &peer->host, &peer->port))
		return wrong(line_nr, "'%s' is no HOST or HOST:PORT", words[3]);
	for (i = 0; i < nr_peers; i++) {
		if (is_taken(peer, peers[i]))
			return wrong(line_nr, "%s is named in line %u already", words[1], peers[i]->line_nr);
		if (role == ROLE_REPLICA && peers[i]->role == role && !strcmp(peers[i]->path, words[2]))
			return wrong(line_nr, "%s is line %u's already", words[2], peers[i]->line_nr);
	}
	if (!form->witness && !take_key(words[form->least - 1], &peer->key, &peer->key_size, line_nr))
		return false;
	peers[nr_peers++] = peer;
	return true;
}

static bool is_member(const struct group *group, const char *host, const char *port)
{
	unsigned int i;

	for (i = 0; i < group->nr; i++)
		if (!strcmp(group->host[i], host) && !strcmp(group->port[i], port))
			return true;
	return false;
}

/* group NAME KEYFILE HOST[:PORT]... */
static bool take_group(char **words, int nr, char *line, unsigned int line_nr)
{
	struct group *group = calloc(1, sizeof(*group));
	const char *host, *port;
	int i;

	if (!group || nr_groups == TRIADD_GROUPS)
		return wrong(line_nr, "more than %u groups", TRIADD_GROUPS);
	if (nr < 3)
		return wrong(line_nr, "it has to be: group NAME KEYFILE HOST[:PORT]...");
	if (!is_name(words[1]))
		return wrong(line_nr, "'%s' is no name: letters, digits, - _ and .", words[1]);
	if (vote_group(words[1]))
		return wrong(line_nr, "the group %s is line %u's already", words[1],
			     vote_group(words[1])->line_nr);
	group->line = line;
	group->line_nr = line_nr;
	group->name = words[1];
	if (nr - 3 < (int)VOTE_LEAST)
		return wrong(line_nr, "a group has at least %u hosts: of fewer none may be missing", VOTE_LEAST);
	for (i = 3; i < nr; i++) {
		if (!net_split(words[i], &host, &port))
			return wrong(line_nr, "'%s' is no HOST or HOST:PORT", words[i]);
		if (is_member(group, host, port))
			return wrong(line_nr, "it names %s twice", host);
		group->host[group->nr] = host;
		group->port[group->nr++] = port;
	}
	if (!take_key(words[2], &group->key, &group->key_size, line_nr))
		return false;
	groups[nr_groups++] = group;
	return true;
}

static bool take_line(char *line, unsigned int line_nr)
{
	char *words[MOST_WORDS], *rest = NULL, *word;
	unsigned int i;
	int nr = 0;

	line[strcspn(line, "#\n")] = 0;
	for (word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		if (nr == MOST_WORDS)
			return wrong(line_nr, "too many words");
		words[nr++] = word;
	}
	if (!nr)
		return true;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(words[0], forms[i].word))
			return take_peer(&forms[i], words, nr, line, line_nr);
	if (!strcmp(words[0], "group"))
		return take_group(words, nr, line, line_nr);
	if (strcmp(words[0], "listen"))
		return wrong(line_nr, "'%.40s' is neither listen, owner, replica, witness nor group", words[0]);
	if (nr != 2 || listen_at)
		return wrong(line_nr, "it has to be, once: listen ADDRESS[:PORT]");
	listen_at = strdup(words[1]);
	return listen_at != NULL;
}

/* What belongs to a group is named as it is. */
static bool is_complete(const struct group *group)
{
	struct peer *owner = triadd_find(ROLE_OWNER, group->name);
	unsigned int i, nr = 0, nr_sync = 0;

	for (i = 0; i < nr_peers; i++) {
		bool is_of_it = !strcmp(peers[i]->name, group->name);

		nr += is_of_it;
		nr_sync += is_of_it && peers[i]->sync;
		if (is_of_it && peers[i]->sync && !is_member(group, peers[i]->host, peers[i]->port))
			return wrong(peers[i]->line_nr, "flushes wait for members of the group %s, and %s:%s is "
				     "none", group->name, peers[i]->host, peers[i]->port);
		if (!is_of_it && peers[i]->sync && owner && !strcmp(peers[i]->path, owner->path))
			return wrong(peers[i]->line_nr, "flushes of %s wait for the group %s, and for no other "
				     "name", owner->path, group->name);
	}
	if (!nr)
		return wrong(group->line_nr, "no owner, replica or witness here is named %s", group->name);
	if (nr_sync && nr_sync + 1 < vote_majority(group->nr))
		return wrong(group->line_nr, "flushes of %s wait for %u of its replicas: so many lines say sync, "
			     "or none", group->name, vote_majority(group->nr) - 1);
	return true;
}

static bool read_config(void)
{
	FILE *f = fopen(config_path, "re");
	unsigned int line_nr = 0, nr_replicas = 0, i;
	char *line = NULL;
	size_t size = 0;
	bool ok = true;

	if (!f) {
		fprintf(stderr, "triadd: %s: %s\n", config_path, strerror(errno));
		return false;
	}
	while (ok && getline(&line, &size, f) >= 0) {
		ok = memchr(line, 0, size) == line + strlen(line) && take_line(line, ++line_nr);
		/* its words stay in use */
		line = NULL;
		size = 0;
	}
	fclose(f);
	for (i = 0; i < nr_peers; i++)
		nr_replicas += peers[i]->role == ROLE_REPLICA;
	for (i = 0; ok && i < nr_groups; i++)
		ok = is_complete(groups[i]);
	if (ok && (nr_replicas || nr_groups) && !listen_at)
		listen_at = strdup("*");
	if (ok && !nr_peers) {
		fprintf(stderr, "triadd: %s: it names neither an owner nor a replica\n", config_path);
		return false;
	}
	return ok;
}

/* ---- sessions ---------------------------------------------------------------------------------- */

static bool come_in(struct crowd *crowd)
{
	bool ok;

	pthread_mutex_lock(&crowds);
	ok = crowd->nr < crowd->most;
	crowd->nr += ok;
	pthread_mutex_unlock(&crowds);
	return ok;
}

static void leave(struct crowd *crowd)
{
	pthread_mutex_lock(&crowds);
	crowd->nr--;
	pthread_mutex_unlock(&crowds);
}

struct peer *triadd_find(enum role role, const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_peers; i++)
		if (peers[i]->role == role && !strcmp(peers[i]->name, name))
			return peers[i];
	return NULL;
}

/* Who connects is an owner, and what it has the key of is a replica of ours; or it is a member. */
static bool find_key(const char *name, const u8 **key, size_t *size)
{
	struct peer *peer = triadd_find(ROLE_REPLICA, name);
	struct group *group = vote_group_of_key(name);

	if (group) {
		*key = group->key;
		*size = group->key_size;
	} else if (peer) {
		*key = peer->key;
		*size = peer->key_size;
	}
	return group || (peer && peer->key);
}

/* One session for each replica: who comes later has the key, too, and the other may be dead. */
static bool take_over_session(struct peer *peer)
{
	double end = seconds_now() + PATIENCE;
	int r = 0;

	pthread_mutex_lock(&peer->lock);
	while (peer->busy && !r) {
		peer->leave = true;
		triadd_wake(peer);
		r = triadd_wait(peer, end);
	}
	r = peer->busy;
	if (!r) {
		peer->busy = true;
		peer->leave = false;
	}
	pthread_mutex_unlock(&peer->lock);
	return !r;
}

static void *accept_session(void *context)
{
	struct net net;
	struct group *group;
	struct peer *peer;
	int r = net_accept(&net, (int)(intptr_t)context);

	peer = r ? NULL : triadd_find(ROLE_REPLICA, net.peer);
	group = r ? NULL : vote_group_of_key(net.peer);
	if (r) {
		triadd_say(NULL, "somebody connected: %s", net.why);
	} else if (group) {
		vote_session(group, &net);
	} else if (peer && take_over_session(peer)) {
		replica_session(peer, &net);
		pthread_mutex_lock(&peer->lock);
		peer->busy = false;
		pthread_cond_broadcast(&peer->changed);
		pthread_mutex_unlock(&peer->lock);
	}
	net_close(&net);
	leave(&sessions);
	return NULL;
}

/* Which leaves the crowd when it ends. */
static void start_thread(struct crowd *crowd, void *(*run)(void *), int fd)
{
	bool ok = come_in(crowd);
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (ok && pthread_create(&thread, &attr, run, (void *)(intptr_t)fd)) {
		leave(crowd);
		ok = false;
	}
	pthread_attr_destroy(&attr);
	if (!ok)
		close(fd);
}

/* ---- the control socket --------------------------------------------------------------------------- */

static struct json_object *peer_json(struct peer *peer)
{
	struct json_object *out = json_object_new_object();
	char text[POSITION_SIZE], where[512];

	pthread_mutex_lock(&peer->lock);
	json_add_text(out, "name", peer->name);
	json_add_text(out, "role", peer->role == ROLE_OWNER ? "owner" : "replica");
	json_add_text(out, peer->role == ROLE_OWNER ? "device" : "image", peer->path);
	if (peer->role == ROLE_OWNER) {
		snprintf(where, sizeof(where), "%s:%s", peer->host, peer->port);
		json_add_text(out, "host", where);
		json_add_bool(out, "synchronous", peer->sync);
	}
	json_add_text(out, "state", peer->state);
	json_add_bool(out, "connected", peer->connected);
	json_add_bool(out, "fenced", peer->fenced);
	json_add_text(out, "reason", peer->why[0] ? peer->why : NULL);
	json_add_text(out, "position", peer->has_at ? position_text(&peer->at, text) : NULL);
	json_add_number(out, "epoch", peer->epoch);
	json_add_number(out, "replica_record", peer->acked);
	json_add_number(out, "owner_record", peer->durable);
	json_add_number(out, "records_behind", peer->durable > peer->acked ? peer->durable - peer->acked : 0);
	json_add(out, "heard_seconds_ago", peer->heard ?
		 json_object_new_double(seconds_now() - peer->heard) : NULL);
	json_add_number(out, "batches", peer->batches);
	json_add_number(out, "differences", peer->differences);
	json_add_number(out, "fulls", peer->fulls);
	json_add_number(out, "bytes", peer->bytes);
	pthread_mutex_unlock(&peer->lock);
	return out;
}

static struct json_object *status_json(void)
{
	struct json_object *out = json_object_new_object(), *list = json_object_new_array();
	unsigned int i;

	json_add_text(out, "version", TOOL_VERSION);
	for (i = 0; i < nr_peers; i++)
		json_object_array_add(list, peer_json(peers[i]));
	json_add(out, "peers", list);
	return out;
}

/* Of a name, or an image's path. */
static struct peer *find_replica(const char *what)
{
	unsigned int i;

	for (i = 0; i < nr_peers; i++) {
		if (peers[i]->role != ROLE_REPLICA)
			continue;
		if (!strcmp(peers[i]->name, what) || !strcmp(peers[i]->path, what) ||
		    device_is_same(peers[i]->path, what))
			return peers[i];
	}
	return NULL;
}

static struct json_object *seal_json(const char *what)
{
	struct json_object *out = json_object_new_object();
	struct peer *peer = find_replica(what);
	u32 epoch = 0;
	int r = peer ? replica_seal_now(peer, 0, PATIENCE, &epoch) : -ENOENT;

	json_add_bool(out, "known", peer != NULL);
	json_add_text(out, "error", r == -ETIMEDOUT ? "a long commit is under way; ask again later" :
		      r ? strerror(-r) : NULL);
	if (peer) {
		json_add_number(out, "epoch", epoch);
		json_add(out, "replica", peer_json(peer));
		if (!r)
			triadd_say(peer, "sealed: epoch %u", epoch);
	}
	return out;
}

/* "NAME", or "NAME EPOCH". */
static struct json_object *group_json(char *text)
{
	char *epoch = text + strcspn(text, " ");
	struct group *group;

	if (*epoch)
		*epoch++ = 0;
	group = vote_group(text);
	return group ? vote_ask(group, strtoul(epoch, NULL, 10)) : json_object_new_object();
}

static void *answer(void *context)
{
	int fd = (intptr_t)context;
	struct timeval patience = { .tv_sec = 5 };
	char question[QUESTION_SIZE];
	struct json_object *out;
	const char *text;
	size_t nr = 0;
	ssize_t n = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (nr < sizeof(question) - 1 && n > 0 && !memchr(question, '\n', nr)) {
		n = recv(fd, question + nr, sizeof(question) - 1 - nr, 0);
		nr += n > 0 ? n : 0;
	}
	question[nr] = 0;
	question[strcspn(question, "\n")] = 0;
	out = !strcmp(question, "status") ? status_json() :
	      !strncmp(question, "seal ", 5) ? seal_json(question + 5) :
	      !strncmp(question, "group ", 6) ? group_json(question + 6) : json_object_new_object();
	text = json_object_to_json_string_ext(out, JSON_C_TO_STRING_PRETTY);
	for (nr = strlen(text); nr && n >= 0; text += n, nr -= n) {
		n = send(fd, text, nr, MSG_NOSIGNAL);
		if (n <= 0)
			break;
	}
	json_object_put(out);
	close(fd);
	leave(&questions);
	return NULL;
}

static int listen_locally(void)
{
	struct sockaddr_un here = { .sun_family = AF_UNIX };
	mode_t before = umask(077);
	int fd = -1, r = 0;

	if (strlen(socket_path) >= sizeof(here.sun_path)) {
		r = ENAMETOOLONG;
	} else {
		strcpy(here.sun_path, socket_path);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		/* one daemon for each socket: a dead one leaves its file */
		if (fd < 0)
			r = errno;
		else if (!connect(fd, (struct sockaddr *)&here, sizeof(here)))
			r = EADDRINUSE;
		if (!r) {
			close(fd);
			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
			unlink(socket_path);
			if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 16))
				r = errno;
		}
	}
	umask(before);
	if (!r)
		return fd;
	fprintf(stderr, "triadd: %s: %s\n", socket_path, r == EADDRINUSE ? "another triadd runs here" :
		strerror(r));
	return -1;
}

/*
 * Who writes to a device of which flushes wait for us may be who has to free memory: what
 * we do then must not wait for that in turn.
 */
static void become_part_of_flushes(void)
{
	unsigned int i;

	for (i = 0; i < nr_peers && !peers[i]->sync; i++)
		;
	if (i == nr_peers)
		return;
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		triadd_say(NULL, "memory cannot be locked: %s; if it gets scarce, flushes may wait until they "
			   "wait no longer", strerror(errno));
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static void serve(int signals, int control, int network)
{
	struct pollfd p[] = {
		{ .fd = signals, .events = POLLIN }, { .fd = control, .events = POLLIN },
		{ .fd = network, .events = POLLIN },
	};
	int i, fd;

	while (!triadd_ends) {
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			break;
		triadd_ends = p[0].revents;
		for (i = 1; i < 3 && !triadd_ends; i++) {
			fd = p[i].revents ? accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC) : -1;
			if (fd >= 0 && i == 1)
				start_thread(&questions, answer, fd);
			else if (fd >= 0)
				start_thread(&sessions, accept_session, fd);
		}
	}
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void end(void)
{
	unsigned int i;
	int left = 1, tries;

	triadd_ends = true;
	for (i = 0; i < nr_peers; i++)
		triadd_wake(peers[i]);
	for (i = 0; i < nr_peers; i++)
		if (peers[i]->has_thread)
			pthread_join(peers[i]->thread, NULL);
	for (tries = 0; left && tries < 200; tries++) {
		pthread_mutex_lock(&crowds);
		left = sessions.nr + questions.nr;
		pthread_mutex_unlock(&crowds);
		usleep(left ? 50000 : 0);
	}
}

static int usage(FILE *to, int code)
{
	fprintf(to, "usage: triadd [-c CONFIG] [-s SOCKET] [--check]\n"
		"Sends what is written to devices to their replicas, or receives it: see triadd(8).\n");
	return code;
}

int main(int argc, char **argv)
{
	bool only_check = false;
	int i, signals, control, network = -1;
	unsigned int k;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-c") && i + 1 < argc)
			config_path = argv[++i];
		else if (!strcmp(argv[i], "-s") && i + 1 < argc)
			socket_path = argv[++i];
		else if (!strcmp(argv[i], "--check"))
			only_check = true;
		else if (!strcmp(argv[i], "--help"))
			return usage(stdout, 0);
		else if (!strcmp(argv[i], "--version"))
			return printf("triadd %s\n", TOOL_VERSION) < 0;
		else
			return usage(stderr, TOOL_USAGE);
	}
	tool_name = "triadd";
	if (!read_config())
		return TOOL_USAGE;
	if (only_check)
		return 0;
	signals = block_signals();
	if (net_start(find_key)) {
		fprintf(stderr, "triadd: TLS cannot be set up\n");
		return TOOL_SYSTEM;
	}
	vote_start();
	control = listen_locally();
	if (control < 0)
		return TOOL_SYSTEM;
	if (listen_at)
		network = net_listen(listen_at);
	if (listen_at && network < 0) {
		fprintf(stderr, "triadd: listen %s: %s\n", listen_at, strerror(-network));
		unlink(socket_path);
		return TOOL_SYSTEM;
	}
	become_part_of_flushes();
	for (k = 0; k < nr_peers; k++)
		if (peers[k]->role == ROLE_OWNER)
			peers[k]->has_thread = !pthread_create(&peers[k]->thread, NULL, owner_run, peers[k]);
	tell_systemd("READY=1");
	triadd_say(NULL, "%u line%s in %s", nr_peers, PLURAL(nr_peers), config_path);
	serve(signals, control, network);
	tell_systemd("STOPPING=1");
	unlink(socket_path);
	end();
	return 0;
}
