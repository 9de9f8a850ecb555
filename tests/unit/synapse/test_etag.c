#include "synapse/synapse_priv.h"
#include "test.h"

static const struct etag_case {
    const char *name, *list, *etag;
    bool strong, weak;
} cases[] = {
    { "the same", "\"a1\"", "\"a1\"", true, true },
    { "without quotes, as the body has it", "a1", "\"a1\"", true, true },
    { "another", "\"a2\"", "\"a1\"", false, false },
    { "one of several", "\"a0\" , \"a1\"", "\"a1\"", true, true },
    { "any", "*", "\"a1\"", true, true },
    { "any in a list", "\"x\", *", "\"a1\"", true, true },
    { "any, and nothing is there", "*", "", false, false },
    { "a tag, and nothing is there", "\"a1\"", "", false, false },
    { "weak matches only when weak ones may", "W/\"a1\"", "\"a1\"", false, true },
    { "an empty list", "", "\"a1\"", false, false },
    { "commas only", " , ,", "\"a1\"", false, false },
    { "a part is not the whole", "\"a\"", "\"a1\"", false, false },
    { "letters' case counts", "\"A1\"", "\"a1\"", false, false },
};

static void names(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct etag_case *c = &cases[i];
        if (etag_named(str_z(c->list), str_z(c->etag), false) != c->strong) fail_msg("%s: strong", c->name);
        if (etag_named(str_z(c->list), str_z(c->etag), true) != c->weak) fail_msg("%s: weak", c->name);
    }
}

static void quotes(void **state) {
    (void)state;
    assert_str(etag_bare(STR("\"a1\"")), "a1");
    assert_str(etag_bare(STR("a1")), "a1");
    assert_str(etag_bare(STR("\"")), "\"");
    assert_str(etag_bare(STR("\"\"")), "");
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(names), cmocka_unit_test(quotes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
