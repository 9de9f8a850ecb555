/* launch_cause.c: why a driver failed, from the end of its output: a person reads one line first. */
#include "base/enc.h"
#include "spark/launch.h"

enum { CAUSE_MAX_BYTES = 500 };

/* "pyspark.errors.exceptions.captured.AnalysisException: …", "ValueError: …", "java.lang.RuntimeException: …": a dotted
 * name at the line's start whose last part says what it is. */
static bool is_exception(struct str line) {
    ptrdiff_t colon = str_find_char(line, ':');
    struct str name = colon < 0 ? line : str_upto(line, (size_t)colon);
    static const struct str ends[] = { STR_INIT("Error"),    STR_INIT("Exception"), STR_INIT("Denied"),
                                       STR_INIT("Exit"),     STR_INIT("Interrupt"), STR_INIT("Failure"),
                                       STR_INIT("NotFound"), STR_INIT("Exists") };
    if (!name.n || name.n > 200) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '$'))
            return false;
    }
    for (size_t i = 0; i < COUNT(ends); i++)
        if (str_ends(name, ends[i])) return true;
    return false;
}

/* "26/11/22 00:03:04 INFO ShutdownHookManager: …": what Spark itself logs on its way out. */
static bool is_log(struct str line) {
    static const char shape[] = "dd/dd/dd dd:dd:dd ";
    if (line.n < sizeof shape) return false;
    for (size_t i = 0; i + 1 < sizeof shape; i++)
        if (shape[i] == 'd' ? line.p[i] < '0' || line.p[i] > '9' : line.p[i] != shape[i]) return false;
    return true;
}

struct found {
    struct str caused_by, exception, last;
};

static void look_at(struct str line, struct found *found) {
    struct str caused = line;
    if (!line.n || is_log(line)) return;
    found->last = line;
    if (str_strip_prefix(&caused, STR("Caused by: "))) found->caused_by = caused; /* the last is the innermost */
    else if (is_exception(line)) {
        found->exception = line;
        found->caused_by = (struct str){ NULL, 0 }; /* a later failure has causes of its own */
    }
}

/* Printable UTF-8 only: it goes to terminals and pages. */
static struct str clean(struct str line, struct arena *arena) {
    line = str_upto(line, CAUSE_MAX_BYTES);
    while (line.n && !utf8_valid(line)) line.n--; /* cut inside a character, or never was text */
    char *out = arena_alloc(arena, line.n + 1);
    if (!out) return (struct str){ NULL, 0 };
    for (size_t i = 0; i < line.n; i++) out[i] = (unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f ? ' ' : line.p[i];
    return (struct str){ out, line.n };
}

struct str launch_cause(struct str output_tail, struct arena *arena) {
    struct found found = { 0 };
    while (output_tail.n) look_at(str_trim(str_cut(&output_tail, '\n')), &found);
    struct str best = found.caused_by.n ? found.caused_by : found.exception.n ? found.exception : found.last;
    return clean(best, arena);
}
