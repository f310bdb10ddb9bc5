/*
 * verb_rights: see the header. Only root sees the configuration of the daemon: it names users,
 * hosts and files, which no question about a message needs.
 */
#include "control/verb_rights.h"

#include "ipc/message.h"

const struct verb_rights verb_rights_table[] = {
    {"reload", ROLE_MAIN, RIGHT_ACT, "reload", NULL, NULL},
    {"main.status", ROLE_MAIN, RIGHT_LOOK, "status", NULL, NULL},
    {"main.metrics", ROLE_MAIN, RIGHT_LOOK, "metrics", NULL, NULL},
    {"main.config", ROLE_MAIN, RIGHT_ACT, "config show --running", NULL, NULL},
    {"main.diff", ROLE_MAIN, RIGHT_ACT, "config diff", NULL, NULL},
    {"user.add", ROLE_AUTH, RIGHT_ACT, "user add", NULL, NULL},
    {"user.list", ROLE_AUTH, RIGHT_LOOK, "user list", NULL, NULL},
    {"user.show", ROLE_AUTH, RIGHT_LOOK, "user show", NULL, NULL},
    {"user.password", ROLE_AUTH, RIGHT_ACT, "user password", NULL, NULL},
    {"user.suspend", ROLE_AUTH, RIGHT_ACT, "user suspend", NULL, NULL},
    {"user.resume", ROLE_AUTH, RIGHT_ACT, "user resume", NULL, NULL},
    {"user.remove", ROLE_AUTH, RIGHT_ACT, "user remove", NULL, NULL},
    {"block.list", ROLE_AUTH, RIGHT_LOOK, "block list", NULL, NULL},
    {"block.add", ROLE_AUTH, RIGHT_ACT, "block add", NULL, NULL},
    {"block.remove", ROLE_AUTH, RIGHT_HELP, "block remove", NULL, NULL},
    {"test.auth", ROLE_AUTH, RIGHT_ACT, "test auth", NULL, NULL},
    {"queue.status", ROLE_QUEUE, RIGHT_LOOK, "status", NULL, NULL},
    {"queue.user", ROLE_QUEUE, RIGHT_LOOK, "user show", NULL, NULL},
    {"queue.list", ROLE_QUEUE, RIGHT_LOOK, "queue list", NULL, NULL},
    {"queue.show", ROLE_QUEUE, RIGHT_LOOK, "queue show", "body",
	"queue show with --body or --raw"},
    {"queue.retry", ROLE_QUEUE, RIGHT_ACT, "queue retry", NULL, NULL},
    {"queue.hold", ROLE_QUEUE, RIGHT_ACT, "queue hold", NULL, NULL},
    {"queue.release", ROLE_QUEUE, RIGHT_ACT, "queue release", NULL, NULL},
    {"queue.delete", ROLE_QUEUE, RIGHT_ACT, "queue delete", NULL, NULL},
    {"route.test", ROLE_RELAY, RIGHT_LOOK, "test route", NULL, NULL},
    {"dns.status", ROLE_RELAY, RIGHT_LOOK, "status", NULL, NULL},
};
const size_t verb_rights_count = sizeof verb_rights_table / sizeof *verb_rights_table;

const struct verb_rights *
verb_rights_find(struct str verb)
{
	for (size_t i = 0; i < verb_rights_count; i++)
		if (str_eq(verb, str_of(verb_rights_table[i].verb)))
			return &verb_rights_table[i];
	return NULL;
}

/* The key may stand anywhere in the list, with any value: the role that reads the values might use
 * only one of them. */
static bool
verb_rights_has_key(struct str values, const char *wanted)
{
	struct str key, value;

	while (message_values_next(&values, &key, &value))
		if (str_eq(key, str_of(wanted)))
			return true;
	return false;
}

const char *
verb_rights_root_words(const struct verb_rights *r, struct str values)
{
	if (r->root_key && verb_rights_has_key(values, r->root_key))
		return r->root_words;
	return r->right == RIGHT_ACT ? r->words : NULL;
}
