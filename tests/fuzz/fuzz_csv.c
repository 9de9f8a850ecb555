/* fuzz_csv.c: the CSV reader: whole, and in two pieces: the same rows. */
#include <stdlib.h>
#include <string.h>
#include "cli/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    size_t rows, fields, bytes, bad;
};

static struct result read_all(struct str text, size_t have) {
    struct result r = { 0 };
    struct arena *arena = arena_new(32 << 20);
    struct csv *csv = calloc(1, sizeof *csv);
    if (!arena || !csv) abort();
    for (size_t at = 0;;) {
        struct str rest = { text.p + at, have - at };
        struct err err;
        enum csv_got got = csv_next(csv, &rest, have == text.n, arena, &err);
        at = have - rest.n;
        if (got == CSV_END) break;
        if (got == CSV_MORE) {
            if (have == text.n) abort();
            have = text.n;
        }
        if (got == CSV_BAD) r.bad++;
        if (got != CSV_ROW) continue;
        r.rows++;
        r.fields += csv->n_fields;
        for (size_t i = 0; i < csv->n_fields; i++) r.bytes += csv->fields[i].text.n;
    }
    free(csv);
    arena_free(arena);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = { (const char *)data, size };
    struct result whole = read_all(text, size), cut = read_all(text, size / 2);
    /* A fault may be seen at another place when the rest of its line is not there yet: only good input must agree. */
    if (!whole.bad && !cut.bad && memcmp(&whole, &cut, sizeof whole) != 0) abort();
    return 0;
}
