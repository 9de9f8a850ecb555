/* reply.h: the answer in the caller's protocol: gRPC trailers, REST's JSON, raw bytes. Loop thread. */
#pragma once
#include "gate/request.h"

/* Hands over what HTTP has room for; goes on with the steps when the reply is complete. */
void reply_drain(struct request *r);
/* The last step: true once everything, the status included, is handed over or has nowhere to go. */
bool reply_finish(struct request *r);
/* gRPC: these bytes of the answer went out; and is a message half out? */
void reply_follow(struct request *r, struct str taken);
bool reply_is_amid(const struct request *r);
/* The refused caller's own request, restated: "read Flights(tailnum) in spanner demo/flights". In the request's arena. */
const char *reply_restate(struct request *r);
/* The same of any caller's refused atom; in the arena. */
const char *reply_restate_atom(struct str who, const struct atoms *atoms, const struct verdict *verdict,
                               struct arena *arena);
