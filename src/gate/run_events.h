/* run_events.h: what pipeline runs tell of themselves (pipeline/effects.h), written into the audit log: a run's and an
 * activity's start and end. `linkspan doctor` reads them. Any thread; does not block. */
#pragma once
#include "gate/gate.h"
#include "pipeline/effects.h"

struct run_events {
    struct gate *gate;
    struct str workspace, account; /* "flights", "flights@demo.synapse"; borrowed */
};

/* As pipeline_effects.event: ctx is the struct run_events. The entry's resource is workspaces/W/pipelines/P/pipelineruns/R
 * and, of an activity, /activityruns/A behind it; its method synapse.pipelines.RunStarted, .RunEnded, .ActivityStarted,
 * .ActivityEnded; its detail what became of it:
 * "of run R, started by request ID, a WebActivity; Failed PolicyDenied; activity transform".
 * No message of an activity: it may hold values. */
void run_events_write(void *run_events, const struct pipeline_event *event);
