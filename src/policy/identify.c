/* Which of the policy's names does a principal bear? Claims are tested here, once; deciding only looks up bits. */
#include <jansson.h>
#include <string.h>
#include "policy/snapshot.h"

enum truth { FALSE_, UNKNOWN_, TRUE_ };

/* ---- claims: what the issuer did not send, or sent in a shape that is not understood, is unknown ---- */

static const json_t *claim_value(const struct actor *actor, const struct names *claim) {
    const json_t *value = actor->claims;
    for (size_t i = 0; value && i < claim->n; i++)
        value = json_object_getn(value, claim->items[i].text.p, claim->items[i].text.n); /* NULL for what is no object */
    return value;
}

static struct str json_text(const json_t *value) {
    return (struct str){ json_string_value(value), json_string_length(value) };
}

static enum truth contains(const json_t *value, struct str wanted) {
    if (!json_is_array(value)) return UNKNOWN_;
    enum truth found = FALSE_;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        if (!json_is_string(item)) found = UNKNOWN_;
        else if (str_eq(json_text(item), wanted)) return TRUE_;
    }
    return found;
}

bool claim_text(const struct names *claim, const struct actor *actor, struct str *ret) {
    const json_t *value = claim_value(actor, claim);
    bool is_subject = claim->n == 1 && str_eq(claim->items[0].text, STR("sub"));
    if (json_is_string(value)) *ret = json_text(value);
    else if (!value && is_subject && actor->subject.p) *ret = actor->subject; /* known even where claims were not kept */
    else return false;
    return true;
}

static enum truth run_test(const struct test *t, const struct actor *actor) {
    if (t->op == TEST_CONTAINS) {
        const json_t *value = claim_value(actor, &t->claim);
        return value ? contains(value, t->values.items[0].text) : UNKNOWN_;
    }
    struct str text;
    if (!claim_text(&t->claim, actor, &text)) return UNKNOWN_;
    bool equal = false;
    for (size_t i = 0; i < t->values.n; i++) equal = equal || str_eq(text, t->values.items[i].text);
    return equal != (t->op == TEST_DIFFERS) ? TRUE_ : FALSE_;
}

static enum truth bears(const struct stmt *s, const struct actor *actor) {
    if (s->kind == STMT_ACCOUNT)
        return actor->kind == ACTOR_ACCOUNT && str_eq(actor->subject, s->detail.text) ? TRUE_ : FALSE_;
    if (actor->kind != ACTOR_OIDC || !str_eq(actor->issuer, s->detail.text)) return FALSE_;
    enum truth all = TRUE_;
    for (size_t i = 0; i < s->tests.n && all != FALSE_; i++) {
        enum truth one = run_test(&s->tests.items[i], actor);
        if (one < all) all = one;
    }
    return all;
}

/* ---- conditions ---- */

static bool in_network(const struct clauses *c, const struct in6_addr *from) {
    unsigned bytes = c->net_bits / 8, bits = c->net_bits % 8;
    if (memcmp(c->net.s6_addr, from->s6_addr, bytes) != 0) return false;
    return !bits || ((c->net.s6_addr[bytes] ^ from->s6_addr[bytes]) & (0xff00u >> bits & 0xff)) == 0;
}

static enum truth network(const struct clauses *c, const struct in6_addr *from) {
    if (!(c->has & 1u << CLAUSE_FROM)) return TRUE_;
    if (IN6_IS_ADDR_UNSPECIFIED(from)) return UNKNOWN_;
    return in_network(c, from) ? TRUE_ : FALSE_;
}

static enum truth in_job(const struct clauses *c, struct str job) {
    if (!(c->has & 1u << CLAUSE_JOB)) return TRUE_;
    for (size_t i = 0; job.n && i < c->jobs.n; i++)
        if (str_eq(c->jobs.items[i].text, job)) return TRUE_;
    return FALSE_;
}

static void judge_conds(const struct policy *p, struct policy_subject *s, struct str job, const struct in6_addr *from) {
    bit_set(s->cond_true, 0);
    for (uint32_t i = 1; i < p->n_conds; i++) {
        enum truth a = in_job(p->conds[i].clauses, job), b = network(p->conds[i].clauses, from);
        if (a == FALSE_) bit_set(s->job_wrong, i);
        if (a == TRUE_ && b == TRUE_) bit_set(s->cond_true, i);
        if (a == FALSE_ || b == FALSE_) bit_set(s->cond_false, i);
    }
}

/* ---- subjects ---- */

static size_t numbers(const uint64_t *bits, size_t n_words, uint32_t *out) {
    size_t n = 0;
    for (size_t w = 0; w < n_words; w++)
        for (uint64_t rest = bits[w]; rest; rest &= rest - 1)
            out[n++] = (uint32_t)(w * 64 + (unsigned)__builtin_ctzll(rest));
    return n;
}

static bool make_lists(const struct policy *p, struct policy_subject *s, struct arena *arena) {
    size_t words = p->n_subjects / 64 + 1;
    s->sure_list = ARENA_ARRAY(arena, uint32_t, p->n_subjects + 1);
    s->any_list = ARENA_ARRAY(arena, uint32_t, p->n_subjects + 1);
    if (!s->sure_list || !s->any_list) return false;
    s->n_sure = numbers(s->sure, words, s->sure_list);
    s->n_any = numbers(s->any, words, s->any_list);
    s->any_list[s->n_any++] = ANYONE;
    return true;
}

static struct policy_subject *subject_new(const struct policy *p, struct arena *arena) {
    size_t names = p->n_subjects / 64 + 1, conds = p->n_conds / 64 + 1;
    struct policy_subject *s = ARENA_NEW(arena, struct policy_subject);
    uint64_t *words = s ? ARENA_ARRAY(arena, uint64_t, 3 * names + 3 * conds) : NULL;
    if (!words) return NULL;
    *s = (struct policy_subject){ .serial = p->serial,
                                  .sure = words,
                                  .unsure = words + names,
                                  .any = words + 2 * names,
                                  .cond_true = words + 3 * names,
                                  .cond_false = words + 3 * names + conds,
                                  .job_wrong = words + 3 * names + 2 * conds };
    return s;
}

static void test_actor(const struct policy *p, struct policy_subject *s, const struct actor *actor, uint64_t *may,
                       bool is_current) {
    size_t words = p->n_subjects / 64 + 1;
    memset(may, 0, words * sizeof *may);
    bearers_mark(p, actor, may);
    for (size_t w = 0; w < words; w++)
        for (uint64_t rest = may[w]; rest; rest &= rest - 1) {
            uint32_t i = (uint32_t)(w * 64 + (unsigned)__builtin_ctzll(rest));
            enum truth now = bears(p->subjects[i].stmt, actor);
            if (is_current && now == TRUE_) bit_set(s->sure, i);
            if (is_current && now == UNKNOWN_) bit_set(s->unsure, i);
            if (now != FALSE_) bit_set(s->any, i);
        }
}

const struct policy_subject *policy_identify(const struct policy *policy, const struct principal *principal,
                                             struct arena *arena) {
    struct policy_subject *s = subject_new(policy, arena);
    uint64_t *may = s ? ARENA_ARRAY(arena, uint64_t, policy->n_subjects / 64 + 1) : NULL;
    if (!may) return NULL;
    test_actor(policy, s, &principal->actor, may, true);
    for (unsigned k = 0; k < principal->n_chain && k < PRINCIPAL_MAX_CHAIN; k++)
        test_actor(policy, s, &principal->chain[k], may, false);
    judge_conds(policy, s, principal->job, &principal->from);
    return make_lists(policy, s, arena) ? s : NULL;
}

/* ---- the same, to and from names ---- */

static bool list(const struct policy *p, const uint64_t *bits, struct arena *arena, struct policy_names *ret) {
    ret->n = 0;
    size_t words = p->n_subjects / 64 + 1, n = 0;
    for (size_t w = 0; w < words; w++) n += (size_t)__builtin_popcountll(bits[w]);
    ret->items = ARENA_ARRAY(arena, struct str, n + 1);
    if (!ret->items) return false;
    for (size_t w = 0; w < words; w++)
        for (uint64_t rest = bits[w]; rest; rest &= rest - 1)
            ret->items[ret->n++] = p->subjects[w * 64 + (unsigned)__builtin_ctzll(rest)].name;
    return true;
}

bool policy_bearing_of(const struct policy *policy, const struct policy_subject *subject, struct arena *arena,
                       struct policy_bearing *ret) {
    struct policy_bearing out;
    if (!list(policy, subject->sure, arena, &out.sure) || !list(policy, subject->unsure, arena, &out.unsure) ||
        !list(policy, subject->any, arena, &out.chain))
        return false;
    *ret = out;
    return true;
}

static void bear(const struct policy *p, const struct policy_names *names, uint64_t *bits, uint64_t *more) {
    for (size_t i = 0; i < names->n; i++) {
        uint32_t at = subject_index(p, names->items[i]);
        if (at == NO_INDEX) continue;
        bit_set(bits, at);
        if (more) bit_set(more, at);
    }
}

const struct policy_subject *subject_recorded(const struct policy *policy, const struct policy_recorded *r,
                                              struct arena *arena) {
    struct policy_subject *s = subject_new(policy, arena);
    if (!s) return NULL;
    bear(policy, &r->bearing.sure, s->sure, s->any);
    bear(policy, &r->bearing.unsure, s->unsure, s->any);
    bear(policy, &r->bearing.chain, s->any, NULL);
    judge_conds(policy, s, r->job, &r->from);
    return make_lists(policy, s, arena) ? s : NULL;
}
