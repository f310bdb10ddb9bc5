/*
 * message_union: a union of all messages; a part of ipc/message.h, which alone includes it.
 */
#ifndef IPC_MESSAGE_UNION_H
#define IPC_MESSAGE_UNION_H

union message {
	struct message_hello hello; struct message_config config; struct message_log log;
	struct message_peer peer; struct message_grant grant; struct message_start start;
	struct message_stop stop; struct message_ready ready; struct message_stopped stopped;
	struct message_ping ping; struct message_pong pong; struct message_refused refused;
	struct message_peer_lost peer_lost;
	struct message_grant_lost grant_lost; struct message_grants_again grants_again;
	struct message_restart restart; struct message_alert alert; struct message_notice notice;
	struct message_sign sign; struct message_signed signature;
	struct message_key_ask key_ask; struct message_key key;
	struct message_auth_start auth_start; struct message_auth_step auth_step;
	struct message_auth_cancel auth_cancel; struct message_auth_answer auth_answer;
	struct message_auth_user_gone auth_user_gone;
	struct message_auth_users_ask auth_users_ask; struct message_auth_users auth_users;
	struct message_check_start check_start;
	struct message_check_answer check_answer; struct message_look_up look_up;
	struct message_account account; struct message_users_look_up users_look_up;
	struct message_users_found users_found; struct message_account_done account_done;
	struct message_backend_state backend_state; struct message_lease_ask lease_ask;
	struct message_lease lease; struct message_lease_return lease_return;
	struct message_lease_recall lease_recall; struct message_room room;
	struct message_release release; struct message_spool_file spool_file;
	struct message_commit commit; struct message_status status;
	struct message_destination_ask destination_ask; struct message_destination destination;
	struct message_deliver deliver;
	struct message_cancel cancel; struct message_result result;
	struct message_result_stored result_stored; struct message_running running;
	struct message_running_ask running_ask; struct message_caught_up caught_up;
	struct message_admin command; struct message_admin admin;
	struct message_admin_row admin_row; struct message_admin_done admin_done;
	struct message_admin_taken admin_taken;
};

#endif
