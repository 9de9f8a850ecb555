/* job_file.h: a Dataproc job out of a file: YAML or JSON in the shape of the API's JSON; a Job, or a SubmitJobRequest.
 * Sans-I/O; one thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct dataproc_SubmitJobRequest;
enum { JOB_FILE_MAX = 1 << 20 };

/* `project` and `region` (NULL: from the file) win over what the file says. INVALID_ARGUMENT says what is wrong or missing.
 */
MUST_USE enum code job_file_read(struct str text, const char *project, const char *region, struct arena *arena,
                                 struct dataproc_SubmitJobRequest **ret, struct err *err);
