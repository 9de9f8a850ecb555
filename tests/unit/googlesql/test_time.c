/* Dates, timestamps and time zones. Zone cases need the system's tzdata. */
#include "test.h"
#include <unistd.h>
#include "googlesql/datetime.h"

static void timestamps_are_read_and_printed(void **state) {
    (void)state;
    static const struct {
        const char *text, *utc; /* NULL: refused */
    } cases[] = {
        { "2020-01-31T10:20:30Z", "2020-01-31 10:20:30+00" },
        { "2020-1-2 3:4:5.5+00", "2020-01-02 03:04:05.500+00" },
        { "2020-01-01 00:00:00.123456789Z", "2020-01-01 00:00:00.123456789+00" },
        { "2020-01-01 00:00:00.0Z", "2020-01-01 00:00:00+00" },
        { "2020-01-01 00:00:00-08:30", "2020-01-01 08:30:00+00" },
        { "2020-01-01 UTC", "2020-01-01 00:00:00+00" },
        { "0001-01-01T00:00:00Z", "0001-01-01 00:00:00+00" },
        { "9999-12-31T23:59:59.999999999Z", "9999-12-31 23:59:59.999999999+00" },
        { "0001-01-01T00:00:00+01", NULL },
        { "2020-02-30T00:00:00Z", NULL },
        { "2020-01-01T24:00:00Z", NULL },
        { "2020-01-01T00:00:60Z", NULL },
        { "2020-01-01T00:00Z", NULL },
        { "2020-01-01T00:00:00Zx", NULL },
        { "2020-01-01T00:00:00+15", NULL },
        { "20-01-01T00:00:00Z", NULL },
        { "2020-01-01 00:00:00 Mars/Olympus", NULL },
        { "2020-01-01 00:00:00 ../../etc/passwd", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct datetime t;
        DEFER(buf_free) struct buf out = BUF_INIT(64);
        bool good = timestamp_parse(str_z(cases[i].text), STR("UTC"), &t);
        if (good != (cases[i].utc != NULL)) fail_msg("%s", cases[i].text);
        if (!good) continue;
        unsigned char bytes[TIMESTAMP_BYTES];
        datetime_put(t, bytes);
        assert_true(datetime_get((struct str){ (const char *)bytes, sizeof bytes }, &t));
        assert_true(timestamp_print(t, STR("UTC"), &out));
        assert_str(buf_str(&out), cases[i].utc);
    }
}

/* Changes of the clock, before, between and after what the zone's file lists. */
static void zones_follow_their_rules(void **state) {
    (void)state;
    static const struct {
        const char *utc, *zone, *local;
    } cases[] = {
        { "2020-01-01T00:00:00Z", "America/Los_Angeles", "2019-12-31 16:00:00-08" },
        { "2020-07-01T00:00:00Z", "America/Los_Angeles", "2020-06-30 17:00:00-07" },
        { "2020-03-08T09:59:59Z", "America/Los_Angeles", "2020-03-08 01:59:59-08" },
        { "2020-03-08T10:00:00Z", "America/Los_Angeles", "2020-03-08 03:00:00-07" },
        { "2045-07-01T00:00:00Z", "America/Los_Angeles", "2045-06-30 17:00:00-07" },
        { "2045-12-01T00:00:00Z", "America/Los_Angeles", "2045-11-30 16:00:00-08" },
        { "2045-12-01T00:00:00Z", "Australia/Sydney", "2045-12-01 11:00:00+11" },
        { "2020-01-01T00:00:00Z", "Asia/Kolkata", "2020-01-01 05:30:00+05:30" },
        { "2020-01-01T00:00:00Z", "+02:30", "2020-01-01 02:30:00+02:30" },
    };
    if (access("/usr/share/zoneinfo/Asia/Kolkata", R_OK) != 0) skip();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct datetime t;
        DEFER(buf_free) struct buf out = BUF_INIT(64);
        assert_true(timestamp_parse(str_z(cases[i].utc), STR("UTC"), &t));
        assert_true(timestamp_print(t, str_z(cases[i].zone), &out));
        assert_str(buf_str(&out), cases[i].local);
    }
}

static void wall_clocks_in_gaps_and_overlaps_have_one_instant(void **state) {
    (void)state;
    static const struct {
        const char *local, *utc;
    } cases[] = {
        { "2020-03-08 02:30:00", "2020-03-08 10:30:00+00" }, /* no such time */
        { "2020-11-01 01:30:00", "2020-11-01 08:30:00+00" }, /* twice: the first */
        { "2020-11-01 02:00:00", "2020-11-01 10:00:00+00" },
    };
    if (access("/usr/share/zoneinfo/America/Los_Angeles", R_OK) != 0) skip();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct datetime t;
        DEFER(buf_free) struct buf out = BUF_INIT(64);
        assert_true(timestamp_parse(str_z(cases[i].local), ZONE_DEFAULT, &t));
        assert_true(timestamp_print(t, STR("UTC"), &out));
        assert_str(buf_str(&out), cases[i].utc);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_are_read_and_printed),
        cmocka_unit_test(zones_follow_their_rules),
        cmocka_unit_test(wall_clocks_in_gaps_and_overlaps_have_one_instant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
