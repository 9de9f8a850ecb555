/* fuzz_synapse.c: what callers of Synapse's artifacts API send: RunFilterParameters and lists of entity tags. */
#include "data/json.h"
#include "synapse/synapse_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_filter(struct str text) {
    DEFER(arena_freep) struct arena *arena = arena_new(16 << 20);
    DEFER(json_freep) json_t *body = NULL;
    struct run_query query;
    struct err err = { 0 };
    if (!arena || json_read(text, SYNAPSE_SMALL_BODY, 0, &body, &err) || !json_is_object(body)) return;
    if (filter_read(body, arena, &query, &err)) {
        if (!err.code || !err.message[0]) __builtin_trap(); /* a refusal says why */
        return;
    }
    if (query.updated_after_us == 0 || query.updated_before_us == 0 || query.n_filters > RUN_QUERY_MAX_FILTERS ||
        query.n_orders > RUN_QUERY_MAX_ORDERS)
        __builtin_trap();
    for (size_t i = 0; i < query.n_filters; i++)
        if (query.filters[i].n_values == 0 || query.filters[i].n_values > RUN_QUERY_MAX_VALUES) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = { (const char *)data, size };
    bool strong = etag_named(text, STR("\"0c2f\""), false), weak = etag_named(text, STR("\"0c2f\""), true);
    if (strong && !weak) __builtin_trap(); /* weak comparison only finds more */
    if (etag_named(text, STR(""), true)) __builtin_trap();
    fuzz_filter(text);
    return 0;
}
