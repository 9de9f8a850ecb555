/* timers.h: the loop's timers as a pairing heap, embedded in their owners (no allocation). For net/ only. */
#pragma once
#include "net/loop.h"

void timers_insert(struct loop_timer **root, struct loop_timer *timer);
void timers_remove(struct loop_timer **root, struct loop_timer *timer); /* fine when it is in no heap */

/* What one read of a socket fills: one for all connections of a loop, used only while on_data runs. */
enum { LOOP_SCRATCH_BYTES = 65536 };
char *loop_scratch(struct loop *loop);
