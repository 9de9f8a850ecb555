#include "http/client_parts.h"

enum { STREAM_WINDOW = 256 * 1024, H2_PROTOCOL_ERROR = 1, H2_REFUSED_STREAM = 7 };

/* ---- out ---- */

static void push_body(struct http_call *call) {
    if (!call->h2 || call->body_at >= call->request.body.n) return;
    call->body_at += h2_write(call->h2, str_from(call->request.body, call->body_at));
    if (call->body_at == call->request.body.n) h2_finish(call->h2, NULL, 0);
}

static bool start(struct link *l, struct http_call *call) {
    struct http_header all[CLIENT_HEADERS_MAX + 8];
    const struct http_client_request *r = &call->request;
    size_t n = 0;
    bool has_body = r->body.n > 0 || r->streams;
    struct str length = { 0 };
    if (r->body.n || r->has_length)
        length = arena_printf(call->arena, "%llu", (unsigned long long)(r->streams ? r->length : r->body.n));
    all[n++] = (struct http_header){ STR(":method"), r->method };
    all[n++] = (struct http_header){ STR(":scheme"), r->scheme };
    all[n++] = (struct http_header){ STR(":authority"), str_z(call->origin->authority) };
    all[n++] = (struct http_header){ STR(":path"), r->path };
    for (size_t i = 0; i < r->n_headers; i++) all[n++] = r->headers[i];
    if (length.n) all[n++] = (struct http_header){ STR("content-length"), length };
    if (h2_request(l->h2, all, n, !has_body, call, &call->h2, NULL) != OK) return false;
    if (h2_is_spent(l->h2)) l->closing = true; /* that was its last stream */
    push_body(call);
    conn_output(l->net);
    return true;
}

/* ---- in ---- */

static void on_headers(struct h2_stream *s, const struct http_header *headers, size_t n, bool over UNUSED, bool too_many,
                       void *ctx UNUSED) {
    struct http_call *call = h2_user(s);
    uint64_t status = 0;
    if (!call) return;
    bool good = !too_many && n && str_eq(headers[0].name, STR(":status")) && str_u64(headers[0].value, &status);
    if (!good) {
        struct err err;
        (void)err_set(&err, RESOURCE_EXHAUSTED, "the answer's headers are over the limits");
        call_fail(call, too_many ? HTTP_FAULT_TOO_LARGE : HTTP_FAULT_MALFORMED, &err);
        return;
    }
    call_headers(call, (unsigned)status, headers + 1, n - 1);
}

static void on_data(struct h2_stream *s, struct str data, void *ctx UNUSED) {
    struct http_call *call = h2_user(s);
    if (!call) {
        h2_consume(s, data.n);
        return;
    }
    if (call->paused) call->withheld += data.n;
    else h2_consume(s, data.n);
    (void)call_data(call, data);
}

static void on_end(struct h2_stream *s, const struct http_header *trailers, size_t n, void *ctx UNUSED) {
    struct http_call *call = h2_user(s);
    if (call) client_call_end(call, trailers, n);
}

static void on_writable(struct h2_stream *s, void *ctx UNUSED) {
    struct http_call *call = h2_user(s);
    if (!call) return;
    if (call->request.streams) call_writable(call);
    else push_body(call);
}

static size_t write_piece(struct link *l, struct http_call *call, struct str data) {
    size_t n = call->h2 ? h2_write(call->h2, data) : 0;
    if (n && l->net) conn_output(l->net);
    return n;
}

static void finish_pieces(struct link *l, struct http_call *call) {
    if (call->h2) h2_finish(call->h2, NULL, 0);
    if (l->net) conn_output(l->net);
}

static void on_close(struct h2_stream *s, uint32_t error, bool by_peer, void *ctx) {
    struct link *l = ctx;
    struct http_call *call = h2_user(s);
    struct err err = l->err;
    if (!l->origin->client->freeing) loop_defer(l->origin->client->loop, &l->origin->pump); /* its place is free */
    if (!call) return;
    h2_set_user(s, NULL);
    if (!err.code) (void)err_set(&err, UNAVAILABLE, "%s reset the stream (HTTP/2 error %u)", l->origin->host, error);
    call->h2 = NULL;
    enum http_fault fault = l->fault == HTTP_FAULT_MALFORMED || (!by_peer && error == H2_PROTOCOL_ERROR)
                                ? HTTP_FAULT_MALFORMED
                                : HTTP_FAULT_CUT;
    call_lost(call, fault, &err, error == H2_REFUSED_STREAM);
}

static void on_goaway(struct h2 *h2 UNUSED, void *ctx) {
    struct link *l = ctx;
    l->closing = true; /* streams under way may finish; link_released closes */
}

static const struct h2_callbacks callbacks = { .on_headers = on_headers,
                                               .on_data = on_data,
                                               .on_end = on_end,
                                               .on_writable = on_writable,
                                               .on_close = on_close,
                                               .on_goaway = on_goaway };

static bool session(struct link *l) {
    const struct h2_limits limits = { .header_bytes = l->origin->client->config.max_header_bytes,
                                      .header_count = 128,
                                      .queue_bytes = STREAM_WINDOW,
                                      .stream_window = STREAM_WINDOW,
                                      .conn_window = 4 * STREAM_WINDOW };
    return l->h2 || h2_new(H2_CLIENT, &limits, &callbacks, l, &l->h2, NULL) == OK;
}

static size_t capacity(const struct link *l) {
    return l->h2 ? h2_capacity(l->h2) : 1;
}

static bool start_first(struct link *l, struct http_call *call) {
    return session(l) && start(l, call);
}

static void receive(struct link *l, struct str bytes) {
    struct err err;
    if (!session(l)) conn_abort(l->net);
    else if (h2_receive(l->h2, bytes, &err) != OK) {
        l->err = err;
        l->fault = HTTP_FAULT_MALFORMED;
        l->closing = true;
        conn_finish(l->net);
    } else {
        if (l->closing && l->n_calls == 0) conn_finish(l->net);
        conn_output(l->net);
        loop_defer(l->origin->client->loop, &l->origin->pump); /* a stream may have become free */
    }
}

static void output(struct link *l, struct buf *out) {
    if (l->h2 && h2_send(l->h2, out, CONN_OUT_SOFT, NULL) != OK) conn_abort(l->net);
    else if (l->h2 && h2_is_over(l->h2)) conn_finish(l->net);
}

static void detach(struct link *l, struct http_call *call, bool whole UNUSED) {
    struct h2_stream *s = call->h2;
    if (!s) return;
    h2_set_user(s, NULL);
    h2_consume(s, call->withheld);
    call->withheld = 0;
    /* an answer that came before the request was through ends the request too */
    bool all_given = call->request.streams ? call->finished : call->body_at >= call->request.body.n;
    bool request_through = all_given && h2_queued(s) == 0;
    if (!h2_ended_by_peer(s) || !request_through) h2_reset(s, 8);
    if (l->net) conn_output(l->net);
}

static void flow(struct link *l, struct http_call *call) {
    if (call->paused || !call->h2) return;
    h2_consume(call->h2, call->withheld);
    call->withheld = 0;
    conn_output(l->net);
}

static void close_h2(struct link *l, bool clean UNUSED) {
    h2_free(l->h2);
    l->h2 = NULL;
}

const struct link_protocol link_h2 = { .start = start_first,
                                       .receive = receive,
                                       .output = output,
                                       .capacity = capacity,
                                       .detach = detach,
                                       .flow = flow,
                                       .close = close_h2,
                                       .write = write_piece,
                                       .finish = finish_pieces };
