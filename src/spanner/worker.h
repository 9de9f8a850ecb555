/* worker.h: one thread for what blocks: making and dropping databases, INFORMATION_SCHEMA. Tasks run in order. */
#pragma once
#include "base/attr.h"
#include <stdbool.h>

struct admin_thread;
struct call;

struct admin_thread *admin_thread_new(void);    /* NULL: no thread to be had */
void admin_thread_free(struct admin_thread *t); /* runs what waits first; NULL is fine */
/* False: too many wait (1,000). */
MUST_USE bool admin_thread_post(struct admin_thread *t, void (*fn)(struct call *call), struct call *call);
