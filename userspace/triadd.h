/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * triadd.h - the replication daemon: who talks to whom, and how they are.
 *
 * One thread waits for what comes to the host: connections, questions on the control socket,
 * signals.  Each session has a thread of its own, since what it does are reads and writes of a
 * disk, which block.  ship.h says what it does.
 */
#ifndef TRIAD_TRIADD_H
#define TRIAD_TRIADD_H

#include <gnutls/gnutls.h>
#include <pthread.h>

#include "ship.h"
#include "tool.h"
#include "vote.h"

#define TRIADD_CONFIG	"/etc/triadd.conf"
#define TRIADD_PORT	"7430"
#define TRIADD_PEERS	64u	/* lines of a configuration */
#define TRIADD_GROUPS	32u
#define CONFIG_WHY	600u
#define TRIADD_EVER	512u	/* of all that were read since the daemon began */
#define TRIADD_VOTES	"group:"	/* before the name, for whose key it is */

/* ---- triadd_net.c: a TLS connection that carries frames ----------------------------------- */

struct net {
	int fd;
	gnutls_session_t tls;
	gnutls_psk_client_credentials_t client;
	bool is_up;		/* the other side has shown its key */
	char peer[64];		/* whose that is */
	const u8 *key;		/* of who was accepted: the one that find has named */
	struct stream_in *in;
	size_t have;
	u64 sent, received;	/* bytes of frames */
	char why[160];		/* of an error */
};

/* All return 0 or -errno, and why says it. */
/* find looks up the key that belongs to a name: false if there is none.  It is never freed. */
int net_start(bool (*find)(const char *name, const u8 **key, size_t *size));

/* Connect, and prove to have the key of that name; with wake readable it ends. */
int net_connect(struct net *net, const char *host, const char *port, const char *name,
		const u8 *key, size_t key_size, int wake);

/* The same for who was accepted. */
int net_accept(struct net *net, int fd);

int net_send(struct net *net, struct ship_out *out);	/* all that is staged */

/* A frame in net->in: 1; 0: it is not whole after so many ms, or wake is readable. */
int net_receive(struct net *net, int timeout_ms, int wake);

void net_close(struct net *net);

/* A socket that listens at "ADDRESS:PORT", "*:PORT" or "[ADDRESS]:PORT"; or -errno. */
int net_listen(const char *address);

/* ---- who ---------------------------------------------------------------------------------- */

enum role {
	ROLE_OWNER,		/* of a device: it is sent */
	ROLE_REPLICA,
};

enum seal {
	SEAL_NONE,
	SEAL_ASKED,		/* of who has the image */
	SEAL_TAKEN,		/* it is about to */
	SEAL_DONE,		/* seal_result says how */
};

struct peer {
	/* as configured */
	enum role role;
	char *line;		/* what these point into: */
	const char *name;
	const char *path;	/* of an image, or a device's name */
	const char *host, *port;
	const char *key_path;
	u8 *key;
	size_t key_size;
	bool in_steps;
	bool sync;		/* the device's flushes wait for this one, if it was opened so */
	bool witness;		/* its image holds an epoch, and never data */
	unsigned int line_nr;

	bool removed;		/* atomic: its line is there no more */
	bool named;		/* in the configuration that is being read */
	pthread_t thread;
	bool has_thread;
	bool done;		/* atomic: the thread is about to end */
	int wake[2];		/* a pipe: something is to be looked at; -1: nobody is there */

	pthread_mutex_t asking;	/* one asks it for a seal at a time */
	pthread_mutex_t lock;	/* of all below */
	pthread_cond_t changed;
	bool connected;
	bool busy;		/* a session has it, or is about to */
	enum seal seal;
	u32 seal_epoch;		/* that is asked for; 0: the next */
	double seal_until;	/* seconds_now(): whoever asked is gone then */
	int seal_result;
	bool leave;		/* another session has come in its place */
	char state[32];		/* in a word */
	char why[256];		/* it is not well, or empty */
	struct triad_origin at;
	bool has_at;		/* it is whole there */
	enum stream_kind kind;	/* of a replica's image, when it was looked at last */
	u64 acked, durable;	/* records: the replica has, the owner has */
	u64 follows;		/* ... that one that follows the log now has; 0: none does */
	u64 kept;		/* the owner's end: the first one that it still needs */
	u64 batches, differences, fulls, bytes;
	u32 epoch;
	double heard;		/* seconds_now() */
	bool fenced;
	char said[32];		/* what the log was told last */
};

/* ---- triadd_config.c: /etc/triadd.conf --------------------------------------------------- */

struct group;

struct config {
	const char *name;			/* of the file */
	struct peer *peer[TRIADD_PEERS];	/* NULL: somebody has taken it */
	unsigned int nr_peers;
	struct group *group[TRIADD_GROUPS];	/* ... too */
	unsigned int nr_groups;
	char *listen_at;			/* or NULL */
	char why[CONFIG_WHY];			/* it is refused: with its name, and the line */
};

/*
 * 0, -EINVAL, or -errno if the file cannot be read; what is said names it name.  To be freed in any
 * case.
 */
int config_read(struct config *config, const char *path, const char *name);
void config_free(struct config *config);

bool config_is_name(const char *name);
bool config_same_key(const u8 *key, size_t size, const u8 *other, size_t other_size);

/* Cut "HOST:PORT" in two; without a port it is ours. */
bool net_split(char *text, const char **host, const char **port);

/* ---- triadd.c: those that are there ------------------------------------------------------- */

extern bool triadd_ends;

/* Number *i, or the next one behind whose line is there: NULL, there is none.  They are never freed. */
struct peer *triadd_peer(unsigned int *i);

#define for_each_peer(i, peer) for (i = 0; (peer = triadd_peer(&i)); i++)

/* The daemon, or this line of it. */
bool triadd_is_over(const struct peer *peer);

/* A line in the log. */
void triadd_say(const struct peer *peer, const char *format, ...) PRINTF(2, 3);

/* Its state has changed; says so if it is another one. */
void triadd_state(struct peer *peer, const char *state, const char *format, ...) PRINTF(3, 4);

/* Have its thread look at what is asked of it. */
void triadd_wake(struct peer *peer);

/* What seconds_now() says, of CLOCK_MONOTONIC. */
struct timespec triadd_time(double seconds);

/* Until peer->changed, or seconds_now() is so much: -ETIMEDOUT.  peer->lock is held. */
int triadd_wait(struct peer *peer, double until);

/* Taken around libdevmapper, which knows no threads. */
extern pthread_mutex_t triadd_dm;

/* ---- what its threads do ------------------------------------------------------------------- */

void *owner_run(void *peer);

/* A connection that has proven to be this peer's; closes it. */
void replica_session(struct peer *peer, struct net *net);

/*
 * Nothing of an owner before this epoch is taken any more.  0: one more than it has.  0 or -errno, as
 * ship_replica_seal(); -ETIMEDOUT: it could not begin within so many seconds, and will not.  sealed is
 * the epoch that it has then.
 */
int replica_seal_now(struct peer *peer, u32 epoch, double seconds, u32 *sealed);

/* Where its image is, and, with an epoch, a vote for it, if that can be given within so many seconds. */
void replica_vote(struct peer *peer, u32 epoch, double seconds, struct stream_voted *voted);

/* The first line of this role and name, or NULL. */
struct peer *triadd_find(enum role role, const char *name);

/* ---- triadd_vote.c: groups ------------------------------------------------------------------ */

/* As configured: the same line on all of its hosts. */
struct group {
	bool removed, named;	/* as a peer's */
	char *line;
	const char *name;
	u8 *key;
	size_t key_size;
	const char *host[VOTE_MEMBERS], *port[VOTE_MEMBERS];
	unsigned int nr, line_nr;
};

void vote_start(void);

bool vote_has_room(unsigned int nr);		/* for so many more */
void vote_add(struct group *group);		/* it is there from now on */

/* Those that are there: the next one behind number *i, as triadd_peer(). */
struct group *vote_next(unsigned int *i);

struct group *vote_group(const char *name);
struct group *vote_group_of_key(const char *identity);	/* that a TLS session begins with */

/* A connection that has proven to be a member's. */
void vote_session(const struct group *group, struct net *net);

/* Ask all members, all at once: where they are; or, with an epoch, for their votes. */
struct json_object *vote_ask(const struct group *group, u32 epoch);

#endif
