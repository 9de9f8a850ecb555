#include "wire/http2_watch.h"

#include <string.h>

enum { DATA = 0, HEADERS = 1, PROTOCOL_ERROR = 1, STREAM_CLOSED = 5 }; /* RFC 9113 §6, §7 */
enum { RESETS_BURST = 1000, RESETS_A_SECOND = 33, THOUSAND = 1000 };

void h2_watch_init(struct h2_watch *w) {
    *w = (struct h2_watch){ .left = H2_WATCH_PREFACE, .resets = RESETS_BURST * THOUSAND };
}

static uint32_t number(const unsigned char *p, size_t n) {
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++) value = value << 8 | p[i];
    return value;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

bool h2_watch_next(struct h2_watch *w, struct str bytes, size_t *ret_begin, size_t *ret_end,
                   struct h2_frame_head *ret_head) {
    size_t begin = least(w->left, bytes.n), part = least(H2_WATCH_HEAD - w->n_head, bytes.n - begin);
    w->left -= begin;
    if (part) memcpy(w->head + w->n_head, bytes.p + begin, part);
    w->n_head += part;
    if (w->n_head < H2_WATCH_HEAD) return false;
    w->n_head = 0;
    w->left = number(w->head, 3);
    *ret_begin = begin;
    *ret_end = begin + part;
    *ret_head = (struct h2_frame_head){ .type = w->head[3], .stream = number(w->head + 5, 4) & 0x7fffffff };
    return true;
}

static bool was_ended(const struct h2_watch *w, uint32_t stream) {
    for (size_t i = 0; i < H2_WATCH_ENDED; i++)
        if (w->ended[i] == stream) return true;
    return false;
}

static bool was_passed_over(const struct h2_watch *w, uint32_t stream) {
    for (size_t i = 0; i < H2_WATCH_GAPS; i++)
        if (stream >= w->gaps[i].from && stream <= w->gaps[i].to) return true;
    return false;
}

/* Streams are opened with rising numbers; what is passed over is closed by that. */
static void opened(struct h2_watch *w, uint32_t stream) {
    uint32_t next = w->last ? w->last + 2 : 1;
    w->last = stream;
    if (stream == next) return;
    w->gaps[w->at_gap].from = next;
    w->gaps[w->at_gap].to = stream - 2;
    w->at_gap = (w->at_gap + 1) % H2_WATCH_GAPS;
}

uint32_t h2_watch_frame(struct h2_watch *w, struct h2_frame_head head, bool open) {
    bool of_client = head.stream & 1; /* the others are nghttp2's to refuse */
    if (!of_client || open || (head.type != HEADERS && head.type != DATA)) return 0;
    if (head.stream > w->last) {
        if (head.type == HEADERS) opened(w, head.stream);
        return 0;
    }
    if (was_ended(w, head.stream)) return STREAM_CLOSED;
    return head.type == HEADERS && was_passed_over(w, head.stream) ? PROTOCOL_ERROR : 0;
}

void h2_watch_ended(struct h2_watch *w, uint32_t stream) {
    w->ended[w->at_ended] = stream;
    w->at_ended = (w->at_ended + 1) % H2_WATCH_ENDED;
}

bool h2_watch_reset(struct h2_watch *w, uint64_t now_us) {
    uint64_t passed_ms = w->resets_at_us ? (now_us - w->resets_at_us) / 1000 : 0;
    w->resets_at_us = now_us;
    if (passed_ms > RESETS_BURST * THOUSAND) passed_ms = RESETS_BURST * THOUSAND;
    w->resets += (int64_t)passed_ms * RESETS_A_SECOND - THOUSAND;
    if (w->resets > RESETS_BURST * THOUSAND) w->resets = RESETS_BURST * THOUSAND;
    return w->resets >= 0;
}
