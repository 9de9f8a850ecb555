#include "spark/progress.h"
#include <string.h>
#include "base/enc.h"
#include "data/json.h"

enum { MAX_DEPTH = 64, MAX_COUNT = 100000000 };

void progress_init(struct progress_reader *reader) {
    *reader = (struct progress_reader){ .line = BUF_INIT(PROGRESS_LINE_MAX_BYTES) };
}

void progress_free(struct progress_reader *reader) {
    buf_free(&reader->line);
}

/* ---- events ---- */

/* The log is the job's own: what it says is shown, so only plain characters. */
static void copy_text(char out[PROGRESS_ID_MAX], struct str text) {
    text = str_upto(text, PROGRESS_ID_MAX - 1);
    while (text.n && !utf8_valid(text)) text.n--;
    for (size_t i = 0; i < text.n; i++) out[i] = (unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ? '?' : text.p[i];
    out[text.n] = '\0';
}

static void application_start(struct progress *now, const json_t *event) {
    struct str text;
    if (json_member_str(event, "App ID", &text)) copy_text(now->application_id, text);
    if (json_member_str(event, "App Name", &text)) copy_text(now->name, text);
}

static void application_end(struct progress *now, const json_t *event) {
    (void)event;
    now->ended = true;
}

/* A job tells all its stages at its start, also those that will be skipped: tasks are counted when a stage is submitted. */
static void job_start(struct progress *now, const json_t *event) {
    const json_t *stages = json_object_get(event, "Stage IDs");
    now->jobs++;
    if (json_is_array(stages)) now->stages += json_array_size(stages);
}

static void job_end(struct progress *now, const json_t *event) {
    (void)event;
    now->jobs_done++;
}

static void stage_submitted(struct progress *now, const json_t *event) {
    int64_t tasks;
    if (json_member_int(json_object_get(event, "Stage Info"), "Number of Tasks", &tasks) && tasks > 0 && tasks < MAX_COUNT)
        now->tasks += (uint64_t)tasks;
}

static void stage_completed(struct progress *now, const json_t *event) {
    (void)event;
    now->stages_done++;
}

static void task_end(struct progress *now, const json_t *event) {
    const json_t *failed = json_object_get(json_object_get(event, "Task Info"), "Failed");
    if (json_is_true(failed)) now->tasks_failed++;
    else now->tasks_done++;
}

static const struct {
    struct str name;
    void (*apply)(struct progress *now, const json_t *event);
} events[] = {
    { STR_INIT("SparkListenerApplicationStart"), application_start },
    { STR_INIT("SparkListenerApplicationEnd"), application_end },
    { STR_INIT("SparkListenerJobStart"), job_start },
    { STR_INIT("SparkListenerJobEnd"), job_end },
    { STR_INIT("SparkListenerStageSubmitted"), stage_submitted },
    { STR_INIT("SparkListenerStageCompleted"), stage_completed },
    { STR_INIT("SparkListenerTaskEnd"), task_end },
};

static void read_line(struct progress_reader *reader, struct str line) {
    DEFER(json_freep) json_t *event = NULL;
    struct err err;
    struct str name;
    if (json_read(line, PROGRESS_LINE_MAX_BYTES, MAX_DEPTH, &event, &err)) return;
    if (!json_member_str(event, "Event", &name)) return;
    for (size_t i = 0; i < COUNT(events); i++)
        if (str_eq(name, events[i].name)) events[i].apply(&reader->now, event);
}

/* ---- lines ---- */

void progress_add(struct progress_reader *reader, struct str bytes) {
    while (bytes.n) {
        ptrdiff_t end = str_find_char(bytes, '\n');
        struct str piece = end < 0 ? bytes : str_upto(bytes, (size_t)end);
        bytes = str_from(bytes, end < 0 ? bytes.n : (size_t)end + 1);
        if (!reader->skipping) buf_add_str(&reader->line, piece);
        if (!buf_ok(&reader->line)) reader->skipping = true;
        if (end < 0) return;
        if (!reader->skipping) read_line(reader, buf_str(&reader->line));
        buf_clear(&reader->line);
        reader->skipping = false;
    }
}

double progress_fraction(const struct progress *progress) {
    if (progress->ended) return 1;
    if (!progress->tasks) return 0;
    double done = (double)progress->tasks_done / (double)progress->tasks;
    return done > 1 ? 1 : done;
}
