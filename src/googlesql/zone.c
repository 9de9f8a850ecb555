/* zone.c: time zones from the system's TZif files (RFC 8536), read by us: libc's own are one per process. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "googlesql/datetime.h"

enum { ZONE_MAX_TRANSITIONS = 400, ZONE_MAX_FILE = 16384, ZONE_NAME = 48, ZONES = 4 };

struct rule { /* Mm.w.d/time of a POSIX TZ string */
    int month, week, day;
    int32_t time;
};

struct zone {
    char name[ZONE_NAME];
    int n;
    int64_t at[ZONE_MAX_TRANSITIONS];
    int32_t offset[ZONE_MAX_TRANSITIONS]; /* from at[i] on */
    int32_t first;                        /* before at[0] */
    bool has_rule;                        /* after the last transition: the footer's daylight saving rule */
    int32_t standard, daylight;
    struct rule start, end;
};

static int64_t be(const unsigned char *p, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | p[i];
    return bytes == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

/* One header's six counts: isut, isstd, leap, time, type, char. */
struct header {
    int64_t isut, isstd, leap, time, type, chars;
};

static bool read_header(const unsigned char *p, size_t n, struct header *h) {
    if (n < 44 || memcmp(p, "TZif", 4) != 0) return false;
    *h = (struct header){ be(p + 20, 4), be(p + 24, 4), be(p + 28, 4), be(p + 32, 4), be(p + 36, 4), be(p + 40, 4) };
    return h->isut >= 0 && h->isstd >= 0 && h->leap >= 0 && h->time >= 0 && h->type > 0 && h->chars >= 0 &&
           h->time < 4096 && h->type < 256 && h->chars < 4096 && h->isut < 256 && h->isstd < 256 && h->leap < 256;
}

static size_t body_size(const struct header *h, int64_t time_bytes) {
    return (size_t)(h->time * (time_bytes + 1) + h->type * 6 + h->chars + h->leap * (time_bytes + 4) + h->isstd + h->isut);
}

static bool take_number(const char **p, int *ret) {
    if (!isdigit((unsigned char)**p)) return false;
    int value = 0;
    while (isdigit((unsigned char)**p) && value < 1000) value = value * 10 + *(*p)++ - '0';
    *ret = value;
    return true;
}

/* [+-]h[:m[:s]] in seconds */
static bool take_hms(const char **p, int32_t *ret) {
    int sign = **p == '-' ? -1 : 1, part[3] = { 0 };
    if (**p == '-' || **p == '+') (*p)++;
    if (!take_number(p, &part[0])) return false;
    for (int i = 1; i < 3 && **p == ':'; i++) {
        (*p)++;
        if (!take_number(p, &part[i])) return false;
    }
    *ret = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

static bool skip_zone_name(const char **p) {
    if (**p == '<') {
        while (**p && **p != '>') (*p)++;
        return *(*p)++ == '>';
    }
    const char *from = *p;
    while (isalpha((unsigned char)**p)) (*p)++;
    return *p > from;
}

static bool take_rule(const char **p, struct rule *r) {
    r->time = 7200;
    if (*(*p)++ != ',' || *(*p)++ != 'M' || !take_number(p, &r->month) || *(*p)++ != '.' || !take_number(p, &r->week) ||
        *(*p)++ != '.' || !take_number(p, &r->day))
        return false;
    if (**p != '/') return true;
    (*p)++;
    return take_hms(p, &r->time);
}

/* "PST8PDT,M3.2.0,M11.1.0": offsets count west there. False: a form that is not known. */
static bool read_footer(struct zone *z, const char *p) {
    int32_t west;
    if (!skip_zone_name(&p) || !take_hms(&p, &west)) return false;
    z->standard = -west;
    if (*p == '\0') return true;
    if (!skip_zone_name(&p)) return false;
    z->daylight = z->standard + 3600;
    if (*p != ',') {
        if (!take_hms(&p, &west)) return false;
        z->daylight = -west;
    }
    z->has_rule = true;
    return take_rule(&p, &z->start) && take_rule(&p, &z->end) && *p == '\0';
}

static bool read_transitions(struct zone *z, const unsigned char *p, const struct header *h) {
    const unsigned char *times = p, *types = p + 8 * h->time, *infos = types + h->time;
    if (h->time > ZONE_MAX_TRANSITIONS) return false;
    z->first = (int32_t)be(infos, 4);
    z->n = (int)h->time;
    for (int i = 0; i < z->n; i++) {
        if (types[i] >= h->type) return false;
        z->at[i] = be(times + 8 * i, 8);
        z->offset[i] = (int32_t)be(infos + 6 * types[i], 4);
    }
    return true;
}

static bool read_file(struct zone *z, const unsigned char *p, size_t n) {
    struct header h;
    if (!read_header(p, n, &h) || p[4] < '2') return false;
    size_t skip = 44 + body_size(&h, 4);
    if (skip > n || !read_header(p + skip, n - skip, &h)) return false;
    size_t body = skip + 44, end = body + body_size(&h, 8);
    if (end + 2 > n || p[end] != '\n' || p[n - 1] != '\n' || !read_transitions(z, p + body, &h)) return false;
    char footer[64];
    size_t length = n - end - 2;
    if (length >= sizeof footer) return false;
    memcpy(footer, p + end + 1, length);
    footer[length] = '\0';
    return read_footer(z, footer);
}

/* A name as the zone files have them: no way out of their folder. */
static bool plain_name(struct str name) {
    if (name.n == 0 || name.n >= ZONE_NAME || name.p[0] == '/' || str_find(name, STR("..")) >= 0) return false;
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && !strchr("/_+-", name.p[i])) return false;
    return true;
}

static bool load(struct zone *z, struct str name) {
    char path[ZONE_NAME + 32];
    unsigned char bytes[ZONE_MAX_FILE];
    *z = (struct zone){ 0 };
    if (!plain_name(name)) return false;
    (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    if (n <= 0 || (size_t)n == sizeof bytes || !read_file(z, bytes, (size_t)n)) return false;
    memcpy(z->name, name.p, name.n);
    return true;
}

/* The zones that this thread used last. Thread-local, for zones are read while SQLite steps: no lock on that path. */
static const struct zone *find(struct str name) {
    static _Thread_local struct zone zones[ZONES];
    static _Thread_local unsigned next;
    for (unsigned i = 0; i < ZONES; i++)
        if (zones[i].name[0] && str_eq_z(name, zones[i].name)) return &zones[i];
    struct zone *z = &zones[next];
    if (!load(z, name)) {
        z->name[0] = '\0';
        return NULL;
    }
    next = (next + 1) % ZONES;
    return z;
}

/* The instant at which a rule strikes in a year; `offset` is in force before it. */
static int64_t strike(const struct rule *r, int64_t year, int32_t offset) {
    int64_t first = clock_days_from_civil(year, (unsigned)r->month, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0 = Sunday */
    int64_t day = first + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
    int64_t next = r->month == 12 ? clock_days_from_civil(year + 1, 1, 1)
                                  : clock_days_from_civil(year, (unsigned)r->month + 1, 1);
    while (day >= next) day -= 7; /* week 5 is the last one */
    return day * 86400 + r->time - offset;
}

static int32_t by_rule(const struct zone *z, int64_t seconds) {
    if (!z->has_rule) return z->standard;
    int64_t year;
    unsigned month, day;
    int64_t local = seconds + z->standard;
    clock_civil_from_days(local / 86400 - (local % 86400 < 0), &year, &month, &day);
    int64_t start = strike(&z->start, year, z->standard), end = strike(&z->end, year, z->daylight);
    bool in = start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end;
    return in ? z->daylight : z->standard;
}

static int32_t offset_of(const struct zone *z, int64_t seconds) {
    if (z->n == 0) return by_rule(z, seconds);
    if (seconds < z->at[0]) return z->first;
    if (seconds >= z->at[z->n - 1]) return by_rule(z, seconds);
    int low = 0, high = z->n - 1;
    while (low + 1 < high) {
        int middle = (low + high) / 2;
        if (seconds >= z->at[middle]) low = middle;
        else high = middle;
    }
    return z->offset[low];
}

/* "+8", "-08:30", "+0530" is not taken; up to 14 hours. */
static bool fixed_offset(struct str zone, int32_t *ret) {
    char text[8];
    if (zone.n < 2 || zone.n >= sizeof text || (zone.p[0] != '+' && zone.p[0] != '-')) return false;
    memcpy(text, zone.p, zone.n);
    text[zone.n] = '\0';
    const char *p = text + 1;
    int hours, minutes = 0;
    if (!take_number(&p, &hours) || p - text > 3) return false;
    if (*p == ':') {
        p++;
        if (strlen(p) != 2 || !take_number(&p, &minutes)) return false;
    }
    if (*p || hours > 14 || minutes > 59 || (hours == 14 && minutes)) return false;
    *ret = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
    return true;
}

bool zone_offset(struct str zone, int64_t seconds, int32_t *ret_offset) {
    if (str_eq_nocase(zone, STR("UTC"))) return *ret_offset = 0, true;
    if (fixed_offset(zone, ret_offset)) return true;
    const struct zone *z = find(zone);
    if (!z) return false;
    *ret_offset = offset_of(z, seconds);
    return true;
}

bool zone_to_utc(struct str zone, int64_t local, int64_t *ret_seconds) {
    int32_t before, after;
    if (!zone_offset(zone, local - 86400, &before) || !zone_offset(zone, local + 86400, &after)) return false;
    int32_t now;
    if (!zone_offset(zone, local - before, &now)) return false;
    if (now == before) return *ret_seconds = local - before, true; /* before a change, or the first of two */
    if (!zone_offset(zone, local - after, &now)) return false;
    *ret_seconds = now == after ? local - after : local - before;
    return true;
}
