/* batch_log.c: a driver's output by lines. Output is a file of up to 64 MiB and grows: how far it was counted, and where
 * the last page began, is remembered for the batches that were asked for last, so that who follows a log reads each byte
 * twice at most. On the desk. */
#include <stdio.h>
#include <string.h>
#include "base/json_text.h"
#include "livy/livy_priv.h"

enum { BLOCK_BYTES = 1 << 20, TAIL_BYTES = 8 << 10 };

/* ---- where we are ---- */

static struct log_cursor *cursor_of(struct livy *livy, struct str uuid) {
    struct log_cursor *oldest = &livy->cursors[0];
    for (size_t i = 0; i < LOG_CURSORS; i++) {
        struct log_cursor *c = &livy->cursors[i];
        if (c->used && str_eq_z(uuid, c->uuid)) return c->used = ++livy->uses, c;
        if (c->used < oldest->used) oldest = c;
    }
    *oldest = (struct log_cursor){ .used = ++livy->uses };
    (void)snprintf(oldest->uuid, sizeof oldest->uuid, "%.*s", STR_ARG(str_upto(uuid, sizeof oldest->uuid - 1)));
    return oldest;
}

/* A block of whole lines from `place` on; of a line that is longer than a block, its beginning. */
static enum code read_block(struct livy *livy, const struct dataproc_view *view, uint64_t from, struct buf *block,
                            struct err *err) {
    uint64_t total;
    buf_clear(block);
    return dataproc_output(livy->dataproc, view, from, BLOCK_BYTES, block, &total, err);
}

/* Moves over whole lines, until `until` or the last whole one. */
static enum code walk(struct livy *livy, const struct dataproc_view *view, struct log_place *place, uint64_t until,
                      struct buf *block, struct err *err) {
    for (uint64_t byte = place->byte;;) {
        enum code rc = place->line < until ? read_block(livy, view, byte, block, err) : OK;
        if (rc || place->line >= until || block->n == 0) return rc;
        for (const char *p = block->p, *end = p + block->n; place->line < until;) {
            const char *line_end = memchr(p, '\n', (size_t)(end - p));
            if (!line_end) break;
            p = line_end + 1;
            *place = (struct log_place){ place->line + 1, byte + (uint64_t)(p - block->p) };
        }
        byte += block->n;
    }
}

/* ---- a page ---- */

/* A last line without its end counts once nothing can be added to it. */
static enum code count_lines(struct livy *livy, const struct dataproc_view *view, struct log_cursor *cursor,
                             struct buf *block, uint64_t *ret, struct err *err) {
    enum code rc = walk(livy, view, &cursor->end, UINT64_MAX, block, err);
    *ret = cursor->end.line;
    if (rc || !view->body->done) return rc;
    rc = read_block(livy, view, cursor->end.byte, block, err);
    if (block->n) *ret += 1;
    return rc;
}

static void put_lines(struct buf *out, struct str text, uint64_t n) {
    for (uint64_t i = 0; i < n && text.n; i++) {
        if (i) buf_add_char(out, ',');
        json_text_string(out, str_cut(&text, '\n'));
    }
}

/* What a page holds of `text`, which ends within a line unless it is the end of all. */
static struct str whole_lines(struct str text, bool more_follows) {
    size_t n = text.n;
    while (more_follows && n && text.p[n - 1] != '\n') n--;
    return n ? str_upto(text, n) : text; /* one line that is longer than a page: its beginning */
}

enum code batch_log(struct livy *livy, const struct batch_ask *ask, const struct dataproc_view *view, struct buf *out,
                    struct err *err) {
    DEFER(buf_free) struct buf block = BUF_INIT(BLOCK_BYTES + 1);
    struct log_cursor *cursor = cursor_of(livy, view->body->job_uuid);
    uint64_t total, size = (uint64_t)ask->size;
    enum code rc = count_lines(livy, view, cursor, &block, &total, err);
    if (rc) return rc;
    uint64_t from = ask->from >= 0 ? (uint64_t)ask->from : total > size ? total - size : 0;
    if (from > total) from = total;
    if (cursor->page.line > from) cursor->page = (struct log_place){ 0, 0 };
    rc = walk(livy, view, &cursor->page, from, &block, err);
    if (!rc) rc = read_block(livy, view, cursor->page.byte, &block, err);
    if (rc) return rc;
    uint64_t n = total - from < size ? total - from : size;
    struct str text = whole_lines(buf_str(&block), block.n == BLOCK_BYTES || !view->body->done);
    buf_printf(out, "{\"id\":%lld,\"from\":%llu,\"total\":%llu,\"log\":[", (long long)view->number,
               (unsigned long long)from, (unsigned long long)total);
    if (cursor->page.line == from) put_lines(out, text, n);
    buf_add_z(out, "]}\n");
    return OK;
}

/* ---- the end ---- */

enum code batch_tail(struct livy *livy, const struct dataproc_view *view, struct buf *out, struct str lines[TAIL_LINES],
                     size_t *ret_n, struct err *err) {
    uint64_t total = 0, again;
    enum code rc = dataproc_output(livy->dataproc, view, 0, 1, out, &total, err);
    uint64_t from = total > TAIL_BYTES ? total - TAIL_BYTES : 0;
    buf_clear(out);
    if (!rc) rc = dataproc_output(livy->dataproc, view, from, TAIL_BYTES, out, &again, err);
    if (rc) return rc;
    struct str text = buf_str(out), all[TAIL_LINES];
    size_t n = 0;
    if (from) (void)str_cut(&text, '\n');
    for (; text.n; n++) all[n % TAIL_LINES] = str_cut(&text, '\n');
    size_t kept = n < TAIL_LINES ? n : TAIL_LINES;
    for (size_t i = 0; i < kept; i++) lines[i] = all[(n - kept + i) % TAIL_LINES];
    *ret_n = kept;
    return OK;
}
