// SPDX-License-Identifier: GPL-2.0-or-later
#include "signature.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/*
 * libblkid reads odd places, which direct I/O does not do: it gets a descriptor
 * of its own.
 */
static int probe_open(const struct device *dev, bool writing, blkid_probe *probe)
{
	int fd = open(dev->path, (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*probe = blkid_new_probe();
	if (!*probe || blkid_probe_set_device(*probe, fd, 0, 0)) {
		if (*probe)
			blkid_free_probe(*probe);
		close(fd);
		return -ENOMEM;
	}
	blkid_probe_enable_superblocks(*probe, 1);
	blkid_probe_set_superblocks_flags(*probe, BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_TYPE |
					  BLKID_SUBLKS_LABEL | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(*probe, 1);
	blkid_probe_set_partitions_flags(*probe, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
	return fd;
}

static void take_value(blkid_probe probe, const char *name, char *out, size_t size)
{
	const char *value;

	if (!blkid_probe_lookup_value(probe, name, &value, NULL))
		snprintf(out, size, "%s", value);
}

int signature_find(const struct device *dev, struct signature found[MAX_SIGNATURES])
{
	char offset[32];
	blkid_probe probe;
	int fd, nr = 0;

	fd = probe_open(dev, false, &probe);
	if (fd < 0)
		return fd;
	while (nr < MAX_SIGNATURES && !blkid_do_probe(probe)) {
		struct signature *s = &found[nr];

		memset(s, 0, sizeof(*s));
		offset[0] = 0;
		take_value(probe, "TYPE", s->type, sizeof(s->type));
		take_value(probe, "LABEL", s->label, sizeof(s->label));
		take_value(probe, "SBMAGIC_OFFSET", offset, sizeof(offset));
		if (!s->type[0]) {
			take_value(probe, "PTTYPE", s->type, sizeof(s->type));
			take_value(probe, "PTMAGIC_OFFSET", offset, sizeof(offset));
		}
		/* hints without a place, such as a boot sector's, destroy nothing */
		if (!s->type[0] || !offset[0])
			continue;
		s->offset = strtoull(offset, NULL, 10);
		nr++;
	}
	blkid_free_probe(probe);
	close(fd);
	return nr;
}

int signature_wipe(const struct device *dev)
{
	blkid_probe probe;
	int fd, r = 0, left = 4 * MAX_SIGNATURES;

	fd = probe_open(dev, true, &probe);
	if (fd < 0)
		return fd;
	while (!r && left-- && !blkid_do_probe(probe))
		if (blkid_do_wipe(probe, 0))
			r = -EIO;
	if (!r && fsync(fd))
		r = -errno;
	blkid_free_probe(probe);
	close(fd);
	return r;
}
