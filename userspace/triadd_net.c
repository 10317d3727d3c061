// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TLS 1.3 with keys that both sides have, and frames in it.  Before a side has shown its key
 * nothing of what it says is looked at, and nothing is kept of it; behind that no more than one
 * frame.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "triadd.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "report.h"

#define PRIORITY	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+DHE-PSK"
#define HANDSHAKE_MS	10000
#define CONNECT_MS	10000
#define DEAD_MS		30000u	/* what was sent is not acknowledged by the other kernel */

static gnutls_psk_server_credentials_t server;
static bool (*find_key)(const char *name, const u8 **key, size_t *size);

static int fail(struct net *net, int error, const char *what, const char *detail)
{
	snprintf(net->why, sizeof(net->why), "%s%s%s", what, detail ? ": " : "", detail ? detail : "");
	return error;
}

static int fail_tls(struct net *net, const char *what, int r)
{
	if (r == GNUTLS_E_PUSH_ERROR || r == GNUTLS_E_PULL_ERROR)
		return fail(net, -ECONNRESET, what, strerror(errno));
	if (r == GNUTLS_E_PREMATURE_TERMINATION)
		return fail(net, -ECONNRESET, what, "the other side hung up");
	return fail(net, -EPROTO, what, gnutls_strerror(r));
}

static int give_key(gnutls_session_t tls, const char *name, gnutls_datum_t *key)
{
	const u8 *data;
	size_t size;
	struct net *net = gnutls_session_get_ptr(tls);

	if (!find_key(name, &data, &size))
		return -1;
	net->key = data;
	key->data = gnutls_malloc(size);
	if (!key->data)
		return -1;
	memcpy(key->data, data, size);
	key->size = size;
	return 0;
}

int net_start(bool (*find)(const char *name, const u8 **key, size_t *size))
{
	find_key = find;
	if (gnutls_global_init() || gnutls_psk_allocate_server_credentials(&server))
		return -ENOMEM;
	gnutls_psk_set_server_credentials_function(server, give_key);
	return 0;
}

/* ---- sockets --------------------------------------------------------------------------- */

static void set_up(int fd)
{
	unsigned int dead = DEAD_MS;
	int on = 1, idle = 10, every = 5, times = 4;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

/* 1: ready; 0: not in time, or woken. */
static int wait_for(int fd, short events, int timeout_ms, int wake)
{
	struct pollfd p[2] = { { .fd = fd, .events = events }, { .fd = wake, .events = POLLIN } };
	int r = poll(p, wake < 0 ? 1 : 2, timeout_ms);

	return r > 0 && p[0].revents;
}

int net_listen(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found;
	char *text = strdup(address);
	const char *host, *port;
	int fd = -1, on = 1, r;

	if (!text || !net_split(text, &host, &port)) {
		free(text);
		return -EINVAL;
	}
	r = getaddrinfo(strcmp(host, "*") ? host : NULL, port, &hints, &found);
	free(text);
	if (r)
		return -EADDRNOTAVAIL;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? -errno : 0;
	if (!r)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!r && (bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, 16)))
		r = -errno;
	freeaddrinfo(found);
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

static int try_address(struct net *net, const struct addrinfo *a, int wake)
{
	socklen_t size = sizeof(int);
	int error = 0;

	net->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (net->fd < 0)
		return -errno;
	set_up(net->fd);
	if (!connect(net->fd, a->ai_addr, a->ai_addrlen))
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (!wait_for(net->fd, POLLOUT, CONNECT_MS, wake))
		return -ETIMEDOUT;
	getsockopt(net->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return -error;
}

static int dial(struct net *net, const char *host, const char *port, int wake)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found, *a;
	int r = getaddrinfo(host, port, &hints, &found);

	if (r)
		return fail(net, -EHOSTUNREACH, host, gai_strerror(r));
	for (r = -EHOSTUNREACH, a = found; a && r; a = a->ai_next) {
		if (net->fd >= 0)
			close(net->fd);
		net->fd = -1;
		r = try_address(net, a, wake);
	}
	freeaddrinfo(found);
	return r ? fail(net, r, "connecting", strerror(-r)) : 0;
}

/* ---- TLS -------------------------------------------------------------------------------- */

static int handshake(struct net *net, int wake)
{
	double end = seconds_now() + HANDSHAKE_MS / 1000.0;
	int left, r;

	gnutls_transport_set_int(net->tls, net->fd);
	while ((r = gnutls_handshake(net->tls)) < 0) {
		if (gnutls_error_is_fatal(r))
			return fail_tls(net, "the key was not accepted, or no daemon of ours is there", r);
		left = (end - seconds_now()) * 1000;
		if (left <= 0 || !wait_for(net->fd, gnutls_record_get_direction(net->tls) ?
					   POLLOUT : POLLIN, left, wake))
			return fail(net, -ETIMEDOUT, "the other side does not answer", NULL);
	}
	if (gnutls_auth_get_type(net->tls) != GNUTLS_CRD_PSK ||
	    gnutls_protocol_get_version(net->tls) != GNUTLS_TLS1_3)
		return fail(net, -EPROTO, "it did not prove to have the key", NULL);
	net->is_up = true;
	return 0;
}

static int begin(struct net *net)
{
	net->in = calloc(1, sizeof(*net->in));
	if (!net->in)
		return fail(net, -ENOMEM, "out of memory", NULL);
	net->in->session = true;
	return 0;
}

int net_connect(struct net *net, const char *host, const char *port, const char *name,
		const u8 *key, size_t key_size, int wake)
{
	gnutls_datum_t datum = { (unsigned char *)key, key_size };
	int r;

	memset(net, 0, sizeof(*net));
	net->fd = -1;
	snprintf(net->peer, sizeof(net->peer), "%s", name);
	r = dial(net, host, port, wake);
	if (r)
		return r;
	if (gnutls_psk_allocate_client_credentials(&net->client) ||
	    gnutls_psk_set_client_credentials(net->client, name, &datum, GNUTLS_PSK_KEY_RAW) ||
	    gnutls_init(&net->tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL) ||
	    gnutls_priority_set_direct(net->tls, PRIORITY, NULL) ||
	    gnutls_credentials_set(net->tls, GNUTLS_CRD_PSK, net->client))
		r = fail(net, -ENOMEM, "TLS cannot be set up", NULL);
	if (!r)
		r = handshake(net, wake);
	return r ? r : begin(net);
}

int net_accept(struct net *net, int fd)
{
	const char *name;
	int r = 0;

	memset(net, 0, sizeof(*net));
	net->fd = fd;
	set_up(fd);
	if (gnutls_init(&net->tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL) ||
	    gnutls_priority_set_direct(net->tls, PRIORITY, NULL) ||
	    gnutls_credentials_set(net->tls, GNUTLS_CRD_PSK, server))
		r = fail(net, -ENOMEM, "TLS cannot be set up", NULL);
	if (!r) {
		gnutls_session_set_ptr(net->tls, net);
		r = handshake(net, -1);
	}
	if (r)
		return r;
	name = gnutls_psk_server_get_username(net->tls);
	snprintf(net->peer, sizeof(net->peer), "%s", name ? name : "");
	return begin(net);
}

int net_send(struct net *net, struct ship_out *out)
{
	size_t done = 0;
	ssize_t n;

	while (done < out->nr) {
		n = gnutls_record_send(net->tls, out->staged + done, out->nr - done);
		if (n > 0) {
			done += n;
		} else if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
			/* the other side is slow; if it is dead the kernel says so */
			wait_for(net->fd, POLLOUT, 1000, -1);
			if (triadd_ends)
				return fail(net, -EINTR, "it ends here", NULL);
		} else {
			return fail_tls(net, "sending", n);
		}
	}
	net->sent += out->nr;
	out->nr = 0;
	return 0;
}

int net_receive(struct net *net, int timeout_ms, int wake)
{
	double end = seconds_now() + timeout_ms / 1000.0;
	ssize_t need, n;

	for (;;) {
		need = stream_need(net->in, net->have);
		if (need < 0)
			return fail(net, need, "what comes", net->in->why);
		if (net->have >= sizeof(struct stream_header_disk) && net->have == (size_t)need) {
			int r = stream_take(net->in);

			net->have = 0;
			return r ? fail(net, r, "what comes", net->in->why) : 1;
		}
		n = gnutls_record_recv(net->tls, net->in->frame + net->have, need - net->have);
		if (n > 0) {
			net->have += n;
			net->received += n;
		} else if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
			int left = (end - seconds_now()) * 1000;

			if (!wait_for(net->fd, POLLIN, left > 0 ? left : 0, wake))
				return 0;
		} else if (n == 0) {
			return fail(net, -ECONNRESET, "the other side hung up", NULL);
		} else if (gnutls_error_is_fatal(n)) {
			return fail_tls(net, "receiving", n);
		}
	}
}

void net_close(struct net *net)
{
	if (net->tls) {
		if (net->is_up)
			gnutls_bye(net->tls, GNUTLS_SHUT_WR);
		gnutls_deinit(net->tls);
	}
	if (net->client)
		gnutls_psk_free_client_credentials(net->client);
	if (net->fd >= 0)
		close(net->fd);
	free(net->in);
	memset(net, 0, sizeof(*net));
	net->fd = -1;
}
