/* history.c: a job's states, and its Spark application as Dataproc shows one. */
#include "dataproc/dataproc_priv.h"
#include "dataproc/filter.h"

enum { MAX_HISTORY = 32 };

static bool is_cancelling(int32_t state) {
    return state == dataproc_JobStatus_State_CANCEL_PENDING || state == dataproc_JobStatus_State_CANCEL_STARTED;
}

/* An end is final, and a cancel that began is only followed by an end: what comes late is passed over. */
static bool may_move(int32_t from, int32_t to) {
    if (job_state_is_terminal(from)) return false;
    return !is_cancelling(from) || job_state_is_terminal(to) || is_cancelling(to);
}

enum code history_move(struct dataproc_Job *job, int32_t state, struct str details, struct arena *arena, struct err *err) {
    if (job->status && !may_move(job->status->state, state)) return OK;
    struct dataproc_JobStatus *status = PB_NEW(arena, dataproc_JobStatus);
    size_t n = job->status_history.n < MAX_HISTORY ? job->status_history.n : MAX_HISTORY;
    struct dataproc_JobStatus *history = ARENA_ARRAY(arena, struct dataproc_JobStatus, n + 1);
    if (!status || !history) return err_oom(err);
    for (size_t i = 0; i < n; i++) history[i] = job->status_history.p[i];
    if (job->status && n < MAX_HISTORY) history[n++] = *job->status;
    *status = (struct dataproc_JobStatus){ .state = state, .details = details, .state_start_time = names_now(arena) };
    job->status_history.p = history;
    job->status_history.n = n;
    job->status = status;
    job->done = job_state_is_terminal(state);
    return OK;
}

void history_add_application(struct dataproc_Job *job, const struct progress *progress, int32_t state,
                             struct arena *arena) {
    struct dataproc_YarnApplication *app = PB_NEW(arena, dataproc_YarnApplication);
    struct str id = str_dup(arena, str_z(progress->application_id)), name = str_dup(arena, str_z(progress->name));
    if (!app || !id.n) return;
    app->name = arena_printf(arena, "%.*s (%.*s, %llu of %llu tasks)", STR_ARG(name), STR_ARG(id),
                             (unsigned long long)progress->tasks_done, (unsigned long long)progress->tasks);
    app->state = state;
    app->progress = (float)progress_fraction(progress);
    job->yarn_applications.p = app;
    job->yarn_applications.n = 1;
}

/* What history_add_application wrote: "NAME (ID, 3 of 4 tasks)". */
struct str history_application_id(const struct dataproc_Job *job) {
    struct str name = job->yarn_applications.n ? job->yarn_applications.p[0].name : (struct str){ NULL, 0 };
    size_t at = name.n;
    while (at && name.p[at - 1] != '(') at--;
    struct str rest = str_from(name, at);
    return at ? str_cut(&rest, ',') : (struct str){ NULL, 0 };
}

void history_show_progress(struct dataproc *dataproc, const struct job_row *row, struct arena *arena) {
    struct progress progress;
    struct err err;
    if (row->body->done) return;
    /* its end could not be written down: a full disk must not leave it running for ever */
    if (!runner_has(dataproc->runner, row->uuid)) {
        if (history_move(row->body, dataproc_JobStatus_State_ERROR, STR("it ended, and how could not be written down"),
                         arena, &err) == OK &&
            state_job_save(dataproc->state, row, &err) == OK)
            return;
    }
    if (row->body->done || !runner_progress(dataproc->runner, row->uuid, &progress)) return;
    history_add_application(row->body, &progress, dataproc_YarnApplication_State_RUNNING, arena);
}
