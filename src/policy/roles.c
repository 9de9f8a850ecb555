/* The rights of a role are what policy_decide itself allows to an ideal subject: there is one meaning of the rules. */
#include "policy/roles.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/hash.h"
#include "policy/snapshot.h"

enum { SUBJECT_BYTES = 4 << 20, NAME_DIGITS = 20 };

/* ---- who, at its best ---- */

/* All conditions of allows hold, none of a deny does; number 0 is "no condition". */
static void ideal_conditions(const struct policy *policy, struct policy_subject *s) {
    for (uint32_t i = 1; i < policy->n_conds; i++) {
        bit_set(s->cond_true, i);
        bit_set(s->cond_false, i);
    }
    bit_set(s->cond_true, 0);
}

/* The names that are borne for certain, and nothing else that is known of the subject. */
static enum code idealise(const struct policy *policy, const struct policy_subject *from, struct arena *arena,
                          struct policy_subject *ret, struct err *err) {
    size_t conds = policy->n_conds / 64 + 1;
    if (from->serial != policy->serial)
        return err_set(err, FAILED_PRECONDITION, "the names are those of another version of the policy");
    *ret = (struct policy_subject){ .serial = policy->serial,
                                    .sure = from->sure,
                                    .any = from->sure,
                                    .sure_list = from->sure_list,
                                    .n_sure = from->n_sure };
    ret->unsure = ARENA_ARRAY(arena, uint64_t, policy->n_subjects / 64 + 1);
    ret->any_list = ARENA_ARRAY(arena, uint32_t, from->n_sure + 1);
    ret->cond_true = ARENA_ARRAY(arena, uint64_t, 3 * conds);
    if (!ret->unsure || !ret->any_list || !ret->cond_true) return err_oom(err);
    ret->cond_false = ret->cond_true + conds;
    ret->job_wrong = ret->cond_true + 2 * conds;
    for (size_t i = 0; i < from->n_sure; i++) ret->any_list[ret->n_any++] = from->sure_list[i];
    ret->any_list[ret->n_any++] = ANYONE;
    ideal_conditions(policy, ret);
    return OK;
}

const struct policy_subject *policy_subject_named(const struct policy *policy, const struct str *names, size_t n,
                                                  struct arena *arena) {
    struct str *items = ARENA_ARRAY(arena, struct str, n + 1);
    for (size_t i = 0; items && i < n; i++) items[i] = names[i];
    struct policy_recorded recorded = { .bearing = { .sure = { items, n } } };
    return items ? subject_recorded(policy, &recorded, arena) : NULL;
}

bool policy_subject_names(const struct policy *policy, struct arena *arena, struct policy_names *ret) {
    struct policy_names out = { .items = ARENA_ARRAY(arena, struct str, policy->n_subjects + 1) };
    for (size_t i = 0; out.items && i < policy->n_subjects; i++) out.items[out.n++] = policy->subjects[i].name;
    if (out.items) *ret = out;
    return out.items != NULL;
}

/* ---- what ---- */

static bool allowed(const struct policy *policy, const struct policy_subject *ideal, struct atom atom) {
    struct verdict verdict;
    policy_decide(policy, ideal, &(struct atoms){ &atom, 1, 1 }, INT64_MIN, &verdict); /* before any end */
    return verdict.reason == REASON_NONE;
}

enum code policy_may_ever_use(const struct policy *policy, const struct policy_subject *subject, struct str path, bool *ret,
                              struct err *err) {
    DEFER(arena_freep) struct arena *scratch = arena_new(SUBJECT_BYTES);
    struct policy_subject ideal;
    enum code rc = scratch ? idealise(policy, subject, scratch, &ideal, err) : err_oom(err);
    if (!rc) *ret = allowed(policy, &ideal, (struct atom){ .verb = VERB_USE, .path = path });
    return rc;
}

static int by_bytes(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum code add_right(struct policy_rights *rights, struct arena *arena, struct policy_right right, struct err *err) {
    if (!arena_grow(arena, &rights->items, &rights->cap, rights->n + 1, sizeof right)) return err_oom(err);
    rights->items[rights->n++] = right;
    return OK;
}

/* The columns one by one, where not all of the table is free. */
static enum code add_columns(const struct policy *policy, const struct policy_subject *ideal, struct atom atom,
                             const struct policy_table *table, struct arena *arena, struct policy_rights *rights,
                             struct err *err) {
    struct str *columns = ARENA_ARRAY(arena, struct str, table->n_columns + 1);
    size_t n = 0;
    if (!columns) return err_oom(err);
    for (size_t i = 0; i < table->n_columns; i++) {
        atom.columns = &table->columns[i];
        atom.n_columns = 1;
        if (allowed(policy, ideal, atom)) columns[n++] = table->columns[i];
    }
    if (!n) return OK;
    qsort(columns, n, sizeof *columns, by_bytes);
    return add_right(rights, arena, (struct policy_right){ atom.verb, table->name, columns, n }, err);
}

static enum code add_table(const struct policy *policy, const struct policy_subject *ideal, struct str path,
                           const struct policy_table *table, struct arena *arena, struct policy_rights *rights,
                           struct err *err) {
    static const enum verb verbs[] = { VERB_READ, VERB_INSERT, VERB_UPDATE, VERB_DELETE };
    enum code rc = OK;
    for (size_t i = 0; !rc && i < COUNT(verbs); i++) {
        struct atom atom = { .verb = verbs[i], .path = path, .object = table->name };
        if (allowed(policy, ideal, atom))
            rc = add_right(rights, arena, (struct policy_right){ .verb = verbs[i], .table = table->name }, err);
        else if (verbs[i] != VERB_DELETE) rc = add_columns(policy, ideal, atom, table, arena, rights, err);
    }
    return rc;
}

enum code policy_rights_of(const struct policy *policy, const struct policy_subject *subject, struct str path,
                           const struct policy_table *tables, size_t n, struct arena *arena, struct policy_rights *ret,
                           struct err *err) {
    DEFER(arena_freep) struct arena *scratch = arena_new(SUBJECT_BYTES);
    struct policy_subject ideal;
    struct policy_rights rights = { 0 };
    enum code rc = scratch ? idealise(policy, subject, scratch, &ideal, err) : err_oom(err);
    for (size_t i = 0; !rc && i < n; i++) rc = add_table(policy, &ideal, path, &tables[i], arena, &rights, err);
    if (!rc) *ret = rights;
    return rc;
}

/* ---- its name ---- */

static void digest_number(struct hash *h, size_t n) {
    char text[24];
    int length = snprintf(text, sizeof text, "%zu:", n);
    hash_add(h, (struct str){ text, (size_t)length });
}

/* Each text with its length: no two lists of rights are the same bytes. */
static void digest_text(struct hash *h, struct str text) {
    digest_number(h, text.n);
    hash_add(h, text);
}

static const char prefix[] = "linkspan_", hex[] = "0123456789abcdef";

void policy_role_name(const struct policy_rights *rights, char ret[POLICY_ROLE_NAME_BYTES]) {
    uint8_t digest[SHA256_BYTES];
    DEFER(hash_freep) struct hash *h = hash_new();
    for (size_t i = 0; i < rights->n; i++) {
        const struct policy_right *r = &rights->items[i];
        digest_text(h, str_z(verb_name(r->verb)));
        digest_text(h, r->table);
        digest_number(h, r->n_columns);
        for (size_t k = 0; k < r->n_columns; k++) digest_text(h, r->columns[k]);
    }
    hash_end(h, digest);
    char *out = ret + sizeof prefix - 1;
    memcpy(ret, prefix, sizeof prefix - 1);
    for (size_t i = 0; i < NAME_DIGITS; i++) *out++ = hex[i % 2 ? digest[i / 2] & 15 : digest[i / 2] >> 4];
    *out = '\0';
}

bool policy_is_role_name(struct str name) {
    if (name.n != POLICY_ROLE_NAME_BYTES - 1 || !str_strip_prefix(&name, str_z(prefix))) return false;
    for (size_t i = 0; i < name.n; i++)
        if (str_find_char(str_z(hex), name.p[i]) < 0) return false;
    return true;
}
