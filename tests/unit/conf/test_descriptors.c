/* descriptors: a shortage is reported with the key, the need, the limit and what to do. */
#include "conf/descriptors.h"

#include <criterion/criterion.h>

Test(descriptors, are_compared_with_the_limit)
{
	struct conf c = {.queue.concurrency = 500, .limits.sessions = 20000};
	struct conf_descriptors needs[CONF_DESCRIPTORS];
	char text[CONF_DESCRIPTORS_TEXT];

	conf_descriptors(&c, 1, needs);
	cr_expect_eq(needs[0].needed, 256 + 3 * 500 + 564);
	cr_expect_eq(needs[1].needed, 256 + 2 * 500);
	cr_expect_eq(needs[2].needed, 256 + 20000 + 4096 + 4160);
	for (size_t i = 0; i < CONF_DESCRIPTORS; i++)
		cr_expect_not(conf_descriptors_shortage(&needs[i], needs[i].needed, text));
	cr_assert(conf_descriptors_shortage(&needs[0], 2319, text));
	cr_expect_str_eq(text,
	    "queue.concurrency = 500: the relay process may need 2320 descriptors, its hard limit "
	    "is "
	    "2319; raise the limit (LimitNOFILE= in the unit, \"ulimit -Hn\" in a shell) or lower "
	    "queue.concurrency");
	cr_assert(conf_descriptors_shortage(&needs[2], 1024, text));
	cr_expect(strstr(text, "limits.sessions = 20000: the submission process may need 28512 "));
}

/* Few clients need few files for bodies. */
Test(descriptors, of_few_sessions)
{
	struct conf c = {.queue.concurrency = 1, .limits.sessions = 10};
	struct conf_descriptors needs[CONF_DESCRIPTORS];

	conf_descriptors(&c, 1, needs);
	cr_expect_eq(needs[2].needed, 256 + 20 + 74);
	c.limits.sessions = 8000;
	conf_descriptors(&c, 4, needs);
	cr_expect_eq(needs[2].needed, 256 + 2 * 2251 + 4160, "a quarter, and an eighth of that");
	c.submission.processes = 1;
	conf_descriptors(&c, 4, needs);
	cr_expect_eq(needs[2].needed, 256 + 8000 + 4096 + 4160);
}
