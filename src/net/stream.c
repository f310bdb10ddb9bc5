/*
 * stream: the owner's calls.  None of them calls back; see stream_loop for what the loop does.
 */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/endpoint.h"
#include "net/stream_loop.h"

enum {
	INPUT_CAP = STREAM_INPUT_MAX + (96 << 10),  /* the last read may pass the mark */
	OUTPUT_CAP = STREAM_OUTPUT_MAX + (2 << 20), /* with what TLS adds */
};

static struct stream *
make(struct event_base *base, int fd, const struct stream_events *events, void *arg)
{
	struct stream *s = MEM_NEW(struct stream);
	int on = 1;

	s->events = events;
	s->arg = arg;
	s->fd = fd;
	s->text = "";
	buf_init(&s->input, INPUT_CAP);
	buf_init(&s->written, STREAM_OUTPUT_MAX);
	buf_init(&s->output, OUTPUT_CAP);
	stream_loop_init(s, base);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return s;
}

struct stream *
stream_new(struct event_base *base, int fd, const struct stream_events *events, void *arg)
{
	return make(base, fd, events, arg);
}

struct stream *
stream_connect(struct event_base *base, const struct stream_ends *ends,
    const struct stream_events *events, void *arg)
{
	int fd = socket(ends->to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;
	struct stream *s = make(base, fd, events, arg);

	s->is_connecting = true;
	if (!error && ends->source && bind(fd, ends->source, ends->source_len) != 0)
		error = errno;
	if (!error && connect(fd, ends->to, ends->to_len) != 0 && errno != EINPROGRESS)
		error = errno;
	if (error)
		stream_loop_end_errno(s, error);
	else
		stream_loop_block(s);
	return s;
}

void
stream_free(struct stream **s)
{
	struct stream *dead = *s;

	*s = NULL;
	if (!dead || dead->is_freed)
		return;
	dead->is_freed = true;
	event_del(&dead->read_event);
	event_del(&dead->write_event);
	event_del(&dead->timer_event);
	event_del(&dead->news_event);
	if (dead->fd >= 0)
		close(dead->fd);
	if (!dead->is_busy)
		stream_loop_destroy(dead);
}

struct str
stream_input(const struct stream *s)
{
	return str_make(s->input.p ? s->input.p + s->input_at : "", stream_unread(s));
}

void
stream_drop(struct stream *s, size_t n)
{
	s->input_at += n < stream_unread(s) ? n : stream_unread(s);
	if (s->input_at == s->input.n) {
		buf_clear(&s->input);
		s->input_at = 0;
	}
	if (stream_loop_may_decrypt(s))
		stream_loop_wake(s);
	stream_loop_arm(s);
}

void
stream_read(struct stream *s, bool on)
{
	s->is_reading = on;
	if (!on)
		return;
	if (stream_loop_may_decrypt(s) || (s->news & NEWS_INPUT) || stream_loop_may_tell_end(s))
		stream_loop_wake(s);
	stream_loop_arm(s);
}

bool
stream_has_unseen(struct stream *s)
{
	char c;

	if ((s->news & NEWS_INPUT) || (s->tunnel && tunnel_has_input(s->tunnel)))
		return true;
	return recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
stream_write(struct stream *s, struct str bytes)
{
	if (s->is_finishing || stream_loop_is_over(s))
		return;
	if (stream_waiting(s) + bytes.n > STREAM_OUTPUT_MAX || !buf_adds(&s->written, bytes))
		stream_loop_end_errno(s, ENOBUFS);
}

void
stream_flush(struct stream *s)
{
	if (stream_loop_is_over(s) || s->written.n == 0)
		return;
	s->is_flushing = s->is_connecting || s->is_securing;
	if (s->is_flushing)
		return;
	if (s->tunnel) {
		if (!tunnel_write(s->tunnel, buf_str(&s->written)))
			stream_loop_tunnel_failed(s);
		buf_clear(&s->written);
	} else if (s->output.n == 0) {
		struct buf empty = s->output;

		s->output = s->written;
		s->output.max = OUTPUT_CAP;
		s->written = empty;
		s->written.max = STREAM_OUTPUT_MAX;
	} else {
		buf_adds(&s->output, buf_str(&s->written));
		buf_clear(&s->written);
	}
	if (!s->is_blocked)
		stream_loop_send(s);
}

size_t
stream_waiting(const struct stream *s)
{
	return s->written.n + s->output.n - s->output_at;
}

void
stream_finish(struct stream *s, int64_t linger_ms)
{
	if (s->is_finishing || stream_loop_is_over(s))
		return;
	stream_flush(s);
	if (s->tunnel && !s->is_securing && !stream_loop_is_over(s))
		tunnel_bye(s->tunnel);
	s->is_finishing = true;
	buf_clear(&s->input);
	s->input_at = 0;
	stream_deadline(s, clock_mono_ms() + linger_ms);
	if (s->is_connecting)
		stream_loop_end(s, STREAM_EOF, "");
	else if (!s->is_blocked)
		stream_loop_send(s);
	stream_loop_arm(s);
}

void
stream_deadline(struct stream *s, int64_t mono_ms)
{
	s->deadline_ms = mono_ms;
	if (mono_ms && (!s->timer_ms || mono_ms < s->timer_ms) && !s->is_told)
		stream_loop_set_timer(s, clock_mono_ms());
}

/* ---- TLS ---- */

/* What was read in the clear is forgotten: nothing said before TLS counts behind it (RFC 3207
 * section 4.2). */
static void
begin_tls(struct stream *s, struct tunnel *tunnel)
{
	s->tunnel = tunnel;
	s->is_securing = true;
	s->is_stalled = false;
	s->news &= (unsigned char)~NEWS_INPUT;
	buf_clear(&s->input);
	s->input_at = 0;
	stream_loop_arm(s);
}

void
stream_start_tls_server(struct stream *s, struct tls_server *tls)
{
	if (s->tunnel)
		die("stream: TLS twice");
	stream_flush(s);
	begin_tls(s, tunnel_new_server(tls, &s->output));
}

void
stream_start_tls_client(struct stream *s, struct tls_client *tls, const char *name)
{
	if (s->tunnel)
		die("stream: TLS twice");
	stream_flush(s);
	begin_tls(s, tunnel_new_client(tls, name, &s->output));
	if (stream_loop_is_over(s))
		return;
	stream_loop_handshake(s);
	if (!s->is_blocked)
		stream_loop_send(s);
}

bool
stream_is_tls(const struct stream *s)
{
	return s->tunnel && !s->is_securing;
}

const char *
stream_tls_version(const struct stream *s)
{
	return stream_is_tls(s) ? tunnel_version(s->tunnel) : "";
}

bool
stream_tls_exporter(const struct stream *s, unsigned char out[32])
{
	return stream_is_tls(s) && tunnel_exporter(s->tunnel, out);
}

bool
stream_tls_is_verified(const struct stream *s)
{
	return stream_is_tls(s) && tunnel_is_verified(s->tunnel);
}

bool
stream_tls_is_resumed(const struct stream *s)
{
	return stream_is_tls(s) && tunnel_is_resumed(s->tunnel);
}

int
stream_error(const struct stream *s)
{
	return s->error;
}

const char *
stream_error_text(const struct stream *s)
{
	return s->text;
}

void
stream_peer(const struct stream *s, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out)
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof a;

	if (getpeername(s->fd, (struct sockaddr *)&a, &size) != 0)
		a.ss_family = AF_UNSPEC;
	endpoint_text(&a, address_out, port_out);
}

void
stream_local(const struct stream *s, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out)
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof a;

	if (getsockname(s->fd, (struct sockaddr *)&a, &size) != 0)
		a.ss_family = AF_UNSPEC;
	endpoint_text(&a, address_out, port_out);
}
