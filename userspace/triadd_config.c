// SPDX-License-Identifier: GPL-2.0-or-later
/* /etc/triadd.conf, as the daemon and the commands that change it read it: triadd.conf(5). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "triadd.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view.h"

#define LEAST_KEY	16u
#define MOST_WORDS	(3 + VOTE_MEMBERS)

PRINTF(3, 4)
static bool wrong(struct config *config, unsigned int line, const char *format, ...)
{
	size_t n = snprintf(config->why, sizeof(config->why), "%s, line %u: ", config->name, line);
	va_list args;

	va_start(args, format);
	if (n < sizeof(config->why))
		vsnprintf(config->why + n, sizeof(config->why) - n, format, args);
	va_end(args);
	return false;
}

/* ---- words ------------------------------------------------------------------------------- */

static bool is_port(const char *port)
{
	return strspn(port, "0123456789") == strlen(port) && strlen(port) <= 5 && atoi(port) > 0 &&
	       atoi(port) <= 65535;
}

bool net_split(char *text, const char **host, const char **port)
{
	char *colon = strrchr(text, ':'), *end;

	*host = text;
	*port = TRIADD_PORT;
	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*host = text + 1;
		if (end[1])
			*port = end + 2;
		*end = 0;
	} else if (colon) {
		*colon = 0;
		*port = colon + 1;
	}
	/* an address with more colons is one in brackets */
	return **host && (*text == '[' || !strchr(*host, ':')) && is_port(*port) &&
	       strspn(*host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:%*") ==
	       strlen(*host);
}

bool config_is_name(const char *name)
{
	return *name && strlen(name) < 48 && strspn(name, "abcdefghijklmnopqrstuvwxyz"
	       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen(name);
}

bool config_same_key(const u8 *key, size_t size, const u8 *other, size_t other_size)
{
	return size == other_size && size && !memcmp(key, other, size);
}

static bool take_key(struct config *config, const char *path, u8 **key, size_t *size, unsigned int line_nr)
{
	unsigned int i, other = 0;
	struct stat st;

	if (stat(path, &st))
		return wrong(config, line_nr, "key file %s: %s", path, strerror(errno));
	if (st.st_mode & 077)
		return wrong(config, line_nr, "key file %s: others may read it: chmod 600 %s", path, path);
	if (key_read(path, key, size))
		return wrong(config, line_nr, "key file %s cannot be taken", path);
	if (*size < LEAST_KEY)
		return wrong(config, line_nr, "key file %s: it holds less than %u bytes", path, LEAST_KEY);
	/* who has a key can be either end of a session with it */
	for (i = 0; i < config->nr_peers && !other; i++)
		if (config_same_key(config->peer[i]->key, config->peer[i]->key_size, *key, *size))
			other = config->peer[i]->line_nr;
	for (i = 0; i < config->nr_groups && !other; i++)
		if (config_same_key(config->group[i]->key, config->group[i]->key_size, *key, *size))
			other = config->group[i]->line_nr;
	return !other || wrong(config, line_nr, "its key is that of line %u: each replica, and each group, "
			       "has a key of its own, or one could write to the other", other);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void free_key(u8 *key, size_t size)
{
	if (key)
		explicit_bzero(key, size);
	free(key);
}

static void free_peer(struct peer *peer)
{
	if (peer->wake[0] >= 0) {
		close(peer->wake[0]);
		close(peer->wake[1]);
	}
	free_key(peer->key, peer->key_size);
	free(peer->line);
	free(peer);
}

static void free_group(struct group *group)
{
	free_key(group->key, group->key_size);
	free(group->line);
	free(group);
}

void config_free(struct config *config)
{
	unsigned int i;

	for (i = 0; i < config->nr_peers; i++)
		if (config->peer[i])
			free_peer(config->peer[i]);
	for (i = 0; i < config->nr_groups; i++)
		if (config->group[i])
			free_group(config->group[i]);
	free(config->listen_at);
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

static bool take_peer(struct config *config, const struct form *form, struct peer *peer, char **words, int nr)
{
	unsigned int i, line_nr = peer->line_nr;
	enum role role = form->role;

	if (nr != form->least &&
	    (!form->option || nr != form->least + 1 || strcmp(words[form->least], form->option)))
		return wrong(config, line_nr, "it has to be: %s", form->usage);
	if (!config_is_name(words[1]))
		return wrong(config, line_nr, "'%s' is no name: letters, digits, - _ and .", words[1]);
	peer->role = role;
	peer->name = words[1];
	peer->path = words[2];
	peer->in_steps = nr > form->least && role == ROLE_REPLICA;
	peer->sync = nr > form->least && role == ROLE_OWNER;
	peer->witness = form->witness;
	if (role == ROLE_OWNER && !net_split(words[3], &peer->host, &peer->port))
		return wrong(config, line_nr, "'%s' is no HOST or HOST:PORT", words[3]);
	for (i = 0; i < config->nr_peers; i++) {
		const struct peer *other = config->peer[i];

		if (is_taken(peer, other))
			return wrong(config, line_nr, "%s is named in line %u already", words[1], other->line_nr);
		if (role == ROLE_REPLICA && other->role == role && !strcmp(other->path, words[2]))
			return wrong(config, line_nr, "%s is line %u's already", words[2], other->line_nr);
	}
	if (form->witness)
		return true;
	peer->key_path = words[form->least - 1];
	return take_key(config, peer->key_path, &peer->key, &peer->key_size, line_nr);
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
static bool take_group(struct config *config, struct group *group, char **words, int nr)
{
	unsigned int k, line_nr = group->line_nr;
	const char *host, *port;
	int i;

	if (nr < 3)
		return wrong(config, line_nr, "it has to be: group NAME KEYFILE HOST[:PORT]...");
	if (!config_is_name(words[1]))
		return wrong(config, line_nr, "'%s' is no name: letters, digits, - _ and .", words[1]);
	for (k = 0; k < config->nr_groups; k++)
		if (!strcmp(config->group[k]->name, words[1]))
			return wrong(config, line_nr, "the group %s is line %u's already", words[1],
				     config->group[k]->line_nr);
	group->name = words[1];
	if (nr - 3 < (int)VOTE_LEAST)
		return wrong(config, line_nr, "a group has at least %u hosts: of fewer none may be missing",
			     VOTE_LEAST);
	for (i = 3; i < nr; i++) {
		if (!net_split(words[i], &host, &port))
			return wrong(config, line_nr, "'%s' is no HOST or HOST:PORT", words[i]);
		if (is_member(group, host, port))
			return wrong(config, line_nr, "it names %s twice", host);
		group->host[group->nr] = host;
		group->port[group->nr++] = port;
	}
	return take_key(config, words[2], &group->key, &group->key_size, line_nr);
}

static bool add_peer(struct config *config, const struct form *form, char **words, int nr, char *line,
		     unsigned int line_nr)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	bool ok;

	if (!peer || config->nr_peers == TRIADD_PEERS) {
		free(peer);
		free(line);
		return wrong(config, line_nr, "more than %u lines", TRIADD_PEERS);
	}
	peer->wake[0] = peer->wake[1] = -1;
	peer->line = line;
	peer->line_nr = line_nr;
	ok = take_peer(config, form, peer, words, nr);
	if (ok)
		config->peer[config->nr_peers++] = peer;
	else
		free_peer(peer);
	return ok;
}

static bool add_group(struct config *config, char **words, int nr, char *line, unsigned int line_nr)
{
	struct group *group = calloc(1, sizeof(*group));
	bool ok;

	if (!group || config->nr_groups == TRIADD_GROUPS) {
		free(group);
		free(line);
		return wrong(config, line_nr, "more than %u groups", TRIADD_GROUPS);
	}
	group->line = line;
	group->line_nr = line_nr;
	ok = take_group(config, group, words, nr);
	if (ok)
		config->group[config->nr_groups++] = group;
	else
		free_group(group);
	return ok;
}

static bool set_listen(struct config *config, char **words, int nr, unsigned int line_nr)
{
	if (nr != 2 || config->listen_at)
		return wrong(config, line_nr, "it has to be, once: listen ADDRESS[:PORT]");
	config->listen_at = strdup(words[1]);
	return config->listen_at || wrong(config, line_nr, "out of memory");
}

/* What its words lie in is kept by whom they make, or freed. */
static bool take_line(struct config *config, char *line, unsigned int line_nr)
{
	char *words[MOST_WORDS], *rest = NULL, *word;
	unsigned int i;
	int nr = 0;
	bool ok;

	line[strcspn(line, "#\n")] = 0;
	for (word = strtok_r(line, " \t\r", &rest); word && nr < (int)MOST_WORDS;
	     word = strtok_r(NULL, " \t\r", &rest))
		words[nr++] = word;
	for (i = 0; nr && !word && i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(words[0], forms[i].word))
			return add_peer(config, &forms[i], words, nr, line, line_nr);
	if (nr && !word && !strcmp(words[0], "group"))
		return add_group(config, words, nr, line, line_nr);
	ok = word ? wrong(config, line_nr, "too many words") :
	     !nr ? true :
	     !strcmp(words[0], "listen") ? set_listen(config, words, nr, line_nr) :
	     wrong(config, line_nr, "'%.40s' is neither listen, owner, replica, witness nor group", words[0]);
	free(line);
	return ok;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static const struct peer *owner_named(const struct config *config, const char *name)
{
	unsigned int i;

	for (i = 0; i < config->nr_peers; i++)
		if (config->peer[i]->role == ROLE_OWNER && !strcmp(config->peer[i]->name, name))
			return config->peer[i];
	return NULL;
}

/* What belongs to a group is named as it is. */
static bool is_complete(struct config *config, const struct group *group)
{
	const struct peer *owner = owner_named(config, group->name);
	unsigned int i, nr = 0, nr_sync = 0;

	for (i = 0; i < config->nr_peers; i++) {
		const struct peer *peer = config->peer[i];
		bool is_of_it = !strcmp(peer->name, group->name);

		nr += is_of_it;
		nr_sync += is_of_it && peer->sync;
		if (is_of_it && peer->sync && !is_member(group, peer->host, peer->port))
			return wrong(config, peer->line_nr, "flushes wait for members of the group %s, and %s:%s is "
				     "none", group->name, peer->host, peer->port);
		if (!is_of_it && peer->sync && owner && !strcmp(peer->path, owner->path))
			return wrong(config, peer->line_nr, "flushes of %s wait for the group %s, and for no other "
				     "name", owner->path, group->name);
	}
	if (!nr)
		return wrong(config, group->line_nr, "no owner, replica or witness here is named %s", group->name);
	if (nr_sync && nr_sync + 1 < vote_majority(group->nr))
		return wrong(config, group->line_nr, "flushes of %s wait for %u of its replicas: so many lines say sync, "
			     "or none", group->name, vote_majority(group->nr) - 1);
	return true;
}

int config_read(struct config *config, const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	unsigned int line_nr = 0, nr_replicas = 0, i;
	size_t size = 0;
	char *line = NULL;
	int r = f ? 0 : -errno;
	bool ok = f;
	ssize_t n;

	memset(config, 0, sizeof(*config));
	config->name = name;
	if (r)
		snprintf(config->why, sizeof(config->why), "%s: %s", name, strerror(-r));
	while (ok && (n = getline(&line, &size, f)) >= 0) {
		line_nr++;
		if (strlen(line) == (size_t)n) {
			ok = take_line(config, line, line_nr);
			/* its words stay in use */
			line = NULL;
			size = 0;
		} else {
			ok = wrong(config, line_nr, "it is no text");
		}
	}
	free(line);
	if (f)
		fclose(f);
	for (i = 0; i < config->nr_peers; i++)
		nr_replicas += config->peer[i]->role == ROLE_REPLICA;
	for (i = 0; ok && i < config->nr_groups; i++)
		ok = is_complete(config, config->group[i]);
	if (ok && (nr_replicas || config->nr_groups) && !config->listen_at)
		config->listen_at = strdup("*");
	return r ? r : ok ? 0 : -EINVAL;
}
