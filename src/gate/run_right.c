#include "gate/run_right.h"
#include "audit/audit.h"
#include "audit/entry.h"
#include "base/clock.h"
#include "base/log.h"
#include "gate/id.h"
#include "gate/reply.h"
#include "identity/principal_copy.h"

enum { ARENA_BYTES = 1 << 20 };

bool run_right_keep(struct run_right *right, const struct job_endpoints_spec *spec, struct arena *arena) {
    struct atom atom = { .verb = spec->asked.verb,
                         .path = str_dup(arena, spec->asked.path),
                         .object = str_dup(arena, spec->asked.object),
                         .account = str_dup(arena, spec->asked.account) };
    bool ok = principal_copy(spec->submitter, arena, &right->submitter);
    right->submitter.job_run = str_dup(arena, spec->run);
    right->submitter.token_id[0] = '\0'; /* what it proved itself by is not seen again */
    return ok && atom.path.p && atom.object.p && atom.account.p && right->submitter.job_run.p &&
           atoms_add(&right->asked, arena, atom);
}

void run_right_forget(struct run_right *right) {
    principal_forget(&right->submitter);
}

void run_right_decide(const struct run_right *right, const struct policy *policy, struct arena *arena,
                      struct run_ruling *ret) {
    *ret = (struct run_ruling){ .subject = policy_identify(policy, &right->submitter, arena),
                                .verdict = { .reason = POLICY_STALE, .column = -1 } };
    if (ret->subject) policy_decide(policy, ret->subject, &right->asked, clock_wall_us(), &ret->verdict);
}

enum code run_right_refuse(const struct run_right *right, const struct run_ruling *ruling, const char *id,
                           struct arena *arena, struct err *err) {
    const char *what = reply_restate_atom(right->submitter.actor.subject, &right->asked, &ruling->verdict, arena);
    return err_set(err, PERMISSION_DENIED, "%s: %s any more (request %s)", reason_name(ruling->verdict.reason), what, id);
}

/* ---- a start ---- */

static struct event_names names_of(struct policy_names names) {
    return (struct event_names){ names.items, names.n };
}

/* Nobody's request is refused here: the entry is the run's own. */
static void record(const struct run_right *right, const struct policy *policy, const struct run_ruling *ruling,
                   const char *id, struct gate *gate, struct arena *arena) {
    DEFER(buf_free) struct buf entry = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    struct policy_bearing bearing = { 0 };
    struct err err = { 0 };
    bool known = ruling->subject && policy_bearing_of(policy, ruling->subject, arena, &bearing);
    struct event event = { .kind = EVENT_REFUSAL,
                           .time_us = clock_wall_us(),
                           .id = str_z(id),
                           .principal = &right->submitter,
                           .method = STR("dataproc.jobs.Start"),
                           .resource = right->asked.items[0].path,
                           .permission = STR("dataproc.jobs.create"),
                           .atoms = &right->asked,
                           .verdict = ruling->verdict,
                           .decided = true,
                           .code = PERMISSION_DENIED };
    if (known) {
        event.bears = names_of(bearing.sure);
        event.may_bear = names_of(bearing.unsure);
        event.chain_bears = names_of(bearing.chain);
    }
    enum code rc = audit_entry_encode(&event, &entry, &err);
    if (!rc) rc = audit_append(gate->audit, buf_str(&entry), AUDIT_PROMPT, NULL, NULL, &err);
    if (rc)
        log_line(LOG_ERROR, "run %.*s, which may not start: no audit entry: %s", STR_ARG(right->submitter.job_run),
                 err.message);
}

enum code run_right_start(const struct run_right *right, struct gate *gate, struct err *err) {
    DEFER(policy_unrefp) struct policy *policy = gate_policy(gate);
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    struct run_ruling ruling;
    char id[ID_LENGTH + 1];
    if (!arena) return err_oom(err);
    run_right_decide(right, policy, arena, &ruling);
    if (!ruling.verdict.reason) return OK;
    id_new(id);
    record(right, policy, &ruling, id, gate, arena);
    return run_right_refuse(right, &ruling, id, arena, err);
}
