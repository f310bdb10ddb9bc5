/* The submission role from end to end: real sockets, real TLS whose key is in a keys role. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit/submission/rig.h"

static struct rig rig;
static struct client client;

Test(submission_role, takes_a_message)
{
	rig_begin(&rig, "");
	client_login(&client, &rig);
	client_send_message(&client);
	cr_assert_str_eq(rig.envelope_sender, "alice@example.com");
	cr_assert_str_eq(rig.body, "Hello\r\n");
	cr_assert(strstr(rig.header, "Subject: x\r\n") && strstr(rig.header, "Message-ID: "));
	cr_assert(strstr(rig.header, "with ESMTPSA"));
	cr_assert(!rig.in_file);
	client_send_message(&client);
	cr_assert_eq(rig.committed, 2);
	cr_assert_eq(rig.released, 0);
	client_send(&client, "QUIT\r\n");
	client_expect(&client, "221");
	cr_assert(client_is_closed(&client));
	client_close(&client);
	rig_end(&rig);
}

Test(submission_role, takes_a_large_message_through_a_file)
{
	enum { LINES = 8000 };
	char *text = malloc(LINES * 80 + 1);

	for (int i = 0; i < LINES; i++)
		snprintf(text + (size_t)i * 80, 81, "%078d\r\n", i);
	rig_begin(&rig, "");
	client_login(&client, &rig);
	client_begin_message(&client);
	client_send(&client, "From: alice@example.com\r\n\r\n");
	client_send(&client, text);
	client_send(&client, ".\r\n");
	client_expect(&client, "250 2.0.0 Queued as ");
	cr_assert(rig.in_file);
	cr_assert_eq(rig.body_bytes, LINES * 80);
	client_send_message(&client);
	cr_assert(!rig.in_file);
	client_close(&client);
	rig_end(&rig);
	free(text);
}

Test(submission_role, starttls_and_login)
{
	rig_begin(&rig, "");
	cr_assert(client_connect(&client, &rig, 1));
	client_expect(&client, "220");
	client_send(&client, "EHLO x\r\n");
	client_expect(&client, "250");
	client_send(&client, "STARTTLS\r\n");
	client_expect(&client, "220");
	client_secure(&client);
	client_send(&client, "AUTH PLAIN AGEAYg==\r\n");
	client_expect(&client, "503");
	client_send(&client, "EHLO x\r\n");
	client_expect(&client, "250");
	client_send(&client, "AUTH PLAIN AGEAYg==\r\n");
	client_expect(&client, "235");
	client_send_message(&client);
	client_close(&client);
	rig_end(&rig);
}

Test(submission_role, starttls_with_data_after_it_ends_the_session)
{
	rig_begin(&rig, "");
	cr_assert(client_connect(&client, &rig, 1));
	client_expect(&client, "220");
	client_send(&client, "EHLO x\r\nSTARTTLS\r\nMAIL FROM:<alice@example.com>\r\n");
	client_expect(&client, "250");
	client_expect(&client, "501");
	cr_assert(client_is_closed(&client));
	client_close(&client);
	rig_end(&rig);
}

Test(submission_role, clear_text_on_the_tls_port_is_closed)
{
	rig_begin(&rig, "");
	cr_assert(client_connect(&client, &rig, 0));
	client_send(&client, "EHLO x\r\nMAIL FROM:<alice@example.com>\r\n");
	while (!client_is_closed(&client))
		client.in_n = 0; /* an alert */
	client_close(&client);
	client_login(&client, &rig);
	client_close(&client);
	rig_end(&rig);
}

Test(submission_role, a_disconnected_client_returns_its_token)
{
	rig_begin(&rig, "");
	client_login(&client, &rig);
	client_begin_message(&client);
	client_send(&client, "From: alice@example.com\r\n");
	client_close(&client);
	client_login(&client, &rig);
	client_send_message(&client);
	cr_assert_eq(rig.committed, 1);
	cr_assert_eq(rig.lease_asks, 1, "the token of the first client is the second one's");
	client_close(&client);
	rig_end(&rig);
}

Test(submission_role, the_queue_is_replaced_during_a_commit)
{
	rig_begin(&rig, "");
	client_login(&client, &rig);
	client_begin_message(&client);
	rig.is_silent = true;
	client_send(&client, CLIENT_MESSAGE);
	rig_until(&rig.requests, 3); /* auth, token, commit */
	rig.is_silent = false;
	rig_replace(&rig, ROLE_QUEUE);
	client_expect(&client, "451 4.3.0");
	client_send_message(&client);
	client_close(&client);
	rig_end(&rig);
}

Test(submission_role, auth_is_lost_and_replaced)
{
	struct client other = {0};

	rig_begin(&rig, "");
	rig.is_silent = true;
	cr_assert(client_connect(&client, &rig, 0));
	client_secure(&client);
	client_expect(&client, "220");
	client_send(&client, "EHLO x\r\nAUTH PLAIN AGEAYg==\r\n");
	rig_until(&rig.requests, 1);
	rig_lose_auth(&rig);
	client_expect(&client, "250");
	client_expect(&client, "454 4.7.0");
	client_send(&client, "AUTH PLAIN AGEAYg==\r\n");
	client_expect(&client, "454 4.7.0");
	rig.is_silent = false;
	rig_replace(&rig, ROLE_AUTH);
	/* a client on a socket that was granted later shows that the new channel has arrived */
	rig_listen(&rig, 1);
	cr_assert(client_connect(&other, &rig, 1));
	client_expect(&other, "220");
	client_close(&other);
	client_send(&client, "AUTH PLAIN AGEAYg==\r\n");
	client_expect(&client, "235");
	client_close(&client);
	rig_end(&rig);
}

Test(submission_role, a_client_that_disconnects_in_auth_cancels_the_exchange)
{
	rig_begin(&rig, "");
	cr_assert(client_connect(&client, &rig, 0));
	client_secure(&client);
	client_expect(&client, "220");
	client_send(&client, "EHLO x\r\n");
	client_expect(&client, "250");
	client_send(&client, "AUTH LOGIN\r\n");
	client_expect(&client, "334 VXNlcm5hbWU6");
	client_close(&client);
	rig_until(&rig.cancelled, 1);
	rig_end(&rig);
}

Test(submission_role, a_suspended_user_is_disconnected)
{
	struct client other = {0};

	rig_begin(&rig, "");
	client_login(&client, &rig);
	cr_assert(client_connect(&other, &rig, 1));
	client_expect(&other, "220");
	rig_user_gone(&rig, "alice@example.com");
	client_expect(&client, "421 4.7.0");
	cr_assert(client_is_closed(&client));
	client_send(&other, "NOOP\r\n");
	client_expect(&other, "250");
	client_close(&client);
	client_close(&other);
	rig_end(&rig);
}

Test(submission_role, listeners_follow_the_configuration)
{
	struct client other = {0};

	rig_begin(&rig, "");
	client_login(&client, &rig);
	rig_reload(&rig, "", 1);
	rig_listen(&rig, 0);
	/* the reload arrives before the new socket */
	client_login(&other, &rig);
	client_send_message(&other);
	client_close(&other);
	cr_assert(!client_connect(&other, &rig, 1), "the second listener is still there");
	client_close(&other);
	/* a session keeps the configuration with which it began */
	client_send_message(&client);
	client_close(&client);
	rig_end(&rig);
}

/* The configuration arrives first, then one socket after the other: a socket keeps its port and TLS
 * mode until it is replaced. */
Test(submission_role, a_listener_changes_only_with_its_socket)
{
	struct client other = {0};

	rig_begin(&rig, "");
	rig_reload(&rig, "listen: ( { address = \"127.0.0.1\"; port = 587; tls = \"starttls\"; }, "
	    "{ address = \"127.0.0.1\"; port = 465; tls = \"implicit\"; } );", 0);
	rig_listen(&rig, 1);
	cr_assert(client_connect(&other, &rig, 1));
	client_secure(&other);
	client_expect(&other, "220");
	client_close(&other);
	client_login(&client, &rig);
	client_close(&client);
	rig_listen(&rig, 0);
	cr_assert(client_connect(&other, &rig, 0));
	client_expect(&other, "220");
	client_close(&other);
	rig_end(&rig);
}

static bool
has_certificate(const struct client *c, const gnutls_datum_t *pem)
{
	const gnutls_datum_t *shown;
	gnutls_datum_t der;
	unsigned count;
	bool is_same;

	shown = gnutls_certificate_get_peers(c->tls, &count);
	cr_assert(shown && gnutls_pem_base64_decode2(NULL, pem, &der) == 0);
	is_same = shown->size == der.size && memcmp(shown->data, der.data, der.size) == 0;
	gnutls_free(der.data);
	return is_same;
}

Test(submission_role, certificates_are_renewed)
{
	bool is_new = false;

	rig_begin(&rig, "");
	client_login(&client, &rig);
	cr_assert(has_certificate(&client, &rig.certificate));
	client_close(&client);
	rig_renew_certificate(&rig);
	for (int i = 0; i < 200 && !is_new; i++) {
		usleep(20000);
		client_login(&client, &rig);
		is_new = has_certificate(&client, &rig.certificate);
		client_close(&client);
	}
	cr_assert(is_new);
	rig_end(&rig);
}

Test(submission_role, stops_after_the_message_in_progress)
{
	struct client idle = {0};

	rig_begin(&rig, "");
	client_login(&client, &rig);
	client_begin_message(&client);
	client_login(&idle, &rig);
	rig_stop(&rig);
	client_expect(&idle, "421 4.3.2");
	cr_assert(client_is_closed(&idle));
	client_send(&client, CLIENT_MESSAGE);
	client_expect(&client, "250 2.0.0 Queued as ");
	client_expect(&client, "421 4.3.2");
	cr_assert(client_is_closed(&client));
	client_close(&client);
	client_close(&idle);
	pthread_join(rig.submission, NULL);
	rig.submission = rig.keys; /* joined below */
	shutdown(rig.keys_fd, SHUT_RDWR);
	pthread_join(rig.keys, NULL);
}

Test(submission_role, sessions_per_client_are_bounded)
{
	struct client all[3] = {0};

	rig_begin(&rig, "limits: { sessions_per_client = 2; };");
	for (int i = 0; i < 2; i++) {
		cr_assert(client_connect(&all[i], &rig, 1));
		client_expect(&all[i], "220");
	}
	cr_assert(client_connect(&all[2], &rig, 1));
	client_expect(&all[2], "421 4.7.0");
	cr_assert(client_is_closed(&all[2]));
	client_close(&all[2]);
	client_send(&all[0], "QUIT\r\n");
	client_expect(&all[0], "221");
	cr_assert(client_is_closed(&all[0]));
	client_close(&all[0]);
	usleep(100000);
	cr_assert(client_connect(&all[0], &rig, 1));
	client_expect(&all[0], "220");
	client_close(&all[0]);
	client_close(&all[1]);
	rig_end(&rig);
}

Test(submission_role, a_client_is_closed_when_no_descriptor_is_left)
{
	struct rlimit limit;
	struct client waiting = {0};
	int full[256], n = 0;

	rig_begin(&rig, "");
	client_login(&client, &rig);
	waiting.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 128;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (n < 256 && (full[n] = dup(0)) >= 0)
		n++;
	/* it is told 421 and closed with the spare descriptor; the open session continues */
	cr_assert(client_connect(&waiting, &rig, 1));
	client_expect(&waiting, "421");
	cr_assert(client_is_closed(&waiting));
	client_send_message(&client);
	while (n-- > 0)
		close(full[n]);
	client_close(&waiting);
	cr_assert(client_connect(&waiting, &rig, 1));
	client_expect(&waiting, "220");
	client_close(&waiting);
	client_close(&client);
	rig_end(&rig);
}
