#include "audit/entry.h"
#include "base/clock.h"
#include "base/log.h"
#include "gate/web_call.h"

enum { NAME_BYTES = 140, ENTRY_BYTES = 2 * AUDIT_ENTRY_MAX, SECRET_WORD_BYTES = 32 };

/* The resource begins as createRun's does, so that a run's entries are found together. In the origin, what only we choose
 * comes first: an activity's name may say anything. */
bool web_call_describe(struct web_call *call, const struct pipeline_place *place) {
    struct str activity = str_upto(place->activity, NAME_BYTES);
    call->resource = arena_printf(call->arena, "workspaces/%.*s/pipelines/%.*s/pipelineruns/%.*s/activityruns/%.*s",
                                  STR_ARG(call->calls->name), STR_ARG(str_upto(place->pipeline, 2 * NAME_BYTES)),
                                  STR_ARG(str_upto(place->run, PIPELINE_UUID)),
                                  STR_ARG(str_upto(place->activity_run, PIPELINE_UUID)));
    call->method = arena_printf(call->arena, "pipeline.%.*s", STR_ARG(str_upto(place->type, 40)));
    call->origin = arena_printf(call->arena, "of run %.*s, started by request %.*s, %s%.*s by activity %.*s",
                                STR_ARG(str_upto(place->root_run, PIPELINE_UUID)), STR_ARG(str_upto(place->request, 64)),
                                call->poll ? "poll, " : "", STR_ARG(str_upto(call->request.method, 10)), STR_ARG(activity));
    return call->resource.p && call->method.p && call->origin.p;
}

static void add_word(struct buf *out, struct str word) {
    char fingerprint[JWT_FINGERPRINT_BYTES];
    if (word.n < SECRET_WORD_BYTES) {
        buf_add_str(out, word);
        return;
    }
    token_fingerprint(word, fingerprint);
    buf_printf(out, "~%s", fingerprint);
}

struct str web_call_shown_url(const struct web_call *call, const struct url *url) {
    DEFER(buf_free) struct buf out = BUF_INIT(2 * URL_MAX);
    struct str rest = str_from(url->path, 1);
    if (!call->poll) return url->normal;
    buf_add_str(&out, str_upto(url->normal, url->normal.n - rest.n));
    for (bool more = true; more;) {
        more = str_find_char(rest, '/') >= 0;
        add_word(&out, str_cut(&rest, '/'));
        if (more) buf_add_char(&out, '/');
    }
    return buf_ok(&out) ? str_dup(call->arena, buf_str(&out)) : (struct str){ NULL, 0 };
}

static struct event_names names_of(struct policy_names names) {
    return (struct event_names){ names.items, names.n };
}

static enum code encode(const struct web_call *call, struct event *e, struct str detail, struct buf *out, struct err *err) {
    e->time_us = clock_wall_us();
    e->id = str_z(call->id);
    e->principal = &call->principal;
    e->bears = names_of(call->bearing.sure);
    e->may_bear = names_of(call->bearing.unsure);
    e->chain_bears = names_of(call->bearing.chain);
    e->method = call->method;
    e->resource = call->resource;
    e->atoms = &call->atoms;
    e->verdict = call->verdict;
    e->decided = call->decided;
    e->detail = detail;
    return audit_entry_encode(e, out, err);
}

enum code web_call_intend(struct web_call *call, audit_done *done, struct err *err) {
    DEFER(buf_free) struct buf entry = BUF_INIT(ENTRY_BYTES);
    struct event e = { .kind = EVENT_INTENT };
    enum code rc = encode(call, &e, call->origin, &entry, err);
    return rc ? rc : audit_append(call->calls->gate->audit, buf_str(&entry), AUDIT_ENFORCED, done, call, err);
}

void web_call_record(const struct web_call *call, enum event_kind kind, enum code code, const char *detail,
                     size_t received_bytes) {
    DEFER(buf_free) struct buf entry = BUF_INIT(ENTRY_BYTES), text = BUF_INIT(4096);
    struct err err = { 0 };
    struct event e = { .kind = kind,
                       .code = code,
                       .bytes_out = call->sent_bytes,
                       .bytes_in = received_bytes,
                       .latency_us = clock_mono_us() - call->started_us };
    buf_printf(&text, "%.*s; %.600s", STR_ARG(call->origin), detail);
    enum code rc = encode(call, &e, buf_str(&text), &entry, &err);
    if (!rc) rc = audit_append(call->calls->gate->audit, buf_str(&entry), AUDIT_PROMPT, NULL, NULL, &err);
    if (rc) log_line(LOG_ERROR, "request %s: no audit entry: %s", call->id, err.message);
}
