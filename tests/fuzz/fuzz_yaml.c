/* A configuration of any bytes: a tree or a fault with its place, and a schema's check of the tree. */
#include <stdlib.h>

#include "data/schema.h"
#include "data/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct field inner[] = {
    { .key = "iss", .type = FIELD_TEXT, .required = true, .min = 1, .max = 20 },
    { .key = "audiences", .type = FIELD_TEXT_LIST, .min = 1, .max = 2 },
    { 0 },
};
static const struct field top[] = {
    { .key = "issuers", .type = FIELD_MAP_OF, .fields = inner },
    { .key = "stages", .type = FIELD_LIST_OF, .fields = inner },
    { .key = "workers", .type = FIELD_INT, .min = 1, .max = 64 },
    { .key = "timeout", .type = FIELD_DURATION_MS },
    { .key = "cache", .type = FIELD_SIZE },
    { .key = "labels", .type = FIELD_TEXT_MAP },
    { 0 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *arena = arena_new(16 << 20);
    struct node *root = NULL;
    struct err err = { 0 };
    static struct schema_faults faults; /* large; one thread */
    struct str text = { (const char *)data, size };
    if (yaml_read(text, 1 << 20, arena, &root, &err)) {
        if (err.code == OK) abort();
    } else if (!schema_check(top, root, arena, &faults) && faults.n == 0 && !faults.truncated) {
        abort();
    }
    (void)!node_from_json(text, 1 << 20, arena, &root, NULL);
    arena_free(arena);
    return 0;
}
