#include "gate/record.h"
#include <string.h>
#include "audit/audit.h"
#include "audit/entry.h"
#include "audit/refusals.h"
#include "base/clock.h"
#include "base/log.h"
#include "gate/trace_context.h"

/* "google.spanner.v1.Spanner.Commit" of "google.spanner.v1.Spanner/Commit"; a raw method by its path. */
static struct str method_name(struct request *r) {
    const struct method *m = r->call.method;
    if (!m) return str_upto(r->http ? r->http->path : STR("?"), 200);
    if (!m->grpc) return str_z(m->path);
    char *copy = str_dupz(r->call.arena, str_z(m->grpc));
    if (!copy) return str_z(m->grpc);
    char *slash = strrchr(copy, '/');
    if (slash) *slash = '.';
    return str_z(copy);
}

static void add_bearing(struct request *r, struct event *e) {
    struct policy_bearing bearing;
    if (!r->call.subject || !policy_bearing_of(r->policy, r->call.subject, r->call.arena, &bearing)) return;
    e->bears = (struct event_names){ bearing.sure.items, bearing.sure.n };
    e->may_bear = (struct event_names){ bearing.unsure.items, bearing.unsure.n };
    e->chain_bears = (struct event_names){ bearing.chain.items, bearing.chain.n };
}

static void describe(struct request *r, enum event_kind kind, enum reason reason, enum code code, struct event *e) {
    *e = (struct event){
        .kind = kind,
        .time_us = clock_wall_us(),
        .id = r->call.id,
        .principal = r->identified ? &r->principal : NULL,
        .source = r->source,
        .method = method_name(r),
        .resource = r->call.resource,
        .permission = r->call.method ? str_z(r->call.method->permission) : (struct str){ NULL, 0 },
        .atoms = &r->call.atoms,
        .verdict = r->verdict,
        .decided = r->decided || reason,
        .code = code,
        .detail = r->call.outcome.detail,
        .rows = r->call.outcome.rows,
        .mutations = r->call.outcome.mutations,
        .commit_us = r->call.outcome.commit_us,
        .statement = r->call.outcome.statement,
        .trace = trace_context_id(r),
        .bytes_in = r->call.http.body.n + r->bytes_in,
        .bytes_out = r->spool.total + r->bytes_out,
        .latency_us = clock_mono_us() - r->started_us,
    };
    if (reason) e->verdict.reason = reason;
    add_bearing(r, e);
}

enum code record_entry(struct request *r, enum event_kind kind, enum reason reason, enum code code, struct buf *ret,
                       struct err *err) {
    struct event event;
    describe(r, kind, reason, code, &event);
    return audit_entry_encode(&event, ret, err);
}

/* ---- intention ---- */

static void intention_on_loop(struct loop_task *task, void *ctx) {
    (void)task;
    struct request *r = ctx;
    if (r->intent_code) request_refuse(r, AUDIT_UNAVAILABLE, "the audit log cannot be written now: try again later");
    else r->step++;
    request_run(r);
}

static void intention_done(void *ctx, enum code code, uint64_t index) {
    (void)index;
    struct request *r = ctx;
    r->intent_code = code;
    r->intent_task = (struct loop_task){ .fn = intention_on_loop, .ctx = r };
    loop_post(r->call.loop, &r->intent_task);
}

bool record_intention(struct request *r) {
    DEFER(buf_free) struct buf entry = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    struct err err = { 0 };
    enum code rc = record_entry(r, EVENT_INTENT, REASON_NONE, OK, &entry, &err);
    if (!rc) rc = audit_append(r->gate->audit, buf_str(&entry), AUDIT_ENFORCED, intention_done, r, &err);
    if (!rc) return true;
    request_refuse(r, AUDIT_UNAVAILABLE, "the audit log cannot take the request: %s", err.message);
    return false;
}

/* Half of the log's queue: the other half is for what had committed by then, so that no database's writer has to wait, and
 * for what is under way. A log that works may have more to catch up with, but not all that it can hold. */
enum { BEHIND_BYTES = 8 << 20, FULL_BYTES = 14 << 20 };

bool record_is_behind(const struct gate *gate) {
    struct audit_stats stats;
    audit_stats(gate->audit, &stats);
    return stats.queued_bytes > (stats.failing ? BEHIND_BYTES : FULL_BYTES);
}

void record_watch(struct gate *gate) {
    struct audit_stats stats;
    audit_stats(gate->audit, &stats);
    if (stats.failing == gate->audit_failing) return;
    gate->audit_failing = stats.failing;
    if (stats.failing) log_line(LOG_ERROR, "the audit log cannot be written: what it must hold first is refused meanwhile");
    else log_line(LOG_INFO, "the audit log is written again");
}

/* ---- an outcome that must be durable before it is told ---- */

static void enforced_on_loop(struct loop_task *task, void *ctx) {
    (void)task;
    struct request *r = ctx;
    r->after_record(r);
}

static void enforced_done(void *ctx, enum code code, uint64_t index) {
    (void)index;
    struct request *r = ctx;
    r->intent_code = code;
    r->intent_task = (struct loop_task){ .fn = enforced_on_loop, .ctx = r };
    loop_post(r->call.loop, &r->intent_task);
}

void record_enforced(struct request *r, void (*then)(struct request *r)) {
    DEFER(buf_free) struct buf entry = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    struct err err = { 0 };
    r->after_record = then;
    atomic_store(&r->recorded, true);
    enum code rc = record_entry(r, EVENT_OUTCOME, REASON_NONE, OK, &entry, &err);
    if (!rc) rc = audit_append(r->gate->audit, buf_str(&entry), AUDIT_ENFORCED, enforced_done, r, &err);
    if (rc) enforced_done(r, rc, 0);
}

/* ---- outcome ---- */

static bool wants_outcome(const struct request *r) {
    if (atomic_load(&r->recorded)) return false; /* it rode in the database's transaction */
    return r->reason || !r->call.method || r->call.method->record != RECORD_NONE;
}

static void append(struct request *r, enum event_kind kind, enum reason reason, enum code code) {
    DEFER(buf_free) struct buf entry = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    struct err err = { 0 };
    enum code rc = record_entry(r, kind, reason, code, &entry, &err);
    if (!rc) rc = audit_append(r->gate->audit, buf_str(&entry), AUDIT_PROMPT, NULL, NULL, &err);
    if (rc) log_line(LOG_ERROR, "request %s: no audit entry: %s", r->id, err.message);
}

enum code record_code(const struct request *r) {
    if (r->served && !r->reason) return OK;
    return r->unheard ? UNKNOWN : r->code;
}

void record_outcome(struct request *r) {
    if (!wants_outcome(r)) return;
    if (!r->identified && (r->reason || r->code)) { /* a stranger: counted, so that a flood costs bounded writes */
        audit_refusal_coalesce(r->gate->refusals, r->source, r->reason ? r->reason : NO_PROOF, r->refused_token);
        return;
    }
    bool ended = r->reason && (r->served || r->unheard); /* amid its work, of which the log has to tell as well */
    if (ended) append(r, EVENT_OUTCOME, REASON_NONE, r->served ? OK : UNKNOWN);
    append(r, r->reason ? EVENT_REFUSAL : EVENT_OUTCOME, r->reason, r->reason ? r->code : record_code(r));
}

void record_ended(struct request *r) {
    append(r, EVENT_REFUSAL, r->reason, r->code);
}
