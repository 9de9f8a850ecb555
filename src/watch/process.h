/* process.h: what this process takes of the machine. Any thread; reads /proc, so better not a loop's. */
#pragma once
#include <stdint.h>

struct process_usage { /* what cannot be read is 0 */
    int64_t resident_bytes, open_fds, max_fds, cpu_us;
};

void process_usage(struct process_usage *ret);
