// SPDX-License-Identifier: GPL-2.0-or-later
/* The owner's side: a device, opened by the kernel or not, and the host of a replica. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "triadd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dm.h"
#include "hash.h"
#include "report.h"
#include "status.h"
#include "view.h"

#define LOOK_MS		20	/* at a log that has nothing new */
#define IDLE_LOOK_MS	200	/* ... for this long: */
#define IDLE_SECONDS	2.0
#define FLUSH_SECONDS	0.2	/* so old is what nobody flushes, at most */
#define PING_SECONDS	1.0
#define RETRY_FIRST	1.0
#define RETRY_MOST	30.0

struct device_view {
	struct peer *peer;
	struct options opt;
	struct dm_source dm;
	char *path;
	char uuid[TEXT_SIZE];	/* of the device that was opened */
	bool mapped;
	struct view view;
	struct ship_source source;
	struct ship_seen seen;
	bool tells;		/* the module does: */
	bool writable;
	u64 next, durable;	/* records */
	u64 keeps;		/* what it was asked for last; 0: nothing, or it gave that up */
	u64 log_records;	/* that it counts, if it does not tell more */
	u64 committed_at;	/* of these, when a commit was asked for */
	double flushed;
	bool syncs;		/* the module knows of replicas that are waited for */
	u64 replicated;		/* the record that it takes them to have */
	int events, look;	/* device-mapper's, and all that is to be looked at; -1: none */
	u64 asked;		/* for an event when this record is durable */
	bool gone;
};

/* ---- the device ------------------------------------------------------------------------- */

/* A module that is older does not tell all of it. */
static u64 number_of(const struct status *status, enum status_field field)
{
	return status->text[field] ? status->number[field] : 0;
}

static void tell(void *context, struct ship_told *told)
{
	struct device_view *d = context;
	struct status now = { 0 };

	if (!d->mapped)
		return;
	pthread_mutex_lock(&triadd_dm);
	d->gone = !status_find(d->path, &now) ||
		  /* another one of that name; one that never ran tells none */
		  (now.text[STATUS_UUID] && strcmp(now.text[STATUS_UUID], "-") &&
		   strcmp(now.text[STATUS_UUID], d->uuid));
	pthread_mutex_unlock(&triadd_dm);
	if (!d->gone) {
		d->writable = status_is(&now, STATUS_MODE, "rw");
		d->tells = told->known = now.text[STATUS_DURABLE_RECORD];
		d->durable = told->durable = number_of(&now, STATUS_DURABLE_RECORD);
		told->kept = number_of(&now, STATUS_KEPT_RECORD);
		told->generation = number_of(&now, STATUS_GENERATION);
		d->next = number_of(&now, STATUS_NEXT_RECORD);
		/* also when it was suspended, and forgot: then it is no number */
		d->keeps = now.text[STATUS_KEEP] ? strtoull(now.text[STATUS_KEEP], NULL, 10) : 0;
		d->log_records = number_of(&now, STATUS_LOG_RECORDS);
		d->syncs = now.text[STATUS_SYNC];
		d->replicated = number_of(&now, STATUS_REPLICATED_RECORD);
	}
	status_free(&now);
	/* nothing is read from what is not there any more */
	if (d->gone)
		*told = (struct ship_told){ .known = true };
}

/* There is one where there is a hash. */
static const struct triad_root *first_root(const struct view *view)
{
	int i = 0;

	while (i < TRIAD_NR_SLOTS - 1 && view->slots[i].state != TRIAD_SLOT_VALID)
		i++;
	return &view->slots[i].root;
}

static int open_device(struct device_view *d, struct peer *peer)
{
	char *args[2] = { (char *)peer->path, NULL };
	const char *why;
	int r;

	memset(d, 0, sizeof(*d));
	d->peer = peer;
	d->events = d->look = -1;
	disk_none(&d->view.disk);
	d->opt.args = args;
	d->opt.nr_args = 1;
	pthread_mutex_lock(&triadd_dm);
	d->mapped = dm_find_mapping(peer->path, &d->dm);
	pthread_mutex_unlock(&triadd_dm);
	if (d->mapped)
		dm_source_options(&d->dm, &d->opt, &args[0]);
	else if (access(peer->path, R_OK))
		return -ENODEV;
	args[0] = d->mapped ? d->dm.device : args[0];
	r = view_probe(&d->view, &d->opt, args[0]);
	explicit_bzero(d->dm.key, sizeof(d->dm.key));
	if (r || !d->view.hash)
		return -ENODEV;
	text_uuid(first_root(&d->view)->uuid, d->uuid);
	d->path = (char *)(strrchr(peer->path, '/') && d->mapped ? strrchr(peer->path, '/') + 1 : peer->path);
	d->source = (struct ship_source) {
		.store = &d->view.disk.store, .hash = d->view.hash,
		.device_blocks = disk_blocks(&d->view.disk), .seen = &d->seen,
		.sums = triad_hash_create(SHIP_SUM_HASH, NULL, 0, &why), .tell = tell, .context = d,
	};
	return d->source.sums ? 0 : -ENOMEM;
}

static int message(struct device_view *d, const char *text)
{
	int error;

	pthread_mutex_lock(&triadd_dm);
	error = dm_message(d->path, text);
	pthread_mutex_unlock(&triadd_dm);
	return error;
}

/* One that names a record. */
static int message_record(struct device_view *d, const char *word, u64 seq)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %" PRIu64, word, seq);
	return message(d, text);
}

/*
 * The log is kept from the record on that the slowest of its replicas needs.  It is asked for
 * again whenever it is another one, or what was asked for is forgotten or given up.
 */
static void keep(struct device_view *d)
{
	u64 first = ~0ULL;
	struct peer *other;
	unsigned int i;

	if (!d->mapped || !d->tells)
		return;
	for_each_peer(i, other) {
		if (other->role != ROLE_OWNER || strcmp(other->path, d->peer->path))
			continue;
		pthread_mutex_lock(&other->lock);
		if (other->kept)
			first = min_t(u64, first, other->kept);
		pthread_mutex_unlock(&other->lock);
	}
	if (first == ~0ULL || first == d->keeps)
		return;
	if (!message_record(d, "keep", first))
		d->keeps = first;
}

/* So many replicas have to have what a flush answers for: with the device a majority; or all. */
static unsigned int enough(const struct peer *peer, unsigned int nr)
{
	const struct group *group = vote_group(peer->name);

	return group ? vote_majority(group->nr) - 1 : nr;
}

static int by_number(const void *x, const void *y)
{
	u64 a = *(const u64 *)x, b = *(const u64 *)y;

	return a < b ? 1 : -(a > b);
}

/*
 * What flushes wait for is as much as enough of its synchronous replicas have.  Told again
 * when another instance has taken over, which begins with nothing.
 */
static void tell_replicated(struct device_view *d, const struct ship_owner *o)
{
	u64 follows[TRIADD_PEERS], least;
	unsigned int i, nr = 0, needed;
	struct peer *other;

	pthread_mutex_lock(&d->peer->lock);
	d->peer->follows = o->state == SHIP_LOG && o->has_acked ? o->acked.next.seq - 1 : 0;
	pthread_mutex_unlock(&d->peer->lock);
	if (!d->mapped || !d->syncs || d->gone)
		return;
	for_each_peer(i, other) {
		/* between two configurations both of them may be there for a moment */
		if (other->role != ROLE_OWNER || !other->sync || strcmp(other->path, d->peer->path) ||
		    nr == TRIADD_PEERS)
			continue;
		pthread_mutex_lock(&other->lock);
		follows[nr++] = other->follows;
		pthread_mutex_unlock(&other->lock);
	}
	needed = enough(d->peer, nr);
	/* between two configurations fewer may be there */
	if (!nr || nr < needed)
		return;
	qsort(follows, nr, sizeof(follows[0]), by_number);
	least = follows[needed - 1];
	if (least <= d->replicated)
		return;
	if (!message_record(d, "replicated", least))
		d->replicated = least;
}

/*
 * An event when there is something to be sent.  It is armed before the status is read that says
 * whether there is: none is missed.
 */
static void ask_for_event(struct device_view *d, u64 seq)
{
	if (d->look < 0 || !d->tells || d->asked == seq)
		return;
	if (!message_record(d, "notify", seq))
		d->asked = seq;
}

/* Of a thread that waits for the peer and for the device: one descriptor for both. */
static void watch_events(struct device_view *d, int wake)
{
	struct epoll_event in = { .events = EPOLLIN };

	d->events = d->mapped ? dm_events_open() : -1;
	d->look = d->events < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (d->look >= 0 && (epoll_ctl(d->look, EPOLL_CTL_ADD, d->events, &in) ||
			     epoll_ctl(d->look, EPOLL_CTL_ADD, wake, &in))) {
		close(d->look);
		d->look = -1;
	}
}

static void end_events(struct device_view *d)
{
	if (d->look >= 0)
		close(d->look);
	dm_events_close(d->events);
	d->look = d->events = -1;
}

/*
 * One flush for all that is there; whoever only looks holds nothing up.  Where flushes
 * wait for us it is asked of the module, which does not.
 */
static void flush(struct device_view *d)
{
	char path[300];
	int fd;

	if (d->syncs) {
		message(d, "flush");
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", dm_mapper_dir(), d->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/*
 * What nobody flushes does not get durable by itself.  A module that does not tell what is
 * durable is asked for a commit instead, once nothing is written any more: what its roots reach
 * is.
 */
static void settle(struct device_view *d, bool idle)
{
	double now = seconds_now();

	if (!d->mapped || !d->writable)
		return;
	if (d->tells) {
		if (d->next <= d->durable + 1 || now - d->flushed < FLUSH_SECONDS)
			return;
		d->flushed = now;
		flush(d);
	} else if (idle && d->log_records && d->log_records != d->committed_at) {
		message(d, "commit");
		tell(d, &(struct ship_told){ 0 });
		d->committed_at = d->log_records;
	}
}

static void fence(struct device_view *d, u32 epoch)
{
	struct peer *peer = d->peer;
	int error = d->mapped ? message(d, "read_only") : 0;

	pthread_mutex_lock(&peer->lock);
	peer->fenced = true;
	pthread_mutex_unlock(&peer->lock);
	triadd_say(peer, "FENCED: somebody took over, in epoch %u; %s.  What was written here since "
		   "record %" PRIu64 " is on this device alone", epoch, !d->mapped ? "nothing more is sent" :
		   error ? "the device could not be made read-only: stop who uses it" :
		   "the device is read-only now", peer->acked);
}

/* ---- sessions ------------------------------------------------------------------------------ */

static const char *const states[] = {
	[SHIP_NEW] = "connecting", [SHIP_GREETED] = "connecting", [SHIP_ATTACHED] = "connecting",
	[SHIP_BRANCHED] = "connecting", [SHIP_COMPARE] = "comparing",
	[SHIP_LOG] = "log", [SHIP_DIFFERENCE] = "difference", [SHIP_FULL] = "full",
	[SHIP_STOPPED] = "stopped",
};

static void note(struct peer *peer, const struct ship_owner *o, const struct net *net)
{
	bool behind = o->state == SHIP_LOG && o->has_acked && o->acked.next.seq <= o->durable;

	pthread_mutex_lock(&peer->lock);
	peer->connected = o->state != SHIP_STOPPED;
	/* behind a difference the log is needed from its root on */
	if (o->state == SHIP_DIFFERENCE || o->state == SHIP_FULL)
		peer->kept = o->first.next_seq;
	if (o->has_acked) {
		peer->at = o->acked.at;
		peer->has_at = true;
		peer->acked = o->acked.next.seq - 1;
		if (o->state == SHIP_LOG)
			peer->kept = o->acked.next.seq;
	}
	peer->durable = max_t(u64, peer->durable, o->durable);
	peer->batches = o->nr_batches;
	peer->differences = o->nr_differences;
	peer->fulls = o->nr_fulls;
	peer->bytes = net->sent;
	peer->epoch = o->epoch;
	pthread_mutex_unlock(&peer->lock);
	if (o->state == SHIP_STOPPED)
		triadd_state(peer, "stopped", "%s", o->why);
	else
		triadd_state(peer, o->state == SHIP_LOG ? behind ? "behind" : "in sync" :
			     states[o->state], NULL);
}

static int take_frames(struct ship_owner *o, struct net *net, int timeout, int wake, bool *heard)
{
	int r;

	*heard = false;
	while ((r = net_receive(net, timeout, wake)) > 0) {
		*heard = true;
		r = ship_owner_frame(o, net->in);
		if (r)
			return r;
		timeout = 0;
	}
	return r;
}

static int session(struct device_view *d, struct ship_owner *o, struct net *net)
{
	struct peer *peer = d->peer;
	double pinged = 0, moved = seconds_now(), now;
	u64 last = 0;
	int r = 0, more;
	bool heard;

	ship_owner_connected(o);
	d->asked = 0;
	while (!triadd_is_over(peer) && !d->gone) {
		dm_events_arm(d->events);
		more = ship_owner_step(o);
		now = seconds_now();
		if (more >= 0 && now - pinged > PING_SECONDS) {
			pinged = now;
			r = ship_owner_ping(o);
			note(peer, o, net);
			keep(d);
		}
		if (!r)
			r = net_send(net, &o->out);
		if (r || more < 0)
			return more < 0 ? more : r;
		if (o->state == SHIP_STOPPED)
			break;
		if (o->sent_seq != last) {
			moved = now;
		} else if (o->wants_commit && d->mapped && now - moved > PING_SECONDS) {
			message(d, "commit");
			moved = now;
		} else if (o->state == SHIP_LOG) {
			settle(d, now - moved > PING_SECONDS);
		}
		last = o->sent_seq;
		if (o->state == SHIP_LOG && !more)
			ask_for_event(d, o->sent_seq + 1);
		r = take_frames(o, net, more ? 0 : now - moved > IDLE_SECONDS ? IDLE_LOOK_MS : LOOK_MS,
				d->look < 0 ? peer->wake[0] : d->look, &heard);
		if (heard) {
			pthread_mutex_lock(&peer->lock);
			peer->heard = now;
			pthread_mutex_unlock(&peer->lock);
			note(peer, o, net);
		}
		if (peer->sync)
			tell_replicated(d, o);
		if (r)
			return r;
	}
	note(peer, o, net);
	return 0;
}

/* Until something is wrong with the device. */
static void follow(struct device_view *d, struct ship_owner *o, double *wait)
{
	struct peer *peer = d->peer;
	struct net net;
	int r = net_connect(&net, peer->host, peer->port, peer->name, peer->key, peer->key_size,
			    peer->wake[0]);

	if (r) {
		triadd_state(peer, "offline", "%s", net.why);
	} else {
		*wait = RETRY_FIRST;
		watch_events(d, peer->wake[0]);
		r = session(d, o, &net);
		end_events(d);
		if (r)
			triadd_state(peer, "offline", "%s", net.why[0] ? net.why : strerror(-r));
		else if (o->state == SHIP_STOPPED)
			*wait = RETRY_MOST;
		if (o->refusal == STREAM_REFUSE_TOO_LONG || o->refusal == STREAM_REFUSE_BUSY)
			*wait = RETRY_FIRST;
	}
	net_close(&net);
	pthread_mutex_lock(&peer->lock);
	peer->connected = false;
	peer->follows = 0;
	pthread_mutex_unlock(&peer->lock);
	if (o->fenced && !peer->fenced)
		fence(d, o->fenced_epoch);
}

/* Its line is there no more: it needs no log, and who else does says so himself. */
static void let_go(struct device_view *d)
{
	struct peer *other;
	unsigned int i;

	if (triadd_ends || d->gone || !d->mapped || !d->tells || !d->keeps)
		return;
	for_each_peer(i, other)
		if (other->role == ROLE_OWNER && !strcmp(other->path, d->peer->path))
			return;
	message(d, "keep none");
}

static void pause_for(struct peer *peer, double seconds)
{
	struct pollfd p = { .fd = peer->wake[0], .events = POLLIN };

	if (!triadd_is_over(peer))
		poll(&p, 1, seconds * 1000);
}

void *owner_run(void *context)
{
	struct peer *peer = context;
	struct device_view *d = calloc(1, sizeof(*d));
	struct ship_owner *o = calloc(1, sizeof(*o));
	double wait = RETRY_FIRST;
	int r;

	while (d && o && !triadd_is_over(peer)) {
		r = open_device(d, peer);
		if (!r)
			r = ship_owner_init(o, &d->source);
		if (r)
			triadd_state(peer, "no device", "%s: it is not open, or cannot be read", peer->path);
		while (!r && !d->gone && !triadd_is_over(peer)) {
			follow(d, o, &wait);
			pause_for(peer, wait);
			wait = wait * 2 < RETRY_MOST ? wait * 2 : RETRY_MOST;
			tell(d, &(struct ship_told){ 0 });
		}
		if (!r) {
			let_go(d);
			ship_owner_free(o);
		}
		triad_hash_destroy(d->source.sums);
		view_close(&d->view);
		pause_for(peer, RETRY_FIRST * 2);
	}
	free(o);
	free(d);
	__atomic_store_n(&peer->done, true, __ATOMIC_RELEASE);
	return NULL;
}
