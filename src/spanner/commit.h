/* commit.h: BeginTransaction, Commit, Rollback. Commit decides all writes of its transaction. */
#pragma once
#include "service/call.h"

enum code classify_begin(struct call *call, struct err *err);
enum code classify_commit(struct call *call, struct err *err);
enum code classify_rollback(struct call *call, struct err *err);
void handle_begin(struct call *call);
void handle_commit(struct call *call);
void handle_rollback(struct call *call);

struct target;
const struct target *commit_target(const struct call *call); /* what Commit's classify prepared */
