#include "wire/http2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "wire/http2_watch.h"

enum {
    STREAM_WINDOW = 256 * 1024,
    CONN_WINDOW = 1024 * 1024,
    QUEUE_MAX = 8 * 1024 * 1024, /* that h2_widen may ask for */
    NV_MAX = 160,
    MAX_ACKS = 128,
    MAX_EMPTY = 1000,
    BOMB_TIMES = 8,     /* header bytes, in limits, that end the connection */
    FIRST_STREAMS = 20, /* opened before the peer has said how many it takes */
    MOST_STREAMS = 1000,
    HEADER_OVERHEAD = 32, /* RFC 9113 §6.5.2 */
};

struct h2 {
    nghttp2_session *session;
    enum h2_role role;
    struct h2_limits limits;
    struct h2_callbacks cb;
    void *ctx;
    struct h2_stream *streams;
    size_t n_streams;
    struct h2_watch watch;  /* server */
    unsigned empty_frames;  /* since the last frame that carried something */
    uint32_t fault;         /* of the peer, by which we end the connection; 0: none */
    bool writable, settled; /* settled: the peer's SETTINGS are known */
};

struct h2_stream {
    struct h2 *h2;
    struct h2_stream *next, **link;
    void *user;
    int32_t id;
    struct arena *arena; /* headers and trailers of the peer; our trailers */
    struct http_header *headers, *trailers;
    size_t n_headers, cap_headers, n_trailers, header_bytes, queue_max;
    struct buf out;
    size_t out_at;
    bool too_many, got_headers, ended_by_peer, reset_by_peer;
    bool submitted, finished, deferred, short_of_room;
};

/* ---- streams ---- */

static struct h2_stream *new_stream(struct h2 *h2, int32_t id) {
    struct h2_stream *s = calloc(1, sizeof *s);
    struct arena *arena = arena_new(3 * h2->limits.header_bytes + 3 * h2->limits.header_count * sizeof(struct http_header));
    if (!s || !arena) {
        free(s);
        arena_free(arena);
        return NULL;
    }
    *s = (struct h2_stream){ .h2 = h2, .id = id, .arena = arena, .queue_max = h2->limits.queue_bytes };
    s->out = (struct buf)BUF_INIT(QUEUE_MAX);
    s->next = h2->streams;
    s->link = &h2->streams;
    if (s->next) s->next->link = &s->next;
    h2->streams = s;
    h2->n_streams++;
    return s;
}

static void free_stream(struct h2_stream *s) {
    *s->link = s->next;
    if (s->next) s->next->link = s->link;
    s->h2->n_streams--;
    buf_free(&s->out);
    arena_free(s->arena);
    free(s);
}

static struct h2_stream *find(struct h2 *h2, int32_t id) {
    return nghttp2_session_get_stream_user_data(h2->session, id);
}

/* ---- what nghttp2 tells ---- */

static int flood(struct h2 *h2) {
    h2->fault = NGHTTP2_ENHANCE_YOUR_CALM;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A stream that is opened and reset costs us work and the peer little, whoever of us resets it. */
static bool too_many_resets(struct h2 *h2) {
    return h2->role == H2_SERVER && !h2_watch_reset(&h2->watch, clock_mono_us());
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    struct h2 *h2 = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct h2_stream *s = new_stream(h2, frame->hd.stream_id);
    if (!s) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(session, s->id, s);
    return 0;
}

/* Fields beyond the limits are not kept: bytes alone do not bound it, as one byte on the wire may be a whole field. Far
 * beyond them it is an attack on our time, as each field is checked, and the connection ends. */
static int on_header(nghttp2_session *session UNUSED, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags UNUSED, void *ctx) {
    struct h2 *h2 = ctx;
    struct h2_stream *s = find(h2, frame->hd.stream_id);
    if (!s) return 0;
    s->header_bytes += name_n + value_n + HEADER_OVERHEAD;
    if (s->header_bytes > BOMB_TIMES * h2->limits.header_bytes) return flood(h2);
    if (s->too_many) return 0;
    struct http_header h = { str_dup(s->arena, (struct str){ (const char *)name, name_n }),
                             str_dup(s->arena, (struct str){ (const char *)value, value_n }) };
    s->too_many = s->header_bytes > h2->limits.header_bytes || s->n_headers >= h2->limits.header_count ||
                  (name_n && !h.name.p) || (value_n && !h.value.p) ||
                  !arena_grow(s->arena, &s->headers, &s->cap_headers, s->n_headers + 1, sizeof h);
    if (!s->too_many) s->headers[s->n_headers++] = h;
    return 0;
}

static void end_by_peer(struct h2_stream *s, const struct http_header *trailers, size_t n) {
    s->ended_by_peer = true;
    s->h2->cb.on_end(s, trailers, n, s->h2->ctx);
}

static void forget_headers(struct h2_stream *s) {
    s->headers = NULL;
    s->n_headers = s->cap_headers = s->header_bytes = 0;
}

static bool is_interim(const struct h2_stream *s) {
    struct str status = http_header_value(s->headers, s->n_headers, STR(":status"));
    return s->h2->role == H2_CLIENT && status.n == 3 && status.p[0] == '1';
}

static void headers_over(struct h2_stream *s, bool over) {
    const struct http_header *headers = s->headers;
    size_t n = s->n_headers;
    if (is_interim(s)) {
        forget_headers(s);
        return;
    }
    forget_headers(s); /* trailers come into a list of their own */
    if (s->got_headers) {
        if (s->too_many) h2_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
        else if (over) end_by_peer(s, headers, n);
        return;
    }
    s->got_headers = true;
    if (over) s->ended_by_peer = true;
    s->h2->cb.on_headers(s, headers, n, over, s->too_many, s->h2->ctx);
    if (over) end_by_peer(s, NULL, 0);
}

static bool is_empty(const nghttp2_frame *f) {
    if (f->hd.type == NGHTTP2_DATA) return f->hd.length == 0 && !(f->hd.flags & NGHTTP2_FLAG_END_STREAM);
    return f->hd.type == NGHTTP2_PRIORITY || (f->hd.type == NGHTTP2_SETTINGS && !(f->hd.flags & NGHTTP2_FLAG_ACK));
}

static int on_frame_recv(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *ctx) {
    struct h2 *h2 = ctx;
    bool over = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_SETTINGS) h2->settled = true;
    if (is_empty(frame)) return ++h2->empty_frames > MAX_EMPTY ? flood(h2) : 0;
    if (frame->hd.type == NGHTTP2_GOAWAY && h2->cb.on_goaway) h2->cb.on_goaway(h2, h2->ctx);
    struct h2_stream *s = frame->hd.stream_id ? find(h2, frame->hd.stream_id) : NULL;
    if (!s) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) h2->empty_frames = 0, headers_over(s, over);
    else if (frame->hd.type == NGHTTP2_DATA) {
        h2->empty_frames = 0;
        if (over) end_by_peer(s, NULL, 0);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
        s->reset_by_peer = true;
        return too_many_resets(h2) ? flood(h2) : 0;
    }
    return 0;
}

/* The connection's window goes back at once, so that a stream whose bytes are held back stops no other. */
static int on_data_chunk(nghttp2_session *session, uint8_t flags UNUSED, int32_t id, const uint8_t *data, size_t n,
                         void *ctx) {
    struct h2 *h2 = ctx;
    struct h2_stream *s = find(h2, id);
    if (nghttp2_session_consume_connection(session, n)) return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (s) h2->cb.on_data(s, (struct str){ (const char *)data, n }, h2->ctx);
    return 0;
}

static int on_stream_close(nghttp2_session *session UNUSED, int32_t id, uint32_t error, void *ctx) {
    struct h2 *h2 = ctx;
    struct h2_stream *s = find(h2, id);
    if (!s) return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    if (s->ended_by_peer || s->reset_by_peer) h2_watch_ended(&h2->watch, (uint32_t)id);
    h2->cb.on_close(s, error, s->reset_by_peer, h2->ctx);
    free_stream(s);
    return 0;
}

/* Not those of a reply that came before the request's end, nor of streams that are one too many. */
static bool is_provoked_reset(const nghttp2_frame *f) {
    return f->hd.type == NGHTTP2_RST_STREAM && f->rst_stream.error_code != NGHTTP2_NO_ERROR &&
           f->rst_stream.error_code != NGHTTP2_REFUSED_STREAM;
}

/* A server that has answered does not wait for the rest of a request that it will not read (RFC 9113 §8.1). */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    struct h2 *h2 = ctx;
    if (is_provoked_reset(frame) && too_many_resets(h2))
        return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    struct h2_stream *s = ends && h2->role == H2_SERVER ? find(h2, frame->hd.stream_id) : NULL;
    if (s && !s->ended_by_peer) nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
    return 0;
}

/* ---- headers out ---- */

static nghttp2_nv to_nv(struct http_header h) {
    bool secret = str_eq(h.name, STR("authorization")) || str_eq(h.name, STR("cookie"));
    return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)h.name.p,
                         .value = (uint8_t *)(uintptr_t)h.value.p,
                         .namelen = h.name.n,
                         .valuelen = h.value.n,
                         .flags = secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE };
}

static bool to_nvs(const struct http_header *headers, size_t n, nghttp2_nv nvs[NV_MAX]) {
    if (n > NV_MAX) return false;
    for (size_t i = 0; i < n; i++) nvs[i] = to_nv(headers[i]);
    return true;
}

/* ---- data out ---- */

static bool submit_trailers(nghttp2_session *session, struct h2_stream *s) {
    nghttp2_nv nvs[NV_MAX];
    return to_nvs(s->trailers, s->n_trailers, nvs) && nghttp2_submit_trailer(session, s->id, nvs, s->n_trailers) == 0;
}

static size_t take_out(struct h2_stream *s, uint8_t *to, size_t room) {
    size_t n = s->out.n - s->out_at;
    if (n > room) n = room;
    if (n) memcpy(to, s->out.p + s->out_at, n);
    s->out_at += n;
    if (s->out_at == s->out.n) {
        if (s->finished) buf_free(&s->out);
        else buf_clear(&s->out);
        s->out_at = 0;
    }
    if (s->short_of_room && h2_queued(s) <= s->queue_max / 2) s->h2->writable = true;
    return n;
}

static ssize_t on_read_data(nghttp2_session *session, int32_t id UNUSED, uint8_t *to, size_t room, uint32_t *flags,
                            nghttp2_data_source *source, void *ctx UNUSED) {
    struct h2_stream *s = source->ptr;
    size_t n = take_out(s, to, room);
    if (s->finished && h2_queued(s) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (s->n_trailers == 0) return (ssize_t)n;
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return submit_trailers(session, s) ? (ssize_t)n : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (n) return (ssize_t)n;
    s->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
}

static void resume(struct h2_stream *s) {
    if (!s->deferred) return;
    s->deferred = false;
    nghttp2_session_resume_data(s->h2->session, s->id);
}

static nghttp2_data_provider provider(struct h2_stream *s) {
    return (nghttp2_data_provider){ .source.ptr = s, .read_callback = on_read_data };
}

void h2_respond(struct h2_stream *s, const struct http_header *headers, size_t n, bool over) {
    nghttp2_nv nvs[NV_MAX];
    nghttp2_data_provider data = provider(s);
    if (s->submitted) return;
    s->submitted = true;
    if (over) s->finished = true;
    if (!to_nvs(headers, n, nvs) || nghttp2_submit_response(s->h2->session, s->id, nvs, n, over ? NULL : &data))
        h2_reset(s, NGHTTP2_INTERNAL_ERROR);
}

enum code h2_request(struct h2 *h2, const struct http_header *headers, size_t n, bool over, void *user,
                     struct h2_stream **ret_stream, struct err *err) {
    nghttp2_nv nvs[NV_MAX];
    if (!to_nvs(headers, n, nvs)) return err_set(err, INVALID_ARGUMENT, "too many headers");
    struct h2_stream *s = new_stream(h2, 0);
    if (!s) return err_oom(err);
    nghttp2_data_provider data = provider(s);
    s->user = user;
    s->submitted = true;
    s->finished = over;
    s->id = nghttp2_submit_request(h2->session, NULL, nvs, n, over ? NULL : &data, s);
    if (s->id < 0) {
        int rc = s->id;
        free_stream(s);
        return err_set(err, UNAVAILABLE, "HTTP/2: %s", nghttp2_strerror(rc));
    }
    *ret_stream = s;
    return OK;
}

size_t h2_queued(const struct h2_stream *s) {
    return s->out.n - s->out_at;
}

size_t h2_room(const struct h2_stream *s) {
    return s->finished || h2_queued(s) >= s->queue_max ? 0 : s->queue_max - h2_queued(s);
}

void h2_widen(struct h2_stream *s, size_t queue_bytes) {
    s->queue_max = queue_bytes < QUEUE_MAX ? queue_bytes : QUEUE_MAX;
}

size_t h2_write(struct h2_stream *s, struct str data) {
    size_t n = data.n < h2_room(s) ? data.n : h2_room(s);
    if (n < data.n && !s->finished) s->short_of_room = true;
    if (n == 0) return 0;
    if (s->out_at && s->out.n + n > s->out.cap) {
        buf_consume(&s->out, s->out_at);
        s->out_at = 0;
    }
    buf_add(&s->out, data.p, n);
    if (!buf_ok(&s->out)) { /* out of memory: the reply cannot go on */
        h2_reset(s, NGHTTP2_INTERNAL_ERROR);
        return 0;
    }
    resume(s);
    return n;
}

void h2_finish(struct h2_stream *s, const struct http_header *trailers, size_t n) {
    if (s->finished) return;
    s->finished = true;
    s->trailers = n ? ARENA_ARRAY(s->arena, struct http_header, n) : NULL;
    for (size_t i = 0; i < n && s->trailers; i++) {
        struct http_header h = { str_dup(s->arena, trailers[i].name), str_dup(s->arena, trailers[i].value) };
        if (h.name.p && (h.value.p || trailers[i].value.n == 0)) s->trailers[s->n_trailers++] = h;
    }
    if (s->n_trailers < n) h2_reset(s, NGHTTP2_INTERNAL_ERROR); /* a gRPC reply without its status would look whole */
    resume(s);
}

void h2_reset(struct h2_stream *s, uint32_t error) {
    s->finished = true;
    nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, error);
}

void h2_consume(struct h2_stream *s, size_t n) {
    if (n && !s->ended_by_peer) nghttp2_session_consume_stream(s->h2->session, s->id, n);
}

/* ---- the connection ---- */

static void set_callbacks(nghttp2_session_callbacks *cb) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
}

static void set_options(nghttp2_option *option) {
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1); /* memory: closed streams would be kept for priorities */
    nghttp2_option_set_max_outbound_ack(option, MAX_ACKS);
    nghttp2_option_set_max_continuations(option, 8);
    nghttp2_option_set_stream_reset_rate_limit(option, 2000, 66); /* ours is stricter, and says why */
}

static int new_session(struct h2 *h2) {
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *option = NULL;
    int rc = nghttp2_session_callbacks_new(&cb);
    if (!rc) rc = nghttp2_option_new(&option);
    if (!rc) {
        set_callbacks(cb);
        set_options(option);
        rc = h2->role == H2_SERVER ? nghttp2_session_server_new2(&h2->session, cb, h2, option)
                                   : nghttp2_session_client_new2(&h2->session, cb, h2, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    return rc;
}

static int greet(struct h2 *h2) {
    const struct h2_limits *l = &h2->limits;
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->max_streams },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->stream_window },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)l->header_bytes },
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
    };
    size_t n = h2->role == H2_CLIENT ? COUNT(settings) : COUNT(settings) - 1; /* a server does not speak of push */
    int rc = nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, n);
    return rc ? rc : nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)l->conn_window);
}

enum code h2_new(enum h2_role role, const struct h2_limits *limits, const struct h2_callbacks *callbacks, void *ctx,
                 struct h2 **ret_h2, struct err *err) {
    struct h2 *h2 = calloc(1, sizeof *h2);
    if (!h2) return err_oom(err);
    *h2 = (struct h2){ .role = role, .limits = *limits, .cb = *callbacks, .ctx = ctx };
    h2_watch_init(&h2->watch);
    if (!h2->limits.stream_window) h2->limits.stream_window = STREAM_WINDOW;
    if (!h2->limits.conn_window) h2->limits.conn_window = CONN_WINDOW;
    int rc = new_session(h2);
    if (!rc) rc = greet(h2);
    if (rc) {
        h2_free(h2);
        return err_set(err, RESOURCE_EXHAUSTED, "HTTP/2: %s", nghttp2_strerror(rc));
    }
    *ret_h2 = h2;
    return OK;
}

void h2_free(struct h2 *h2) {
    if (!h2) return;
    while (h2->streams) {
        h2->cb.on_close(h2->streams, NGHTTP2_CANCEL, true, h2->ctx);
        free_stream(h2->streams);
    }
    nghttp2_session_del(h2->session);
    free(h2);
}

/* The session goes no further: what is left to send is the GOAWAY. */
static enum code end_session(struct h2 *h2, uint32_t fault, const char *why, struct err *err) {
    if (fault) nghttp2_session_terminate_session(h2->session, fault);
    return err_set(err, INVALID_ARGUMENT, "HTTP/2: %s", why);
}

static enum code feed(struct h2 *h2, struct str bytes, struct err *err) {
    ssize_t n = bytes.n ? nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.p, bytes.n) : 0;
    if (n >= 0) return OK;
    bool flooded = n == NGHTTP2_ERR_FLOODED || n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
    return end_session(h2, flooded ? NGHTTP2_ENHANCE_YOUR_CALM : h2->fault, nghttp2_strerror((int)n), err);
}

/* The frame's stream may have been closed by what came just before it: that is fed first. */
static enum code receive_watched(struct h2 *h2, struct str bytes, struct err *err) {
    struct h2_frame_head head;
    size_t begin = 0, end = 0, fed = 0, seen = 0;
    while (h2_watch_next(&h2->watch, str_from(bytes, seen), &begin, &end, &head)) {
        begin += seen, seen += end;
        if (head.type != NGHTTP2_DATA && head.type != NGHTTP2_HEADERS) continue;
        enum code rc = feed(h2, str_upto(str_from(bytes, fed), begin - fed), err);
        if (rc) return rc;
        fed = begin;
        h2->fault = h2_watch_frame(&h2->watch, head, find(h2, (int32_t)head.stream) != NULL);
        if (h2->fault) return end_session(h2, h2->fault, "a frame on a stream that is over", err);
    }
    return feed(h2, str_from(bytes, fed), err);
}

enum code h2_receive(struct h2 *h2, struct str bytes, struct err *err) {
    return h2->role == H2_SERVER ? receive_watched(h2, bytes, err) : feed(h2, bytes, err);
}

static bool tell_writable(struct h2 *h2) {
    bool told = false;
    if (!h2->writable) return false;
    h2->writable = false;
    for (struct h2_stream *s = h2->streams; s;) {
        bool now = s->short_of_room && !s->finished && h2_queued(s) <= s->queue_max / 2;
        struct h2_stream *next = s->next;
        if (now) {
            s->short_of_room = false;
            h2->cb.on_writable(s, h2->ctx);
            told = true;
        }
        s = next; /* submitting functions close no stream, so next is still there */
    }
    return told;
}

enum code h2_send(struct h2 *h2, struct buf *out, size_t soft, struct err *err) {
    do {
        while (out->n < soft) {
            const uint8_t *p = NULL;
            ssize_t n = nghttp2_session_mem_send(h2->session, &p);
            if (n < 0) return err_set(err, INTERNAL, "HTTP/2: %s", nghttp2_strerror((int)n));
            if (n == 0) break;
            buf_add(out, p, (size_t)n);
        }
    } while (tell_writable(h2) && out->n < soft);
    return OK;
}

bool h2_wants_send(const struct h2 *h2) {
    return nghttp2_session_want_write(h2->session);
}

bool h2_is_over(const struct h2 *h2) {
    return !nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session);
}

size_t h2_streams(const struct h2 *h2) {
    return h2->n_streams;
}

bool h2_is_spent(const struct h2 *h2) {
    return !nghttp2_session_check_request_allowed(h2->session);
}

size_t h2_capacity(const struct h2 *h2) {
    uint32_t max = nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    uint32_t ours = h2->settled ? MOST_STREAMS : FIRST_STREAMS;
    if (max > ours) max = ours;
    if (h2_is_spent(h2) || h2->n_streams >= max) return 0;
    return max - h2->n_streams;
}

void h2_shutdown(struct h2 *h2, bool now) {
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
    if (now) nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    else nghttp2_submit_shutdown_notice(h2->session);
}

void h2_set_user(struct h2_stream *s, void *user) {
    s->user = user;
}

void *h2_user(const struct h2_stream *s) {
    return s->user;
}

int32_t h2_id(const struct h2_stream *s) {
    return s->id;
}

bool h2_ended_by_peer(const struct h2_stream *s) {
    return s->ended_by_peer;
}
