/*
 * pair: see the header.
 */
#include "pair.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "calls.h"
#include "net/certificate.h"

static void
on_readable(struct stream *s, void *arg)
{
	struct side *side = arg;

	side->readable++;
	if (!side->keeps_input) {
		buf_adds(&side->got, stream_input(s));
		stream_drop(s, stream_input(s).n);
	}
	if (side->then)
		side->then(side);
}

static void
on_connected(struct stream *s, void *arg)
{
	(void)s;
	((struct side *)arg)->connected++;
}

static void
on_secured(struct stream *s, void *arg)
{
	struct side *side = arg;

	(void)s;
	side->secured++;
	if (side->then)
		side->then(side);
}

static void
on_drained(struct stream *s, void *arg)
{
	(void)s;
	((struct side *)arg)->drained++;
}

static void
on_ended(struct stream *s, enum stream_end why, void *arg)
{
	struct side *side = arg;

	side->ended++;
	side->why = why;
	snprintf(side->text, sizeof side->text, "%s", stream_error_text(s));
	if (side->frees_at_end)
		stream_free(&side->stream);
}

const struct stream_events side_events = {
    .readable = on_readable,
    .connected = on_connected,
    .secured = on_secured,
    .drained = on_drained,
    .ended = on_ended,
};

static void
side_init(struct side *s)
{
	*s = (struct side){.fd = -1};
	buf_init(&s->got, 64 << 20);
}

/* One callback in each turn, so that an event that always activates itself again does not keep the
 * loop from its timers. */
struct event_base *
pair_base_new(void)
{
	struct event_config *c = event_config_new();
	struct event_base *base;

	event_config_set_max_dispatch_interval(c, NULL, 1, 0);
	base = event_base_new_with_config(c);
	event_config_free(c);
	return base;
}

static void
pair_begin(struct pair *p, int a, int b)
{
	p->base = pair_base_new();
	side_init(&p->a);
	side_init(&p->b);
	fcntl(b, F_SETFL, O_NONBLOCK);
	p->a.fd = a;
	p->b.stream = stream_new(p->base, b, &side_events, &p->b);
	stream_read(p->b.stream, true);
}

void
pair_init_raw(struct pair *p)
{
	int fds[2];

	cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	pair_begin(p, fds[0], fds[1]);
}

void
tcp_pair(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(listener, (struct sockaddr *)&at, n) == 0 && listen(listener, 1) == 0);
	cr_assert(getsockname(listener, (struct sockaddr *)&at, &n) == 0);
	cr_assert(connect(fds[0], (struct sockaddr *)&at, n) == 0);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	close(listener);
}

void
pair_init_tcp(struct pair *p)
{
	int fds[2];

	tcp_pair(fds);
	pair_begin(p, fds[0], fds[1]);
}

void
pair_init(struct pair *p)
{
	pair_init_raw(p);
	fcntl(p->a.fd, F_SETFL, O_NONBLOCK);
	p->a.stream = stream_new(p->base, p->a.fd, &side_events, &p->a);
	p->a.fd = -1;
	stream_read(p->a.stream, true);
}

void
side_reset(struct side *s)
{
	struct linger now = {1, 0};

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(s->fd);
	s->fd = -1;
}

void
pair_clear(struct pair *p)
{
	stream_free(&p->a.stream);
	stream_free(&p->b.stream);
	if (p->a.fd >= 0)
		close(p->a.fd);
	buf_clear(&p->a.got);
	buf_clear(&p->b.got);
	event_base_free(p->base);
}

void
side_send(struct side *s, const char *text)
{
	stream_write(s->stream, str_of(text));
	stream_flush(s->stream);
}

static void
on_turn_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/* Runs until something happens, but not for ever. */
static void
turn(struct pair *p)
{
	struct event *over = event_new(p->base, -1, 0, on_turn_over, p->base);

	event_add(over, &(struct timeval){0, 10000});
	event_base_loop(p->base, EVLOOP_ONCE);
	event_free(over);
}

bool
pair_until(struct pair *p, const unsigned *count, unsigned n)
{
	int64_t end = clock_mono_ms() + 5000;

	while (*count < n && clock_mono_ms() < end)
		turn(p);
	return *count >= n;
}

bool
pair_until_got(struct pair *p, const struct side *s, size_t n)
{
	int64_t end = clock_mono_ms() + 10000;

	while (s->got.n < n && clock_mono_ms() < end)
		turn(p);
	return s->got.n >= n;
}

void
pair_settle(struct pair *p)
{
	unsigned limit = calls.turns + 3000;

	for (int i = 0; i < 30 && calls.turns < limit; i++)
		event_base_loop(p->base, EVLOOP_NONBLOCK);
}

bool
pair_is_quiet(struct pair *p)
{
	unsigned before;

	turn(p);
	turn(p);
	before = calls.turns;
	turn(p);
	/* a timer that fires a little early takes some turns; an event that loops is always
	 * active */
	return calls.turns - before <= 50 &&
	       event_base_get_num_events(p->base, EVENT_BASE_COUNT_ACTIVE) == 0;
}

/* ---- certificates ---- */

void
authority_init(struct authority *a, const char *name)
{
	unsigned char serial = 1;
	gnutls_datum_t pem;
	int fd;

	gnutls_x509_privkey_init(&a->key);
	gnutls_x509_privkey_generate(
	    a->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&a->crt);
	gnutls_x509_crt_set_version(a->crt, 3);
	gnutls_x509_crt_set_key(a->crt, a->key);
	gnutls_x509_crt_set_serial(a->crt, &serial, 1);
	gnutls_x509_crt_set_dn(a->crt, name, NULL);
	gnutls_x509_crt_set_activation_time(a->crt, time(NULL) - 86400);
	gnutls_x509_crt_set_expiration_time(a->crt, time(NULL) + 86400);
	gnutls_x509_crt_set_ca_status(a->crt, 1);
	gnutls_x509_crt_set_key_usage(a->crt, GNUTLS_KEY_KEY_CERT_SIGN);
	cr_assert(gnutls_x509_crt_sign2(a->crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0) == 0);
	gnutls_x509_crt_export2(a->crt, GNUTLS_X509_FMT_PEM, &pem);
	snprintf(a->path, sizeof a->path, "/tmp/test_net.XXXXXX");
	fd = mkstemp(a->path);
	cr_assert(write(fd, pem.data, pem.size) == (ssize_t)pem.size);
	close(fd);
	gnutls_free(pem.data);
}

void
authority_clear(struct authority *a)
{
	unlink(a->path);
	gnutls_x509_crt_deinit(a->crt);
	gnutls_x509_privkey_deinit(a->key);
}

static void
add_names(gnutls_x509_crt_t crt, const char *names)
{
	struct str rest = str_of(names), name;

	while (str_split(&rest, ',', &name)) {
		unsigned char address[16];
		char text[64];

		snprintf(text, sizeof text, "%.*s", STR_ARG(name));
		if (memcmp(text, "IP:", 3) == 0) {
			bool is_4 = inet_pton(AF_INET, text + 3, address) == 1;

			cr_assert(is_4 || inet_pton(AF_INET6, text + 3, address) == 1);
			gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address,
			    is_4 ? 4 : 16, GNUTLS_FSAN_APPEND);
		} else {
			gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name.p,
			    (unsigned)name.n, GNUTLS_FSAN_APPEND);
		}
	}
}

void
identity_init(struct identity *i, struct authority *a, gnutls_pk_algorithm_t kind,
    const char *names, int days)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	unsigned char serial[2] = {2, (unsigned char)kind};
	bool is_cn_only = strncmp(names, "CN=", 3) == 0;
	unsigned bits =
	    kind == GNUTLS_PK_RSA ? 2048 : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);

	if (kind == GNUTLS_PK_EDDSA_ED25519)
		bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519);
	gnutls_x509_privkey_init(&key);
	cr_assert(gnutls_x509_privkey_generate(key, kind, bits, 0) == 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_key(crt, key);
	gnutls_x509_crt_set_serial(crt, serial, 2);
	cr_assert(gnutls_x509_crt_set_dn(crt, is_cn_only ? names : "CN=leaf", NULL) == 0);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 10 * 86400);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + days * 86400);
	if (!is_cn_only)
		add_names(crt, names);
	cr_assert(gnutls_x509_crt_sign2(crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0) == 0);
	gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
	buf_init(&i->pem, 64 << 10);
	buf_add(&i->pem, pem.data, pem.size);
	gnutls_free(pem.data);
	cr_assert(tls_key_id_of_certificate(buf_str(&i->pem), i->id));
	gnutls_privkey_init(&i->key);
	gnutls_privkey_import_x509(i->key, key, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
	gnutls_x509_crt_deinit(crt);
}

void
identity_clear(struct identity *i)
{
	gnutls_privkey_deinit(i->key);
	buf_clear(&i->pem);
}

static struct identity *
ring_find(struct ring *r, const unsigned char *id)
{
	for (size_t i = 0; i < r->count; i++)
		if (memcmp(r->identity[i]->id, id, TLS_KEY_ID_BYTES) == 0)
			return r->identity[i];
	return NULL;
}

static bool
ring_sign(void *arg, const unsigned char *id, uint32_t algorithm, bool is_hash, struct str data,
    unsigned char *out, size_t *size)
{
	struct ring *r = arg;
	struct identity *i = ring_find(r, id);
	gnutls_datum_t in = {(unsigned char *)data.p, (unsigned)data.n}, signature;
	int e;

	r->signatures++;
	if (!i)
		return false;
	e = is_hash ? gnutls_privkey_sign_hash2(i->key, algorithm, 0, &in, &signature) :
	              gnutls_privkey_sign_data2(i->key, algorithm, 0, &in, &signature);
	if (e != 0 || signature.size > *size)
		return false;
	memcpy(out, signature.data, signature.size);
	*size = signature.size;
	gnutls_free(signature.data);
	return true;
}

static bool
ring_has(void *arg, const unsigned char *id, uint32_t *algorithm_out, uint32_t *bits_out)
{
	struct identity *i = ring_find(arg, id);
	unsigned bits;

	if (!i)
		return false;
	*algorithm_out = (uint32_t)gnutls_privkey_get_pk_algorithm(i->key, &bits);
	*bits_out = bits;
	return true;
}

struct tls_signer
ring_signer(struct ring *r)
{
	return (struct tls_signer){ring_sign, ring_has, r};
}

struct tls_server *
ring_server(struct ring *r, bool only_1_3)
{
	static const unsigned char ticket_key[TLS_TICKET_KEY_BYTES] = "equal in all processes";
	struct tls_certificate list[8];
	struct tls_signer signer = ring_signer(r);
	struct tls_server *t;
	char why[200];

	for (size_t i = 0; i < r->count; i++)
		list[i] = (struct tls_certificate){STR("test.pem"), buf_str(&r->identity[i]->pem)};
	t = tls_server_new(
	    &(struct tls_options){list, r->count, only_1_3, ticket_key, &signer}, why);
	cr_assert(t, "%s", why);
	return t;
}

struct tls_client *
authority_client(const struct authority *a, bool must_verify)
{
	char pem[8192], why[200];
	FILE *f = fopen(a->path, "r");
	size_t n = fread(pem, 1, sizeof pem, f);
	struct tls_client *t =
	    tls_client_new(str_of(a->path), str_make(pem, n), must_verify, why);

	fclose(f);
	cr_assert(t, "%s", why);
	return t;
}
