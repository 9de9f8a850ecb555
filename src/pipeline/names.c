/* names.c: states and fields by name, UUIDs, names of artifacts. */
#include <stdlib.h>
#include <string.h>
#include "base/uuid.h"
#include "pipeline/pipelines_priv.h"

static const char *const states[] = {
    [RUN_QUEUED] = "Queued",       [RUN_IN_PROGRESS] = "InProgress", [RUN_SUCCEEDED] = "Succeeded", [RUN_FAILED] = "Failed",
    [RUN_CANCELING] = "Canceling", [RUN_CANCELLED] = "Cancelled",    [RUN_SKIPPED] = "Skipped",
};

const char *pipeline_run_state_name(enum run_state state) {
    return (size_t)state < COUNT(states) ? states[state] : "";
}

bool pipeline_run_state_is_end(enum run_state state) {
    return state == RUN_SUCCEEDED || state == RUN_FAILED || state == RUN_CANCELLED || state == RUN_SKIPPED;
}

static const char *const fields[FIELD_COUNT] = {
    [FIELD_PIPELINE_NAME] = "PipelineName",
    [FIELD_STATUS] = "Status",
    [FIELD_RUN_START] = "RunStart",
    [FIELD_RUN_END] = "RunEnd",
    [FIELD_RUN_ID] = "RunId",
    [FIELD_RUN_GROUP_ID] = "RunGroupId",
    [FIELD_ACTIVITY_NAME] = "ActivityName",
    [FIELD_ACTIVITY_TYPE] = "ActivityType",
    [FIELD_ACTIVITY_RUN_START] = "ActivityRunStart",
    [FIELD_ACTIVITY_RUN_END] = "ActivityRunEnd",
};

bool pipeline_run_field_read(struct str name, enum run_field *ret) {
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        if (!str_eq_z(name, fields[i])) continue;
        *ret = (enum run_field)i;
        return true;
    }
    return false;
}

static const char *const operators[] = {
    [FILTER_EQUALS] = "Equals",
    [FILTER_NOT_EQUALS] = "NotEquals",
    [FILTER_IN] = "In",
    [FILTER_NOT_IN] = "NotIn",
};

bool pipeline_filter_operator_read(struct str name, enum filter_operator *ret) {
    for (unsigned i = 0; i < COUNT(operators); i++) {
        if (!str_eq_z(name, operators[i])) continue;
        *ret = (enum filter_operator)i;
        return true;
    }
    return false;
}

void pipeline_make_uuid(struct pipelines *p, char out[PIPELINE_UUID + 1]) {
    uint8_t bytes[16];
    p->effects.random(p->effects.ctx, bytes, sizeof bytes);
    uuid_of_random(bytes, out);
}

enum code pipelines_check_name(struct str name, struct err *err) {
    if (pipeline_name_valid(name, PIPELINE_NAME_MAX)) return OK;
    return err_set(
        err, INVALID_ARGUMENT,
        "a name has 1 to %d characters, begins with a letter, a digit or '_', does not end with a space, and holds none of "
        "<>*#.%%&:\\+?/",
        PIPELINE_NAME_MAX);
}

char *pipeline_copy_text(struct str text) {
    char *copy = arena_should_fail() ? NULL : malloc(text.n + 1);
    if (!copy) return NULL;
    if (text.n) memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    return copy;
}
