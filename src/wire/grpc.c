#include "wire/grpc.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/enc.h"

enum { MESSAGE_MAX = 1024, DETAILS_MAX = 8192 };

void grpc_prefix(size_t n, unsigned char out[GRPC_PREFIX_BYTES]) {
    out[0] = 0;
    for (unsigned i = 0; i < 4; i++) out[1 + i] = (unsigned char)(n >> (8 * (3 - i)));
}

void grpc_frame(struct buf *out, struct str message) {
    unsigned char prefix[GRPC_PREFIX_BYTES];
    grpc_prefix(message.n, prefix);
    buf_add(out, prefix, sizeof prefix);
    buf_add_str(out, message);
}

static enum code read_prefix(struct str bytes, size_t max_bytes, size_t *ret_n, struct err *err) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t n = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (p[0] == 1) return err_set(err, UNIMPLEMENTED, "compressed messages are not supported: send grpc-encoding identity");
    if (p[0] != 0) return err_set(err, INTERNAL, "gRPC: the compression flag is %u", p[0]);
    if (n > max_bytes)
        return err_set(err, RESOURCE_EXHAUSTED, "message of %zu bytes is over the limit of %zu", n, max_bytes);
    *ret_n = n;
    return OK;
}

enum code grpc_next(struct str *rest, size_t max_bytes, struct str *ret_message, bool *ret_whole, struct err *err) {
    size_t n = 0;
    *ret_whole = false;
    if (rest->n < GRPC_PREFIX_BYTES) return OK;
    enum code rc = read_prefix(*rest, max_bytes, &n, err);
    if (rc || rest->n - GRPC_PREFIX_BYTES < n) return rc;
    *ret_message = str_upto(str_from(*rest, GRPC_PREFIX_BYTES), n);
    *rest = str_from(*rest, GRPC_PREFIX_BYTES + n);
    *ret_whole = true;
    return OK;
}

enum code grpc_single(struct str body, size_t max_bytes, struct str *ret_message, struct err *err) {
    bool whole = false;
    struct str message = { 0 };
    enum code rc = grpc_next(&body, max_bytes, &message, &whole, err);
    if (rc) return rc;
    if (!whole) return err_set(err, INTERNAL, "gRPC: the request's message is cut off");
    if (body.n) return err_set(err, INTERNAL, "gRPC: a unary request holds more than one message");
    *ret_message = message;
    return OK;
}

/* ---- messages out of pieces ---- */

/* How many more bytes `pending` needs for its prefix, or for its message. */
static enum code missing(const struct grpc_deframer *d, size_t *ret, struct err *err) {
    size_t n = 0;
    if (d->pending.n < GRPC_PREFIX_BYTES) {
        *ret = GRPC_PREFIX_BYTES - d->pending.n;
        return OK;
    }
    enum code rc = read_prefix(buf_str(&d->pending), d->max_bytes, &n, err);
    *ret = GRPC_PREFIX_BYTES + n - d->pending.n;
    return rc;
}

static enum code complete_pending(struct grpc_deframer *d, struct str *piece, struct err *err) {
    size_t want = 1;
    while (d->pending.n && piece->n) {
        enum code rc = missing(d, &want, err);
        if (rc || want == 0) return rc;
        struct str part = str_upto(*piece, want);
        buf_add_str(&d->pending, part);
        if (!buf_ok(&d->pending)) return err_oom(err);
        *piece = str_from(*piece, part.n);
    }
    return OK;
}

static enum code drain(struct str *from, size_t max, void (*fn)(struct str, void *), void *ctx, struct err *err) {
    for (;;) {
        bool whole = false;
        struct str message = { 0 };
        enum code rc = grpc_next(from, max, &message, &whole, err);
        if (rc || !whole) return rc;
        fn(message, ctx);
    }
}

enum code grpc_feed(struct grpc_deframer *d, struct str piece, void (*fn)(struct str message, void *ctx), void *ctx,
                    struct err *err) {
    d->pending.max = d->max_bytes + GRPC_PREFIX_BYTES;
    enum code rc = complete_pending(d, &piece, err);
    struct str held = buf_str(&d->pending);
    if (!rc) rc = drain(&held, d->max_bytes, fn, ctx, err);
    if (rc) return rc;
    if (d->pending.n && held.n == 0) buf_free(&d->pending);
    if (piece.n == 0) return OK; /* pending is still short, or all is done */
    rc = drain(&piece, d->max_bytes, fn, ctx, err);
    if (rc || piece.n == 0) return rc;
    buf_add_str(&d->pending, piece);
    return buf_ok(&d->pending) ? OK : err_oom(err);
}

bool grpc_feed_is_between(const struct grpc_deframer *d) {
    return d->pending.n == 0;
}

void grpc_deframer_free(struct grpc_deframer *d) {
    buf_free(&d->pending);
}

/* ---- metadata ---- */

bool grpc_is_content_type(struct str value) {
    if (!str_strip_prefix(&value, STR("application/grpc"))) return false;
    struct str subtype = str_trim(str_cut(&value, ';'));
    return subtype.n == 0 || str_eq(subtype, STR("+proto"));
}

bool grpc_parse_timeout(struct str value, uint64_t *ret_us) {
    static const struct {
        char unit;
        uint64_t us;
    } units[] = { { 'H', 3600000000 }, { 'M', 60000000 }, { 'S', 1000000 }, { 'm', 1000 }, { 'u', 1 } };
    uint64_t n = 0;
    if (value.n < 2 || value.n > 9 || !str_u64(str_upto(value, value.n - 1), &n)) return false;
    char unit = value.p[value.n - 1];
    if (unit == 'n') {
        *ret_us = (n + 999) / 1000;
        return true;
    }
    for (size_t i = 0; i < COUNT(units); i++) {
        if (units[i].unit != unit) continue;
        *ret_us = n * units[i].us; /* 8 digits of hours are 3.6e17: no overflow */
        return true;
    }
    return false;
}

struct str grpc_print_timeout(int64_t us, char out[GRPC_TIMEOUT_BYTES]) {
    int64_t ms = us > 0 ? (us - 1) / 1000 + 1 : 0, s = (ms + 999) / 1000;
    bool fits = ms < 100000000;
    int n = snprintf(out, GRPC_TIMEOUT_BYTES, "%lld%c",
                     (long long)(fits            ? ms
                                 : s < 100000000 ? s
                                                 : 99999999),
                     fits ? 'm' : 'S');
    return (struct str){ out, n > 0 ? (size_t)n : 0 };
}

void grpc_encode_message(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') buf_add_char(out, (char)c);
        else buf_printf(out, "%%%02X", c);
    }
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct str grpc_decode_message(struct arena *arena, struct str text) {
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    if (!out) return (struct str){ 0 };
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '%' && i + 2 < text.n ? hex_value(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
        if (low >= 0) i += 2;
        out[n++] = low >= 0 ? (char)(high * 16 + low) : text.p[i];
    }
    return (struct str){ out, n };
}

/* ---- the status ---- */

static struct str message_text(struct arena *arena, struct str message) {
    DEFER(buf_free) struct buf b = BUF_INIT(3 * MESSAGE_MAX);
    if (message.n > MESSAGE_MAX) message.n = MESSAGE_MAX;
    while (message.n && !utf8_valid(message) && ((unsigned char)message.p[message.n - 1] & 0x80)) message.n--;
    grpc_encode_message(&b, message);
    struct str text = buf_str(&b);
    while (text.n && text.p[text.n - 1] == ' ') text.n--; /* a header value may not end in a blank */
    while (text.n && text.p[0] == ' ') text = str_from(text, 1);
    return str_dup(arena, text);
}

static struct str details_text(struct arena *arena, struct str details) {
    DEFER(buf_free) struct buf b = BUF_INIT(2 * DETAILS_MAX);
    enc_base64(&b, details);
    struct str text = buf_str(&b);
    while (text.n && text.p[text.n - 1] == '=') text.n--; /* binary metadata goes without padding */
    return str_dup(arena, text);
}

size_t grpc_status_headers(struct arena *arena, enum code code, struct str message, struct str details,
                           struct http_header headers[3]) {
    size_t n = 0;
    struct str number = arena_printf(arena, "%d", (int)code);
    if (!number.p) return 0;
    headers[n++] = (struct http_header){ STR("grpc-status"), number };
    struct str text = message.n ? message_text(arena, message) : (struct str){ 0 };
    if (text.n) headers[n++] = (struct http_header){ STR("grpc-message"), text };
    struct str bin = details.n && details.n <= DETAILS_MAX ? details_text(arena, details) : (struct str){ 0 };
    if (bin.n) headers[n++] = (struct http_header){ STR("grpc-status-details-bin"), bin };
    return n;
}

enum code grpc_status_from(struct arena *arena, const struct http_header *headers, size_t n, struct str *ret_message,
                           struct str *ret_details) {
    uint64_t code = 0;
    *ret_message = grpc_decode_message(arena, http_header_value(headers, n, STR("grpc-message")));
    *ret_details = (struct str){ 0 };
    struct str bin = http_header_value(headers, n, STR("grpc-status-details-bin"));
    if (bin.n && !dec_base64_any(arena, bin, ret_details)) *ret_details = (struct str){ 0 };
    const struct http_header *status = http_header_find(headers, n, STR("grpc-status"));
    if (!status || !str_u64(status->value, &code) || code > UNAUTHENTICATED) return UNKNOWN;
    return (enum code)code;
}

enum code grpc_code_from_http(unsigned http_status) {
    static const struct {
        unsigned http;
        enum code code;
    } map[] = { { 400, INTERNAL },    { 401, UNAUTHENTICATED }, { 403, PERMISSION_DENIED }, { 404, UNIMPLEMENTED },
                { 429, UNAVAILABLE }, { 502, UNAVAILABLE },     { 503, UNAVAILABLE },       { 504, UNAVAILABLE } };
    for (size_t i = 0; i < COUNT(map); i++)
        if (map[i].http == http_status) return map[i].code;
    return UNKNOWN;
}
