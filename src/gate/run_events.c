#include "gate/run_events.h"
#include "audit/audit.h"
#include "audit/entry.h"
#include "base/log.h"
#include "gate/id.h"

enum { ARENA_BYTES = 128 << 10, NAME_BYTES = 280, WORD_BYTES = 64 };

static struct str method_of(enum pipeline_happening what) {
    static const struct str names[] = {
        [RUN_STARTED] = STR_INIT("synapse.pipelines.RunStarted"),
        [RUN_ENDED] = STR_INIT("synapse.pipelines.RunEnded"),
        [ACTIVITY_STARTED] = STR_INIT("synapse.pipelines.ActivityStarted"),
        [ACTIVITY_ENDED] = STR_INIT("synapse.pipelines.ActivityEnded"),
    };
    return names[what];
}

static struct str resource_of(const struct run_events *events, const struct pipeline_place *at, struct arena *arena) {
    struct str run = arena_printf(arena, "workspaces/%.*s/pipelines/%.*s/pipelineruns/%.*s", STR_ARG(events->workspace),
                                  STR_ARG(str_upto(at->pipeline, NAME_BYTES)), STR_ARG(at->run));
    if (!at->activity_run.n) return run;
    return arena_printf(arena, "%.*s/activityruns/%.*s", STR_ARG(run), STR_ARG(at->activity_run));
}

/* What only we choose comes first: names and error codes are other people's, and may say anything. */
static struct str detail_of(const struct pipeline_event *event, struct arena *arena) {
    const struct pipeline_place *at = &event->at;
    struct str status = str_upto(event->status, WORD_BYTES), error = str_upto(event->error_code, WORD_BYTES);
    return arena_printf(arena, "of run %.*s, started by request %.*s%s%.*s; %.*s%s%.*s; %s%.*s", STR_ARG(at->root_run),
                        STR_ARG(at->request), at->activity.n ? ", a " : "", STR_ARG(str_upto(at->type, WORD_BYTES)),
                        STR_ARG(status), error.n ? " " : "", STR_ARG(error), at->activity.n ? "activity " : "pipeline",
                        STR_ARG(str_upto(at->activity, NAME_BYTES)));
}

/* False: the chain is full, which createRun refused already. */
static bool subject_of(const struct run_events *events, const struct pipeline_place *at, struct principal *ret) {
    *ret = (struct principal){ .actor = { .kind = ACTOR_ACCOUNT, .subject = events->account } };
    if (!at->starter) return true;
    if (at->starter->n_chain == PRINCIPAL_MAX_CHAIN) return false;
    for (unsigned i = 0; i < at->starter->n_chain; i++) ret->chain[ret->n_chain++] = at->starter->chain[i];
    ret->chain[ret->n_chain++] = at->starter->actor;
    return true;
}

static enum code code_of(struct str status) {
    if (str_eq(status, STR("Failed"))) return ABORTED;
    return str_eq(status, STR("Cancelled")) ? CANCELLED : OK;
}

void run_events_write(void *run_events, const struct pipeline_event *event) {
    const struct run_events *events = run_events;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf entry = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    struct principal principal;
    char id[ID_LENGTH + 1];
    struct err err = { 0 };
    id_new(id);
    enum code rc = arena && subject_of(events, &event->at, &principal) ? OK : err_oom(&err);
    if (!rc) {
        struct event e = { .kind = EVENT_SYSTEM,
                           .time_us = event->at_us,
                           .id = str_z(id),
                           .principal = &principal,
                           .method = method_of(event->what),
                           .resource = resource_of(events, &event->at, arena),
                           .code = code_of(event->status),
                           .detail = detail_of(event, arena) };
        rc = audit_entry_encode(&e, &entry, &err);
    }
    if (!rc) rc = audit_append(events->gate->audit, buf_str(&entry), AUDIT_PROMPT, NULL, NULL, &err);
    if (rc) log_line(LOG_ERROR, "run %.*s: no audit entry: %s", STR_ARG(event->at.run), err.message);
}
