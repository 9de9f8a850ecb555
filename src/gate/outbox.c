#include "gate/outbox.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include "audit/audit.h"

struct outbox {
    struct audit_log *audit;
    atomic_bool stopped;
};

struct sent {
    struct engine_db *db;
    int64_t seq;
};

struct outbox *outbox_new(struct audit_log *audit) {
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox) outbox->audit = audit;
    return outbox;
}

void outbox_stop(struct outbox *outbox) {
    atomic_store(&outbox->stopped, true);
}

void outbox_free(struct outbox *outbox) {
    free(outbox);
}

static void sequenced(void *ctx, enum code code, uint64_t index) {
    (void)index;
    struct sent *sent = ctx;
    if (!code) engine_outbox_done(sent->db, sent->seq);
    engine_db_unref(sent->db);
    free(sent);
}

/* On the database's writer thread. An entry must not be passed over: later ones of its database would hide it. So the
 * writer waits for room, which also holds back what fills the log. */
void outbox_sink(void *ctx, struct engine_db *db, int64_t seq, struct str entry) {
    static const struct timespec pause = { .tv_nsec = 2000000 };
    struct outbox *outbox = ctx;
    struct sent *sent = NULL;
    struct err err;
    while (!atomic_load(&outbox->stopped)) {
        if (!sent && (sent = malloc(sizeof *sent))) *sent = (struct sent){ engine_db_ref(db), seq };
        if (sent &&
            !audit_append_from_outbox(outbox->audit, engine_db_name(db), (uint64_t)seq, entry, sequenced, sent, &err))
            return;
        (void)nanosleep(&pause, NULL);
    }
    if (sent) engine_db_unref(sent->db);
    free(sent);
}
