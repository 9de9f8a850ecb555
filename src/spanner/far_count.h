/* far_count.h: how many rows a stream of PartialResultSets holds. A value may go on in the next part, and a row in the next
 * stream: a resume token says how many of the row's values came before it. Nothing is kept but numbers. Any thread. */
#pragma once
#include "base/buf.h"

struct far_count {
    uint64_t rows;    /* whole ones */
    uint32_t columns; /* of a row; 0: not known yet, nothing is counted */
    uint32_t into;    /* whole values of the row that is not whole yet */
};

void far_count_part(struct far_count *count, size_t n_values, bool chunked);

/* Where the stream stands, before the upstream's token; and from there on again. Empty stays empty. */
void far_count_put(const struct far_count *count, struct str token, struct buf *out);
bool far_count_get(struct far_count *count, struct str *io_token); /* false: it is no such token */
