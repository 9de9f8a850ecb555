#include "spanner/far_count.h"
#include <string.h>

/* Each value ends in one part: all of a part do, but a last one that is chunked. */
void far_count_part(struct far_count *count, size_t n_values, bool chunked) {
    if (!n_values || !count->columns) return;
    uint64_t whole = count->into + (uint64_t)n_values - chunked;
    count->rows += whole / count->columns;
    count->into = (uint32_t)(whole % count->columns);
}

void far_count_put(const struct far_count *count, struct str token, struct buf *out) {
    if (!token.n) return;
    buf_add(out, &count->into, sizeof count->into);
    buf_add_str(out, token);
}

bool far_count_get(struct far_count *count, struct str *io_token) {
    if (!io_token->n) return true;
    if (io_token->n <= sizeof count->into) return false;
    memcpy(&count->into, io_token->p, sizeof count->into);
    *io_token = str_from(*io_token, sizeof count->into);
    return true;
}
