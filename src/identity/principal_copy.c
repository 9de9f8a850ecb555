#include "identity/principal_copy.h"

#include <jansson.h>

static bool copy_text(struct str *text, struct arena *arena) {
    if (text->n) *text = str_dup(arena, *text);
    return text->n == 0 || text->p;
}

static bool copy_actor(struct actor *actor, struct arena *arena) {
    actor->claims = actor->claims ? json_deep_copy(actor->claims) : NULL;
    return copy_text(&actor->issuer, arena) && copy_text(&actor->subject, arena);
}

bool principal_copy(const struct principal *from, struct arena *arena, struct principal *ret) {
    *ret = *from;
    bool ok = copy_actor(&ret->actor, arena);
    for (unsigned i = 0; i < ret->n_chain; i++) ok = copy_actor(&ret->chain[i], arena) && ok;
    return copy_text(&ret->job, arena) && copy_text(&ret->job_run, arena) && ok;
}

static void forget_actor(struct actor *actor) {
    json_decref((json_t *)(uintptr_t)actor->claims);
    actor->claims = NULL;
}

void principal_forget(struct principal *copy) {
    forget_actor(&copy->actor);
    for (unsigned i = 0; i < copy->n_chain; i++) forget_actor(&copy->chain[i]);
}
