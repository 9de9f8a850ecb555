/* Any bytes as a string of a pipeline: what parses has a value or a fault with its column, within its limits, and the same
 * twice. */
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "pipeline/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool fixed_guid(void *user, char out[EXPR_GUID_SIZE]) {
    (void)user;
    memcpy(out, "00112233-4455-6677-8899-aabbccddeeff", EXPR_GUID_SIZE);
    return true;
}

static const json_t *activity(void *user, struct str name) {
    return name.n % 2 ? user : NULL;
}

static void evaluate(const struct expr *expr, struct str text) {
    json_t *state = json_pack("{s:s, s:{s:[i,f,s,n]}}", "status", "Succeeded", "output", "a", 1, 0.5, "x");
    json_t *values = json_pack("{s:s, s:i, s:[i,i], s:{s:b}}", "s", "text", "n", 3, "a", 1, 2, "o", "k", 1);
    struct expr_context context = { .parameters = values,
                                    .variables = values,
                                    .item = state,
                                    .now_us = 1772368215123456,
                                    .activity = activity,
                                    .guid = fixed_guid,
                                    .user = state };
    json_t *once = NULL, *twice = NULL;
    struct err err = { 0 };
    struct str literal;
    enum code rc = expr_eval(expr, &context, &once, &err);
    if (rc != expr_eval(expr, &context, &twice, &err)) abort();
    if (rc == OK && !json_equal(once, twice)) abort();
    if (rc && rc != INVALID_ARGUMENT && rc != OUT_OF_RANGE && rc != RESOURCE_EXHAUSTED) abort();
    if (rc && rc != RESOURCE_EXHAUSTED && (err.column == 0 || err.column > text.n + 1)) abort();
    if (rc == OK && expr_is_literal(expr, &literal) &&
        !str_eq(literal, (struct str){ json_string_value(once), json_string_length(once) }))
        abort();
    json_decref(once);
    json_decref(twice);
    json_decref(state);
    json_decref(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    DEFER(arena_freep) struct arena *arena = arena_new(16 << 20);
    struct str text = { (const char *)data, size };
    const struct expr *expr;
    struct err err = { 0 };
    size_t n;
    if (!arena) return 0;
    enum code rc = expr_parse(arena, text, &expr, &err);
    if (rc == INVALID_ARGUMENT && (err.column == 0 || err.column > size + 1)) abort();
    if (rc) return 0;
    const struct expr_ref *refs = expr_refs(expr, &n);
    for (size_t i = 0; i < n; i++)
        if (refs[i].column == 0 || !utf8_valid(refs[i].name)) abort();
    evaluate(expr, text);
    return 0;
}
