/* http1.h: HTTP/1.1 messages, without sockets: bytes in, events out. Both roles. RFC 9112.
 *
 * One parser reads one message after another on a connection; one thread. Strict on purpose, as each leniency is a way
 * to smuggle: Transfer-Encoding with Content-Length, several lengths, folded lines, bare CR or LF, white space before the
 * colon, NUL, any coding but "chunked", absolute-form (unless allowed), HTTP/0.9 and 2.0 are refused. Limits: header bytes
 * and count as configured, the first line 8 KiB, chunk extensions 256 bytes a chunk, trailers as headers. After H1_BAD
 * the connection must be closed. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "wire/header.h"

enum { H1_LINE_MAX = 8192, H1_HEADERS_MAX = 128 };

struct h1_limits {
    size_t header_bytes; /* all lines together */
    size_t header_count; /* at most H1_HEADERS_MAX */
    bool absolute_form;  /* take "GET http://host/…" (a proxy would); default no */
};

enum h1_event {
    H1_MORE,    /* all input is consumed; feed more */
    H1_HEADERS, /* parser->head is filled; its slices live until h1_next_message */
    H1_BODY,    /* a piece of the body (a slice of the input) */
    H1_END,     /* the message is over; trailers, if any, are in parser->head.trailers */
    H1_BAD,     /* err says why; parser->bad_status which status a server should answer */
};

struct h1_head {
    struct str method, target; /* request */
    unsigned status;           /* response */
    bool http_1_0, keep_alive, expect_continue, has_length, chunked, until_close;
    uint64_t length; /* of the body, when has_length */
    struct http_header headers[H1_HEADERS_MAX];
    size_t n_headers;
    struct http_header trailers[8]; /* more than 8 are refused */
    size_t n_trailers;
};

enum h1_state {
    H1_S_HEAD,
    H1_S_LENGTH,
    H1_S_CLOSE,
    H1_S_CHUNK_SIZE,
    H1_S_CHUNK_DATA,
    H1_S_CHUNK_END,
    H1_S_TRAILERS,
    H1_S_OVER,
    H1_S_BAD
};

struct h1_parser {
    bool response; /* reads responses (client) */
    bool no_body;  /* response to HEAD: set before its headers arrive */
    struct h1_limits limits;
    struct h1_head head;
    unsigned bad_status; /* 400, 414, 431, 501, 505 */
    enum h1_state state;
    uint64_t left;    /* of the body or chunk */
    struct buf block; /* the bytes of the head: its slices point here, so it does not grow afterwards */
    struct buf tail;  /* a chunk's line, then the trailers */
    size_t line_at;   /* where in block or tail the current line began */
    unsigned lines;
};

void h1_init(struct h1_parser *p, bool response, const struct h1_limits *limits);
void h1_free(struct h1_parser *p);
/* Takes what it can off `*input`. ret_body is set with H1_BODY. After H1_END only h1_next_message may follow. */
enum h1_event h1_feed(struct h1_parser *p, struct str *input, struct str *ret_body, struct err *err);
void h1_next_message(struct h1_parser *p);     /* forgets the message; the next begins */
bool h1_is_between(const struct h1_parser *p); /* no byte of the next message has been seen */
/* The connection's end, as the body's end (until_close responses). False: the message is cut off. */
bool h1_close(struct h1_parser *p);

/* ---- writers ---- */
void h1_write_request(struct buf *out, struct str method, struct str target, const struct http_header *headers, size_t n);
void h1_write_status(struct buf *out, unsigned status, const struct http_header *headers,
                     size_t n); /* without blank line */
void h1_write_header(struct buf *out, struct str name, struct str value);
void h1_write_chunk(struct buf *out, struct str data); /* nothing for an empty piece */
void h1_write_last_chunk(struct buf *out, const struct http_header *trailers, size_t n);
const char *h1_reason(unsigned status);
/* A field that one connection's framing owns (connection, transfer-encoding, …): never passed on. */
bool h1_is_connection_header(struct str name);
