/* fault.h: what is wrong with a document that somebody sent: all faults at once, each with its place.
 *
 * Faults and their texts live in the arena of the list. One thread at a time. At most FAULTS_MAX are kept; what follows is
 * counted. Messages name keys, types and places; of values only names that the document itself defines. */
#pragma once
#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"

enum { FAULTS_MAX = 50 };

struct fault {
    const char *code; /* as Synapse writes it: "BadRequest", "InvalidPipelineParameter", … */
    struct str path;  /* "properties.activities[2].typeProperties.url" */
    unsigned column;  /* within the expression there, from 1; 0 = none */
    struct str message;
};

struct faults {
    struct arena *arena;
    struct fault items[FAULTS_MAX];
    size_t n;     /* kept */
    size_t total; /* found */
    bool oom;     /* the arena was full: nothing else is sure */
};

void fault_add(struct faults *faults, const char *code, struct str path, unsigned column, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* OK without faults; else INVALID_ARGUMENT with the first (and how many more there are), or RESOURCE_EXHAUSTED. */
MUST_USE enum code faults_err(const struct faults *faults, struct err *err);

/* Synapse's error body: {"error": {"code", "message", "target", "details": [{code, message, target}, …]}}. The first
 * fault's code; target is the artifact ("pipelines/x"). NULL when memory is short. A new reference. */
json_t *faults_body(const struct faults *faults, struct str target);
