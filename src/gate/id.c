#include "gate/id.h"
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"

/* One system call for many ids. A process that was forked would give the same ones: none of ours serves. */
void id_random(void *out, size_t n) {
    static _Thread_local struct {
        uint8_t bytes[256]; /* what getrandom gives whole, once the system has its first seed */
        size_t left;
    } pool;
    if (pool.left < n) {
        while (getrandom(pool.bytes, sizeof pool.bytes, 0) != sizeof pool.bytes) {}
        pool.left = sizeof pool.bytes;
    }
    pool.left -= n;
    memcpy(out, pool.bytes + pool.left, n);
}

void id_new(char out[ID_LENGTH + 1]) {
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t bits[17] = { 0 }; /* 130 bits, the first two zero */
    uint64_t ms = (uint64_t)(clock_wall_us() / 1000);
    for (unsigned i = 0; i < 6; i++) bits[i] = (uint8_t)(ms >> (40 - 8 * i));
    id_random(bits + 6, 10);
    for (unsigned i = 0; i < ID_LENGTH; i++) {
        unsigned v = 0; /* five bits from position 5i - 2 on */
        for (unsigned b = 0; b < 5; b++) {
            unsigned at = 5 * i + b;
            v = v << 1 | (at < 2 ? 0u : (unsigned)(bits[(at - 2) / 8] >> (7 - (at - 2) % 8)) & 1u);
        }
        out[i] = alphabet[v];
    }
    out[ID_LENGTH] = '\0';
}
