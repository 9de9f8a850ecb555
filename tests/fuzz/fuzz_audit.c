/* What the audit log reads back from a disk that it need not trust: checkpoints, tile names, bundles, journal batches,
 * entries. The first byte says which. */
#include <stdlib.h>
#include "audit/entry.h"
#include "audit/journal.h"
#include "audit/note.h"
#include "audit/tiles.h"
#include "audit/track.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok) abort();
}

static void fuzz_note(struct str s) {
    struct checkpoint head;
    if (!note_parse(s, &head, NULL)) must(head.size < UINT64_C(1) << 62 && note_origin_valid(str_z(head.origin)));
}

static void fuzz_path(struct str s) {
    int level;
    uint64_t n;
    unsigned width;
    char again[TILE_PATH_MAX];
    if (tile_path_parse(s, &level, &n, &width)) must(str_eq((struct str){ again, tile_path(level, n, width, again) }, s));
}

static void fuzz_batch(struct str s) {
    struct batch batch;
    if (!batch_parse(s, &batch)) return;
    must(batch.length <= s.n && batch.count > 0);
    struct tree tree = { .size = batch.first };
    (void)journal_blank(str_from(s, batch.length));
    struct str rest = batch.entries, entry;
    while (entry_next(&rest, &entry)) {
        struct tree_hash leaf = tree_leaf(entry);
        tree_push(&tree, &leaf);
    }
    must(rest.n == 0 && tree.size == batch.first + batch.count);
}

static void fuzz_entry(struct str s) {
    struct arena *arena = arena_new(1 << 22);
    struct audit_entry entry;
    if (arena && !audit_entry_parse(s, arena, &entry, NULL)) must(entry.n_chain <= PRINCIPAL_MAX_CHAIN);
    arena_free(arena);
}

static void fuzz_track(struct str s) {
    struct track *track = malloc(sizeof *track);
    uint64_t from;
    if (track && track_init(track)) {
        struct buf out = BUF_INIT(1 << 20);
        track_add(track, 1, s);
        (void)track_take_state(track, s, &from);
        track_state(track, 2, &out);
        buf_free(&out);
        track_free(track);
    }
    free(track);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const targets[])(struct str) = { fuzz_note, fuzz_path, fuzz_batch, fuzz_entry, fuzz_track };
    if (size) targets[data[0] % COUNT(targets)]((struct str){ (const char *)data + 1, size - 1 });
    return 0;
}
