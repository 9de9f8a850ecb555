/* submit.h: a Job message as spark/launch.h wants it. Any thread; borrowed from the message, arrays in the arena. */
#pragma once
#include "spark/launch.h"
#include "wire/pb/dataproc.pb.h"

/* Chooses among the accounts as which the caller may run the job: its value is an e-mail's local part, or a name of the
 * policy's. */
#define SUBMIT_ACCOUNT_LABEL "linkspan-account"

/* UNIMPLEMENTED names the kind of job or the part that is not supported. */
MUST_USE enum code submit_translate(const struct dataproc_Job *job, struct str name, struct arena *arena,
                                    struct launch_job *ret, struct err *err);
/* The value of a label; empty: none. INVALID_ARGUMENT for labels against Dataproc's rules. */
struct str submit_label(const struct dataproc_Job *job, const char *key);
MUST_USE enum code submit_check_labels(const struct dataproc_Job *job, struct err *err);
