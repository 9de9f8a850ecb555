/* expr.h: the expressions of Synapse and Data Factory pipelines: "@concat('a', pipeline().parameters.x)".
 *
 * A string of a pipeline document is text, one expression ("@…": its value keeps its type), or text with "@{…}" in it (a
 * string). "@@" at the start stands for "@", "@@{" anywhere for "@{". What is not known (a function, a member of
 * pipeline(), a letter of a date's format) is refused when the text is parsed, by name and column.
 *
 * A parsed expression lives in the arena that it was parsed into, is immutable, and any thread may evaluate it: evaluation
 * is pure but for what the context hands in. Strings are indexed in UTF-16 units, as .NET does. Limits: text 8 KiB, 64
 * levels, a result (and each value on the way) 4 MiB as JSON text and 64 levels, EXPR_WORK_MAX steps. Source: Microsoft
 * Learn, "Expression and functions in Azure Data Factory and Azure Synapse Analytics"; docs/pipelines.md holds the
 * functions. */
#pragma once
#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"

enum {
    EXPR_TEXT_MAX = 8 << 10,
    EXPR_DEPTH_MAX = 64,
    EXPR_RESULT_MAX = 4 << 20,
    EXPR_WORK_MAX = 32 << 20,
    EXPR_GUID_SIZE = 37
};

struct expr;

/* What an expression refers to, so that a document can be checked when it is saved. */
enum expr_ref_kind { EXPR_REF_PARAMETER, EXPR_REF_VARIABLE, EXPR_REF_ACTIVITY, EXPR_REF_ITEM };
struct expr_ref {
    enum expr_ref_kind kind;
    struct str name; /* empty for item() */
    unsigned column; /* in code points of the text, from 1 */
};

/* Parses one string of a document. INVALID_ARGUMENT with err->column (line is 0); RESOURCE_EXHAUSTED when the arena is
 * full. The text is copied where it is needed. */
MUST_USE enum code expr_parse(struct arena *arena, struct str text, const struct expr **ret, struct err *err);
/* Text without any expression: its value never changes. ret_text is the text as it is meant ("@@" undone). */
bool expr_is_literal(const struct expr *expr, struct str *ret_text);
/* Text, or text with expressions in it: its value is a string. */
bool expr_is_text(const struct expr *expr);
/* In the order of the text; ret_n 0: none. Borrowed from the expression. */
const struct expr_ref *expr_refs(const struct expr *expr, size_t *ret_n);

/* pipeline().…: empty texts read as null. */
struct expr_system {
    struct str data_factory; /* the workspace */
    struct str pipeline;     /* the pipeline's name */
    struct str run_id, group_id;
    struct str trigger_type, trigger_id, trigger_name;
    struct str trigger_time; /* ISO 8601 */
    struct str triggered_by_pipeline_name, triggered_by_pipeline_run_id;
};

/* What an evaluation sees. All is borrowed, and not changed. */
struct expr_context {
    struct expr_system system;
    const json_t *parameters; /* an object: name → value */
    const json_t *variables;  /* an object: name → value */
    const json_t *item;       /* NULL outside ForEach */
    int64_t now_us;           /* utcNow(): the same all through one evaluation */
    /* The activity's {"output": …, "status": "Succeeded", "error": …, "activityRunId": …} (any may be absent: null),
     * borrowed until the evaluation ends; NULL: it has not run (an error unless the access is safe, "?."). */
    const json_t *(*activity)(void *user, struct str name);
    /* Writes a random UUID in lower case with hyphens, and a NUL. False: no randomness (the evaluation fails). */
    bool (*guid)(void *user, char out[EXPR_GUID_SIZE]);
    void *user;
};

/* A new reference in *ret. INVALID_ARGUMENT with the column of the call or member that failed, and what was expected and
 * got (types, never values: they may be secret); OUT_OF_RANGE when a limit or an integer is exceeded; RESOURCE_EXHAUSTED.
 */
MUST_USE enum code expr_eval(const struct expr *expr, const struct expr_context *context, json_t **ret, struct err *err);

/* The functions, for the documentation's test: NULL past the last. */
const char *expr_function_name(size_t index);
