#include "audit/refusals.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "audit/entry.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "crypto/random.h"

enum { SOURCES = 256, OTHERS = SOURCES, SOURCE_BYTES = 64 };

struct seen_token {
    struct refused_token token;
    enum reason reason;
};

struct counter {
    char source[SOURCE_BYTES];
    uint64_t count;
    uint32_t reasons[REASON_COUNT];
    struct seen_token tokens[REFUSED_TOKENS_MAX];
    unsigned n_tokens;
};

struct audit_refusals {
    struct audit_log *log;
    pthread_mutex_t mutex;
    int64_t second; /* that the counters are of */
    size_t n;
    struct counter counters[SOURCES + 1]; /* the last: all others */
};

struct audit_refusals *audit_refusals_new(struct audit_log *log) {
    struct audit_refusals *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->log = log;
    (void)pthread_mutex_init(&r->mutex, NULL);
    memcpy(r->counters[OTHERS].source, "others", sizeof "others");
    return r;
}

/* The reason that was met most often, to stand in the entry's verdict. */
static enum reason main_reason(const struct counter *c) {
    enum reason most = NO_PROOF;
    for (int i = 0; i < REASON_COUNT; i++)
        if (c->reasons[i] > c->reasons[most]) most = (enum reason)i;
    return most;
}

static void add_reasons(const struct counter *c, struct buf *out) {
    bool some = false;
    buf_printf(out, ",\"refusals\":%" PRIu64 ",\"reasons\":{", c->count);
    for (int i = 0; i < REASON_COUNT; i++) {
        if (!c->reasons[i]) continue;
        buf_printf(out, "%s\"%s\":%" PRIu32, some ? "," : "", reason_name((enum reason)i), c->reasons[i]);
        some = true;
    }
    buf_add_char(out, '}');
}

/* Whose tokens they were, where that is known: what `linkspan doctor` looks for. */
static void add_tokens(const struct counter *c, struct buf *out) {
    if (c->n_tokens) buf_add_z(out, ",\"tokens\":[");
    for (unsigned i = 0; i < c->n_tokens; i++) {
        const struct seen_token *seen = &c->tokens[i];
        buf_printf(out, "%s{\"tokenId\":\"%s\",\"reason\":\"%s\",\"issuer\":", i ? "," : "", seen->token.id,
                   reason_name(seen->reason));
        json_text_string(out, str_z(seen->token.issuer));
        buf_add_z(out, ",\"principalSubject\":");
        json_text_string(out, str_z(seen->token.subject));
        buf_add_char(out, '}');
    }
    if (c->n_tokens) buf_add_char(out, ']');
    buf_add_char(out, '}');
}

/* One entry for one address and second. False: not queued. */
static bool write_counter(struct audit_refusals *r, const struct counter *c) {
    DEFER(buf_free) struct buf id = BUF_INIT(64), json = BUF_INIT(AUDIT_ENTRY_MAX + 4096);
    buf_printf(&id, "refusals-%" PRId64 "-", r->second);
    random_text(&id, 6);
    struct event event = { .kind = EVENT_REFUSAL,
                           .time_us = r->second * 1000000,
                           .id = buf_str(&id),
                           .source = str_z(c->source),
                           .method = STR("linkspan.audit.Refusals"),
                           .decided = true,
                           .verdict = { .reason = main_reason(c), .column = -1 },
                           .code = UNAUTHENTICATED };
    if (!buf_ok(&id) || audit_entry_encode(&event, &json, NULL)) return false;
    json.n--; /* the closing brace */
    add_reasons(c, &json);
    add_tokens(c, &json);
    return buf_ok(&json) && audit_append(r->log, buf_str(&json), AUDIT_PROMPT, NULL, NULL, NULL) == OK;
}

/* What could not be queued stays counted, and is written as of the next second that can be. Under the mutex. */
static void write_all(struct audit_refusals *r) {
    size_t kept = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!write_counter(r, &r->counters[i])) r->counters[kept++] = r->counters[i];
    r->n = kept;
    struct counter *others = &r->counters[OTHERS];
    if (!others->count || !write_counter(r, others)) return;
    others->count = 0;
    others->n_tokens = 0;
    memset(others->reasons, 0, sizeof others->reasons);
}

static void turn(struct audit_refusals *r) {
    int64_t now = clock_wall_s();
    if (now == r->second) return;
    write_all(r);
    r->second = now;
}

static struct counter *counter_of(struct audit_refusals *r, struct str source) {
    source = str_upto(source, SOURCE_BYTES - 1);
    for (size_t i = 0; i < r->n; i++)
        if (str_eq_z(source, r->counters[i].source)) return &r->counters[i];
    if (r->n == SOURCES) return &r->counters[OTHERS];
    struct counter *c = &r->counters[r->n++];
    memset(c, 0, sizeof *c);
    if (source.n) memcpy(c->source, source.p, source.n);
    return c;
}

static void keep_token(struct counter *c, enum reason reason, const struct refused_token *token) {
    if (!token || !token->id[0] || c->n_tokens == REFUSED_TOKENS_MAX) return;
    for (unsigned i = 0; i < c->n_tokens; i++)
        if (strcmp(c->tokens[i].token.id, token->id) == 0) return;
    c->tokens[c->n_tokens++] = (struct seen_token){ *token, reason };
}

void audit_refusal_coalesce(struct audit_refusals *r, struct str source, enum reason reason,
                            const struct refused_token *token) {
    (void)pthread_mutex_lock(&r->mutex);
    turn(r);
    struct counter *c = counter_of(r, source);
    c->count++;
    if ((unsigned)reason < REASON_COUNT) c->reasons[reason]++;
    keep_token(c, reason, token);
    (void)pthread_mutex_unlock(&r->mutex);
}

void audit_refusals_tick(struct audit_refusals *r) {
    (void)pthread_mutex_lock(&r->mutex);
    turn(r);
    (void)pthread_mutex_unlock(&r->mutex);
}

void audit_refusals_free(struct audit_refusals *r) {
    if (!r) return;
    write_all(r);
    (void)pthread_mutex_destroy(&r->mutex);
    free(r);
}
