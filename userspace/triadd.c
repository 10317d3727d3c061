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
#include <sys/eventfd.h>
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
#define QUESTION_SIZE	1024u
#define PATIENCE	60.0	/* seconds, for a session that is asked to end */

static struct peer *peers[TRIADD_EVER];	/* never freed: a thread may have it */
static unsigned int nr_peers;		/* atomic */
bool triadd_ends;
pthread_mutex_t triadd_dm = PTHREAD_MUTEX_INITIALIZER;

static const char *config_path = TRIADD_CONFIG, *socket_path = TRIADD_SOCKET;
static char *listen_at;
static int network = -1;		/* the socket that listens there */

/* Somebody asks for the configuration to be read again, which the first thread does. */
static struct {
	pthread_mutex_t asking;		/* one at a time */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool asked, done, ok;		/* [lock] */
	char why[CONFIG_WHY];		/* [lock] not ok */
	int event;			/* readable when asked */
} reloading = {
	.asking = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER, .event = -1,
};

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

/* ---- lines that come and go ------------------------------------------------------------------- */

struct peer *triadd_peer(unsigned int *i)
{
	for (; *i < __atomic_load_n(&nr_peers, __ATOMIC_ACQUIRE); ++*i)
		if (!__atomic_load_n(&peers[*i]->removed, __ATOMIC_RELAXED))
			return peers[*i];
	return NULL;
}

bool triadd_is_over(const struct peer *peer)
{
	return triadd_ends || __atomic_load_n(&peer->removed, __ATOMIC_RELAXED);
}

/*
 * Who writes to a device of which flushes wait for us may be who has to free memory: what
 * we do then must not wait for that in turn.  Of this thread, and those that it starts.
 */
static void become_part_of_flushes(void)
{
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		triadd_say(NULL, "memory cannot be locked: %s; if it gets scarce, flushes may wait until they "
			   "wait no longer", strerror(errno));
}

static bool is_same_text(const char *x, const char *y)
{
	return x == y || (x && y && !strcmp(x, y));
}

static bool is_same_peer(const struct peer *x, const struct peer *y)
{
	return x->role == y->role && !strcmp(x->name, y->name) && !strcmp(x->path, y->path) &&
	       is_same_text(x->host, y->host) && is_same_text(x->port, y->port) &&
	       x->in_steps == y->in_steps && x->sync == y->sync && x->witness == y->witness &&
	       (!x->key || config_same_key(x->key, x->key_size, y->key, y->key_size));
}

static bool is_same_group(const struct group *x, const struct group *y)
{
	unsigned int i;

	if (strcmp(x->name, y->name) || x->nr != y->nr ||
	    !config_same_key(x->key, x->key_size, y->key, y->key_size))
		return false;
	for (i = 0; i < x->nr; i++)
		if (strcmp(x->host[i], y->host[i]) || strcmp(x->port[i], y->port[i]))
			return false;
	return true;
}

static struct peer *peer_as(const struct peer *line)
{
	struct peer *peer;
	unsigned int i;

	for_each_peer(i, peer)
		if (is_same_peer(peer, line))
			return peer;
	return NULL;
}

static struct group *group_as(const struct group *line)
{
	struct group *group;
	unsigned int i;

	for (i = 0; (group = vote_next(&i)); i++)
		if (is_same_group(group, line))
			return group;
	return NULL;
}

static bool prepare(struct peer *peer)
{
	pthread_condattr_t clock;

	if (pipe2(peer->wake, O_CLOEXEC | O_NONBLOCK))
		return false;
	pthread_mutex_init(&peer->asking, NULL);
	pthread_mutex_init(&peer->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&peer->changed, &clock);
	pthread_condattr_destroy(&clock);
	strcpy(peer->state, peer->role == ROLE_OWNER ? "connecting" : "offline");
	return true;
}

static void start(struct peer *peer)
{
	peers[nr_peers] = peer;
	__atomic_store_n(&nr_peers, nr_peers + 1, __ATOMIC_RELEASE);
	if (peer->sync)
		become_part_of_flushes();
	if (peer->role == ROLE_OWNER)
		peer->has_thread = !pthread_create(&peer->thread, NULL, owner_run, peer);
}

/* Named are then those that are there and that it names again, and, in it, what is new and got ready. */
static bool compare(struct config *config, unsigned int *nr_new, unsigned int *nr_new_groups)
{
	struct group *group;
	struct peer *peer;
	unsigned int i;

	for_each_peer(i, peer)
		peer->named = false;
	for (i = 0; (group = vote_next(&i)); i++)
		group->named = false;
	for (i = 0; i < config->nr_peers; i++) {
		peer = peer_as(config->peer[i]);
		if (!peer && !prepare(config->peer[i]))
			return false;
		*nr_new += !peer;
		peer = peer ? peer : config->peer[i];
		peer->named = true;
	}
	for (i = 0; i < config->nr_groups; i++) {
		group = group_as(config->group[i]);
		*nr_new_groups += !group;
		group = group ? group : config->group[i];
		group->named = true;
	}
	return true;
}

/* What is new begins, then what is not named any more ends; all else goes on undisturbed. */
static void adopt(struct config *config)
{
	struct group *group;
	struct peer *peer;
	unsigned int i;

	for (i = 0; i < config->nr_peers; i++) {
		if (!config->peer[i]->named)
			continue;
		start(config->peer[i]);
		config->peer[i] = NULL;
	}
	for (i = 0; i < config->nr_groups; i++) {
		if (!config->group[i]->named)
			continue;
		vote_add(config->group[i]);
		config->group[i] = NULL;
	}
	for (i = 0; (group = vote_next(&i)); i++)
		if (!group->named)
			__atomic_store_n(&group->removed, true, __ATOMIC_RELAXED);
	for_each_peer(i, peer) {
		if (peer->named)
			continue;
		pthread_mutex_lock(&peer->lock);
		__atomic_store_n(&peer->removed, true, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&peer->lock);
		triadd_wake(peer);
	}
}

/* Whose line is gone, and who has ended, needs no descriptors any more. */
static void bury(void)
{
	unsigned int i;

	for (i = 0; i < nr_peers; i++) {
		struct peer *peer = peers[i];
		bool ended;

		pthread_mutex_lock(&peer->lock);
		ended = peer->removed && peer->wake[0] >= 0 && !peer->busy &&
			(!peer->has_thread || __atomic_load_n(&peer->done, __ATOMIC_ACQUIRE));
		if (ended) {
			close(peer->wake[0]);
			close(peer->wake[1]);
			peer->wake[0] = peer->wake[1] = -1;
		}
		pthread_mutex_unlock(&peer->lock);
		if (ended && peer->has_thread) {
			pthread_join(peer->thread, NULL);
			peer->has_thread = false;
		}
	}
}

/* At another place, if it is one.  0 or -errno: then it listens where it did. */
static int listen_anew(const struct config *config)
{
	char *at;
	int fd;

	if (!config->listen_at || (listen_at && !strcmp(listen_at, config->listen_at)))
		return 0;
	at = strdup(config->listen_at);
	if (!at)
		return -ENOMEM;
	/* the port may be the same */
	if (network >= 0)
		close(network);
	network = -1;
	fd = net_listen(at);
	if (fd < 0) {
		free(at);
		if (listen_at)
			network = net_listen(listen_at);
		return fd;
	}
	free(listen_at);
	listen_at = at;
	network = fd;
	return 0;
}

/* Read it, and do as it says.  False: why says what is wrong with it, and nothing was changed. */
static bool reload(char *why, size_t size)
{
	unsigned int nr_new = 0, nr_new_groups = 0;
	struct config config;
	int r;

	bury();
	r = config_read(&config, config_path, config_path);
	if (r) {
		snprintf(why, size, "%s", config.why);
	} else if (!compare(&config, &nr_new, &nr_new_groups)) {
		r = -errno;
		snprintf(why, size, "%s", strerror(errno));
	} else if (nr_peers + nr_new > TRIADD_EVER || !vote_has_room(nr_new_groups)) {
		r = -ENOSPC;
		snprintf(why, size, "too many lines have come and gone: restart triadd");
	} else {
		r = listen_anew(&config);
		if (r)
			snprintf(why, size, "listen %s: %s", config.listen_at, strerror(-r));
	}
	if (!r) {
		adopt(&config);
		triadd_say(NULL, "%u line%s in %s", config.nr_peers, PLURAL(config.nr_peers), config_path);
	}
	config_free(&config);
	return !r;
}

/* By the first thread, which is waited for. */
static struct json_object *reload_json(void)
{
	struct json_object *out = json_object_new_object();

	pthread_mutex_lock(&reloading.asking);
	pthread_mutex_lock(&reloading.lock);
	reloading.asked = true;
	reloading.done = false;
	eventfd_write(reloading.event, 1);
	while (!reloading.done)
		pthread_cond_wait(&reloading.changed, &reloading.lock);
	json_add_bool(out, "reloaded", reloading.ok);
	json_add_text(out, "error", reloading.ok ? NULL : reloading.why);
	pthread_mutex_unlock(&reloading.lock);
	pthread_mutex_unlock(&reloading.asking);
	return out;
}

/* Somebody may ask: this is its answer.  With ends: nobody does it any more. */
static void answer_reload(bool ends)
{
	eventfd_t nr;

	eventfd_read(reloading.event, &nr);
	pthread_mutex_lock(&reloading.lock);
	if (reloading.asked) {
		snprintf(reloading.why, sizeof(reloading.why), "it ends");
		reloading.ok = !ends && reload(reloading.why, sizeof(reloading.why));
		reloading.asked = false;
		reloading.done = true;
		pthread_cond_broadcast(&reloading.changed);
	}
	pthread_mutex_unlock(&reloading.lock);
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
	struct peer *peer;
	unsigned int i;

	for_each_peer(i, peer)
		if (peer->role == role && !strcmp(peer->name, name))
			return peer;
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
	r = peer->removed;
	while (peer->busy && !r) {
		peer->leave = true;
		triadd_wake(peer);
		r = triadd_wait(peer, end);
	}
	r = peer->busy || peer->removed;
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
	/* the line may be another one since the key was looked up */
	if (group && group->key != net.key)
		group = NULL;
	if (peer && peer->key != net.key)
		peer = NULL;
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
	struct peer *peer;
	unsigned int i;

	json_add_text(out, "version", TOOL_VERSION);
	for_each_peer(i, peer)
		json_object_array_add(list, peer_json(peer));
	json_add(out, "peers", list);
	return out;
}

/* Of a name, or an image's path. */
static struct peer *find_replica(const char *what)
{
	struct peer *peer;
	unsigned int i;

	for_each_peer(i, peer)
		if (peer->role == ROLE_REPLICA && (!strcmp(peer->name, what) || !strcmp(peer->path, what) ||
						   device_is_same(peer->path, what)))
			return peer;
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
	      !strcmp(question, "reload") ? reload_json() :
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

/* ---- the whole ---------------------------------------------------------------------------------------- */

static void take_signal(int signals)
{
	struct signalfd_siginfo info;
	char why[CONFIG_WHY];

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP)
		triadd_ends = true;
	else if (!reload(why, sizeof(why)))
		triadd_say(NULL, "it goes on as before: %s", why);
}

static void serve(int signals, int control)
{
	while (!triadd_ends) {
		struct pollfd p[] = {
			{ .fd = signals, .events = POLLIN }, { .fd = reloading.event, .events = POLLIN },
			{ .fd = control, .events = POLLIN }, { .fd = network, .events = POLLIN },
		};
		int i, fd;

		if (poll(p, 4, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			take_signal(signals);
		for (i = 2; i < 4 && !triadd_ends; i++) {
			fd = p[i].revents ? accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC) : -1;
			if (fd >= 0 && i == 2)
				start_thread(&questions, answer, fd);
			else if (fd >= 0)
				start_thread(&sessions, accept_session, fd);
			else if (p[i].revents && (errno == EMFILE || errno == ENFILE))
				usleep(100000);
		}
		if (p[1].revents)
			answer_reload(false);
	}
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
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
		answer_reload(true);
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
	bool only_check = false, ok;
	int i, signals, control;
	struct config config;
	char why[CONFIG_WHY];

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
	ok = !config_read(&config, config_path, config_path);
	if (ok && !config.nr_peers) {
		snprintf(config.why, sizeof(config.why), "%s: it names neither an owner nor a replica", config_path);
		ok = false;
	}
	if (!ok)
		fprintf(stderr, "triadd: %s\n", config.why);
	config_free(&config);
	if (!ok || only_check)
		return ok ? 0 : TOOL_USAGE;
	signals = block_signals();
	reloading.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (net_start(find_key)) {
		fprintf(stderr, "triadd: TLS cannot be set up\n");
		return TOOL_SYSTEM;
	}
	vote_start();
	control = listen_locally();
	if (control < 0)
		return TOOL_SYSTEM;
	if (!reload(why, sizeof(why))) {
		fprintf(stderr, "triadd: %s\n", why);
		unlink(socket_path);
		return TOOL_SYSTEM;
	}
	tell_systemd("READY=1");
	serve(signals, control);
	tell_systemd("STOPPING=1");
	unlink(socket_path);
	end();
	return 0;
}
