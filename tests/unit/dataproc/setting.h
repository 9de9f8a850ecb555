/* setting.h: the service as the gate calls it: classify, decide by a real policy, handle; real worlds, and a stand-in for
 * spark-submit that runs the main file with the shell. Callers: runner, two, admin, watcher, stranger (the policy is in
 * setting.c). The code folder holds hello.py, fail.py and long.py. */
#pragma once
#include <pthread.h>
#include "test.h"
#include "dataproc/dataproc_priv.h"

struct answer {
    struct call call; /* first */
    struct principal principal;
    pthread_mutex_t lock;
    pthread_cond_t ended_news;
    bool ended, waits;
    void (*on_cancel)(void *ctx);
    void *on_cancel_ctx;
    enum code code;
    struct err err;
    void *message;   /* decoded again from what was encoded */
    unsigned status; /* raw methods */
    struct str text, location, retry_after;
    struct verdict verdict;
};

struct seen {
    pthread_mutex_t lock;
    unsigned opened, open;
    char account[128], job[64], submitter[64], host[64], asked[256]; /* asked: "run job NAME in PATH as ACCOUNT" */
};

extern struct seen seen; /* endpoints */
extern char code_folder[300];
extern struct dataproc *dataproc;
extern struct service service,
    *asked; /* new_answer looks for methods in `asked`: dataproc's unless a test says otherwise */

struct answer *new_answer(const char *who, const char *method);
void free_answer(struct answer *a);
struct answer *ask(const char *who, const char *method, const void *request);
void ask_for(const char *who, const char *method, const void *request, enum code code, const char *holds);
void make_cluster(void);
enum code submit(const char *who, const char *id, const char *file, const char *label, const char *request_id,
                 char ret_uuid[64], char ret_error[1024]);
struct answer *get_job(const char *who, const char *id);
struct answer *wait_done(const char *who, const char *id);
void run_call(struct answer *a);
extern void (*setting_turn)(void); /* lets an upstream answer what was asked so far; NULL: there is none */
void open_dataproc(void);
/* Set by main after world_is_child: each world runs this very program, and without that question it would run the tests
 * again, and so on without end. */
extern bool setting_is_main;
int setting_setup(void **state);
int setting_teardown(void **state);
