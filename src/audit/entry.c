#include "audit/entry.h"
#include <arpa/inet.h>
#include "audit/audit.h"
#include "audit/entry_atoms.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/json_text.h"

/* The policy's names end at NAMES_END: what stands before them is less. With what is of bounded size behind the atoms
 * (5,000 bytes, and the outbox's member) it leaves these their ENTRY_ATOMS_ROOM. */
enum { NAMES_END = 20000, USUAL_BYTES = 2048 };
_Static_assert(NAMES_END + 2 * ENTRY_SHORT + ENTRY_ATOMS_ROOM + 5000 < AUDIT_ENTRY_MAX,
               "what follows the atoms always fits");

static const char *const kinds[] = { "intent", "outcome", "refusal", "system" };

/* At most `max` bytes, whole characters, "…" where it was cut. */
static void cut_text(struct buf *out, struct str s, size_t max) {
    if (s.n <= max) {
        json_text_string(out, s);
        return;
    }
    size_t n = max - 3;
    while (n && ((uint8_t)s.p[n] & 0xc0) == 0x80) n--;
    char cut[ENTRY_LONG];
    struct buf b = { .p = cut, .cap = sizeof cut, .max = sizeof cut };
    buf_add(&b, s.p, n);
    buf_add_z(&b, "\xe2\x80\xa6");
    json_text_string(out, buf_str(&b));
}

void entry_text(struct buf *out, struct str s, size_t max) {
    size_t start = out->n;
    cut_text(out, s, max);
    if (out->n - start <= 2 * max + 2) return;
    out->n = start; /* control characters, six bytes each */
    cut_text(out, s, max / 3);
}

void entry_key(struct buf *out, const char *name) {
    buf_add_z(out, ",\"");
    buf_add_z(out, name);
    buf_add_z(out, "\":");
}

/* `,"name":"text"`, nothing when it is empty. */
void entry_member(struct buf *out, const char *name, struct str s, size_t max) {
    if (s.n == 0) return;
    entry_key(out, name);
    entry_text(out, s, max);
}

static void digits(struct buf *out, uint64_t value) {
    char decimal[DECIMAL_MAX];
    buf_add(out, decimal, decimal_u64(value, decimal));
}

static void number_always(struct buf *out, const char *name, uint64_t value) {
    entry_key(out, name);
    digits(out, value);
}

void entry_number(struct buf *out, const char *name, uint64_t value) {
    if (value) number_always(out, name, value);
}

static void time_member(struct buf *out, const char *name, int64_t us) {
    char when[CLOCK_RFC3339_MAX];
    size_t n = clock_rfc3339(us, when);
    entry_member(out, name, (struct str){ when, n }, sizeof when);
}

static void actor(struct buf *out, const struct actor *a) {
    if (a->kind == ACTOR_ACCOUNT) {
        buf_add_z(out, "\"principalEmail\":");
        entry_text(out, a->subject, ENTRY_SHORT);
        return;
    }
    buf_add_z(out, "\"principalSubject\":");
    entry_text(out, a->subject, ENTRY_SHORT);
    entry_member(out, "issuer", a->issuer, ENTRY_SHORT);
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
    entry_text(out, source, ENTRY_SHORT);
    buf_add_char(out, '}');
}

static void payload(struct buf *out, const struct event *e) {
    buf_add_z(out, ",\"protoPayload\":{\"methodName\":");
    entry_text(out, e->method, ENTRY_SHORT);
    entry_member(out, "resourceName", e->resource, ENTRY_LONG);
    authentication(out, e->principal);
    if (e->permission.n) {
        buf_add_z(out, ",\"authorizationInfo\":[{\"resource\":");
        entry_text(out, e->resource, ENTRY_LONG);
        entry_member(out, "permission", e->permission, ENTRY_SHORT);
        if (e->decided) buf_add_z(out, e->verdict.reason == REASON_NONE ? ",\"granted\":true" : ",\"granted\":false");
        buf_add_z(out, "}]");
    }
    caller(out, e);
    buf_add_z(out, ",\"status\":{\"code\":");
    digits(out, e->code);
    entry_member(out, "message", e->detail, ENTRY_LONG);
    buf_add_z(out, "}}");
}

/* The policy's names that the caller bore: explain judges by them. They stand before the atoms and leave these room. */
static void names(struct buf *out, const char *name, const struct event_names *list) {
    size_t i = 0;
    for (; i < list->n && out->n < NAMES_END; i++) {
        if (i) buf_add_char(out, ',');
        else buf_printf(out, ",\"%s\":[", name);
        entry_text(out, list->items[i], ENTRY_SHORT);
    }
    if (i) buf_add_char(out, ']');
}

static void verdict(struct buf *out, const struct event *e, size_t told_at) {
    if (!e->decided) return;
    const struct verdict *v = &e->verdict;
    bool allowed = v->reason == REASON_NONE;
    buf_add_z(out, allowed ? ",\"verdict\":{\"allowed\":true" : ",\"verdict\":{\"allowed\":false");
    entry_member(out, "reason", str_z(reason_name(v->reason)), ENTRY_SHORT);
    entry_member(out, "rule", v->rule, ENTRY_SHORT);
    if (!allowed && e->atoms && v->atom < e->atoms->n) {
        const struct atom *a = &e->atoms->items[v->atom];
        number_always(out, "atom", told_at);
        if (v->column >= 0 && (size_t)v->column < a->n_columns)
            entry_member(out, "column", a->columns[v->column], ENTRY_SHORT);
    }
    buf_add_char(out, '}');
}

static void outcome(struct buf *out, const struct event *e) {
    buf_add_z(out, ",\"outcome\":{\"latencyUs\":");
    digits(out, e->latency_us);
    entry_number(out, "rows", e->rows);
    entry_number(out, "bytesIn", e->bytes_in);
    entry_number(out, "bytesOut", e->bytes_out);
    entry_number(out, "mutations", e->mutations);
    if (e->commit_us) time_member(out, "commitTimestamp", e->commit_us);
    buf_add_char(out, '}');
}

/* Members by the time they begin: the first three are where track.c looks for them. */
enum code audit_entry_encode(const struct event *e, struct buf *ret, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(AUDIT_ENTRY_MAX + 4096);
    size_t told_at = 0;
    (void)buf_reserve(&out, USUAL_BYTES); /* so that most entries grow once */
    buf_add_z(&out, "{\"insertId\":");
    entry_text(&out, e->id, ENTRY_SHORT);
    time_member(&out, "timestamp", e->time_us);
    entry_key(&out, "kind");
    entry_text(&out, str_z(kinds[e->kind]), ENTRY_SHORT);
    payload(&out, e);
    names(&out, "bears", &e->bears);
    names(&out, "mayBear", &e->may_bear);
    names(&out, "chainBears", &e->chain_bears);
    bool refused = e->decided && e->verdict.reason != REASON_NONE;
    if (!entry_atoms(&out, e->atoms, refused ? &e->verdict : NULL, &told_at)) return err_oom(err);
    verdict(&out, e, told_at);
    if (e->principal) {
        entry_member(&out, "job", e->principal->job, ENTRY_SHORT);
        entry_member(&out, "jobRun", e->principal->job_run, ENTRY_SHORT);
        entry_member(&out, "tokenId", str_z(e->principal->token_id), ENTRY_SHORT);
    }
    entry_member(&out, "statement", e->statement, ENTRY_SHORT);
    entry_member(&out, "trace", e->trace, ENTRY_SHORT);
    if (e->kind == EVENT_OUTCOME || e->kind == EVENT_REFUSAL) outcome(&out, e);
    buf_add_char(&out, '}');
    buf_add_str(ret, buf_str(&out));
    if (!buf_ok(&out) || !buf_ok(ret)) return err_oom(err);
    return out.n <= AUDIT_ENTRY_MAX ? OK : err_set(err, INTERNAL, "an audit entry grew past its limit");
}
