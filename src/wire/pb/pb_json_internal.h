/* pb_json_internal.h: what the files of the JSON mapping share; nobody else includes it. */
#pragma once
#include <jansson.h>
#include "wire/pb/pb_internal.h"
#include "wire/pb/pb_json.h"

/* Where in the document we are: a list on the stack, printed only for a fault. */
struct pb_path {
    const struct pb_path *up;
    struct str name; /* of a field or map key; p == NULL: an index */
    size_t index;
};

struct pb_json_reader {
    struct arena *arena;
    struct err *err;
    unsigned flags;
    const struct pb_path *path; /* the innermost; NULL at the top */
    unsigned depth;
};

/* INVALID_ARGUMENT "path: what". */
enum code pb_json_fault(struct pb_json_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* One step down; the caller steps up by restoring what it kept. False when the nesting is too deep. */
static inline bool pb_json_deeper(struct pb_json_reader *r) {
    return ++r->depth <= PB_MAX_DEPTH;
}

/* pb_json_read.c: fills an empty message from an object, or from the message's own JSON form. */
enum code pb_json_message(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, const json_t *tree);
enum code pb_json_fields(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, const json_t *object, bool in_any);
enum code pb_json_field(struct pb_json_reader *r, const struct pb_msg *desc, const struct pb_field *f, void *msg,
                        const json_t *tree);
/* pb_json_scalar.c: `place` is the C member. */
enum code pb_json_scalar(struct pb_json_reader *r, const struct pb_field *f, const json_t *tree, void *place);
enum code pb_json_scalar_text(struct pb_json_reader *r, const struct pb_field *f, struct str text, void *place);
/* pb_json_wkt.c */
enum code pb_json_well_known(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, const json_t *tree);
enum code pb_json_well_known_text(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, struct str text);

/* pb_time.c: RFC 3339 text and "1.5s". False when the text or the value is out of form or range. */
bool pb_timestamp_parse(struct str text, int64_t *ret_seconds, int32_t *ret_nanos);
bool pb_timestamp_print(struct buf *out, int64_t seconds, int32_t nanos); /* without quotes */
bool pb_duration_parse(struct str text, int64_t *ret_seconds, int32_t *ret_nanos);
bool pb_duration_print(struct buf *out, int64_t seconds, int32_t nanos);

/* pb_json_write.c */
enum code pb_json_put_message(struct buf *out, const struct pb_msg *desc, const void *msg, unsigned depth, struct err *err);
enum code pb_json_put_fields(struct buf *out, const struct pb_msg *desc, const void *msg, unsigned depth, bool *first,
                             struct err *err);
/* pb_json_write_wkt.c */
enum code pb_json_put_well_known(struct buf *out, const struct pb_msg *desc, const void *msg, unsigned depth,
                                 struct err *err);
void pb_json_put_double(struct buf *out, double v);
