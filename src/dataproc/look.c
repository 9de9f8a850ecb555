#include "dataproc/look.h"
#include <stdio.h>
#include "dataproc/state.h"

enum code dataproc_look(const char *folder, struct str id, struct arena *arena, const struct dataproc_Job **ret,
                        struct err *err) {
    char path[4096];
    struct state *state;
    struct job_row row;
    if (snprintf(path, sizeof path, "%s/dataproc.sqlite", folder) >= (int)sizeof path)
        return err_set(err, INVALID_ARGUMENT, "the data directory's path is too long");
    enum code rc = state_open_read(path, &state, err);
    if (rc) return rc;
    rc = state_job_get(state, id, arena, &row, err);
    state_close(state);
    if (!rc) *ret = row.body;
    return rc;
}
