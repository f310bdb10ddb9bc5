/*
 * content_cache: what is kept, for how long, and how much of it; and the first attempt of a message,
 * which reads nothing from the disk.
 */
#include "queue/content_cache.h"

#include "rig.h"

static struct msgid
id_of_content(unsigned n)
{
	return (struct msgid){.session = n, .number = 1};
}

static void
put_content(struct content_cache *c, unsigned n, struct str body, unsigned uses)
{
	content_cache_put(c, id_of_content(n),
	    &(struct content_cache_parts){STR("envelope"), STR("Header: x\r\n"), body}, uses);
}

Test(content_cache, keeps_the_parts_until_the_last_use)
{
	struct content_cache *c = content_cache_new(4096);
	struct content_cache_parts parts;

	put_content(c, 1, STR("body\r\n"), 2);
	cr_assert(content_cache_find(c, id_of_content(1), &parts));
	cr_expect(str_eq(parts.envelope, STR("envelope")));
	cr_expect(str_eq(parts.header, STR("Header: x\r\n")));
	cr_expect(str_eq(parts.body, STR("body\r\n")));
	content_cache_used(c, id_of_content(1));
	cr_expect(content_cache_find(c, id_of_content(1), &parts));
	content_cache_used(c, id_of_content(1));
	cr_expect_not(content_cache_find(c, id_of_content(1), &parts));
	cr_expect_eq(content_cache_bytes(c), 0);
	content_cache_used(c, id_of_content(1));
	content_cache_forget(c, id_of_content(2));
	content_cache_free(&c);
	cr_expect_null(c);
}

Test(content_cache, forgets_the_oldest_without_room)
{
	static char text[900];
	struct content_cache *c = content_cache_new(4096);
	struct content_cache_parts parts;

	for (unsigned n = 1; n <= 10; n++) {
		put_content(c, n, str_make(text, sizeof text), 1);
		cr_expect_leq(content_cache_bytes(c), 4096);
	}
	cr_expect_not(content_cache_find(c, id_of_content(6), &parts));
	cr_expect(content_cache_find(c, id_of_content(7), &parts));
	cr_expect(content_cache_find(c, id_of_content(10), &parts));
	content_cache_set_max(c, 2000);
	cr_expect_not(content_cache_find(c, id_of_content(8), &parts));
	cr_expect(content_cache_find(c, id_of_content(10), &parts));
	content_cache_set_max(c, 0);
	cr_expect_eq(content_cache_bytes(c), 0);
	put_content(c, 11, STR(""), 1);
	cr_expect_not(content_cache_find(c, id_of_content(11), &parts));
	content_cache_free(&c);
}

Test(content_cache, a_large_message_takes_the_place_of_no_other)
{
	static char text[2000];
	struct content_cache *c = content_cache_new(4096);
	struct content_cache_parts parts;

	put_content(c, 1, STR("small"), 1);
	put_content(c, 2, str_make(text, sizeof text), 1);
	cr_expect(content_cache_find(c, id_of_content(1), &parts));
	cr_expect_not(content_cache_find(c, id_of_content(2), &parts));
	content_cache_free(&c);
}

/* Two domains: neither attempt reads.  A later attempt, and one after a restart, reads. */
Test(content_cache, the_first_attempts_read_nothing, .timeout = 60)
{
	static struct rig r;
	const char *user = "alice@example.com";
	unsigned reads;

	rig_begin(&r, rig_quick);
	r.keeps_contents = true;
	rig_reload(&r, rig_quick);
	rig_relay(&r, true);
	reads = r.disk->reads;
	cr_assert_eq(rig_commit(&r, rig_id(1), user, TO("a@one.example", "b@two.example")).code, 250);
	(void)rig_attempt(&r, 1);
	cr_expect_eq(r.disk->reads, reads, "neither of the two");
	cr_expect_str_eq(r.attempts[0].header, r.attempts[1].header);
	cr_expect_gt(strlen(r.attempts[0].header), 10);
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_results(&r, &r.attempts[1], 451, "greylisted");
	(void)rig_attempt(&r, 2);
	cr_expect_gt(r.disk->reads, reads, "the second attempt reads");
	cr_expect_str_eq(r.attempts[2].header, r.attempts[1].header);
	cr_expect_str_eq(r.attempts[2].body, r.attempts[1].body);
	rig_end(&r);
}

/* What is kept changes no decision: a message that is held before its attempt is not sent. */
Test(content_cache, a_held_message_is_not_sent, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_quick);
	r.keeps_contents = true;
	rig_reload(&r, rig_quick);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@one.example")).code, 250);
	rig_admin(&r, "queue.hold", WITH("user", "alice@example.com"));
	rig_relay(&r, true);
	rig_wait(&r, 100);
	cr_expect_eq(r.attempt_count, 0);
	rig_admin(&r, "queue.release", WITH("user", "alice@example.com"));
	(void)rig_attempt(&r, 0);
	rig_end(&r);
}
