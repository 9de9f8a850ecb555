#include <string.h>
#include "policy/snapshot.h"

int64_t policy_next_change(const struct policy *policy, int64_t now_us) {
    size_t low = 0, high = policy->n_ends; /* the first end after now */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (policy->ends[mid] <= now_us) low = mid + 1;
        else high = mid;
    }
    return low < policy->n_ends ? policy->ends[low] : INT64_MAX;
}

size_t policy_rule_count(const struct policy *policy) {
    return policy->n_rules;
}

static bool allowed(const struct policy *policy, const struct policy_subject *subject, struct atom atom, int64_t now_us) {
    struct verdict verdict;
    policy_decide(policy, subject, &(struct atoms){ &atom, 1, 1 }, now_us, &verdict);
    return verdict.reason == REASON_NONE;
}

bool policy_holds_something(const struct policy *policy, const struct policy_subject *subject, struct str path,
                            struct str table, int64_t now_us) {
    static const enum verb verbs[] = { VERB_READ, VERB_INSERT, VERB_UPDATE, VERB_DELETE, VERB_CHANGE_SCHEMA };
    if (!table.n) return allowed(policy, subject, (struct atom){ .verb = VERB_USE, .path = path }, now_us);
    for (size_t i = 0; i < COUNT(verbs); i++) {
        struct atom atom = { .verb = verbs[i], .path = path, .object = table, .any_column = true };
        if (allowed(policy, subject, atom, now_us)) return true;
    }
    return false;
}

struct str policy_path_held(const struct policy *policy, const struct policy_subject *subject, struct str system,
                            int64_t now_us, struct arena *arena) {
    struct str found = { 0 };
    for (size_t i = 0; i < policy->cap_nodes; i++) {
        const struct node *node = policy->nodes[i];
        if (!node || node->kind != NODE_PATH || !str_starts(node->path, system)) continue;
        struct str path = node->path;
        if (str_ends(path, STR("*"))) path = arena_printf(arena, "%.*s-", STR_ARG(str_upto(path, path.n - 1)));
        bool first = !found.n || str_cmp(path, found) < 0;
        if (first && policy_holds_something(policy, subject, path, (struct str){ 0 }, now_us)) found = path;
    }
    return found;
}

bool policy_accounts_for_run(const struct policy *policy, const struct policy_subject *subject, struct str path,
                             struct str job, int64_t now_us, struct arena *arena, struct policy_names *ret) {
    struct policy_names out = { .items = ARENA_ARRAY(arena, struct str, policy->n_subjects + 1) };
    if (!out.items) return false;
    for (size_t i = 0; i < policy->n_subjects; i++) {
        const struct stmt *s = policy->subjects[i].stmt;
        struct atom atom = { .verb = VERB_RUN_JOB, .path = path, .object = job, .account = s->detail.text };
        if (s->kind == STMT_ACCOUNT && allowed(policy, subject, atom, now_us)) out.items[out.n++] = s->detail.text;
    }
    *ret = out;
    return true;
}

struct str policy_job_for_digest(const struct policy *policy, struct str kind, struct str uri, struct str sha256) {
    const struct stmt *found = NULL;
    for (size_t i = 0; i < policy->n_jobs; i++) {
        const struct stmt *s = policy->jobs[i];
        if (!str_eq(s->kind_word.text, kind)) continue;
        bool same_uri = str_eq(s->detail.text, uri);
        if (s->extra.text.p ? s->extra.text.n != 64 || !str_eq_nocase(s->extra.text, sha256) : !same_uri) continue;
        /* The digest says more than the URI does; of two with the same digest the one at this place, else the first by
         * name. */
        if (!found || (s->extra.text.p && !found->extra.text.p) ||
            (same_uri && s->extra.text.p && !str_eq(found->detail.text, uri)))
            found = s;
    }
    return found ? found->name.text : (struct str){ 0 };
}

struct str policy_account_email(const struct policy *policy, struct str name) {
    const struct stmt *s = symbol(policy, 'n', name);
    return s && s->kind == STMT_ACCOUNT ? s->detail.text : (struct str){ 0 };
}

struct str policy_account_name(const struct policy *policy, struct str email) {
    const struct stmt *s = symbol(policy, 'e', email);
    return s ? s->name.text : (struct str){ 0 };
}
