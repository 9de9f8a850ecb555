#include <string.h>
#include "audit/audit.h"
#include "audit/entry.h"
#include "base/clock.h"
#include "data/json.h"

struct reader { /* fails once, and stays failed */
    struct arena *arena;
    bool failed;
};

static struct str take_text(struct reader *r, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) return (struct str){ "", 0 };
    struct str copy = str_dup(r->arena, (struct str){ json_string_value(value), json_string_length(value) });
    if (copy.p) return copy;
    if (json_string_length(value)) r->failed = true;
    return (struct str){ "", 0 };
}

static uint64_t take_number(const json_t *object, const char *name) {
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

static struct audit_actor take_actor(struct reader *r, const json_t *object) {
    return (struct audit_actor){ .email = take_text(r, object, "principalEmail"),
                                 .issuer = take_text(r, object, "issuer"),
                                 .subject = take_text(r, object, "principalSubject") };
}

static void take_payload(struct reader *r, const json_t *payload, struct audit_entry *e) {
    const json_t *who = json_object_get(payload, "authenticationInfo");
    const json_t *chain = json_object_get(who, "serviceAccountDelegationInfo");
    const json_t *status = json_object_get(payload, "status");
    e->method = take_text(r, payload, "methodName");
    e->resource = take_text(r, payload, "resourceName");
    e->actor = take_actor(r, who);
    for (size_t i = 0; i < json_array_size(chain) && i < PRINCIPAL_MAX_CHAIN; i++)
        e->chain[e->n_chain++] = take_actor(r, json_array_get(chain, i));
    e->permission = take_text(r, json_array_get(json_object_get(payload, "authorizationInfo"), 0), "permission");
    e->source = take_text(r, json_object_get(payload, "requestMetadata"), "callerIp");
    e->code = (enum code)(take_number(status, "code") <= UNAUTHENTICATED ? take_number(status, "code") : UNKNOWN);
    e->detail = take_text(r, status, "message");
}

static void take_columns(struct reader *r, const json_t *object, struct audit_atom *a) {
    const json_t *list = json_object_get(object, "columns");
    size_t n = json_array_size(list);
    a->columns = n ? ARENA_ARRAY(r->arena, struct str, n) : NULL;
    if (n && !a->columns) r->failed = true;
    for (size_t i = 0; i < n && a->columns; i++) {
        const json_t *name = json_array_get(list, i);
        struct str s = { json_string_value(name), json_string_length(name) };
        a->columns[a->n_columns] = str_dup(r->arena, s);
        if (s.n && !a->columns[a->n_columns].p) r->failed = true;
        else a->n_columns++;
    }
    uint64_t total = take_number(object, "columnsTotal");
    a->columns_total = total ? (size_t)total : a->n_columns;
    a->any_column = json_is_true(json_object_get(object, "anyColumn"));
}

static void take_atoms(struct reader *r, const json_t *root, struct audit_entry *e) {
    const json_t *list = json_object_get(root, "atoms");
    size_t n = json_array_size(list);
    e->atoms = n ? ARENA_ARRAY(r->arena, struct audit_atom, n) : NULL;
    if (n && !e->atoms) r->failed = true;
    for (size_t i = 0; i < n && e->atoms; i++) {
        const json_t *object = json_array_get(list, i);
        struct audit_atom *a = &e->atoms[e->n_atoms++];
        a->verb = take_text(r, object, "verb");
        a->path = take_text(r, object, "path");
        a->object = take_text(r, object, "object");
        a->account = take_text(r, object, "account");
        take_columns(r, object, a);
    }
    uint64_t total = take_number(root, "atomsTotal");
    e->atoms_total = total ? (size_t)total : e->n_atoms;
}

static struct event_names take_names(struct reader *r, const json_t *root, const char *name) {
    const json_t *list = json_object_get(root, name);
    size_t n = json_array_size(list);
    struct str *items = n ? ARENA_ARRAY(r->arena, struct str, n) : NULL;
    if (n && !items) r->failed = true;
    for (size_t i = 0; i < n && items; i++) {
        const json_t *item = json_array_get(list, i);
        struct str s = { json_string_value(item), json_string_length(item) };
        items[i] = str_dup(r->arena, s);
        if (s.n && !items[i].p) r->failed = true;
    }
    return (struct event_names){ items, items ? n : 0 };
}

static void take_verdict(struct reader *r, const json_t *verdict, struct audit_entry *e) {
    e->decided = json_is_object(verdict);
    e->allowed = json_is_true(json_object_get(verdict, "allowed"));
    e->reason = take_text(r, verdict, "reason");
    e->rule = take_text(r, verdict, "rule");
    e->refused_column = take_text(r, verdict, "column");
    e->refused_atom = (unsigned)take_number(verdict, "atom");
}

static void take_tokens(struct reader *r, const json_t *list, struct audit_entry *e) {
    for (size_t i = 0; i < json_array_size(list) && i < REFUSED_TOKENS_MAX; i++) {
        const json_t *token = json_array_get(list, i);
        e->tokens[e->n_tokens++] = (struct audit_refused){ take_text(r, token, "tokenId"), take_text(r, token, "reason"),
                                                           take_text(r, token, "issuer"),
                                                           take_text(r, token, "principalSubject") };
    }
}

static void take_rest(struct reader *r, const json_t *root, struct audit_entry *e) {
    const json_t *outcome = json_object_get(root, "outcome"), *outbox = json_object_get(root, "outbox");
    e->job = take_text(r, root, "job");
    e->job_run = take_text(r, root, "jobRun");
    e->token_id = take_text(r, root, "tokenId");
    e->statement = take_text(r, root, "statement");
    e->trace = take_text(r, root, "trace");
    e->rows = take_number(outcome, "rows");
    e->bytes_in = take_number(outcome, "bytesIn");
    e->bytes_out = take_number(outcome, "bytesOut");
    e->latency_us = take_number(outcome, "latencyUs");
    e->mutations = take_number(outcome, "mutations");
    e->commit_timestamp = take_text(r, outcome, "commitTimestamp");
    e->refusals = take_number(root, "refusals");
    take_tokens(r, json_object_get(root, "tokens"), e);
    e->outbox = take_text(r, outbox, "source");
    e->outbox_sequence = take_number(outbox, "sequence");
}

static bool take_time(struct audit_entry *e) {
    int64_t seconds;
    int32_t nanos;
    if (!clock_parse_rfc3339(e->timestamp, &seconds, &nanos)) return false;
    if (seconds > INT64_MAX / 2000000 || seconds < INT64_MIN / 2000000) return false;
    e->time_us = seconds * 1000000 + nanos / 1000;
    return true;
}

static bool take_kind(struct str kind, enum event_kind *ret) {
    static const char *const kinds[] = { "intent", "outcome", "refusal", "system" };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (!str_eq_z(kind, kinds[i])) continue;
        *ret = (enum event_kind)i;
        return true;
    }
    return false;
}

enum code audit_entry_parse(struct str json, struct arena *arena, struct audit_entry *ret, struct err *err) {
    json_t *root = NULL;
    enum code rc = json_read(json, AUDIT_ENTRY_MAX, 0, &root, err);
    if (rc) {
        (void)err_wrap(err, "an audit entry");
        return rc;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, INVALID_ARGUMENT, "an audit entry is not a JSON object");
    }
    struct reader r = { .arena = arena };
    struct audit_entry e = { .id = take_text(&r, root, "insertId"), .timestamp = take_text(&r, root, "timestamp") };
    bool ok = take_kind(take_text(&r, root, "kind"), &e.kind) && take_time(&e);
    take_payload(&r, json_object_get(root, "protoPayload"), &e);
    e.bears = take_names(&r, root, "bears");
    e.may_bear = take_names(&r, root, "mayBear");
    e.chain_bears = take_names(&r, root, "chainBears");
    take_atoms(&r, root, &e);
    take_verdict(&r, json_object_get(root, "verdict"), &e);
    take_rest(&r, root, &e);
    json_decref(root);
    if (r.failed) return err_oom(err);
    if (!ok) return err_set(err, INVALID_ARGUMENT, "an audit entry has no kind or no time");
    *ret = e;
    return OK;
}
