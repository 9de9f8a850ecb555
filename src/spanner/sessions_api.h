/* sessions_api.h: CreateSession, BatchCreateSessions, GetSession, ListSessions, DeleteSession. Answered on the loop. */
#pragma once
#include "service/call.h"

enum code classify_create_session(struct call *call, struct err *err);
enum code classify_batch_create(struct call *call, struct err *err);
enum code classify_get_session(struct call *call, struct err *err);
enum code classify_list_sessions(struct call *call, struct err *err);
enum code classify_delete_session(struct call *call, struct err *err);
void handle_create_session(struct call *call);
void handle_batch_create(struct call *call);
void handle_get_session(struct call *call);
void handle_list_sessions(struct call *call);
void handle_delete_session(struct call *call);
