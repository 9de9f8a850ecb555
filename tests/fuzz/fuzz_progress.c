/* The event log is written by the job: anything may be in it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "spark/progress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct progress_reader reader;
    struct str rest = { (const char *)data, size };
    size_t piece = size ? 1 + data[0] % 64 : 1;
    progress_init(&reader);
    for (; rest.n; rest = str_from(rest, piece)) progress_add(&reader, str_upto(rest, piece));
    double fraction = progress_fraction(&reader.now);
    if (!(fraction >= 0 && fraction <= 1)) abort();
    progress_free(&reader);
    return 0;
}
