/* fuzz_json.c: JSON: what jansson's own parser takes is taken, with the same values, and nothing else is. NUL stands
 * nowhere in JSON (jansson passes over one behind a number). */
#include <stdlib.h>
#include <string.h>
#include "data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 64 << 10, MAX_DEPTH = 64, NUMBER_MAX = 500 };

/* Where we are stricter on purpose. */
static bool is_within_limits(struct str text) {
    size_t depth = 0, word = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char c = text.p[i];
        depth += c == '{' || c == '[';
        word = (c >= '0' && c <= '9') || c == '.' ? word + 1 : 0;
        if (depth > MAX_DEPTH || word >= NUMBER_MAX - 8) return false;
    }
    return text.n <= MAX_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct str text = { size ? (const char *)data : "", size };
    struct err err;
    json_t *ours = NULL;
    enum code rc = json_read(text, MAX_BYTES, MAX_DEPTH, &ours, &err);
    if (rc && rc != INVALID_ARGUMENT) abort();
    if (memchr(text.p, 0, text.n)) {
        if (ours) abort();
    } else if (is_within_limits(text)) {
        json_t *theirs = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
        if (!theirs != !ours || (ours && !json_equal(ours, theirs))) abort();
        json_decref(theirs);
    }
    json_decref(ours);
    return 0;
}
