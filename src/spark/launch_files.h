/* launch_files.h: the job's files: what spark/launch.h's parts share. */
#pragma once
#include "spark/launch.h"

enum { LAUNCH_NAME_MAX = 160 };

/* The staged file's place below the code folder, "jar2/connector.jar": the same from stage to command. */
MUST_USE enum code launch_staged_name(const char *kind, size_t index, struct str uri, char ret[LAUNCH_NAME_MAX],
                                      struct err *err);

/* The job's lists of files under the names of their kinds. */
struct launch_list {
    const char *kind;
    const char *option; /* spark-submit's */
    struct launch_files files;
};
enum { LAUNCH_LISTS = 4 };
void launch_lists(const struct launch_job *job, struct launch_list ret[LAUNCH_LISTS]);
