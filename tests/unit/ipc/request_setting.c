#include "unit/ipc/request_setting.h"

void
setting_answer(struct setting *s, uint64_t call)
{
	const struct message_question *ask = message_question(s->type);
	union message zero = {0};
	int fd = ask->has_descriptor ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

	if (ask->has_rows)
		(void)!channel_answer(s->other.channel, call, MESSAGE_ADMIN_ROW, &zero, -1);
	(void)!channel_answer(s->other.channel, call, ask->answer, &zero, fd);
	if (fd >= 0)
		close(fd);
}

static void
other_on_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct setting *s = arg;

	cr_assert_neq(p->call, 0);
	s->other.calls[s->other.call_count % AT_ONCE] = p->call;
	s->other.call_count++;
	if (s->other.refuses)
		channel_refuse(c, p->call);
	else if (!s->other.is_silent)
		setting_answer(s, p->call);
}

static void
asker_on_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
	cr_assert_fail("nothing but answers was sent");
}

static void
other_lost(struct channel *c, void *arg)
{
	struct setting *s = arg;

	(void)c;
	channel_free(&s->other.channel);
}

static void
asker_lost(struct channel *c, void *arg)
{
	struct setting *s = arg;

	(void)c;
	s->asker.lost++;
	channel_free(&s->asker.channel);
}

void
setting_ended(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct setting *s = arg;

	cr_assert_eq(p != NULL, end == REQUEST_ROW || end == REQUEST_ANSWERED);
	if (end == REQUEST_ROW) {
		s->asker.rows++;
		return;
	}
	s->asker.ends++;
	s->asker.end = end;
	if (p && p->fd >= 0)
		s->asker.fd = p->fd;
}

static void
join(struct setting *s)
{
	int ends[2];

	s->between = fault_channel_new(ends);
	s->asker.channel = channel_new(s->base, ends[0], asker_on_packet, asker_lost, s);
	s->other.channel = channel_new(s->base, ends[1], other_on_packet, other_lost, s);
}

void
setting_set_up(struct setting *s, enum message_type type)
{
	*s = (struct setting){.base = event_base_new(), .type = type, .asker.fd = -1};
	join(s);
}

void
setting_tear_down(struct setting *s)
{
	clock_shorten_timeouts(1);
	if (s->asker.fd >= 0)
		close(s->asker.fd);
	channel_free(&s->asker.channel);
	channel_free(&s->other.channel);
	fault_channel_free(&s->between);
	event_base_free(s->base);
}

void
setting_ask_one(struct setting *s)
{
	union message zero = {0};
	unsigned ends = s->asker.ends;

	request_init(&s->request, setting_ended, s);
	request_ask(&s->request, s->asker.channel, s->type, &zero);
	cr_assert_eq(s->asker.ends, ends, "never from inside the asking call");
}

static void
once(struct setting *s)
{
	struct timeval limit = {0, 2000};

	event_base_loopexit(s->base, &limit);
	event_base_dispatch(s->base);
}

void
setting_until(struct setting *s, const unsigned *count, unsigned enough)
{
	int64_t end = clock_mono_ms() + 20000;

	while (*count < enough && clock_mono_ms() < end)
		once(s);
	cr_assert_geq(*count, enough, "%s: waited for ever", message_name(s->type));
}

void
setting_linger(struct setting *s)
{
	for (int i = 0; i < 10; i++)
		once(s);
}

unsigned
setting_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

void
setting_ends_with(struct setting *s, enum request_end end, const char *fault)
{
	setting_until(s, &s->asker.ends, 1);
	setting_linger(s);
	cr_assert_eq(s->asker.ends, 1, "%s, %s: ended twice", message_name(s->type), fault);
	cr_assert_eq(
	    s->asker.end, end, "%s, %s: end %d", message_name(s->type), fault, s->asker.end);
	cr_assert_not(request_is_open(&s->request));
}

void
setting_works_as_ever(struct setting *s, const char *fault)
{
	clock_shorten_timeouts(1);
	fault_channel_set(s->between, NULL, 0);
	s->other.is_silent = s->other.refuses = false;
	s->asker.ends = 0;
	setting_ask_one(s);
	setting_until(s, &s->asker.ends, 1);
	cr_assert_eq(s->asker.end, REQUEST_ANSWERED, "%s after %s: end %d", message_name(s->type),
	    fault, s->asker.end);
	cr_assert_eq(s->asker.fd >= 0, message_question(s->type)->has_descriptor);
}
