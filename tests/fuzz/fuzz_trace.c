#include <stdlib.h>
#include "wire/header.h"
#include "wire/trace.h"

/* What is taken may stand in a header field as it is, and a parent is printed as it was read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parent(struct str in) {
    struct trace_parent p, again;
    char out[TRACE_PARENT_LENGTH + 1];
    if (!trace_parent_parse(in, &p)) return;
    trace_parent_print(&p, out);
    if (!trace_parent_parse(str_z(out), &again)) abort();
    if (!str_eq(p.trace_id, again.trace_id) || !str_eq(p.span_id, again.span_id) || p.sampled != again.sampled) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str in = { (const char *)data, size };
    check_parent(in);
    if (!trace_state_ok(in)) return 0;
    if (in.n > TRACE_STATE_MAX) abort();
    for (size_t i = 0; i < in.n; i++) /* no line can be begun with it */
        if (((unsigned char)in.p[i] < 0x20 && in.p[i] != '\t') || (unsigned char)in.p[i] > 0x7e) abort();
    return 0;
}
