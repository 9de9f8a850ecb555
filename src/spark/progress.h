/* progress.h: how far a Spark application is, from its event log (one JSON object a line, as Spark writes it).
 *
 * Bytes in, counts out: no file is opened here. A line longer than 1 MiB is skipped; what is not understood is ignored, for
 * the log is the job's own and may say anything. One thread. Source: Spark's SparkListenerEvent, JsonProtocol. */
#pragma once
#include "base/buf.h"

enum { PROGRESS_LINE_MAX_BYTES = 1 << 20, PROGRESS_ID_MAX = 96 };

struct progress {
    char application_id[PROGRESS_ID_MAX], name[PROGRESS_ID_MAX];
    uint64_t jobs, jobs_done, stages, stages_done, tasks, tasks_done, tasks_failed;
    bool ended;
};

struct progress_reader {
    struct progress now;
    struct buf line;
    bool skipping; /* the rest of a line that was too long */
};

void progress_init(struct progress_reader *reader);
void progress_add(struct progress_reader *reader, struct str bytes);
void progress_free(struct progress_reader *reader);
double progress_fraction(const struct progress *progress); /* 0 to 1 */
