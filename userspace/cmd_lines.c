// SPDX-License-Identifier: GPL-2.0-or-later
/* replica invite, join and remove. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lines.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "dm.h"
#include "report.h"
#include "signature.h"
#include "status.h"
#include "triadd.h"
#include "view.h"

#define FIRST_LINE	"dm-triad invitation 1"
#define KEY_BYTES	32
#define MOST_TEXT	(1u << 20)

static const char unchanged[] = "Nothing was changed.";

/* ---- the file ------------------------------------------------------------------------------- */

struct lines {
	char path[PATH_MAX];
	char keys[PATH_MAX];	/* a directory beside it, and nobody else's: /etc/triad/invited */
	int dir;		/* that it is in */
	int lock;
	bool is_there;
	struct stat st;		/* of it, or as it is to be */
	char *text;
	size_t size;
	char key_path[PATH_MAX + 256];	/* of a key that was just made; or empty */
};

static int fail(const struct lines *l, int error)
{
	return tool_fail(error == EACCES || error == EPERM ? TOOL_PERMISSION : TOOL_OUTPUT, unchanged,
			 "%s: %s", l->path, strerror(error));
}

static int read_lines(struct lines *l)
{
	int fd = open(l->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), error = 0;
	ssize_t n;

	l->text = calloc(1, MOST_TEXT + 1);
	if (!l->text)
		error = ENOMEM;
	else if (fd < 0)
		error = errno == ENOENT ? 0 : errno;
	else if (fstat(fd, &l->st))
		error = errno;
	else if (!S_ISREG(l->st.st_mode))
		error = EINVAL;
	l->is_there = !error && fd >= 0;
	if (!l->is_there)
		l->st = (struct stat) { .st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid() };
	while (l->is_there && !error && l->size < MOST_TEXT) {
		n = read(fd, l->text + l->size, MOST_TEXT - l->size);
		if (n <= 0) {
			error = n ? errno : 0;
			break;
		}
		l->size += n;
	}
	if (l->size == MOST_TEXT)
		error = EFBIG;
	if (fd >= 0)
		close(fd);
	return error ? fail(l, error) : 0;
}

/* Where it is, through links; if it is not there, where it would be. */
static bool find_lines(const char *path, char real[PATH_MAX])
{
	const char *base = strrchr(path, '/');
	char dir[PATH_MAX];

	if (realpath(path, real))
		return true;
	if (errno != ENOENT || snprintf(dir, sizeof(dir), "%.*s", base ? (int)(base - path) + 1 : 1,
					base ? path : ".") >= (int)sizeof(dir) || !realpath(dir, real))
		return false;
	errno = ENAMETOOLONG;
	base = base ? base + 1 : path;
	if (strlen(real) + strlen(base) + 2 > PATH_MAX)
		return false;
	strcat(strcmp(real, "/") ? strcat(real, "/") : real, base);
	return true;
}

/* Nobody else changes it meanwhile.  To be closed in any case. */
static int open_lines(struct lines *l)
{
	const char *path = getenv("TRIADD_CONF");
	char lock[PATH_MAX], dir[PATH_MAX];

	l->lock = l->dir = -1;
	path = path && *path ? path : TRIADD_CONFIG;
	snprintf(l->path, sizeof(l->path), "%s", path);
	if (!find_lines(path, l->path))
		return fail(l, errno);
	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(l->path, '/') - l->path) + 1, l->path);
	if (snprintf(l->keys, sizeof(l->keys), "%striad/invited", dir) >= (int)sizeof(l->keys) ||
	    snprintf(lock, sizeof(lock), "%s.lock", triadd_socket_path()) >= (int)sizeof(lock))
		return fail(l, ENAMETOOLONG);
	l->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* one that nobody else can lock */
	l->lock = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l->dir < 0 || l->lock < 0 || flock(l->lock, LOCK_EX))
		return fail(l, errno);
	return read_lines(l);
}

/* keep: the key, too. */
static void close_lines(struct lines *l, bool keep)
{
	if (!keep && l->key_path[0])
		unlink(l->key_path);
	if (l->dir >= 0)
		close(l->dir);
	if (l->lock >= 0)
		close(l->lock);
	free(l->text);
}

static int write_all(int fd, const char *text, size_t size)
{
	ssize_t n;

	for (; size; text += n, size -= n) {
		n = write(fd, text, size);
		if (n < 0)
			return errno;
	}
	return fsync(fd) ? errno : 0;
}

/* All of it or nothing, and only what triadd can read. */
static int put_lines(struct lines *l, const char *text, size_t size)
{
	struct config config = { 0 };
	char other[PATH_MAX + 8];
	int fd, error, r = 0;

	snprintf(other, sizeof(other), "%s.new", l->path);
	unlink(other);
	fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(l, errno);
	error = write_all(fd, text, size);
	if (!error && (fchown(fd, l->st.st_uid, l->st.st_gid) || fchmod(fd, l->st.st_mode & 0777)))
		error = errno;
	close(fd);
	if (!error && size >= MOST_TEXT)
		error = EFBIG;
	if (!error && config_read(&config, other, l->path))
		r = tool_fail(TOOL_USAGE, unchanged, "%s", config.why);
	if (!error && !r && rename(other, l->path))
		error = errno;
	config_free(&config);
	if (error || r) {
		unlink(other);
		return r ? r : fail(l, error);
	}
	fsync(l->dir);
	return 0;
}

/* One more, at its end. */
static int add_line(struct lines *l, const char *line)
{
	bool is_cut = l->size && l->text[l->size - 1] != '\n';
	size_t size = l->size + strlen(line) + 2;
	char *text = malloc(size + 1);
	int r;

	if (!text)
		return fail(l, ENOMEM);
	memcpy(text, l->text, l->size);
	snprintf(text + l->size, size + 1 - l->size, "%s%s\n", is_cut ? "\n" : "", line);
	r = put_lines(l, text, strlen(text + l->size) + l->size);
	free(text);
	return r;
}

/* One for the same is there, or the file is wrong already. */
static int look_for_line(const struct lines *l, enum role role, const char *name, const char *host, const char *port)
{
	struct config config = { 0 };
	const struct peer *peer;
	unsigned int i;
	int r = 0;

	if (l->is_there && config_read(&config, l->path, l->path))
		r = tool_fail(TOOL_USAGE, unchanged, "%s", config.why);
	for (i = 0; i < config.nr_peers && !r; i++) {
		peer = config.peer[i];
		if (peer->role == role && !strcmp(peer->name, name) &&
		    (!host || (!strcmp(peer->host, host) && !strcmp(peer->port, port))))
			r = tool_fail(TOOL_USAGE, "Nothing was changed.  triadsetup replica remove takes it away.",
				      "%s, line %u: %s is there already", l->path, peer->line_nr, name);
	}
	config_free(&config);
	return r;
}

/* Of what an address may have there is not all that a word of the file, or a name, may have. */
static void print_key_path(struct lines *l, const char *name, const char *host, unsigned int nr)
{
	size_t n = strlen(l->keys) + 1;
	char *c;

	snprintf(l->key_path, sizeof(l->key_path), "%s/%.48s%s%.150s-%u.key", l->keys, name, host ? "." : "",
		 host ? host : "", nr);
	for (c = l->key_path + n; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			*c = '_';
}

/* A key of its own, in a file of its own that only root reads. */
static int make_key(struct lines *l, const char *name, const char *host, const char *digits)
{
	int fd = -1, dir, error = 0;
	unsigned int nr = 0;
	char *end;

	end = strrchr(l->keys, '/');
	*end = 0;
	if (mkdir(l->keys, 0700) && errno != EEXIST)
		error = errno;
	*end = '/';
	if (!error && mkdir(l->keys, 0700) && errno != EEXIST)
		error = errno;
	while (!error && fd < 0) {
		print_key_path(l, name, host, ++nr);
		fd = open(l->key_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			error = errno;
	}
	if (fd >= 0) {
		error = write_all(fd, digits, strlen(digits));
		close(fd);
		if (error)
			unlink(l->key_path);
		/* the line that names it must not outlive it */
		dir = open(l->keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0) {
			fsync(dir);
			close(dir);
		}
	}
	if (!error)
		return 0;
	tool_fail(tool_exit_of(-error), unchanged, "%s: %s", l->keys, strerror(error));
	l->key_path[0] = 0;
	return tool_exit_of(-error);
}

/* What the file says is what it does from now on. */
static int have_it_read(const struct lines *l, const struct options *opt)
{
	struct json_object *answer = triadd_ask("reload", NULL), *value;
	const char *why = NULL;
	bool ok = answer && json_object_object_get_ex(answer, "reloaded", &value) &&
		  json_object_get_boolean(value);
	int r = 0;

	if (answer && json_object_object_get_ex(answer, "error", &value) && value)
		why = json_object_get_string(value);
	if (!answer && triadd_was_asked())
		r = tool_fail(TOOL_BUSY, "The file was changed.  systemctl reload triadd has it read.",
			      "%s: triadd was asked to read it, and does not answer", l->path);
	else if (!answer && !opt->batch)
		fprintf(stderr, "triadd does not run here: systemctl enable --now triadd\n");
	else if (answer && !ok)
		r = tool_fail(TOOL_SYSTEM, "The file was changed.  Mend what is wrong; systemctl reload triadd has it "
			      "read again,\n  and systemctl restart triadd in any case.", "%s: triadd does not take it: %s",
			      l->path, why ? why : "it is older than this tool");
	json_object_put(answer);
	return r;
}

/* A word of the file. */
static int is_no_word(const char *word)
{
	return !*word || strpbrk(word, " \t\n#") ?
	       tool_fail(TOOL_USAGE, "Nothing was changed.  Use a link to it, or another name.",
			 "'%s': triadd.conf can have no blanks and no # in a word", word) : 0;
}

/* ---- invite --------------------------------------------------------------------------------- */

/* What is to be replicated: as the line has it, and how large it is. */
struct subject {
	char path[PATH_MAX];
	const char *name;
	u64 bytes, logical_blocks;
	bool mapped;
};

static int look_at(struct subject *s, const char *what)
{
	char *args[2] = { (char *)what, NULL };
	struct options opt = { .args = args, .nr_args = 1 };
	struct dm_source dm = { 0 };
	const struct triad_root *root;
	struct view view;
	int r;

	disk_none(&view.disk);
	s->mapped = dm_find_mapping(what, &dm);
	if (s->mapped) {
		dm_source_options(&dm, &opt, &args[0]);
		args[0] = dm.device;
		snprintf(s->path, sizeof(s->path), "%s", strrchr(what, '/') ? strrchr(what, '/') + 1 : what);
	} else if (!realpath(what, s->path)) {
		return tool_fail_open(what, -errno, false);
	}
	r = view_probe(&view, &opt, args[0]);
	explicit_bzero(dm.key, sizeof(dm.key));
	root = r ? NULL : view_current(&view);
	if (!r && !root)
		r = view_refuse(&view);
	if (!r && triad_root_is_replica(root))
		r = tool_fail(TOOL_USAGE, unchanged, "%s: it is a replica itself", what);
	if (!r) {
		s->bytes = disk_blocks(&view.disk) << TRIAD_BLOCK_SHIFT;
		s->logical_blocks = root->logical_blocks;
		s->name = strrchr(s->path, '/') ? strrchr(s->path, '/') + 1 : s->path;
	}
	view_close(&view);
	if (!r && !config_is_name(s->name))
		r = tool_fail(TOOL_USAGE, "Nothing was changed.  Write the lines yourself: triadd.conf(5).",
			      "'%s' is no name of a replica: letters, digits, - _ and .", s->name);
	return r ? r : is_no_word(s->path);
}

static void print_invitation(const struct subject *s, const char *digits)
{
	printf("%s\nname %s\nblocks %" PRIu64 "\nimage %" PRIu64 "\nkey %s\n", FIRST_LINE, s->name,
	       s->logical_blocks, s->bytes, digits);
}

static void advise_sync(const struct subject *s)
{
	struct status status = { 0 };

	if (s->mapped && status_find(s->name, &status) && status_is(&status, STATUS_SYNC, "off"))
		fprintf(stderr, "Flushes of %s wait for nothing so far: triadsetup replica sync %s block\n", s->name,
			s->name);
	status_free(&status);
}

int lines_invite(const struct options *opt)
{
	const char *host = opt->args[2], *option = opt->nr_args > 3 ? opt->args[3] : NULL;
	char digits[2 * KEY_BYTES + 1], line[3 * PATH_MAX];
	char *cut = opt->nr_args > 2 ? strdup(host) : NULL;
	const char *name, *port;
	struct lines l = { .lock = -1 };
	struct subject s = { 0 };
	u8 key[KEY_BYTES];
	int i, r = 0;

	if (!cut || (option && strcmp(option, "sync")) || !net_split(cut, &name, &port))
		r = tool_fail(TOOL_USAGE, unchanged, "replica invite: it is DEVICE HOST[:PORT] [sync]");
	else if (opt->json)
		r = tool_fail(TOOL_USAGE, unchanged, "replica invite: what it prints is for replica join, and no JSON");
	if (!r)
		r = is_no_word(host);
	if (!r)
		r = look_at(&s, opt->args[1]);
	if (!r)
		r = open_lines(&l);
	if (!r)
		r = look_for_line(&l, ROLE_OWNER, s.name, name, port);
	if (!r) {
		triad_random(key, sizeof(key));
		for (i = 0; i < KEY_BYTES; i++)
			snprintf(digits + 2 * i, 3, "%02x", key[i]);
		r = make_key(&l, s.name, host, digits);
	}
	if (!r) {
		snprintf(line, sizeof(line), "owner %s %s %s %s%s", s.name, s.path, host, l.key_path,
			 option ? " sync" : "");
		r = add_line(&l, line);
	}
	if (!r) {
		print_invitation(&s, digits);
		if (isatty(STDOUT_FILENO) && !opt->batch)
			fprintf(stderr, "This is for \"triadsetup replica join IMAGE\" on %s.  Whoever has it can be that "
				"replica, or\nwrite to it: show it to nobody else.\n", host);
		if (option && !opt->batch)
			advise_sync(&s);
	}
	close_lines(&l, !r);
	if (!r)
		r = have_it_read(&l, opt);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(digits, sizeof(digits));
	free(cut);
	return r;
}

/* ---- join ----------------------------------------------------------------------------------- */

struct invitation {
	char name[64], key[2 * KEY_BYTES + 1];
	u64 blocks, bytes;
};

/* "WORD VALUE" of a line, which has to be the next one. */
static bool take(char **rest, const char *word, char *value, size_t size)
{
	char *line = strsep(rest, "\n");
	size_t n = strlen(word);

	if (!line || strncmp(line, word, n) || line[n] != ' ' || strlen(line + n + 1) >= size)
		return false;
	strcpy(value, line + n + 1);
	return *value;
}

static bool take_number(char **rest, const char *word, u64 most, u64 *number)
{
	char text[24], *end;

	if (!take(rest, word, text, sizeof(text)) || !isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !*end && !errno && *number && *number <= most;
}

static bool is_key(const char *digits)
{
	return strspn(digits, "0123456789abcdef") == 2 * KEY_BYTES && !digits[2 * KEY_BYTES];
}

static int read_invitation(struct invitation *in)
{
	char text[1024], *rest = text, *first;
	size_t nr = 0;
	ssize_t n = 1;
	bool ok;

	while (n > 0 && nr < sizeof(text) - 1) {
		n = read(STDIN_FILENO, text + nr, sizeof(text) - 1 - nr);
		nr += n > 0 ? n : 0;
	}
	text[nr] = 0;
	first = strsep(&rest, "\n");
	ok = !strcmp(first, FIRST_LINE) && take(&rest, "name", in->name, sizeof(in->name)) &&
	     config_is_name(in->name) && take_number(&rest, "blocks", TRIAD_MAX_BLOCKS, &in->blocks) &&
	     take_number(&rest, "image", TRIAD_MAX_BLOCKS << TRIAD_BLOCK_SHIFT, &in->bytes) &&
	     take(&rest, "key", in->key, sizeof(in->key)) && is_key(in->key) && rest && rest == text + nr;
	explicit_bzero(text, sizeof(text));
	if (ok)
		return 0;
	return tool_fail(TOOL_USAGE, "Nothing was changed.  On the device's host, and from there:\n"
			 "  triadsetup replica invite DEVICE HOST | ssh HOST triadsetup replica join IMAGE",
			 "standard input: it holds no invitation");
}

/* A replica, or nothing that anybody knows: as the daemon, which makes it one. */
static int look_for_content(const struct disk *disk, const char *path)
{
	struct triad_slot slots[TRIAD_NR_SLOTS];
	struct signature found[MAX_SIGNATURES];
	int first, r = triad_core_probe(slots, (struct triad_store *)&disk->store, &first), nr;

	if (!r)
		return triad_root_is_replica(&slots[first].root) ? 0 :
		       tool_fail(TOOL_BUSY, "Nothing was changed.  What was the device becomes a replica with triadsetup "
				 "replica rejoin.", "%s: it is a dm-triad device, and no replica", path);
	if (r != -ENODATA)
		return tool_fail_open(path, r, false);
	nr = signature_find(&disk->data, found);
	if (nr < 0)
		return tool_fail_open(path, nr, false);
	if (nr)
		return tool_fail(TOOL_BUSY, "Nothing was changed.  If that may be lost, wipefs -a removes it.",
				 "%s: it holds what another program knows: %s", path, found[0].type);
	for (first = 0; first < TRIAD_NR_SLOTS; first++)
		if (slots[first].state != TRIAD_SLOT_EMPTY)
			return tool_fail(TOOL_BUSY, "Nothing was changed.  If that may be lost, overwrite it with zeroes.",
					 "%s: something else lies in it", path);
	return 0;
}

/* Does it map to as much as the device?  On what it is now, or will be. */
static int judge_size(const struct invitation *in, const char *path, u64 bytes)
{
	u64 blocks = min_t(u64, bytes >> TRIAD_BLOCK_SHIFT, TRIAD_MAX_BLOCKS);
	char has[TEXT_SIZE], needs[TEXT_SIZE];
	struct triad_geometry geo;
	const char *why;

	if (!triad_geometry_init(&geo, blocks, in->blocks, TRIAD_PLANE_BITS, TRIAD_DEFAULT_SEGMENT, 0, &why))
		return 0;
	return tool_fail(TOOL_DEVICE, "Nothing was changed.  Use a larger one.", "%s: %s are too few for a device "
			 "that maps %s: %s", path, text_size(bytes, has),
			 text_size(in->blocks << TRIAD_BLOCK_SHIFT, needs), why);
}

/* Made if it is not there: as large as the device, and sparse. */
static int look_at_image(const struct invitation *in, const char *what, char *path, bool *make)
{
	char dir[PATH_MAX], *base;
	const char *which;
	struct disk disk;
	int r;

	disk_none(&disk);
	snprintf(path, PATH_MAX, "%s", what);
	*make = access(what, F_OK) && errno == ENOENT;
	if (!*make && !realpath(what, path))
		return tool_fail_open(what, -errno, true);
	if (*make) {
		snprintf(dir, sizeof(dir), "%s", what);
		base = strrchr(dir, '/');
		if (base)
			*base++ = 0;
		if (!realpath(!base ? "." : *dir ? dir : "/", path))
			return tool_fail_open(what, -errno, true);
		if (!strncmp(path, "/dev", 4) && (!path[4] || path[4] == '/'))
			return tool_fail_open(what, -ENOENT, true);
		if (strlen(path) + strlen(base ? base : what) + 2 > PATH_MAX)
			return tool_fail_open(what, -ENAMETOOLONG, true);
		strcat(strcat(path, "/"), base ? base : what);
		return is_no_word(path) ? TOOL_USAGE : judge_size(in, path, in->bytes);
	}
	r = is_no_word(path);
	if (r)
		return r;
	r = disk_open(&disk, path, NULL, 0, DEVICE_WRITE, &which);
	if (r)
		return tool_fail_open(path, r, true);
	if (disk_attached(&disk, &which))
		r = tool_fail_open(path, -EBUSY, true);
	if (!r)
		r = judge_size(in, path, disk.data.bytes);
	if (!r)
		r = look_for_content(&disk, path);
	disk_close(&disk);
	return r;
}

static int make_image(const struct invitation *in, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error = fd < 0 ? errno : 0;

	if (!error && ftruncate(fd, in->bytes)) {
		error = errno;
		unlink(path);
	}
	if (fd >= 0)
		close(fd);
	return error ? tool_fail(tool_exit_of(-error), unchanged, "%s: %s", path, strerror(error)) : 0;
}

int lines_join(const struct options *opt)
{
	const char *option = opt->nr_args > 2 ? opt->args[2] : NULL;
	struct lines l = { .lock = -1 };
	struct invitation in = { .bytes = 0 };
	char path[PATH_MAX], line[3 * PATH_MAX];
	bool make = false, made = false;
	int r;

	if (opt->nr_args < 2 || opt->nr_args > 3 || (option && strcmp(option, "in_steps")))
		return tool_fail(TOOL_USAGE, unchanged, "replica join: it is IMAGE [in_steps]");
	r = read_invitation(&in);
	if (!r)
		r = look_at_image(&in, opt->args[1], path, &make);
	if (!r)
		r = open_lines(&l);
	if (!r)
		r = look_for_line(&l, ROLE_REPLICA, in.name, NULL, NULL);
	if (!r)
		r = make_key(&l, in.name, NULL, in.key);
	if (!r && make) {
		r = make_image(&in, path);
		made = !r;
	}
	if (!r) {
		snprintf(line, sizeof(line), "replica %s %s %s%s", in.name, path, l.key_path,
			 option ? " in_steps" : "");
		r = add_line(&l, line);
	}
	if (r && made)
		unlink(path);
	close_lines(&l, !r);
	if (!r)
		r = have_it_read(&l, opt);
	if (!r && opt->json) {
		json_add_text(json_document(), "name", in.name);
		json_add_text(json_document(), "image", path);
	} else if (!r && !opt->batch) {
		printf("%s: the replica of %s.  triadsetup replica status %s tells how far it is.\n", path, in.name,
		       in.name);
	}
	explicit_bzero(&in, sizeof(in));
	return r;
}

/* ---- remove --------------------------------------------------------------------------------- */

/* What is to go, of what the file says. */
struct removal {
	const char *name, *host, *port;	/* host: NULL for all */
};

static bool goes(const struct removal *rm, const struct peer *peer)
{
	return !strcmp(peer->name, rm->name) &&
	       (!rm->host || (peer->role == ROLE_OWNER && !strcmp(peer->host, rm->host) &&
			      !strcmp(peer->port, rm->port)));
}

/* Flushes would wait for who never comes. */
static int protect(const struct config *config, const struct removal *rm)
{
	struct status status = { 0 };
	const struct peer *peer;
	bool waits;
	unsigned int i, k, left;

	for (i = 0; i < config->nr_peers; i++) {
		peer = config->peer[i];
		if (!goes(rm, peer) || !peer->sync)
			continue;
		for (k = left = 0; k < config->nr_peers; k++)
			left += config->peer[k]->sync && !goes(rm, config->peer[k]) &&
				!strcmp(config->peer[k]->path, peer->path);
		waits = !left && status_find(peer->path, &status) && status.text[STATUS_SYNC] &&
			!status_is(&status, STATUS_SYNC, "off") && !status_is(&status, STATUS_SYNC, "-");
		status_free(&status);
		memset(&status, 0, sizeof(status));
		if (waits)
			return tool_fail(TOOL_BUSY, "Nothing was changed.  First: triadsetup replica sync NAME off; or --force.",
					 "%s: its flushes wait for this replica, and would for ever", peer->path);
	}
	return 0;
}

/* The text without those lines; nr: how many went. */
static char *cut(const struct lines *l, const struct config *config, const struct removal *rm, unsigned int *nr)
{
	char *out = calloc(1, l->size + 1), *from = l->text, *end;
	unsigned int line_nr, i;
	size_t size = 0;
	bool gone;

	for (line_nr = 1; out && *from; line_nr++, from = end) {
		end = from + strcspn(from, "\n");
		end += *end == '\n';
		for (i = gone = 0; i < config->nr_peers; i++)
			gone |= config->peer[i]->line_nr == line_nr && goes(rm, config->peer[i]);
		for (i = 0; i < config->nr_groups && !rm->host; i++)
			gone |= config->group[i]->line_nr == line_nr && !strcmp(config->group[i]->name, rm->name);
		if (!gone) {
			memcpy(out + size, from, end - from);
			size += end - from;
		}
		*nr += gone;
	}
	return out;
}

/* Keys that invite and join have made. */
static void remove_keys(const struct lines *l, const struct config *config, const struct removal *rm)
{
	size_t n = strlen(l->keys);
	unsigned int i;

	for (i = 0; i < config->nr_peers; i++) {
		const char *path = config->peer[i]->key_path;

		if (path && goes(rm, config->peer[i]) && !strncmp(path, l->keys, n) && path[n] == '/')
			unlink(path);
	}
}

int lines_remove(const struct options *opt)
{
	struct removal rm = { .name = opt->nr_args > 1 ? opt->args[1] : NULL };
	char *host = opt->nr_args > 2 ? strdup(opt->args[2]) : NULL, *text = NULL;
	struct config config = { 0 };
	struct lines l = { .lock = -1 };
	unsigned int nr = 0, left = 0, i;
	int r = 0;

	if (!rm.name || opt->nr_args > 3 || (host && !net_split(host, &rm.host, &rm.port)))
		r = tool_fail(TOOL_USAGE, unchanged, "replica remove: it is NAME [HOST[:PORT]]");
	if (!r)
		r = open_lines(&l);
	if (!r && config_read(&config, l.path, l.path))
		r = tool_fail(TOOL_USAGE, unchanged, "%s", config.why);
	if (!r && !opt->force)
		r = protect(&config, &rm);
	text = r ? NULL : cut(&l, &config, &rm, &nr);
	if (!r && !text)
		r = fail(&l, ENOMEM);
	if (!r && !nr)
		r = tool_fail(TOOL_USAGE, unchanged, "%s: it has no line for %s%s%s", l.path, rm.name,
			      host ? " on " : "", host ? opt->args[2] : "");
	if (!r)
		r = put_lines(&l, text, strlen(text));
	if (!r)
		remove_keys(&l, &config, &rm);
	close_lines(&l, true);
	if (!r)
		r = have_it_read(&l, opt);
	for (i = 0; i < config.nr_peers; i++)
		left += !goes(&rm, config.peer[i]);
	if (!r && opt->json)
		json_add_number(json_document(), "lines", nr);
	else if (!r && !opt->batch)
		printf("%s: %u line%s removed.  Devices and images are as they were.%s\n", l.path, nr, PLURAL(nr),
		       left ? "" : "\nNothing is left for triadd to do: systemctl disable --now triadd");
	config_free(&config);
	free(host);
	free(text);
	return r;
}
