#include "audit/track.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/json_text.h"
#include "data/json.h"

enum { OPEN_MAX_INTENTS = 262144 };

bool track_init(struct track *t) {
    memset(t, 0, sizeof *t);
    t->open = map_new();
    t->untracked = UINT64_MAX;
    t->next_state = STATE_EVERY;
    return t->open != NULL;
}

void track_free(struct track *t) {
    map_free(t->open, NULL);
}

/* Takes `prefix`, then the text up to the closing quote (escapes left as they are). */
static bool take_member(struct str *rest, struct str prefix, struct str *ret) {
    if (!str_strip_prefix(rest, prefix)) return false;
    for (size_t i = 0; i < rest->n; i++) {
        if (rest->p[i] == '\\') i++;
        else if (rest->p[i] == '"') {
            *ret = str_upto(*rest, i);
            *rest = str_from(*rest, i + 1);
            return true;
        }
    }
    return false;
}

bool entry_head(struct str entry, struct entry_head *ret) {
    return take_member(&entry, STR("{\"insertId\":\""), &ret->id) &&
           take_member(&entry, STR(",\"timestamp\":\""), &ret->time) &&
           take_member(&entry, STR(",\"kind\":\""), &ret->kind);
}

struct source *track_source(struct track *t, struct str name) {
    for (size_t i = 0; i < t->n_sources; i++)
        if (str_eq_z(name, t->sources[i].name)) return &t->sources[i];
    if (t->n_sources == COUNT(t->sources) || name.n > AUDIT_SOURCE_MAX) return NULL;
    struct source *s = &t->sources[t->n_sources++];
    memset(s, 0, sizeof *s);
    memcpy(s->name, name.p, name.n);
    return s;
}

static void raise_source(struct track *t, struct str name, uint64_t sequence) {
    struct source *s = track_source(t, name);
    if (!s) return;
    if (sequence > s->durable) s->durable = sequence;
    if (sequence > s->accepted) s->accepted = sequence;
    if (sequence > s->built) s->built = sequence;
}

/* The last members: `,"outbox":{"source":"…","sequence":N}}` */
static void take_outbox(struct track *t, struct str entry) {
    enum { TAIL = AUDIT_SOURCE_MAX + 64 };
    struct str tail = entry.n > TAIL ? str_from(entry, entry.n - TAIL) : entry, name;
    ptrdiff_t at = str_find(tail, STR(",\"outbox\":{"));
    uint64_t sequence;
    if (at < 0) return;
    tail = str_from(tail, (size_t)at + sizeof ",\"outbox\":{" - 1);
    if (!take_member(&tail, STR("\"source\":\""), &name) || !str_strip_prefix(&tail, STR(",\"sequence\":"))) return;
    if (str_strip_suffix(&tail, STR("}}")) && str_u64(tail, &sequence)) raise_source(t, name, sequence);
}

static void take_time(struct track *t, struct str time) {
    int64_t seconds;
    int32_t nanos;
    if (!clock_parse_rfc3339(time, &seconds, &nanos) || seconds > INT64_MAX / 2000000 || seconds < 0) return;
    int64_t us = seconds * 1000000 + nanos / 1000;
    if (us > t->latest_us) t->latest_us = us;
}

void track_add(struct track *t, uint64_t index, struct str entry) {
    struct entry_head head;
    take_outbox(t, entry);
    if (!entry_head(entry, &head)) return;
    take_time(t, head.time);
    if (str_eq_z(head.kind, "intent")) {
        bool kept = map_count(t->open) < OPEN_MAX_INTENTS &&
                    map_put(t->open, head.id, (void *)(uintptr_t)(index + 1), NULL);
        if (!kept && index < t->untracked) t->untracked = index;
    } else if (!str_eq_z(head.kind, "system")) {
        (void)map_remove(t->open, head.id);
    }
}

void track_state(const struct track *t, uint64_t size, struct buf *out) {
    uint64_t from = size < t->untracked ? size : t->untracked;
    struct str id;
    void *index;
    for (size_t at = 0; map_next(t->open, &at, &id, &index);)
        if ((uintptr_t)index - 1 < from) from = (uintptr_t)index - 1;
    buf_printf(out, "{\"scanFrom\":%" PRIu64 ",\"latest\":%" PRId64 ",\"sources\":{", from, t->latest_us);
    bool some = false;
    for (size_t i = 0; i < t->n_sources; i++) {
        if (!t->sources[i].durable) continue;
        if (some) buf_add_char(out, ',');
        some = true;
        json_text_string(out, str_z(t->sources[i].name));
        buf_printf(out, ":%" PRIu64, t->sources[i].durable);
    }
    buf_add_z(out, "}}");
}

static uint64_t number(const json_t *object, const char *name) {
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

bool track_take_state(struct track *t, struct str entry, uint64_t *ret_scan_from) {
    struct entry_head head;
    if (!entry_head(entry, &head) || !str_eq_z(head.kind, "system") || str_find(entry, STR(",\"state\":{")) < 0)
        return false;
    json_t *root = NULL;
    if (json_read(entry, AUDIT_ENTRY_MAX, 0, &root, NULL)) return false;
    const json_t *state = json_object_get(root, "state"), *value;
    const char *name;
    bool ok = json_is_integer(json_object_get(state, "scanFrom"));
    if (ok) {
        *ret_scan_from = number(state, "scanFrom");
        if ((int64_t)number(state, "latest") > t->latest_us) t->latest_us = (int64_t)number(state, "latest");
        json_object_foreach(json_object_get(state, "sources"), name, value) {
            json_int_t sequence = json_integer_value(value);
            if (sequence > 0) raise_source(t, str_z(name), (uint64_t)sequence);
        }
    }
    json_decref(root);
    return ok;
}
