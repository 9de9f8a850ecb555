#include <inttypes.h>
#include "audit/verify.h"
#include "base/json_text.h"

static void member(struct buf *out, const char *name, const char *text) {
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, str_z(text));
}

void audit_report_json(const struct audit_report *r, struct buf *out) {
    buf_printf(out, "{\"entries\":%" PRIu64 ",\"verified\":%s,\"live\":%s", r->entries, r->verified ? "true" : "false",
               r->live ? "true" : "false");
    buf_printf(out, ",\"openIntents\":%" PRIu64 ",\"openIntentsAtLeast\":%s,\"journalEntries\":%" PRIu64, r->open_intents,
               r->open_intents_at_least ? "true" : "false", r->journal_entries);
    buf_printf(out, ",\"checkpoint\":{\"size\":%" PRIu64, r->size);
    member(out, "root", r->root);
    member(out, "time", r->time);
    member(out, "origin", r->origin);
    buf_add_char(out, '}');
    if (r->kept_given) buf_printf(out, ",\"keptCheckpoint\":%s", r->kept_found ? "true" : "false");
    if (!r->verified) member(out, "where", r->where);
    buf_add_char(out, '}');
}
