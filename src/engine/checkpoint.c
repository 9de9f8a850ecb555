/* The keeper thread: moves the WAL into the file beside the writer. PASSIVE: it waits for nobody and never truncates. */
#include "engine/db.h"

static bool wait_for_work(struct engine_db *db) {
    pthread_mutex_lock(&db->lock);
    while (!db->checkpoint_wanted && !db->closing) pthread_cond_wait(&db->keeper_wake, &db->lock);
    bool work = !db->closing;
    db->checkpoint_wanted = false;
    pthread_mutex_unlock(&db->lock);
    return work;
}

void *keeper_main(void *arg) {
    struct engine_db *db = arg;
    DEFER(store_closep) struct store *s = NULL;
    if (store_open(db->path, STORE_WRITE, &s, NULL) != OK) return NULL; /* then the writer does it, at its hard limit */
    while (wait_for_work(db)) {
        sqlite3_wal_checkpoint_v2(store_sqlite(s), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        pthread_mutex_lock(&db->lock);
        db->checkpoint_done = true;
        pthread_mutex_unlock(&db->lock);
    }
    return NULL;
}
