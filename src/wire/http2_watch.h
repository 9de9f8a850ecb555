/* http2_watch.h: what a server must see of HTTP/2's frames before nghttp2 does, which lets it pass in silence. One thread.
 *
 * nghttp2 forgets a stream when it is over and ignores what comes for it later. RFC 9113 §5.1 and §5.1.1 call two of these
 * an error of the connection: DATA or HEADERS on a stream that the client itself has ended or reset, and HEADERS that open
 * a stream whose number was passed over. What comes on a stream that *we* reset was on its way then, and is no fault. So
 * only what is known for certain is refused: the last 64 streams that clients ended, and the last 4 gaps in their numbers.
 *
 * It also counts resets: both those that the client sends and those that it provokes by breaking a stream's rules, as each
 * stream that is opened and ended so costs us work and the client little. A burst of 1,000, then 33 a second. */
#pragma once
#include "base/str.h"

enum { H2_WATCH_HEAD = 9, H2_WATCH_ENDED = 64, H2_WATCH_GAPS = 4, H2_WATCH_PREFACE = 24 };

struct h2_watch {
    size_t left;   /* of the preface or a frame's payload */
    size_t n_head; /* bytes of the next frame's head that have come */
    unsigned char head[H2_WATCH_HEAD];
    uint32_t last;                  /* the highest stream that was opened */
    uint32_t ended[H2_WATCH_ENDED]; /* rings: the oldest is forgotten */
    struct {
        uint32_t from, to;
    } gaps[H2_WATCH_GAPS];
    unsigned at_ended, at_gap;
    int64_t resets; /* that are left, in thousandths */
    uint64_t resets_at_us;
};

struct h2_frame_head {
    unsigned char type;
    uint32_t stream;
};

void h2_watch_init(struct h2_watch *w);
/* Looks for the next frame head in `bytes`. True: it ends after *ret_end bytes, and *ret_begin of them come before it (0
 * when it began in earlier bytes). False: there is none whole; all of `bytes` has been looked at. */
bool h2_watch_next(struct h2_watch *w, struct str bytes, size_t *ret_begin, size_t *ret_end,
                   struct h2_frame_head *ret_head);
/* A frame whose stream is `open` or not: the error that ends the connection (RFC 9113 §7), or 0. */
uint32_t h2_watch_frame(struct h2_watch *w, struct h2_frame_head head, bool open);
void h2_watch_ended(struct h2_watch *w, uint32_t stream); /* over, and the client had ended or reset its side */
/* One reset more. False: they are too many. now_us: of a clock that does not step back. */
bool h2_watch_reset(struct h2_watch *w, uint64_t now_us);
