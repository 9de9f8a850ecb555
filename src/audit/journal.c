#include "audit/journal.h"
#include <string.h>
#include "audit/note.h"
#include "audit/tiles.h"

static const char magic[4] = { 'L', 'S', 'J', '1' };

static void put_be(char *out, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) out[i] = (char)(uint8_t)(value >> 8 * (bytes - 1 - i));
}

static uint64_t get_be(const char *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | (uint8_t)in[i];
    return value;
}

void batch_begin(struct buf *out) {
    static const char header[BATCH_HEADER];
    buf_clear(out);
    buf_add(out, header, sizeof header);
}

bool batch_end(struct buf *out, uint64_t first, uint32_t count, struct str note) {
    buf_add_str(out, note);
    if (!buf_ok(out) || out->n < BATCH_HEADER) return false;
    memcpy(out->p, magic, sizeof magic);
    put_be(out->p + 4, out->n, 4);
    put_be(out->p + 8, first, 8);
    put_be(out->p + 16, count, 4);
    put_be(out->p + 20, note.n, 4);
    return true;
}

bool batch_parse(struct str at, struct batch *ret) {
    if (at.n < BATCH_HEADER || memcmp(at.p, magic, sizeof magic) != 0) return false;
    size_t length = (size_t)get_be(at.p + 4, 4), note = (size_t)get_be(at.p + 20, 4);
    struct batch b = { .first = get_be(at.p + 8, 8), .count = (uint32_t)get_be(at.p + 16, 4), .length = length };
    if (length > at.n || length < BATCH_HEADER || note > length - BATCH_HEADER) return false;
    if (b.count == 0 || b.count > BATCH_ENTRIES || b.first >= UINT64_C(1) << 62) return false;
    b.entries = str_upto(str_from(at, BATCH_HEADER), length - BATCH_HEADER - note);
    b.note = str_upto(str_from(at, length - note), note);
    struct str rest = b.entries, entry;
    for (uint32_t i = 0; i < b.count; i++)
        if (!entry_next(&rest, &entry)) return false;
    if (rest.n) return false;
    *ret = b;
    return true;
}

bool batch_verify(const struct batch *batch, struct tree *tree, const char *origin, const struct key *key) {
    if (batch->first != tree->size) return false;
    struct tree grown = *tree;
    struct str rest = batch->entries, entry;
    while (entry_next(&rest, &entry)) {
        struct tree_hash leaf = tree_leaf(entry);
        tree_push(&grown, &leaf);
    }
    struct checkpoint head;
    struct tree_hash root = tree_root(&grown);
    if (note_open(batch->note, key, &head, NULL) || strcmp(head.origin, origin) != 0) return false;
    if (head.size != grown.size || !tree_equal(&head.root, &root)) return false;
    *tree = grown;
    return true;
}

bool batch_follows(struct str at, uint64_t size, const struct key *key) {
    struct batch batch;
    struct checkpoint head;
    return batch_parse(at, &batch) && batch.first > size && !note_open(batch.note, key, &head, NULL) &&
           head.size == batch.first + batch.count;
}

bool journal_blank(struct str rest) {
    return rest.n == 0 || (rest.p[0] == 0 && memcmp(rest.p, rest.p + 1, rest.n - 1) == 0);
}
