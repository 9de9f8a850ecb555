#include "gate/endpoint.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/file.h"
#include "gate/identify.h"
#include "gate/run_right.h"
#include "gate/upstreams.h"

enum { METADATA_LISTENERS = 2, ENDPOINT_ARENA_BYTES = 256 << 10 };

/* A door of this job: what its listener's requests carry. */
struct job_door {
    struct door door; /* first */
    const char *host; /* metadata: the Host that it answers to */
    struct http_listener *listener;
};

struct endpoint {
    atomic_uint refs;
    atomic_bool open;
    struct gate *gate;
    struct arena *arena;
    struct principal principal;
    struct run_right right;
    struct str project;
    struct job_door api, metadata[METADATA_LISTENERS];
};

struct endpoint *endpoint_ref(struct endpoint *e) {
    atomic_fetch_add(&e->refs, 1);
    return e;
}

struct endpoint *endpoint_unref(struct endpoint *e) {
    if (e && atomic_fetch_sub(&e->refs, 1) == 1) {
        run_right_forget(&e->right);
        arena_free(e->arena);
        free(e);
    }
    return NULL;
}

bool endpoint_is_open(const struct endpoint *e) {
    return atomic_load(&e->open);
}

bool endpoint_principal(const struct endpoint *e, struct principal *ret) {
    if (!endpoint_is_open(e)) return false;
    *ret = e->principal;
    return true;
}

const struct run_right *endpoint_right(const struct endpoint *e) {
    return &e->right;
}

struct str endpoint_project(const struct endpoint *e) {
    return e->project;
}

const char *endpoint_metadata_host(const struct door *door) {
    return CONTAINER_OF((struct door *)(uintptr_t)door, struct job_door, door)->host;
}

bool endpoint_serves(const struct door *door, const struct service *service) {
    return door->kind == DOOR_PUBLIC || (door->kind == DOOR_JOB_API && service->for_jobs);
}

/* ---- the loop does it, the runner waits ---- */

struct on_loop {
    struct loop_task task;
    struct endpoint *endpoint;
    const struct job_endpoints_spec *spec;
    enum code code;
    struct err err;
    sem_t done;
};

static void run_on_loop(struct on_loop *work, struct gate *gate, void (*fn)(struct loop_task *, void *)) {
    (void)sem_init(&work->done, 0, 0);
    work->task = (struct loop_task){ .fn = fn, .ctx = work };
    loop_post(gate->workers[0].loop, &work->task);
    while (sem_wait(&work->done) != 0) {}
    (void)sem_destroy(&work->done);
}

static enum code listen_on(struct endpoint *e, struct job_door *door, int fd, enum door_kind kind, struct err *err) {
    if (fd < 0) return OK;
    door->door = (struct door){ .kind = kind, .endpoint = e };
    struct http_listen listen = { .use_fd = true, .fd = fd, .ctx = &door->door, .http1_only = kind == DOOR_JOB_METADATA };
    return http_server_listen(e->gate->workers[0].server, &listen, &door->listener, err);
}

static void close_listeners(struct endpoint *e) {
    struct job_door *doors[] = { &e->api, &e->metadata[0], &e->metadata[1] };
    for (size_t i = 0; i < COUNT(doors); i++) {
        if (doors[i]->listener) http_listener_close(doors[i]->listener);
        doors[i]->listener = NULL;
    }
}

static void open_task(struct loop_task *task, void *ctx) {
    (void)task;
    struct on_loop *work = ctx;
    const struct job_endpoints_spec *spec = work->spec;
    struct endpoint *e = work->endpoint;
    work->code = listen_on(e, &e->api, spec->api_fd, DOOR_JOB_API, &work->err);
    for (size_t i = 0; i < METADATA_LISTENERS; i++) {
        struct err err;
        enum code rc = listen_on(e, &e->metadata[i], spec->metadata_fds[i], DOOR_JOB_METADATA,
                                 &err); /* owns the descriptor */
        if (rc && !work->code) (void)(work->code = rc, work->err = err);
    }
    if (work->code) close_listeners(e);
    (void)sem_post(&work->done);
}

static void close_task(struct loop_task *task, void *ctx) {
    (void)task;
    struct on_loop *work = ctx;
    close_listeners(work->endpoint);
    (void)sem_post(&work->done);
}

/* ---- what the runner calls ---- */

static bool copy_actor(struct arena *arena, const struct actor *from, struct actor *to) {
    *to = (struct actor){ .kind = from->kind,
                          .issuer = str_dup(arena, from->issuer),
                          .subject = str_dup(arena, from->subject) };
    return to->issuer.p && to->subject.p;
}

/* The job acts as its account, for whoever submitted it: the submitter joins the chain. */
static bool make_principal(struct endpoint *e, const struct job_endpoints_spec *spec) {
    struct principal caller = *spec->submitter, acting;
    if (!principal_act_as(&caller, spec->account, &acting)) return false;
    e->principal = (struct principal){ .n_chain = acting.n_chain, .expires_us = INT64_MAX };
    e->principal.actor = (struct actor){ .kind = ACTOR_ACCOUNT, .subject = str_dup(e->arena, spec->account) };
    e->principal.job = str_dup(e->arena, spec->job);
    e->principal.job_run = str_dup(e->arena, spec->run);
    e->project = str_dup(e->arena, spec->project);
    for (unsigned i = 0; i < acting.n_chain; i++)
        if (!copy_actor(e->arena, &acting.chain[i], &e->principal.chain[i])) return false;
    for (size_t i = 0; i < METADATA_LISTENERS; i++)
        if (spec->metadata_hosts[i]) e->metadata[i].host = str_dupz(e->arena, str_z(spec->metadata_hosts[i]));
    return e->principal.actor.subject.p && e->principal.job_run.p && e->project.p;
}

static enum code make_endpoint(struct gate *gate, const struct job_endpoints_spec *spec, struct endpoint **ret,
                               struct err *err) {
    struct endpoint *e = calloc(1, sizeof *e);
    if (e) e->arena = arena_new(ENDPOINT_ARENA_BYTES);
    if (e) atomic_store(&e->refs, 1);
    if (e && e->arena && make_principal(e, spec) && run_right_keep(&e->right, spec, e->arena)) {
        e->gate = gate;
        *ret = e;
        return OK;
    }
    endpoint_unref(e);
    return err_set(err, RESOURCE_EXHAUSTED,
                   "the job's endpoints could not be made: out of memory, or its chain of actors is full");
}

/* Its tokens count from here on. */
static enum code begin_run(struct endpoint *e, struct err *err) {
    if (!live_runs_begin(e->gate->identity->runs, e->principal.job_run))
        return err_set(err, RESOURCE_EXHAUSTED, "the run cannot begin: out of memory, or one of its id is under way");
    atomic_store(&e->open, true);
    return OK;
}

static void end_run(struct endpoint *e) {
    atomic_store(&e->open, false);
    live_runs_end(e->gate->identity->runs, e->principal.job_run);
}

/* They are ours also when nothing is opened. */
static void close_descriptors(const struct job_endpoints_spec *spec) {
    int fds[] = { spec->api_fd, spec->metadata_fds[0], spec->metadata_fds[1] };
    for (size_t i = 0; i < COUNT(fds); i++) file_close(&fds[i]);
}

static enum code open_endpoint(void *ctx, const struct job_endpoints_spec *spec, void **ret, struct err *err) {
    struct gate *gate = ctx;
    struct endpoint *e = NULL;
    enum code rc = make_endpoint(gate, spec, &e, err);
    if (!rc) rc = run_right_start(&e->right, gate, err); /* it may have waited for long */
    if (!rc) rc = begin_run(e, err);
    if (rc) {
        close_descriptors(spec);
        endpoint_unref(e);
        return rc;
    }
    struct on_loop work = { .endpoint = e, .spec = spec };
    run_on_loop(&work, gate, open_task);
    if (work.code) {
        end_run(e);
        *err = work.err;
        endpoint_unref(e);
        return work.code;
    }
    *ret = e;
    return OK;
}

/* One step: no token of the run is taken any more, and no connection of it is left. */
static void close_endpoint(void *ctx, void *endpoint) {
    struct gate *gate = ctx;
    struct endpoint *e = endpoint;
    end_run(e);
    struct on_loop work = { .endpoint = e };
    run_on_loop(&work, gate, close_task);
    upstreams_forget_job(gate->upstreams, e->principal.job_run); /* what was fetched for it ends with it */
    endpoint_unref(e);
}

struct job_endpoints endpoints_of(struct gate *gate) {
    return (struct job_endpoints){ .ctx = gate, .open = open_endpoint, .close = close_endpoint };
}
