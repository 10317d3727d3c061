// SPDX-License-Identifier: GPL-2.0-or-later
/* The replica's side: an image, and who sends what belongs into it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "triadd.h"

#include <stdio.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "device.h"
#include "hash.h"
#include "report.h"
#include "signature.h"

#define SILENCE_SECONDS	60.0	/* an owner speaks each second */
#define MOST_STAGED	4096u	/* bytes of answers, before they are sent */
#define WITNESS_BLOCKS	256u	/* that it says to hold */
#define MOST_EPOCHS	65536u	/* that a vote may be ahead */

struct image {
	struct peer *peer;
	struct disk disk;
	bool disk_open;
	struct triad_hash *hash;
	struct triad_core core;
	bool core_open;
	struct ship_replica ship;
	char why[160];
};

/* ---- the image ------------------------------------------------------------------------------ */

static struct image *image_of(struct ship_replica *ship)
{
	return (struct image *)((char *)ship - offsetof(struct image, ship));
}

static int fail(struct image *im, int error, const char *why)
{
	snprintf(im->why, sizeof(im->why), "%s", why);
	return error;
}

static int open_core(struct image *im)
{
	int r;

	memset(&im->core, 0, sizeof(im->core));
	im->core.store = &im->disk.store;
	im->core.hash = im->hash;
	im->core.receives = true;
	r = triad_core_open(&im->core, disk_blocks(&im->disk));
	im->core_open = !r;
	im->ship.core = r ? NULL : &im->core;
	return r;
}

static void close_core(struct image *im)
{
	if (im->core_open)
		triad_core_close(&im->core);
	im->core_open = false;
	im->ship.core = NULL;
}

static int reopen(struct ship_replica *ship)
{
	struct image *im = image_of(ship);

	close_core(im);
	return open_core(im);
}

/* As triadsetup receive makes one, of a blank place. */
static int make(struct ship_replica *ship)
{
	struct triad_root root = {
		.incompat = TRIAD_INCOMPAT_REPLICA | TRIAD_INCOMPAT_INCOMPLETE,
		.hash = "sha256", .checksum_kind = ship->hello.checksum_kind,
		.epoch = ship->hello.epoch,
	};
	struct image *im = image_of(ship);
	struct triad_geometry geo;
	const char *why;
	u64 blocks = min_t(u64, disk_blocks(&im->disk), TRIAD_MAX_BLOCKS);
	int r;

	if (triad_geometry_init(&geo, blocks, ship->hello.logical_blocks, TRIAD_PLANE_BITS,
				TRIAD_DEFAULT_SEGMENT, 0, &why))
		return -ENOSPC;
	im->hash = triad_hash_create("sha256", NULL, 0, &why);
	if (!im->hash)
		return -ENOMEM;
	memcpy(root.label, ship->hello.label, sizeof(root.label));
	uuid_generate(root.uuid);
	r = triad_core_format(&im->disk.store, im->hash, &root, &geo);
	return r ? r : open_core(im);
}

/* It takes part in elections, and nobody sends it anything: nothing but its epoch is ever there. */
static int make_witness(struct image *im)
{
	im->ship.hello.logical_blocks = WITNESS_BLOCKS;
	return make(&im->ship);
}

static bool is_blank(const struct image *im, const struct triad_slot slots[TRIAD_NR_SLOTS])
{
	struct signature found[MAX_SIGNATURES];
	int i;

	for (i = 0; i < TRIAD_NR_SLOTS; i++)
		if (slots[i].state != TRIAD_SLOT_EMPTY)
			return false;
	return !signature_find(&im->disk.data, found);
}

/* What is there: a replica, nothing, or what is not to be touched. */
static int open_image(struct image *im)
{
	struct triad_slot slots[TRIAD_NR_SLOTS];
	const char *which, *why;
	bool shared = false;
	int r, first;

	r = disk_open(&im->disk, im->peer->path, NULL, 0, DEVICE_WRITE, &which);
	if (!r && disk_attached(&im->disk, &which)) {
		disk_close(&im->disk);
		r = -EBUSY;
	}
	if (r == -EBUSY) {
		shared = true;
		r = disk_open(&im->disk, im->peer->path, NULL, 0, DEVICE_READ, &which);
	}
	if (r)
		return fail(im, r, strerror(-r));
	im->disk_open = true;
	r = triad_core_probe(slots, &im->disk.store, &first);
	if (r == -ENODATA)
		return shared ? fail(im, -EBUSY, "the image is in use") :
		       !is_blank(im, slots) ?
		       fail(im, -EEXIST, "something else lies in the image; only zeroes are made a replica") :
		       im->peer->witness ? make_witness(im) : 0;
	if (r)
		return fail(im, r, strerror(-r));
	im->hash = triad_hash_create(slots[first].root.hash, NULL, 0, &why);
	if (!im->hash)
		return fail(im, -ENOTSUP, why);
	r = open_core(im);
	if (r)
		/* -ENODATA would say that nothing is there */
		return r == -ENODATA ? fail(im, -EUCLEAN, "its roots prove nothing") : fail(im, r, strerror(-r));
	if (!triad_root_is_replica(&im->core.root)) {
		im->ship.is_device = true;
		im->ship.device_epoch = im->core.root.epoch;
		close_core(im);
	} else if (shared) {
		return fail(im, -EBUSY, "the image is in use");
	} else if (triad_core_lost_log(&im->core) || im->core.root.ro_compat) {
		return fail(im, -EUCLEAN, "it is damaged, or of a newer version");
	}
	return 0;
}

static void close_image(struct image *im)
{
	ship_replica_free(&im->ship);
	close_core(im);
	triad_hash_destroy(im->hash);
	triad_hash_destroy(im->ship.sums);
	if (im->disk_open)
		disk_close(&im->disk);
	free(im);
}

static struct image *new_image(struct peer *peer)
{
	struct image *im = calloc(1, sizeof(*im));
	const char *why;

	if (!im)
		return NULL;
	im->peer = peer;
	im->ship.make = make;
	im->ship.reopen = reopen;
	im->ship.in_steps = peer->in_steps;
	im->ship.sums = triad_hash_create(SHIP_SUM_HASH, NULL, 0, &why);
	if (!im->ship.sums || ship_replica_init(&im->ship)) {
		close_image(im);
		return NULL;
	}
	return im;
}

/* ---- sessions --------------------------------------------------------------------------------- */

static void note(struct image *im, const struct net *net)
{
	const struct ship_replica *ship = &im->ship;
	struct peer *peer = im->peer;
	const struct triad_root *root = ship->core ? &ship->core->root : NULL;

	pthread_mutex_lock(&peer->lock);
	peer->kind = ship_replica_kind(ship);
	peer->at = root ? ship->core->origin : (struct triad_origin) { 0 };
	peer->has_at = peer->kind == STREAM_KIND_WHOLE && !position_is_none(&peer->at);
	peer->epoch = root ? root->epoch : ship->device_epoch;
	if (peer->has_at)
		peer->acked = position_record(&peer->at);
	peer->durable = max_t(u64, peer->durable, ship->durable);
	peer->batches = ship->nr_batches;
	peer->differences = ship->nr_differences;
	peer->fulls = ship->nr_fulls;
	peer->bytes = net ? net->received : peer->bytes;
	pthread_mutex_unlock(&peer->lock);
}

/*
 * Whoever names no epoch wants one that is newer than what is there.  A vote, which names one, says that
 * what it held is known: of what is incomplete it is not; a witness never held anything.  One that is
 * far ahead of all that anybody can have is an error, and would leave none.
 */
static int seal(struct image *im)
{
	u32 epoch = im->peer->seal_epoch, own = im->ship.core ? im->ship.core->root.epoch : 0;

	if (seconds_now() > im->peer->seal_until)
		return -ETIMEDOUT;
	if (epoch && ship_replica_kind(&im->ship) == STREAM_KIND_INCOMPLETE && !im->peer->witness)
		return -EPERM;
	if (epoch > own && epoch - own > MOST_EPOCHS)
		return -EPERM;
	return ship_replica_seal(&im->ship, epoch ? epoch : own + 1);
}

/* It is not sealed, and all is well with it. */
static bool is_refused(int error)
{
	return error == -EPERM || error == -ENODATA || error == -ETIMEDOUT;
}

/* Asked for while a session is on: that ends then. */
static bool is_asked_to_end(struct image *im)
{
	struct peer *peer = im->peer;
	bool asked, leave, had_core = im->core_open;
	int r;

	pthread_mutex_lock(&peer->lock);
	asked = peer->seal == SEAL_ASKED;
	if (asked)
		peer->seal = SEAL_TAKEN;
	leave = peer->leave;
	pthread_mutex_unlock(&peer->lock);
	if (!asked)
		return leave;
	r = seal(im);
	note(im, NULL);
	pthread_mutex_lock(&peer->lock);
	peer->seal = SEAL_DONE;
	peer->seal_result = r;
	pthread_cond_broadcast(&peer->changed);
	pthread_mutex_unlock(&peer->lock);
	/* who is refused a vote interrupts nobody */
	return leave || !is_refused(r) || im->core_open != had_core;
}

static const char *word_of(const struct image *im)
{
	const struct ship_replica *ship = &im->ship;

	return !ship->greeted ? "connecting" : !ship->rx.writer ? "in sync" :
	       ship->in->begin.is_log ? "log" : ship->in->begin.is_full ? "full" : "difference";
}

static int serve(struct image *im, struct net *net)
{
	struct peer *peer = im->peer;
	double heard = seconds_now();
	u64 received = 0;
	bool over = false;
	int r = 0, got;

	ship_replica_connected(&im->ship);
	while (!triadd_is_over(peer) && !over) {
		char none[64];

		/* what answers to frames that came together goes together */
		got = net_receive(net, im->ship.out.nr ? 0 : 1000, peer->wake[0]);
		if (!got && im->ship.out.nr) {
			if (net_send(net, &im->ship.out))
				return -ECONNRESET;
			continue;
		}
		if (!got) {
			/* what woke us */
			while (read(peer->wake[0], none, sizeof(none)) > 0)
				;
		}
		if (got < 0)
			return got;
		/* a frame may take long on its way */
		if (net->received != received)
			heard = seconds_now();
		received = net->received;
		if (got) {
			r = ship_replica_frame(&im->ship, net->in);
			pthread_mutex_lock(&peer->lock);
			peer->heard = heard;
			pthread_mutex_unlock(&peer->lock);
		} else if (seconds_now() - heard > SILENCE_SECONDS) {
			return -ETIMEDOUT;
		}
		over = is_asked_to_end(im) || r;
		if ((over || im->ship.out.nr > MOST_STAGED) && net_send(net, &im->ship.out))
			return -ECONNRESET;
		if (got && net->in->type != STREAM_BLOCKS && net->in->type != STREAM_HOLES) {
			note(im, net);
			if (!r)
				triadd_state(peer, word_of(im), NULL);
		}
	}
	return r;
}

void replica_session(struct peer *peer, struct net *net)
{
	struct image *im = new_image(peer);
	int r = im ? open_image(im) : -ENOMEM;

	if (r) {
		struct stream_refuse refuse = {
			.code = r == -EBUSY ? STREAM_REFUSE_BUSY : STREAM_REFUSE_OTHER,
		};

		triadd_state(peer, "stopped", "%s: %s", peer->path, im ? im->why : "out of memory");
		if (im) {
			ship_replica_connected(&im->ship);
			snprintf(refuse.text, sizeof(refuse.text), "%s", im->why);
			stream_refuse(&im->ship.out.stream, &refuse);
			net_send(net, &im->ship.out);
		}
	} else {
		pthread_mutex_lock(&peer->lock);
		peer->connected = true;
		pthread_mutex_unlock(&peer->lock);
		note(im, net);
		r = serve(im, net);
		if (im->ship.stopped)
			triadd_state(peer, "stopped", "%s", im->ship.why);
		else
			triadd_state(peer, "offline", "%s", net->why[0] ? net->why :
				     r ? strerror(-r) : triadd_is_over(peer) ? "the daemon, or its line, ends" :
				     "another session takes its place");
	}
	if (im)
		close_image(im);
	pthread_mutex_lock(&peer->lock);
	peer->connected = false;
	pthread_mutex_unlock(&peer->lock);
}

/* Open the image, with nobody else at it, look at it, and do that. */
static int with_image(struct peer *peer, int (*act)(struct image *im))
{
	struct image *im = new_image(peer);
	int r = im ? open_image(im) : -ENOMEM;

	if (!r && act)
		r = act(im);
	if (im) {
		note(im, NULL);
		close_image(im);
	}
	pthread_mutex_lock(&peer->lock);
	/* what it was, when it could be looked at, says nothing */
	if (r && !is_refused(r))
		peer->kind = STREAM_KIND_BUSY;
	peer->busy = false;
	pthread_cond_broadcast(&peer->changed);
	pthread_mutex_unlock(&peer->lock);
	return r;
}

/* 0; -ETIMEDOUT: it was not begun. */
static int wait_for_seal(struct peer *peer)
{
	int r = 0;

	while (peer->busy && peer->seal != SEAL_DONE) {
		if (peer->seal == SEAL_TAKEN)
			pthread_cond_wait(&peer->changed, &peer->lock);
		else if (!r)
			r = triadd_wait(peer, peer->seal_until);
		else
			return -ETIMEDOUT;
	}
	/* who has the image gives it free */
	for (r = 0; peer->busy && peer->seal == SEAL_DONE && !peer->seal_result && !r; )
		r = triadd_wait(peer, peer->seal_until);
	return 0;
}

int replica_seal_now(struct peer *peer, u32 epoch, double seconds, u32 *sealed)
{
	double until = seconds_now() + seconds;
	struct timespec end = triadd_time(until);
	bool is_free;
	int r = 0;

	if (pthread_mutex_clocklock(&peer->asking, CLOCK_MONOTONIC, &end))
		return -ETIMEDOUT;
	pthread_mutex_lock(&peer->lock);
	peer->seal_epoch = epoch;
	peer->seal_until = until;
	if (peer->busy) {
		peer->seal = SEAL_ASKED;
		triadd_wake(peer);
		r = wait_for_seal(peer);
	}
	/* also when who had it went without looking */
	is_free = !r && !peer->busy && peer->seal != SEAL_DONE;
	if (peer->seal == SEAL_DONE)
		r = peer->seal_result;
	peer->seal = SEAL_NONE;
	if (is_free)
		peer->busy = true;
	pthread_mutex_unlock(&peer->lock);
	if (is_free)
		r = with_image(peer, seal);
	/* nobody else has it sealed meanwhile */
	pthread_mutex_lock(&peer->lock);
	*sealed = peer->epoch;
	pthread_mutex_unlock(&peer->lock);
	pthread_mutex_unlock(&peer->asking);
	return r;
}

void replica_vote(struct peer *peer, u32 epoch, double seconds, struct stream_voted *voted)
{
	bool is_free;
	u32 sealed;

	if (epoch) {
		voted->granted = !replica_seal_now(peer, epoch, seconds, &sealed);
	} else {
		pthread_mutex_lock(&peer->lock);
		is_free = !peer->busy;
		peer->busy = true;
		pthread_mutex_unlock(&peer->lock);
		if (is_free)
			with_image(peer, NULL);
	}
	pthread_mutex_lock(&peer->lock);
	voted->kind = peer->kind == STREAM_KIND_INCOMPLETE && !peer->witness ? STREAM_KIND_BUSY : peer->kind;
	voted->at = peer->at;
	voted->epoch = peer->epoch;
	pthread_mutex_unlock(&peer->lock);
}
