/* document_internal.h: what the files that compile a pipeline share. See document.h. */
#pragma once
#include "pipeline/document.h"
#include "pipeline/shape.h"

struct compile {
    struct shape shape; /* its arena is the pipeline's */
    struct pipeline *pipeline;
    struct activity *all[PIPELINE_ACTIVITIES_MAX]; /* by ordinal; kinds and names are set */
    const struct activity *container;              /* of the list that is being compiled */
};

/* A time span of 1 … max_s seconds: "d.hh:mm:ss" or "hh:mm:ss". */
uint32_t shape_timespan(const struct shape *s, const json_t *object, struct str path, const char *key, uint32_t max_s,
                        uint32_t otherwise);
void compile_slots(struct compile *c, const json_t *properties, struct str path);
/* The list under `key`; an empty one when it is absent. */
struct activity_list compile_activities(struct compile *c, const json_t *object, struct str path, const char *key,
                                        bool required);
void compile_type_properties(struct compile *c, struct activity *a, const json_t *json);
/* Cycles, and what expressions refer to. */
void compile_references(struct compile *c);
