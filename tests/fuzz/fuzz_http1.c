#include <stdlib.h>
#include <string.h>

#include "wire/http1.h"

/* The first byte chooses the role and how the rest is cut into pieces. What is read in pieces must be what is read whole.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum h1_event last;
    uint64_t hash;
    size_t messages, body;
};

static void mix(struct outcome *o, struct str s) {
    for (size_t i = 0; i < s.n; i++) o->hash = o->hash * 31 + (unsigned char)s.p[i];
}

static void note_head(struct outcome *o, const struct h1_parser *p) {
    mix(o, p->head.method);
    mix(o, p->head.target);
    for (size_t i = 0; i < p->head.n_headers; i++) mix(o, p->head.headers[i].name), mix(o, p->head.headers[i].value);
    if (p->head.chunked && p->head.has_length) abort();
}

static void feed(struct h1_parser *p, struct str in, struct outcome *o) {
    struct str body = { 0 };
    for (;;) {
        o->last = h1_feed(p, &in, &body, NULL);
        if (o->last == H1_HEADERS) note_head(o, p);
        if (o->last == H1_BODY) mix(o, body), o->body += body.n;
        if (o->last == H1_MORE || o->last == H1_BAD) return;
        if (o->last != H1_END) continue;
        for (size_t i = 0; i < p->head.n_trailers; i++) mix(o, p->head.trailers[i].value);
        o->messages++;
        h1_next_message(p);
    }
}

static struct outcome run(bool response, struct str text, size_t piece) {
    struct h1_parser p;
    struct outcome o = { 0 };
    h1_init(&p, response, &(struct h1_limits){ .header_bytes = 4096, .header_count = 20 });
    for (size_t at = 0; at < text.n && o.last != H1_BAD; at += piece) feed(&p, str_upto(str_from(text, at), piece), &o);
    h1_free(&p);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    struct str text = { (const char *)data + 1, size - 1 };
    struct outcome whole = run(data[0] & 1, text, text.n), cut = run(data[0] & 1, text, 1 + data[0] / 2 % 17);
    if (whole.hash != cut.hash || whole.messages != cut.messages || whole.body != cut.body || whole.last != cut.last)
        abort();
    return 0;
}
