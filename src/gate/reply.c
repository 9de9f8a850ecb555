#include "gate/reply.h"
#include "gate/relay.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/enc.h"
#include "base/json_text.h"
#include "gate/request_limits.h"
#include "wire/grpc.h"
#include "wire/pb/pb_json.h"
#include "wire/pb/pb_write.h"
#include "wire/pb/wkt.pb.h"

enum { CHUNK_FIRST = 1000, CHUNK_BYTES = 64 << 10 };

/* ---- the body ---- */

static void begin(struct request *r) {
    static const struct http_header grpc[] = { { STR_INIT("content-type"), STR_INIT("application/grpc") },
                                               { STR_INIT("grpc-accept-encoding"), STR_INIT("identity") } };
    static const struct http_header json[] = { { STR_INIT("content-type"), STR_INIT("application/json; charset=UTF-8") } };
    if (r->reply_begun) return;
    r->reply_begun = true;
    if (r->protocol == PROTOCOL_GRPC) http_reply_headers(r->stream, 200, grpc, COUNT(grpc));
    else http_reply_headers(r->stream, 200, json, COUNT(json));
}

static void lose(struct request *r, const struct err *err) {
    request_cancel(r, err->code, err->message);
}

/* Follows gRPC's frames, so that a reply can be cut between two messages. */
void reply_follow(struct request *r, struct str taken) {
    while (taken.n) {
        size_t n = 1;
        if (r->frame.left) {
            n = taken.n < r->frame.left ? taken.n : r->frame.left;
            r->frame.left -= (uint32_t)n;
        } else {
            r->frame.head[r->frame.have++] = (unsigned char)taken.p[0];
            const unsigned char *h = r->frame.head;
            if (r->frame.have == sizeof r->frame.head) {
                r->frame.have = 0;
                r->frame.left = (uint32_t)h[1] << 24 | (uint32_t)h[2] << 16 | (uint32_t)h[3] << 8 | h[4];
            }
        }
        taken = str_from(taken, n);
    }
}

bool reply_is_amid(const struct request *r) {
    return r->frame.have || r->frame.left;
}

/* What may go out now: all, or of a reply that was cut the rest of the message that is half out. */
static struct str allowed(const struct request *r) {
    if (!r->cut) return r->pending;
    if (r->protocol != PROTOCOL_GRPC) return (struct str){ NULL, 0 };
    return str_upto(r->pending, r->frame.have ? sizeof r->frame.head - r->frame.have : r->frame.left);
}

/* Most answers are small: a large chunk is made for those that filled a small one. Nothing is pending. */
static bool make_chunk(struct request *r) {
    size_t want = r->chunk_was_full ? CHUNK_BYTES : CHUNK_FIRST;
    if (r->chunk_bytes >= want) return true;
    free(r->chunk);
    r->chunk = malloc(want);
    r->chunk_bytes = r->chunk ? want : 0;
    return r->chunk != NULL;
}

/* The next bytes into r->pending; false: nothing is there. */
static bool refill(struct request *r) {
    if (r->pending.n) return true;
    struct err err;
    size_t n = 0;
    if (!make_chunk(r)) {
        (void)err_oom(&err);
        lose(r, &err);
    } else if (spool_get(&r->spool, r->chunk, r->chunk_bytes, &n, &err)) lose(r, &err);
    r->pending = (struct str){ r->chunk, n };
    r->chunk_was_full = n && n == r->chunk_bytes;
    return n > 0;
}

/* True: all that the spool holds was taken. */
static bool pump(struct request *r) {
    while (refill(r)) {
        struct str piece = allowed(r);
        if (!piece.n) return true;
        begin(r);
        size_t taken = http_reply_data(r->stream, piece);
        if (r->protocol == PROTOCOL_GRPC) reply_follow(r, str_upto(piece, taken));
        r->pending = str_from(r->pending, taken);
        if (taken < piece.n) return false;
    }
    return true;
}

enum { ROOM_BYTES = 128 << 10 };

static void tell_of_room(struct request *r) {
    void (*fn)(void *ctx) = r->on_room;
    if (!fn || spool_held(&r->spool) > ROOM_BYTES) return;
    r->on_room = NULL;
    fn(r->on_room_ctx);
}

void reply_drain(struct request *r) {
    if (!r->stream || r->replied) return;
    bool streams = r->protocol == PROTOCOL_GRPC || (r->protocol == PROTOCOL_REST && r->call.method->streaming);
    if (r->step_is_reply) request_run(r);
    else if (r->relay) relay_room(r->relay);
    else if (streams) {
        (void)pump(r);
        tell_of_room(r);
    }
}

/* ---- the status ---- */

static void put_any(struct buf *b, uint32_t number, const char *type, struct str bytes) {
    DEFER(buf_free) struct buf url = BUF_INIT(256);
    buf_printf(&url, "type.googleapis.com/%s", type);
    size_t mark = pb_begin(b, number);
    pb_put_bytes(b, 1, buf_str(&url));
    pb_put_bytes(b, 2, bytes);
    pb_end(b, mark);
}

/* google.rpc.ErrorInfo: reason, domain, metadata{id}. What was wrong with a token is the operator's to know. */
static void put_error_info(struct buf *b, struct request *r) {
    pb_put_bytes(b, 1, str_z(reason_name(request_public_reason(r))));
    pb_put_bytes(b, 2, STR("linkspan"));
    size_t mark = pb_begin(b, 3);
    pb_put_bytes(b, 1, STR("id"));
    pb_put_bytes(b, 2, r->call.id);
    pb_end(b, mark);
}

/* google.rpc.Status, when there are details. */
static void put_status(struct buf *out, struct request *r) {
    if (!r->reason && !r->n_details) return;
    DEFER(buf_free) struct buf info = BUF_INIT(4096);
    pb_put_u64(out, 1, (uint64_t)r->code);
    pb_put_bytes(out, 2, str_z(r->err.message));
    if (r->reason) {
        put_error_info(&info, r);
        put_any(out, 3, "google.rpc.ErrorInfo", buf_str(&info));
    }
    for (unsigned i = 0; i < r->n_details; i++) put_any(out, 3, r->details[i].type, r->details[i].bytes);
}

/* Google's clients read two details from trailers of their own: google.rpc.retryinfo-bin, google.rpc.resourceinfo-bin. */
static size_t raw_details(struct request *r, struct buf *text, struct http_header *headers) {
    size_t n = 0;
    for (unsigned i = 0; i < r->n_details; i++) {
        const char *type = r->details[i].type;
        struct str name = strcmp(type, "google.rpc.RetryInfo") == 0      ? STR("google.rpc.retryinfo-bin")
                          : strcmp(type, "google.rpc.ResourceInfo") == 0 ? STR("google.rpc.resourceinfo-bin")
                                                                         : (struct str){ NULL, 0 };
        if (!name.p) continue;
        buf_clear(text);
        enc_base64(text, r->details[i].bytes);
        headers[n++] = (struct http_header){ name, str_dup(r->call.arena, buf_str(text)) };
    }
    return n;
}

/* Node's client takes a stream that ends before it began for a lost connection: it asks twice more, over six seconds,
 * before it tells the error. Spanner's streams begin with header fields whatever follows. (One of an unknown method may be
 * one.) */
static bool is_stream(const struct request *r) {
    return !r->call.method || r->call.method->streaming;
}

static void finish_grpc(struct request *r) {
    struct http_header headers[4 + 3 + REQUEST_MAX_DETAILS];
    DEFER(buf_free) struct buf status = BUF_INIT(65536), text = BUF_INIT(65536);
    if (r->code) put_status(&status, r);
    if (is_stream(r)) begin(r);
    size_t n = 0;
    if (!r->reply_begun) headers[n++] = (struct http_header){ STR("content-type"), STR("application/grpc") };
    size_t added = grpc_status_headers(r->call.arena, r->code, r->code ? str_z(r->err.message) : (struct str){ NULL, 0 },
                                       buf_str(&status), headers + n);
    char digits[8];
    if (!added) { /* the request filled its arena: the bare code needs none */
        int length = snprintf(digits, sizeof digits, "%d", (int)r->code);
        headers[n] = (struct http_header){ STR("grpc-status"), { digits, (size_t)length } };
        added = 1;
    }
    n += added;
    if (r->code) n += raw_details(r, &text, headers + n);
    if (r->reply_begun) http_reply_end(r->stream, headers, n);
    else http_reply_headers_only(r->stream, 200, headers, n);
}

/* One detail as JSON has it, its type in "@type"; one without a JSON form is left out. */
static void put_detail_json(struct buf *b, const char *type, struct str bytes, unsigned *io_n) {
    DEFER(buf_free) struct buf url = BUF_INIT(256);
    buf_printf(&url, "type.googleapis.com/%s", type);
    const struct pb_Any any = { .type_url = buf_str(&url), .value = bytes };
    struct err err;
    size_t before = b->n;
    buf_add_z(b, *io_n ? "," : ",\"details\":[");
    if (!buf_ok(&url) || pb_to_json(&pb_Any_msg, &any, b, &err)) b->n = before;
    else ++*io_n;
}

static void put_error_json(struct buf *b, struct request *r) {
    DEFER(buf_free) struct buf info = BUF_INIT(4096);
    unsigned n = 0;
    if (r->call.method && r->call.method->put_error) {
        const struct method_error error = { r->code, code_http_status(r->code), str_z(r->err.message),
                                            reason_name(request_public_reason(r)), r->call.id };
        r->call.method->put_error(b, &error);
        return;
    }
    buf_printf(b, "{\"error\":{\"code\":%u,\"message\":", code_http_status(r->code));
    json_text_string(b, str_z(r->err.message));
    buf_printf(b, ",\"status\":\"%s\"", code_name(r->code));
    if (r->reason) {
        put_error_info(&info, r);
        put_detail_json(b, "google.rpc.ErrorInfo", buf_str(&info), &n);
    }
    for (unsigned i = 0; i < r->n_details; i++) put_detail_json(b, r->details[i].type, r->details[i].bytes, &n);
    buf_add_z(b, n ? "]}}\n" : "}}\n");
}

static void reply_error_json(struct request *r) {
    DEFER(buf_free) struct buf body = BUF_INIT(16384);
    put_error_json(&body, r);
    struct http_header headers[2] = { { STR("content-type"), STR("application/json; charset=UTF-8") },
                                      { STR("www-authenticate"), STR("Bearer") } };
    unsigned status = r->http_status ? r->http_status : code_http_status(r->code);
    http_reply_headers(r->stream, status, headers, r->code == UNAUTHENTICATED ? 2 : 1);
    size_t taken = http_reply_data(r->stream, buf_str(&body));
    (void)taken; /* small against the queue's limit */
    http_reply_end(r->stream, NULL, 0);
}

/* A stream of JSON is one array, whose last element may be the error. The end waits for the client like all before it. */
static bool put_json_tail(struct request *r) {
    DEFER(buf_free) struct buf tail = BUF_INIT(16384);
    struct err err;
    if (r->tail_is_put) return true;
    r->tail_is_put = true;
    if (r->code) {
        buf_add_z(&tail, r->has_written ? ",\n" : "[");
        put_error_json(&tail, r);
    } else if (!r->has_written) buf_add_char(&tail, '[');
    buf_add_char(&tail, ']');
    return buf_ok(&tail) && !spool_put(&r->spool, (struct str){ NULL, 0 }, buf_str(&tail), &err);
}

static void finish_whole(struct request *r, unsigned status, struct str type) {
    struct http_header headers[3 + CALL_MAX_REPLY_HEADERS] = {
        { STR("content-type"), type },
        { STR("metadata-flavor"), STR("Google") }, /* metadata servers only: */
        { STR("server"), STR("Metadata Server for VM") },
    };
    size_t n = r->door->kind == DOOR_JOB_METADATA ? 3 : type.n ? 1 : 0;
    for (unsigned i = 0; i < r->n_raw_headers; i++) headers[n++] = r->raw_headers[i];
    if (!r->reply_begun) http_reply_headers(r->stream, status, headers, n);
    r->reply_begun = true;
}

/* The service told the error itself. */
static bool in_own_words(const struct request *r) {
    return r->protocol == PROTOCOL_RAW && r->raw_status >= 400 && !r->cut && !r->write_code;
}

/* Nothing is left but the end: whoever has read it may ask for the next at once, on another connection too. */
static void conclude(struct request *r) {
    r->replied = true;
    limits_leave(r);
}

bool reply_finish(struct request *r) {
    r->step_is_reply = true;
    if (!r->stream || r->replied) return true;
    if (r->late && r->reply_begun) { /* who does not read cannot hold an answer for longer than it wanted to wait */
        conclude(r);
        http_stream_reset(r->stream, HTTP_RESET_CANCEL);
        return true;
    }
    if (r->relay) limits_leave(r); /* it has handed over all but the end */
    if (relay_reply(r)) {
        conclude(r);
        return true;
    }
    bool json_stream = r->protocol == PROTOCOL_REST && r->call.method && r->call.method->streaming;
    if (r->protocol != PROTOCOL_GRPC && r->code && !(json_stream && r->reply_begun) && !in_own_words(r)) {
        conclude(r);
        if (r->reply_begun) http_stream_reset(r->stream, HTTP_RESET_INTERNAL); /* half an answer looks like a whole one */
        else reply_error_json(r);
        return true;
    }
    if (json_stream && (r->cut || !put_json_tail(r))) { /* half an element may be out */
        conclude(r);
        http_stream_reset(r->stream, HTTP_RESET_INTERNAL);
        return true;
    }
    if (r->protocol == PROTOCOL_RAW) finish_whole(r, r->raw_status ? r->raw_status : 204, str_z(r->raw_type));
    else if (r->protocol == PROTOCOL_REST && !json_stream) finish_whole(r, 200, STR("application/json; charset=UTF-8"));
    if (!pump(r)) return false; /* request_writable comes back here */
    conclude(r);
    if (r->protocol == PROTOCOL_GRPC) finish_grpc(r);
    else if (r->cut) http_stream_reset(r->stream, HTTP_RESET_INTERNAL); /* the spool could not be read back */
    else http_reply_end(r->stream, NULL, 0);
    return true;
}

/* ---- words ---- */

const char *reply_restate_atom(struct str who, const struct atoms *atoms, const struct verdict *verdict,
                               struct arena *arena) {
    const struct atom *a = verdict->atom < atoms->n ? &atoms->items[verdict->atom] : NULL;
    if (!a) return "the request";
    DEFER(buf_free) struct buf b = BUF_INIT(700);
    buf_printf(&b, "%.*s may not %s", STR_ARG(str_upto(who, 128)), verb_name(a->verb));
    if (a->object.n) buf_printf(&b, " %.*s", STR_ARG(str_upto(a->object, 128)));
    if (verdict->column >= 0 && (size_t)verdict->column < a->n_columns)
        buf_printf(&b, "(%.*s)", STR_ARG(str_upto(a->columns[verdict->column], 128)));
    if (a->path.n) buf_printf(&b, " in %.*s", STR_ARG(str_upto(a->path, 128)));
    if (a->account.n)
        buf_printf(&b, "%s%.*s", verb_account_word(str_z(verb_name(a->verb))), STR_ARG(str_upto(a->account, 128)));
    const char *text = buf_ok(&b) ? str_dupz(arena, buf_str(&b)) : NULL;
    return text ? text : "the request";
}

const char *reply_restate(struct request *r) {
    return reply_restate_atom(r->principal.actor.subject, &r->call.atoms, &r->verdict, r->call.arena);
}
