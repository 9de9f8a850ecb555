/* desk.h: the desk's thread. */
#pragma once
#include "pipeline/pipelines_priv.h"

MUST_USE enum code pipeline_desk_start(struct pipelines *p, struct err *err);
/* Ends the thread, refuses what waits, and waits for the answers to what is under way. By the opener's thread. */
void pipeline_desk_stop(struct pipelines *p);
