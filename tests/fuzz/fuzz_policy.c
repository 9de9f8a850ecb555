/* Any bytes as a policy file: reading reports faults with places or makes a policy that decides; what can be formatted is
 * formatted the same twice. */
#include <stdlib.h>
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct policy *policy, struct arena *arena) {
    struct principal person = { .actor = { ACTOR_OIDC, STR("corp"), STR("alice"), NULL } };
    struct str column = STR("a");
    struct atom items[VERB_COUNT];
    for (unsigned v = 0; v < VERB_COUNT; v++)
        items[v] = (struct atom){ (enum verb)v, STR("spanner demo/flights"), STR("T"), STR("app@x"), &column, 1, false };
    items[VERB_CALL] = (struct atom){ .verb = VERB_CALL, .object = STR("https://h/a/b"), .account = STR("api://linkspan") };
    struct atoms atoms = { items, VERB_COUNT, VERB_COUNT };
    const struct policy_subject *subject = policy_identify(policy, &person, arena);
    struct policy_recorded recorded = { .atoms = &atoms, .issuer = STR("corp"), .subject = STR("alice") };
    struct policy_explanation explanation;
    struct err err;
    if (!subject || !policy_bearing_of(policy, subject, arena, &recorded.bearing)) return;
    policy_decide(policy, subject, &atoms, 0, &recorded.verdict);
    if (policy_explain(policy, &recorded, 0, arena, &explanation, &err)) return;
    if (recorded.verdict.reason == REASON_NONE && explanation.n_additions) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    DEFER(arena_freep) struct arena *arena = arena_new(64 << 20);
    DEFER(policy_unrefp) struct policy *policy = NULL;
    struct policy_source source = { STR("fuzz.policy"), { (const char *)data, size } };
    struct policy_faults faults;
    struct err err;
    struct str once, twice;
    if (!arena) return 0;
    enum code rc = policy_load(&source, 1, NULL, arena, &faults, &policy, &err);
    if ((rc == OK) != (faults.n_errors == 0 && policy != NULL) && rc != RESOURCE_EXHAUSTED) abort();
    if (rc == OK) ask(policy, arena);
    if (policy_format(source, arena, &once, &err)) return 0;
    source.text = once;
    if (policy_format(source, arena, &twice, &err) || !str_eq(once, twice)) abort();
    return 0;
}
