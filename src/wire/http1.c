#include "wire/http1.h"

#include <string.h>

enum { CHUNK_LINE_MAX = 16 + 256 };

void h1_init(struct h1_parser *p, bool response, const struct h1_limits *limits) {
    *p = (struct h1_parser){ .response = response, .limits = *limits };
    if (p->limits.header_count > H1_HEADERS_MAX) p->limits.header_count = H1_HEADERS_MAX;
    p->block = (struct buf)BUF_INIT(limits->header_bytes + 1);
    p->tail = (struct buf)BUF_INIT(limits->header_bytes + CHUNK_LINE_MAX);
}

void h1_free(struct h1_parser *p) {
    buf_wipe(&p->block); /* tokens */
    buf_free(&p->tail);
}

void h1_next_message(struct h1_parser *p) {
    buf_wipe(&p->block);
    buf_free(&p->tail);
    p->head = (struct h1_head){ 0 };
    p->state = H1_S_HEAD;
    p->left = 0;
    p->line_at = 0;
    p->lines = 0;
    p->no_body = false;
}

bool h1_is_between(const struct h1_parser *p) {
    return p->state == H1_S_HEAD && p->block.n == 0;
}

bool h1_close(struct h1_parser *p) {
    if (p->state == H1_S_CLOSE) p->state = H1_S_OVER;
    return p->state == H1_S_OVER;
}

static enum h1_event bad(struct h1_parser *p, struct err *err, unsigned status, const char *why) {
    p->state = H1_S_BAD;
    p->bad_status = status;
    (void)err_set(err, INVALID_ARGUMENT, "HTTP/1: %s", why);
    return H1_BAD;
}

/* ---- the head ---- */

static bool version(struct str text, struct h1_head *head) {
    head->http_1_0 = str_eq(text, STR("HTTP/1.0"));
    return head->http_1_0 || str_eq(text, STR("HTTP/1.1"));
}

static bool is_target_char(unsigned char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\' && c != '^' && c != '`' && c != '{' &&
           c != '|' && c != '}' && c != '#';
}

static bool good_target(const struct h1_parser *p, struct str target, struct str method) {
    for (size_t i = 0; i < target.n; i++)
        if (!is_target_char((unsigned char)target.p[i])) return false;
    if (target.n == 0) return false;
    if (target.p[0] == '/') return true;
    if (str_eq(target, STR("*"))) return str_eq(method, STR("OPTIONS"));
    return p->limits.absolute_form && (str_starts(target, STR("http://")) || str_starts(target, STR("https://")));
}

static const char *request_line(struct h1_parser *p, struct str line) {
    struct str method = str_cut(&line, ' '), target = str_cut(&line, ' ');
    if (!http_is_token(method)) return "the method is no token";
    if (!version(line, &p->head)) {
        p->bad_status = str_starts(line, STR("HTTP/")) ? 505 : 400;
        return "the version is not HTTP/1.1";
    }
    if (!good_target(p, target, method)) return "the target is not of the origin form";
    p->head.method = method;
    p->head.target = target;
    return NULL;
}

static const char *status_line(struct h1_parser *p, struct str line) {
    uint64_t status = 0;
    if (!version(str_cut(&line, ' '), &p->head)) return "the version is not HTTP/1.1";
    struct str digits = str_cut(&line, ' ');
    if (digits.n != 3 || !str_u64(digits, &status) || status < 100 || status > 599) return "the status is no status";
    p->head.status = (unsigned)status;
    return NULL;
}

static const char *field_line(struct str line, struct http_header *headers, size_t max, size_t *n) {
    ptrdiff_t colon = str_find_char(line, ':');
    if (colon < 0) return "a header line has no colon";
    if (line.p[0] == ' ' || line.p[0] == '\t') return "a header line is folded";
    struct str name = str_upto(line, (size_t)colon), value = str_from(line, (size_t)colon + 1);
    if (!http_is_token(name)) return "a header name is no token";
    while (value.n && (value.p[0] == ' ' || value.p[0] == '\t')) value = str_from(value, 1);
    while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t')) value.n--;
    if (!http_is_field_value(value)) return "a header value holds control characters";
    if (*n == max) return "there are too many headers";
    headers[(*n)++] = (struct http_header){ name, value };
    return NULL;
}

static bool has_item(struct str list, struct str item) {
    while (list.n) {
        struct str part = str_trim(str_cut(&list, ','));
        if (str_eq_nocase(part, item)) return true;
    }
    return false;
}

static const char *take_length(struct h1_head *head, struct str value) {
    if (head->has_length) return "there are several Content-Length";
    if (value.n > 18 || !str_u64(value, &head->length)) return "Content-Length is no number";
    head->has_length = true;
    return NULL;
}

/* The fields that frame the message. */
static const char *framing_field(struct h1_parser *p, const struct http_header *h) {
    struct h1_head *head = &p->head;
    if (str_eq(h->name, STR("content-length"))) return take_length(head, h->value);
    if (str_eq(h->name, STR("transfer-encoding"))) {
        if (head->chunked) return "there are several Transfer-Encoding";
        if (!str_eq_nocase(h->value, STR("chunked"))) {
            p->bad_status = 501;
            return "Transfer-Encoding is not chunked";
        }
        if (head->http_1_0) return "HTTP/1.0 has no Transfer-Encoding";
        head->chunked = true;
    } else if (str_eq(h->name, STR("connection"))) {
        if (has_item(h->value, STR("close"))) head->keep_alive = false;
        else if (head->http_1_0 && has_item(h->value, STR("keep-alive"))) head->keep_alive = true;
    } else if (str_eq(h->name, STR("expect")) && !p->response) {
        if (!str_eq_nocase(h->value, STR("100-continue"))) {
            p->bad_status = 417;
            return "Expect is not 100-continue";
        }
        head->expect_continue = !head->http_1_0;
    }
    return NULL;
}

static const char *framing(struct h1_parser *p) {
    struct h1_head *head = &p->head;
    head->keep_alive = !head->http_1_0;
    for (size_t i = 0; i < head->n_headers; i++) {
        const char *why = framing_field(p, &head->headers[i]);
        if (why) return why;
    }
    if (head->chunked && head->has_length) return "Transfer-Encoding and Content-Length together";
    size_t hosts = http_header_count(head->headers, head->n_headers, STR("host"));
    if (!p->response && (hosts > 1 || (hosts == 0 && !head->http_1_0))) return "there must be one Host";
    return NULL;
}

static void body_begins(struct h1_parser *p) {
    struct h1_head *head = &p->head;
    bool none = p->response && (p->no_body || head->status < 200 || head->status == 204 || head->status == 304);
    p->left = head->length;
    if (none) p->state = H1_S_OVER;
    else if (head->chunked) p->state = H1_S_CHUNK_SIZE;
    else if (head->has_length) p->state = head->length ? H1_S_LENGTH : H1_S_OVER;
    else if (p->response) p->state = H1_S_CLOSE, head->until_close = true, head->keep_alive = false;
    else p->state = H1_S_OVER;
}

static void lower(char *p, size_t n) {
    for (size_t i = 0; i < n && p[i] != ':'; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + ('a' - 'A'));
}

/* The lines of b from `at` on, without the blank one. */
static const char *fields(struct buf *b, size_t at, struct http_header *headers, size_t max, size_t *n) {
    char *end = b->p + b->n - 2;
    for (char *line = b->p + at; line < end;) {
        char *cr = memchr(line, '\r', (size_t)(end - line));
        size_t line_n = cr ? (size_t)(cr - line) : 0;
        lower(line, line_n);
        const char *why = field_line((struct str){ line, line_n }, headers, max, n);
        if (why) return why;
        line += line_n + 2;
    }
    return NULL;
}

static enum h1_event head_over(struct h1_parser *p, struct err *err) {
    p->bad_status = 400;
    const char *eol = memchr(p->block.p, '\r', p->block.n);
    struct str first = { p->block.p, eol ? (size_t)(eol - p->block.p) : 0 };
    const char *why = p->response ? status_line(p, first) : request_line(p, first);
    if (!why) why = fields(&p->block, first.n + 2, p->head.headers, p->limits.header_count, &p->head.n_headers);
    if (why && p->head.n_headers == p->limits.header_count) p->bad_status = 431;
    if (!why) why = framing(p);
    if (why) return bad(p, err, p->bad_status, why);
    p->line_at = 0;
    p->lines = 0;
    body_begins(p);
    return H1_HEADERS;
}

static enum h1_event trailers_over(struct h1_parser *p, struct err *err) {
    const char *why = fields(&p->tail, 0, p->head.trailers, COUNT(p->head.trailers), &p->head.n_trailers);
    if (why) return bad(p, err, 400, why);
    p->state = H1_S_OVER;
    return H1_END;
}

/* ---- lines ---- */

enum line { LINE_MORE, LINE_WHOLE, LINE_BLANK, LINE_BAD };

/* Takes one byte of a line into block. CR only before LF, LF only after CR, no NUL. */
static enum line line_byte(struct h1_parser *p, struct buf *b, char c) {
    bool after_cr = b->n > p->line_at && b->p[b->n - 1] == '\r';
    if (c == 0 || (c == '\n') != after_cr) return LINE_BAD;
    buf_add_char(b, c);
    if (!buf_ok(b)) return LINE_BAD;
    if (c != '\n') return LINE_MORE;
    bool blank = b->n - p->line_at == 2;
    p->line_at = b->n;
    p->lines++;
    return blank ? LINE_BLANK : LINE_WHOLE;
}

static const char *too_long(struct h1_parser *p, const struct buf *b) {
    p->bad_status = 431;
    if (p->state == H1_S_HEAD && p->lines == 0 && b->n > H1_LINE_MAX) {
        p->bad_status = p->response ? 400 : 414;
        return "the first line is too long";
    }
    if (p->lines > p->limits.header_count + 2) return "there are too many headers";
    return b->n > p->limits.header_bytes ? "the headers are too long" : NULL;
}

/* Head or trailers: gathers up to the blank line. Length and count are checked while the bytes come in. */
static enum h1_event feed_lines(struct h1_parser *p, struct buf *b, struct str *input, struct err *err) {
    while (input->n) {
        enum line got = line_byte(p, b, input->p[0]);
        *input = str_from(*input, 1);
        if (got == LINE_BAD) return bad(p, err, 400, "a line holds a bare CR or LF, or NUL");
        const char *why = too_long(p, b);
        if (why) return bad(p, err, p->bad_status, why);
        if (got != LINE_BLANK) continue;
        if (p->state == H1_S_TRAILERS) return trailers_over(p, err);
        if (p->lines == 1) return bad(p, err, 400, "an empty line instead of a message");
        return head_over(p, err);
    }
    return H1_MORE;
}

/* ---- the body ---- */

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* chunk-size [ chunk-ext ] CRLF: extensions are read over, within bounds. */
static const char *chunk_size(struct str line, uint64_t *ret) {
    uint64_t size = 0;
    size_t i = 0;
    for (; i < line.n && hex_value(line.p[i]) >= 0; i++) size = size * 16 + (unsigned)hex_value(line.p[i]);
    if (i == 0 || i > 15) return "a chunk size is no number";
    if (i < line.n && line.p[i] != ';') return "a chunk size is followed by something else";
    *ret = size;
    return NULL;
}

static enum h1_event feed_chunk_size(struct h1_parser *p, struct str *input, struct err *err) {
    struct buf *b = &p->tail;
    while (input->n) {
        enum line got = line_byte(p, b, input->p[0]);
        *input = str_from(*input, 1);
        if (got == LINE_BAD || b->n > CHUNK_LINE_MAX) return bad(p, err, 400, "a chunk line is malformed");
        if (got == LINE_MORE) continue;
        const char *why = chunk_size((struct str){ b->p, b->n - 2 }, &p->left);
        if (why) return bad(p, err, 400, why);
        buf_clear(b);
        p->line_at = 0;
        p->lines = 0;
        p->state = p->left ? H1_S_CHUNK_DATA : H1_S_TRAILERS;
        break;
    }
    return H1_MORE;
}

static enum h1_event feed_chunk_end(struct h1_parser *p, struct str *input, struct err *err) {
    while (input->n) {
        char want = p->left == 0 ? '\r' : '\n';
        if (input->p[0] != want) return bad(p, err, 400, "a chunk does not end where it says");
        *input = str_from(*input, 1);
        if (p->left++ == 0) continue;
        p->left = 0;
        p->state = H1_S_CHUNK_SIZE;
        break;
    }
    return H1_MORE;
}

static enum h1_event feed_body(struct h1_parser *p, struct str *input, struct str *ret_body) {
    size_t n = p->state == H1_S_CLOSE || input->n < p->left ? input->n : (size_t)p->left;
    if (n == 0) return H1_MORE;
    *ret_body = str_upto(*input, n);
    *input = str_from(*input, n);
    if (p->state == H1_S_CLOSE) return H1_BODY;
    p->left -= n;
    if (p->left == 0) p->state = p->state == H1_S_LENGTH ? H1_S_OVER : H1_S_CHUNK_END;
    return H1_BODY;
}

static enum h1_event step(struct h1_parser *p, struct str *input, struct str *ret_body, struct err *err) {
    switch (p->state) {
    case H1_S_HEAD: return feed_lines(p, &p->block, input, err);
    case H1_S_LENGTH:
    case H1_S_CLOSE:
    case H1_S_CHUNK_DATA: return feed_body(p, input, ret_body);
    case H1_S_CHUNK_SIZE: return feed_chunk_size(p, input, err);
    case H1_S_CHUNK_END: return feed_chunk_end(p, input, err);
    case H1_S_TRAILERS: return feed_lines(p, &p->tail, input, err);
    case H1_S_OVER: return H1_END;
    case H1_S_BAD: break;
    }
    return bad(p, err, 400, "the connection is broken");
}

enum h1_event h1_feed(struct h1_parser *p, struct str *input, struct str *ret_body, struct err *err) {
    for (;;) {
        enum h1_event event = step(p, input, ret_body, err);
        /* a state without an event of its own leads to the next one; H1_S_OVER needs no input to be told */
        if (event != H1_MORE || (input->n == 0 && p->state != H1_S_OVER)) return event;
    }
}
