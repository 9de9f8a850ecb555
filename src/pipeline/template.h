/* template.h: any JSON value of a pipeline document, whose strings may hold expressions.
 *
 * {"type": "Expression", "value": "@…"} counts as its value, wherever it stands. A template lives in an arena and borrows
 * constants from the JSON that it was compiled from, which must live as long. Immutable; any thread.
 * Limits: 64 levels; the evaluated value 4 MiB as JSON text (see expr.h). */
#pragma once
#include "pipeline/expr.h"
#include "pipeline/fault.h"

struct template;

/* Compiles; each fault goes to `faults` under `path` and its members' paths, all at once. Returns NULL when there were
 * any. */
const struct template *template_compile(struct arena *arena, const json_t *value, struct str path, struct faults *faults);

/* A template without expressions: its value, borrowed. NULL when it must be evaluated. */
const json_t *template_literal(const struct template *t);

/* The type that its value has whatever is evaluated (text with "@{…}" in it is a string), as enum json_type; -1: the run
 * decides. */
int template_type(const struct template *t);

/* Calls `see` for each reference with the path of its string. */
void template_each_ref(const struct template *t, void (*see)(void *user, struct str path, const struct expr_ref *ref),
                       void *user);

/* A new reference in *ret, which may share parts with the document and the context: read it only. Errors as expr_eval's,
 * with the path of the string that failed before the message. */
MUST_USE enum code template_eval(const struct template *t, const struct expr_context *context, json_t **ret,
                                 struct err *err);
