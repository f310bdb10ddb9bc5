#include "rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/read.h"
#include "main/liveness.h"
#include "main/notices.h"
#include "main/role_links.h"

/* For mail.example.com, valid until 2126, each with its key. */
const char *const rig_certificates[2] = {
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBkDCCATagAwIBAgIUJsLZt/qRSytjseyxfoELA5EbKr4wCgYIKoZIzj0EAwIw\n"
	"DjEMMAoGA1UEAwwDb25lMCAXDTI2MTEyNzIyMzQ1NFoYDzIxMjYxMTAzMjIzNDU0\n"
	"WjAOMQwwCgYDVQQDDANvbmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASGJdu1\n"
	"4xMhpoVtxWIhSbrh9J61nZItVSFWI1U1Kop3jnScYBcn3Awx/n6fX8W4ln18pIk1\n"
	"pEalj9bw3387MHTxo3AwbjAdBgNVHQ4EFgQUFaTF/+vJpmOIt4UofAX/5C7+krAw\n"
	"HwYDVR0jBBgwFoAUFaTF/+vJpmOIt4UofAX/5C7+krAwDwYDVR0TAQH/BAUwAwEB\n"
	"/zAbBgNVHREEFDASghBtYWlsLmV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUC\n"
	"IFrMtOZ+O/T5UwIHaCJOuGUyR48CNHIT1c20TMfBUAl1AiEAhUAJjmFu1NkKE3hX\n"
	"oKBEv97SZXgNzEOHcTor3yT17ok=\n"
	"-----END CERTIFICATE-----\n",
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBjzCCATagAwIBAgIULjmVS07qePSgyXKw95CrjbPGmqQwCgYIKoZIzj0EAwIw\n"
	"DjEMMAoGA1UEAwwDdHdvMCAXDTI2MTEyNzIyMzQ1NFoYDzIxMjYxMTAzMjIzNDU0\n"
	"WjAOMQwwCgYDVQQDDAN0d28wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARTudq3\n"
	"xql565PLO7q1yJCVU5rAmcddteunQDMmnxShgtQEBLzN09M4kUqhd1rF+Hc9eCi4\n"
	"QUkXQ2LFrY3UI2Amo3AwbjAdBgNVHQ4EFgQU7tfvorKVfhvQgeps/ogVmdMhbrsw\n"
	"HwYDVR0jBBgwFoAU7tfvorKVfhvQgeps/ogVmdMhbrswDwYDVR0TAQH/BAUwAwEB\n"
	"/zAbBgNVHREEFDASghBtYWlsLmV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0cAMEQC\n"
	"IGW2lJ7q7wOejM8oVKcjfSha17E4dU8+QOS7x8IZzJSmAiBAxQtHnJOi8q59XSB7\n"
	"/4oE/sis2ppUFcfDKyQSalSN/A==\n"
	"-----END CERTIFICATE-----\n"};
const char *const rig_keys[2] = {
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcryR+upsjDGV7N5t\n"
	"9v2a1nF3ETJTTwoTGJVGn/NnuGChRANCAASGJdu14xMhpoVtxWIhSbrh9J61nZIt\n"
	"VSFWI1U1Kop3jnScYBcn3Awx/n6fX8W4ln18pIk1pEalj9bw3387MHTx\n"
	"-----END PRIVATE KEY-----\n",
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaB0iAbBGQ84jVsPO\n"
	"DeJt3BhI1V9QMcV7bDzY4Bioz1+hRANCAARTudq3xql565PLO7q1yJCVU5rAmcdd\n"
	"teunQDMmnxShgtQEBLzN09M4kUqhd1rF+Hc9eCi4QUkXQ2LFrY3UI2Am\n"
	"-----END PRIVATE KEY-----\n"};

void
rig_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", path);
}

unsigned rig_link_index;
int rig_link_error = ENODEV;

unsigned __real_if_nametoindex(const char *name);
unsigned __wrap_if_nametoindex(const char *name);

unsigned
__wrap_if_nametoindex(const char *name)
{
	if (strcmp(name, "link0") != 0)
		return __real_if_nametoindex(name);
	errno = rig_link_error;
	return rig_link_error ? 0 : rig_link_index;
}

void
rig_set_up(struct rig *r)
{
	*r = (struct rig){.d = {.stage = -1, .floor_ms = -1, .exe_fd = -1, .spool_fd = -1,
	    .submission_count = 1}};
	/* a random name and not the pid, which may be used again: a killed test may have left
	 * files */
	snprintf(r->directory, sizeof r->directory, "/var/tmp/sallyport-main-XXXXXX");
	cr_assert(mkdtemp(r->directory));
	cr_assert_eq(chmod(r->directory, 0755), 0);
	snprintf(r->config, sizeof r->config, "%s/sallyport.cfg", r->directory);
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	r->d.config_path = r->config;
	r->d.base = event_base_new();
	instance_slots_init(&r->d.slots, 0);
}

void
rig_tear_down(struct rig *r)
{
	char command[100];

	for (size_t n = 0; n < sizeof r->roles / sizeof *r->roles; n++) {
		channel_free(&r->roles[n].channel);
		if (r->roles[n].instance)
			channel_free(&r->roles[n].instance->channel);
	}
	role_links_free(&r->d);
	liveness_stop(&r->d);
	conf_drop(&r->d.conf);
	event_base_free(r->d.base);
	snprintf(command, sizeof command, "rm -rf %s", r->directory);
	cr_assert_eq(system(command), 0);
}

unsigned
rig_free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	close(fd);
	return ntohs(at.sin_port);
}

void
rig_configure(struct rig *r, const char *extra)
{
	char tls[1000];

	snprintf(tls, sizeof tls,
	    "tls: { certificate = \"%s/tls.crt\"; private_key = \"%s/tls.key\"; };\n%s",
	    r->directory, r->directory, extra);
	rig_configure_tls(r, tls);
}

void
rig_configure_tls(struct rig *r, const char *extra)
{
	struct conf_report report;
	char text[2000], path[100];

	snprintf(path, sizeof path, "%s/tls.crt", r->directory);
	rig_write(path, rig_certificates[0]);
	snprintf(path, sizeof path, "%s/tls.key", r->directory);
	rig_write(path, rig_keys[0]);
	cr_assert_eq(chmod(path, 0600), 0);
	snprintf(path, sizeof path, "%s/anchor", r->directory);
	rig_write(path, ". IN DS 20326 8 1 0123456789abcdef0123456789abcdef01234567\n");
	snprintf(text, sizeof text,
	    "hostname = \"mail.example.com\";\n%s\n"
	    "domains: ( { name = \"example.com\"; } );\n"
	    "queue: { directory = \"%s/spool\"; };\n"
	    "state_directory = \"%s/state\";\nrun_directory = \"%s/run\";\n"
	    "dns: { trust_anchor = \"%s/anchor\"; };\n"
	    "log: { target = \"file:%s/log\"; };\n%s",
	    extra, r->directory, r->directory, r->directory, r->directory, r->directory,
	    geteuid() ? "" : "user = \"daemon\";\n");
	rig_write(r->config, text);
	conf_report_init(&report);
	conf_drop(&r->d.conf);
	r->d.conf = conf_read_file(r->config, CONF_SECRETS_READ, &report);
	cr_assert(r->d.conf, "%.*s", STR_ARG(buf_str(&report.text)));
	conf_report_clear(&report);
}

static void
rig_receive(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct rig_role *role = arg;

	(void)c;
	if (p->type == MESSAGE_PEER) {
		role->peers++;
		role->peer = p->message->peer;
		if (role->peer_fd >= 0)
			close(role->peer_fd);
		role->peer_fd = p->fd;
	} else if (p->type == MESSAGE_PING) {
		role->pings++;
		role->ping_number = p->message->ping.number;
	} else if (p->type == MESSAGE_NOTICE) {
		role->notices++;
		role->notice_call = p->call;
		role->notice_id = p->message->notice.notice;
		snprintf(role->notice_text, sizeof role->notice_text, "%.*s: %.*s",
		    STR_ARG(p->message->notice.subject), STR_ARG(p->message->notice.text));
	}
}

static void
rig_from_role(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct instance *i = arg;

	(void)c;
	if (p->type == MESSAGE_PEER_LOST)
		role_links_lost(i, &p->message->peer_lost);
	else if (p->type == MESSAGE_PONG)
		liveness_pong(i, p->message->pong.number);
	else if (p->type == MESSAGE_ALERT)
		notices_handle_alert(i, &p->message->alert);
}

static void
rig_lost(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
}

struct rig_role *
rig_role(struct rig *r, enum role_kind kind, unsigned index)
{
	unsigned n = r->d.instance_count++;
	struct instance *i = &r->d.instances[n];
	int ends[2];

	cr_assert_eq(channel_pair(ends), 0);
	*i = (struct instance){.daemon = &r->d, .kind = kind, .index = index, .slot = -1,
	    .incarnation = ++r->d.incarnations, .state = INSTANCE_READY};
	i->channel = channel_new(r->d.base, ends[0], rig_from_role, rig_lost, i);
	r->roles[n] = (struct rig_role){.instance = i, .peer_fd = -1};
	r->roles[n].channel = channel_new(r->d.base, ends[1], rig_receive, rig_lost, &r->roles[n]);
	return &r->roles[n];
}

static void
rig_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

void
rig_run(struct rig *r, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	struct event *over = evtimer_new(r->d.base, rig_over, r->d.base);

	if (ms) {
		evtimer_add(over, &tv);
		event_base_dispatch(r->d.base);
	}
	/* handles everything that is in the sockets, even if this process got the processor late */
	for (int i = 0; i < 20; i++)
		event_base_loop(r->d.base, EVLOOP_NONBLOCK);
	event_free(over);
}

unsigned
rig_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
