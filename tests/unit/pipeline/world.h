/* world.h: the engine by hand, with a clock that the test sets and a network that answers from a script. */
#pragma once
#include "../test.h"

#include "pipeline/pipelines.h"

enum { WORLD_MAX = 4096 };

/* What the n-th request to a URL that ends so is answered; the last one of a URL stays. */
struct script {
    const char *url;
    enum pipeline_fault fault;
    unsigned status;
    const char *body, *location, *retry_after;
    bool hold; /* not yet: world_answer, or cancel */
    bool used;
};

struct asked {
    uint64_t ticket;
    char method[12], url[200], body[200], audience[80], subject[80], request[40], type[60];
    int64_t at_us, timeout_ms;
    bool poll, held, cancelled;
};

struct world {
    char dir[64], path[128];
    struct pipelines *p;
    int64_t now_us;
    uint64_t seed;
    struct script *scripts;
    size_t n_scripts;
    struct asked asked[WORLD_MAX];
    size_t n_asked;
    char events[WORLD_MAX][120]; /* "run started one InProgress" */
    size_t n_events;
    int64_t last_event;
    unsigned max_pages, max_ended;
    struct arena *arena; /* of what tests read */
    void (*on_call)(struct world *w);
    bool mute; /* events are not kept */
    bool deaf; /* nobody listens to them */
};

void world_open(struct world *w, struct script *scripts, size_t n);
void world_close(struct world *w);
enum code world_start(struct world *w, struct err *err); /* opens the file again */
void world_stop(struct world *w);                        /* closes it */
void world_put(struct world *w, const char *name, const char *activities, const char *more);
void world_run(struct world *w, const char *name, const char *parameters, char id[PIPELINE_UUID + 1]);
void world_pass(struct world *w, int64_t seconds); /* time goes on, timer by timer */
void world_answer(struct world *w, size_t at, unsigned status, const char *body);
struct run_info world_get(struct world *w, const char *id);
void world_is(struct world *w, const char *id, enum run_state state);
/* The newest attempt of the activity; its iteration, when there are several, is the last row's. */
struct activity_info world_activity(struct world *w, const char *id, const char *name);
size_t world_count(struct world *w, const char *id, const char *name, enum run_state state);
void world_activity_is(struct world *w, const char *id, const char *name, enum run_state state);
void world_error(struct world *w, const char *id, const char *name, const char *code);
uint64_t world_random(struct world *w);
extern const struct principal world_person;
