/* .NET's formats of dates. Source: Microsoft Learn, "Custom date and time format strings" and "Standard …". */
#include "base/decimal.h"
#include "pipeline/date.h"

static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December" };

static void add_number(struct buf *out, uint64_t v, unsigned digits) {
    char text[DECIMAL_MAX];
    size_t n = decimal_u64(v, text);
    for (size_t i = n; i < digits; i++) buf_add_char(out, '0');
    buf_add(out, text, n);
}

static void add_name(struct buf *out, const char *name, bool whole) {
    buf_add_str(out, str_upto(str_z(name), whole ? SIZE_MAX : 3));
}

static void add_day(struct buf *out, const struct date_parts *t, unsigned n) {
    if (n <= 2) add_number(out, t->day, n);
    else add_name(out, days[t->weekday], n == 4);
}

static void add_month(struct buf *out, const struct date_parts *t, unsigned n) {
    if (n <= 2) add_number(out, t->month, n);
    else add_name(out, months[t->month - 1], n == 4);
}

static void add_year(struct buf *out, const struct date_parts *t, unsigned n) {
    add_number(out, (uint64_t)(n <= 2 ? t->year % 100 : t->year), n);
}

static void add_hour(struct buf *out, const struct date_parts *t, unsigned n) {
    add_number(out, t->hour, n);
}

static void add_hour12(struct buf *out, const struct date_parts *t, unsigned n) {
    add_number(out, (t->hour + 11) % 12 + 1, n);
}

static void add_minute(struct buf *out, const struct date_parts *t, unsigned n) {
    add_number(out, t->minute, n);
}

static void add_second(struct buf *out, const struct date_parts *t, unsigned n) {
    add_number(out, t->second, n);
}

static void add_half(struct buf *out, const struct date_parts *t, unsigned n) {
    buf_add_str(out, str_upto(t->hour < 12 ? STR("AM") : STR("PM"), n));
}

static void add_fraction(struct buf *out, const struct date_parts *t, unsigned n) {
    char text[7];
    decimal_fixed(t->fraction, 7, text);
    buf_add(out, text, n);
}

static void add_zone(struct buf *out, const struct date_parts *t, unsigned n) {
    (void)t;
    buf_add_z(out, n == 1 ? "+0" : n == 2 ? "+00" : "+00:00");
}

static void add_z(struct buf *out, const struct date_parts *t, unsigned n) {
    (void)t, (void)n;
    buf_add_char(out, 'Z');
}

static const struct letter {
    char letter;
    unsigned max; /* how often it may follow itself */
    void (*add)(struct buf *out, const struct date_parts *t, unsigned n);
} letters[] = {
    { 'd', 4, add_day },      { 'M', 4, add_month },  { 'y', 5, add_year },   { 'H', 2, add_hour },
    { 'h', 2, add_hour12 },   { 'm', 2, add_minute }, { 's', 2, add_second }, { 't', 2, add_half },
    { 'f', 7, add_fraction }, { 'z', 3, add_zone },   { 'K', 1, add_z },      { 'g', 0, NULL }, /* eras */
    { 'F', 0, NULL },                                                                           /* its length varies */
};

static const struct {
    char letter;
    struct str format;
} standards[] = {
    { 'd', STR_INIT("MM/dd/yyyy") },
    { 'D', STR_INIT("dddd, dd MMMM yyyy") },
    { 'f', STR_INIT("dddd, dd MMMM yyyy HH:mm") },
    { 'F', STR_INIT("dddd, dd MMMM yyyy HH:mm:ss") },
    { 'g', STR_INIT("MM/dd/yyyy HH:mm") },
    { 'G', STR_INIT("MM/dd/yyyy HH:mm:ss") },
    { 'm', STR_INIT("MMMM dd") },
    { 'M', STR_INIT("MMMM dd") },
    { 'o', STR_INIT("yyyy-MM-ddTHH:mm:ss.fffffffK") },
    { 'O', STR_INIT("yyyy-MM-ddTHH:mm:ss.fffffffK") },
    { 'r', STR_INIT("ddd, dd MMM yyyy HH:mm:ss 'GMT'") },
    { 'R', STR_INIT("ddd, dd MMM yyyy HH:mm:ss 'GMT'") },
    { 's', STR_INIT("yyyy-MM-ddTHH:mm:ss") },
    { 't', STR_INIT("HH:mm") },
    { 'T', STR_INIT("HH:mm:ss") },
    { 'u', STR_INIT("yyyy-MM-dd HH:mm:ssZ") },
    { 'U', STR_INIT("dddd, dd MMMM yyyy HH:mm:ss") },
    { 'y', STR_INIT("yyyy MMMM") },
    { 'Y', STR_INIT("yyyy MMMM") },
};

static const struct letter *find_letter(char c) {
    for (size_t i = 0; i < COUNT(letters); i++)
        if (letters[i].letter == c) return &letters[i];
    return NULL;
}

static void add_text(struct buf *out, struct str text) {
    if (out) buf_add_str(out, text);
}

/* 'text' or "text" at the start; ret_n: how much it takes. */
static enum code quoted(struct str format, struct buf *out, size_t *ret_n, struct err *err) {
    ptrdiff_t end = str_find_char(str_from(format, 1), format.p[0]);
    if (end < 0) return err_set(err, INVALID_ARGUMENT, "the date's format has a %c without its end", format.p[0]);
    add_text(out, str_upto(str_from(format, 1), (size_t)end));
    *ret_n = (size_t)end + 2;
    return OK;
}

/* One letter with its repetitions, a quotation, an escape or a sign. */
static enum code step(struct str format, const struct date_parts *t, struct buf *out, size_t *ret_n, struct err *err) {
    char c = format.p[0];
    unsigned n = 1;
    if (c == '\'' || c == '"') return quoted(format, out, ret_n, err);
    if (c == '\\' || c == '%') {
        if (format.n < 2) return err_set(err, INVALID_ARGUMENT, "the date's format ends with %c", c);
        *ret_n = c == '\\' ? 2 : 1;
        if (c == '\\') add_text(out, str_upto(str_from(format, 1), 1));
        return OK;
    }
    const struct letter *letter = find_letter(c);
    while (letter && n < format.n && format.p[n] == c) n++;
    if (letter && n > letter->max)
        return err_set(err, INVALID_ARGUMENT, "the date's format has '%.*s', which is not supported",
                       (int)(n < 16 ? n : 16), format.p);
    if (letter && out) letter->add(out, t, n);
    if (!letter) add_text(out, str_upto(format, 1));
    *ret_n = n;
    return OK;
}

static enum code expand_standard(struct str *format, struct err *err) {
    for (size_t i = 0; i < COUNT(standards); i++)
        if (standards[i].letter == format->p[0]) {
            *format = standards[i].format;
            return OK;
        }
    return err_set(err, INVALID_ARGUMENT, "'%.1s' is no standard format of dates", format->p);
}

enum code date_format(int64_t ticks, struct str format, struct buf *out, struct err *err) {
    struct date_parts parts;
    enum code rc = format.n == 0 ? err_set(err, INVALID_ARGUMENT, "the date's format is empty") : OK;
    date_split(ticks, &parts);
    if (rc == OK && format.n == 1) rc = expand_standard(&format, err);
    while (rc == OK && format.n) {
        size_t n = 0;
        rc = step(format, &parts, out, &n, err);
        format = str_from(format, n);
    }
    return rc;
}
