#include "http/client_parts.h"

enum { CHUNK_FRAME = 32 }; /* around a piece */

/* One call at a time on a connection; an answer that is not wanted to its end costs the connection. */

static size_t capacity(const struct link *l) {
    return l->call || l->n_calls ? 0 : 1;
}

static bool start(struct link *l, struct http_call *call) {
    if (!l->net || !conn_is_open(l->net)) return false;
    if (!l->used)
        h1_init(&l->h1, true,
                &(struct h1_limits){ .header_bytes = l->origin->client->config.max_header_bytes, .header_count = 120 });
    h1_next_message(&l->h1);
    l->h1.no_body = str_eq(call->request.method, STR("HEAD"));
    l->call = call;
    l->head_written = false;
    buf_clear(&call->out); /* of another try */
    call->out_at = 0;
    conn_output(l->net);
    return true;
}

static void write_head(struct http_call *call, struct buf *out) {
    const struct http_client_request *r = &call->request;
    bool sends = r->body.n || str_eq(r->method, STR("POST")) || str_eq(r->method, STR("PUT"));
    h1_write_request(out, r->method, r->path, r->headers, r->n_headers);
    buf_printf(out, "host: %s\r\n", call->origin->authority);
    if (r->streams && !r->has_length) buf_add_z(out, "transfer-encoding: chunked\r\n");
    else if (r->streams) buf_printf(out, "content-length: %llu\r\n", (unsigned long long)r->length);
    else if (sends) buf_printf(out, "content-length: %zu\r\n", r->body.n);
    buf_add_z(out, "\r\n");
}

/* ---- a body in pieces ---- */

static size_t waiting(const struct http_call *call) {
    return call->out.n - call->out_at;
}

static size_t write_piece(struct link *l, struct http_call *call, struct str data) {
    struct buf *out = &call->out;
    size_t room = waiting(call) >= CONN_OUT_SOFT ? 0 : CONN_OUT_SOFT - waiting(call);
    struct str part = str_upto(data, room);
    if (call->out_at && out->n + part.n + CHUNK_FRAME > out->cap) {
        buf_consume(out, call->out_at);
        call->out_at = 0;
    }
    if (call->request.has_length) buf_add_str(out, part);
    else h1_write_chunk(out, part);
    if (!buf_ok(out)) { /* out of memory: half a chunk may stand there */
        conn_abort(l->net);
        return 0;
    }
    conn_output(l->net);
    return part.n;
}

static void finish_pieces(struct link *l, struct http_call *call) {
    if (!call->request.has_length) h1_write_last_chunk(&call->out, NULL, 0);
    if (buf_ok(&call->out)) conn_output(l->net);
    else conn_abort(l->net);
}

static void put_pieces(struct http_call *call, struct buf *out) {
    struct str piece = str_upto(str_from(buf_str(&call->out), call->out_at), CONN_OUT_SOFT - out->n);
    buf_add_str(out, piece);
    call->out_at += piece.n;
    if (waiting(call) == 0) {
        buf_clear(&call->out);
        call->out_at = 0;
    }
    if (call->short_of_room && waiting(call) <= CONN_OUT_SOFT / 2) call_writable(call);
}

static void output(struct link *l, struct buf *out) {
    struct http_call *call = l->call;
    if (!call) return;
    if (!l->head_written) write_head(call, out);
    l->head_written = true;
    if (out->n >= CONN_OUT_SOFT) return;
    if (call->request.streams) {
        put_pieces(call, out);
        return;
    }
    struct str piece = str_upto(str_from(call->request.body, call->body_at), CONN_OUT_SOFT - out->n);
    buf_add_str(out, piece);
    call->body_at += piece.n;
}

static void fail(struct link *l, enum http_fault fault, const struct err *err) {
    struct http_call *call = l->call;
    l->closing = true;
    if (call) call_lost(call, fault, err, false);
    if (l->net) conn_abort(l->net);
}

static void answer_over(struct link *l) {
    struct http_call *call = l->call;
    bool whole_request = call->request.streams ? call->finished && waiting(call) == 0
                                               : call->body_at >= call->request.body.n;
    if (!l->h1.head.keep_alive || !whole_request) l->closing = true;
    client_call_end(call, l->h1.head.trailers, l->h1.head.n_trailers);
}

/* After an interim one, to the same request. */
static void next_answer(struct link *l) {
    bool no_body = l->h1.no_body;
    h1_next_message(&l->h1);
    l->h1.no_body = no_body;
}

/* One event. False: no more of this input is of use. */
static bool one_event(struct link *l, struct str *bytes) {
    struct str piece = { 0 };
    struct err err;
    switch (h1_feed(&l->h1, bytes, &piece, &err)) {
    case H1_MORE: return false;
    case H1_HEADERS:
        if (l->h1.head.status == 101) {
            (void)err_set(&err, INTERNAL, "the server switched protocols");
            fail(l, HTTP_FAULT_MALFORMED, &err);
        } else if (l->h1.head.status >= 200) {
            call_headers(l->call, l->h1.head.status, l->h1.head.headers, l->h1.head.n_headers);
        }
        return l->call != NULL;
    case H1_BODY: (void)call_data(l->call, piece); return l->call != NULL;
    case H1_END:
        if (l->h1.head.status >= 200) {
            answer_over(l);
            return false;
        }
        next_answer(l);
        return true;
    case H1_BAD: fail(l, l->h1.bad_status == 431 ? HTTP_FAULT_TOO_LARGE : HTTP_FAULT_MALFORMED, &err); return false;
    }
    return false;
}

static void receive(struct link *l, struct str bytes) {
    if (!l->call) { /* an answer to nothing */
        l->closing = true;
        conn_abort(l->net);
        return;
    }
    while (one_event(l, &bytes)) {}
    if (!l->call && bytes.n && conn_is_open(l->net)) {
        l->closing = true;
        conn_abort(l->net);
    }
}

static void detach(struct link *l, struct http_call *call UNUSED, bool whole) {
    l->call = NULL;
    if (whole && !l->closing) {
        if (l->net) conn_resume(l->net);
        return;
    }
    l->closing = true;
    if (l->net && !whole) conn_abort(l->net);
}

static void flow(struct link *l, struct http_call *call) {
    if (!l->net) return;
    if (call->paused) conn_pause(l->net);
    else conn_resume(l->net);
}

static void close_h1(struct link *l, bool clean) {
    struct http_call *call = l->call;
    if (!call) return;
    bool whole = clean && l->h1.head.until_close && h1_close(&l->h1);
    if (whole) client_call_end(call, NULL, 0);
    else call_lost(call, HTTP_FAULT_CUT, &l->err, false);
}

const struct link_protocol link_h1 = { .start = start,
                                       .receive = receive,
                                       .output = output,
                                       .capacity = capacity,
                                       .detach = detach,
                                       .flow = flow,
                                       .close = close_h1,
                                       .write = write_piece,
                                       .finish = finish_pieces };
