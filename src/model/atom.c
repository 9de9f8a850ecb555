#include "model/atom.h"

const char *verb_name(enum verb verb) {
    static const char *const names[VERB_COUNT] = {
        [VERB_READ] = "read",
        [VERB_INSERT] = "insert",
        [VERB_UPDATE] = "update",
        [VERB_DELETE] = "delete",
        [VERB_CHANGE_SCHEMA] = "change schema",
        [VERB_CHANGE_GRANTS] = "change grants",
        [VERB_READ_SCHEMA] = "read schema",
        [VERB_USE] = "use",
        [VERB_RUN_JOB] = "run job",
        [VERB_ACT_AS] = "act as",
        [VERB_SEE_JOBS] = "see jobs",
        [VERB_CANCEL_JOBS] = "cancel jobs",
        [VERB_ADMINISTER] = "administer",
        [VERB_CALL] = "call",
    };
    return (unsigned)verb < VERB_COUNT ? names[verb] : "?";
}

const char *verb_account_word(struct str name) {
    if (str_eq_z(name, verb_name(VERB_CALL))) return " with audience ";
    return str_eq_z(name, verb_name(VERB_ACT_AS)) ? " " : " as ";
}

bool atoms_add(struct atoms *atoms, struct arena *arena, struct atom atom) {
    if (!arena_grow(arena, &atoms->items, &atoms->cap, atoms->n + 1, sizeof atom)) return false;
    atoms->items[atoms->n++] = atom;
    return true;
}
