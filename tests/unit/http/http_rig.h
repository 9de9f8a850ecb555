/* http_rig.h: a server and a client on one loop, over loopback, with certificates made on the spot. */
#pragma once
#include "../test.h"
#include "http/client.h"
#include "http/server.h"

enum rig_transport { RIG_PLAIN, RIG_TLS };

struct rig {
    struct loop *loop;
    struct http_server *server;
    struct http_listener *listener;
    struct http_client *client;
    struct tls_ctx *server_tls, *client_tls;
    uint16_t port;
    /* what the handler saw */
    unsigned requests, gone, too_large, writable;
    size_t met; /* of the last one that was too large */
    enum http_gone last_gone;
    struct http_stream *stream; /* of the last request */
    size_t sent, to_send, most_queued;
    char seen[512]; /* "METHOD path query authority body-bytes" of the last request */
    void *listener_ctx;
    bool drained;
};

struct rig_call {
    struct http_call *call;
    unsigned status, headers, ends, errors;
    size_t bytes, trailers;
    uint64_t hash;
    char body[256], error[1200], trailer[128], header[128];
    bool pause_at_headers, may_fail; /* may_fail: to be sent, too */
    size_t given, to_give;           /* of a body in pieces: rig_byte by rig_byte */
    bool keep_open;                  /* all is given, and yet it does not end */
};

void rig_start(struct rig *rig, enum rig_transport transport, const struct http_limits *limits, bool http1_only);
/* With another handler, which counts requests and gone in the rig. */
void rig_start_with(struct rig *rig, enum rig_transport transport, const struct http_limits *limits, bool http1_only,
                    const struct http_handler *handler);
char rig_byte(size_t at);
void rig_stop(struct rig *rig);
/* Turns the loop until the flag is set, or the count reached; fails after ten seconds. */
void rig_until(struct rig *rig, const bool *done);
void rig_wait(struct rig *rig, const unsigned *count, unsigned at_least);
bool rig_turn(struct rig *rig, unsigned ms); /* turns for so long */
void rig_send(struct rig *rig, struct rig_call *call, const struct http_client_request *request);
void rig_finish(struct rig *rig, struct rig_call *call); /* until the call has ended, one way or the other */
struct http_client_request rig_request(const struct rig *rig, const char *method, const char *path);
int rig_connect(const struct rig *rig); /* a raw, non-blocking socket */
/* Sends text and gathers what comes back until the server closes or `ms` pass; returns the bytes. */
size_t rig_raw(struct rig *rig, struct str text, char *answer, size_t room, unsigned ms, bool *ret_closed);
const char *rig_file(const char *name); /* a path in the rig's temporary folder */
