/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lines.h - commands that change /etc/triadd.conf, and have the daemon read it again.
 */
#ifndef TRIAD_LINES_H
#define TRIAD_LINES_H

#include <json-c/json.h>

#include "tool.h"

/* What the daemon says to a question; NULL, and nothing said: there is none, or it does not answer. */
struct json_object *triadd_ask(const char *verb, const char *what);
bool triadd_was_asked(void);		/* of the last question: it was sent */
const char *triadd_socket_path(void);

/*
 * invite DEVICE HOST[:PORT] [sync]: a line of the owner and a key, which are printed for
 * join IMAGE [in_steps]: a line of the replica.
 * remove NAME [HOST[:PORT]]: no such line any more.
 */
int lines_invite(const struct options *opt);
int lines_join(const struct options *opt);
int lines_remove(const struct options *opt);

#endif
