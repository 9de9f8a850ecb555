#include "audit/entry.h"
#include <arpa/inet.h>
#include "audit/audit.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/json_text.h"

/* Every text is cut, and lists end when the entry reaches LISTS_END, so that what follows them always fits: six times (a
 * control character is six bytes as JSON) the few bounded texts. */
enum { SHORT = 256, LONG = 1024, LISTS_END = 40000, NAMES_END = 20000, ITEM_MAX = 6 * SHORT, USUAL_BYTES = 2048 };

static const char *const kinds[] = { "intent", "outcome", "refusal", "system" };

/* At most `max` bytes, whole characters, "…" where it was cut. */
static void text(struct buf *out, struct str s, size_t max) {
    if (s.n <= max) {
        json_text_string(out, s);
        return;
    }
    size_t n = max - 3;
    while (n && ((uint8_t)s.p[n] & 0xc0) == 0x80) n--;
    char cut[LONG];
    struct buf b = { .p = cut, .cap = sizeof cut, .max = sizeof cut };
    buf_add(&b, s.p, n);
    buf_add_z(&b, "\xe2\x80\xa6");
    json_text_string(out, buf_str(&b));
}

static void key(struct buf *out, const char *name) {
    buf_add_z(out, ",\"");
    buf_add_z(out, name);
    buf_add_z(out, "\":");
}

/* `,"name":"text"`, nothing when it is empty. */
static void member(struct buf *out, const char *name, struct str s, size_t max) {
    if (s.n == 0) return;
    key(out, name);
    text(out, s, max);
}

static void digits(struct buf *out, uint64_t value) {
    char decimal[DECIMAL_MAX];
    buf_add(out, decimal, decimal_u64(value, decimal));
}

static void number_always(struct buf *out, const char *name, uint64_t value) {
    key(out, name);
    digits(out, value);
}

static void number(struct buf *out, const char *name, uint64_t value) {
    if (value) number_always(out, name, value);
}

static void time_member(struct buf *out, const char *name, int64_t us) {
    char when[CLOCK_RFC3339_MAX];
    size_t n = clock_rfc3339(us, when);
    member(out, name, (struct str){ when, n }, sizeof when);
}

static void actor(struct buf *out, const struct actor *a) {
    if (a->kind == ACTOR_ACCOUNT) {
        buf_add_z(out, "\"principalEmail\":");
        text(out, a->subject, SHORT);
        return;
    }
    buf_add_z(out, "\"principalSubject\":");
    text(out, a->subject, SHORT);
    member(out, "issuer", a->issuer, SHORT);
}

/* The chain in its original order of delegation, as Google writes it. */
static void authentication(struct buf *out, const struct principal *p) {
    if (!p || p->actor.kind == ACTOR_NONE) return;
    buf_add_z(out, ",\"authenticationInfo\":{");
    actor(out, &p->actor);
    for (unsigned i = 0; i < p->n_chain && i < PRINCIPAL_MAX_CHAIN; i++) {
        buf_add_z(out, i ? ",{" : ",\"serviceAccountDelegationInfo\":[{");
        actor(out, &p->chain[i]);
        buf_add_char(out, '}');
    }
    buf_add_z(out, p->n_chain ? "]}" : "}");
}

static void caller(struct buf *out, const struct event *e) {
    char ip[INET6_ADDRSTRLEN] = "";
    struct str source = e->source;
    if (!source.n && e->principal) {
        const struct in6_addr *from = &e->principal->from;
        bool v4 = IN6_IS_ADDR_V4MAPPED(from);
        if (!IN6_IS_ADDR_UNSPECIFIED(from))
            (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? (const void *)&from->s6_addr[12] : from, ip, sizeof ip);
        source = str_z(ip);
    }
    if (!source.n) return;
    buf_add_z(out, ",\"requestMetadata\":{\"callerIp\":");
    text(out, source, SHORT);
    buf_add_char(out, '}');
}

static void payload(struct buf *out, const struct event *e) {
    buf_add_z(out, ",\"protoPayload\":{\"methodName\":");
    text(out, e->method, SHORT);
    member(out, "resourceName", e->resource, LONG);
    authentication(out, e->principal);
    if (e->permission.n) {
        buf_add_z(out, ",\"authorizationInfo\":[{\"resource\":");
        text(out, e->resource, LONG);
        member(out, "permission", e->permission, SHORT);
        if (e->decided) buf_add_z(out, e->verdict.reason == REASON_NONE ? ",\"granted\":true" : ",\"granted\":false");
        buf_add_z(out, "}]");
    }
    caller(out, e);
    buf_add_z(out, ",\"status\":{\"code\":");
    digits(out, e->code);
    member(out, "message", e->detail, LONG);
    buf_add_z(out, "}}");
}

static void columns(struct buf *out, const struct atom *a) {
    if (a->any_column) buf_add_z(out, ",\"anyColumn\":true");
    if (!a->n_columns) return;
    size_t i = 0;
    for (; i < a->n_columns && out->n < LISTS_END; i++) {
        buf_add_z(out, i ? "," : ",\"columns\":[");
        text(out, a->columns[i], SHORT);
    }
    if (i) buf_add_char(out, ']');
    if (i < a->n_columns) number(out, "columnsTotal", a->n_columns);
}

static void atom(struct buf *out, const struct atom *a) {
    buf_add_z(out, "{\"verb\":");
    text(out, str_z(verb_name(a->verb)), SHORT);
    member(out, "path", a->path, SHORT);
    member(out, "object", a->object, a->verb == VERB_CALL ? LONG : SHORT);
    member(out, "account", a->account, SHORT);
    columns(out, a);
    buf_add_char(out, '}');
}

static void atoms(struct buf *out, const struct atoms *list) {
    if (!list || !list->n) return;
    buf_add_z(out, ",\"atoms\":[");
    size_t i = 0;
    for (; i < list->n && out->n < LISTS_END; i++) {
        if (i) buf_add_char(out, ',');
        atom(out, &list->items[i]);
    }
    buf_add_char(out, ']');
    if (i < list->n) number(out, "atomsTotal", list->n);
}

/* The policy's names that the caller bore: explain judges by them. They stand before the atoms and leave these room. */
static void names(struct buf *out, const char *name, const struct event_names *list) {
    size_t i = 0;
    for (; i < list->n && out->n < NAMES_END; i++) {
        if (i) buf_add_char(out, ',');
        else buf_printf(out, ",\"%s\":[", name);
        text(out, list->items[i], SHORT);
    }
    if (i) buf_add_char(out, ']');
}

static void verdict(struct buf *out, const struct event *e) {
    if (!e->decided) return;
    const struct verdict *v = &e->verdict;
    bool allowed = v->reason == REASON_NONE;
    buf_add_z(out, allowed ? ",\"verdict\":{\"allowed\":true" : ",\"verdict\":{\"allowed\":false");
    member(out, "reason", str_z(reason_name(v->reason)), SHORT);
    member(out, "rule", v->rule, SHORT);
    if (!allowed && e->atoms && v->atom < e->atoms->n) {
        const struct atom *a = &e->atoms->items[v->atom];
        buf_printf(out, ",\"atom\":%u", v->atom);
        if (v->column >= 0 && (size_t)v->column < a->n_columns) member(out, "column", a->columns[v->column], SHORT);
    }
    buf_add_char(out, '}');
}

static void outcome(struct buf *out, const struct event *e) {
    buf_add_z(out, ",\"outcome\":{\"latencyUs\":");
    digits(out, e->latency_us);
    number(out, "rows", e->rows);
    number(out, "bytesIn", e->bytes_in);
    number(out, "bytesOut", e->bytes_out);
    number(out, "mutations", e->mutations);
    if (e->commit_us) time_member(out, "commitTimestamp", e->commit_us);
    buf_add_char(out, '}');
}

/* Members by the time they begin: the first three are where track.c looks for them. */
enum code audit_entry_encode(const struct event *e, struct buf *ret, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(AUDIT_ENTRY_MAX + 4096);
    (void)buf_reserve(&out, USUAL_BYTES); /* so that most entries grow once */
    buf_add_z(&out, "{\"insertId\":");
    text(&out, e->id, SHORT);
    time_member(&out, "timestamp", e->time_us);
    key(&out, "kind");
    text(&out, str_z(kinds[e->kind]), SHORT);
    payload(&out, e);
    names(&out, "bears", &e->bears);
    names(&out, "mayBear", &e->may_bear);
    names(&out, "chainBears", &e->chain_bears);
    atoms(&out, e->atoms);
    verdict(&out, e);
    if (e->principal) {
        member(&out, "job", e->principal->job, SHORT);
        member(&out, "jobRun", e->principal->job_run, SHORT);
        member(&out, "tokenId", str_z(e->principal->token_id), SHORT);
    }
    member(&out, "statement", e->statement, SHORT);
    member(&out, "trace", e->trace, SHORT);
    if (e->kind == EVENT_OUTCOME || e->kind == EVENT_REFUSAL) outcome(&out, e);
    buf_add_char(&out, '}');
    buf_add_str(ret, buf_str(&out));
    if (!buf_ok(&out) || !buf_ok(ret)) return err_oom(err);
    return out.n <= AUDIT_ENTRY_MAX ? OK : err_set(err, INTERNAL, "an audit entry grew past its limit");
}
