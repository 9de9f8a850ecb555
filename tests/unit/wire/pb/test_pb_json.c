/* The JSON mapping: forms, refusals with their path, fields set from text, short memory. */
#include "test.h"
#include <string.h>
#include "wire/pb/dataproc.pb.h"
#include "wire/pb/iam.pb.h"
#include "wire/pb/lro.pb.h"
#include "wire/pb/pb_json.h"
#include "wire/pb/rpc.pb.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/spanner_db.pb.h"
#include "wire/pb/spanner_inst.pb.h"
#include "wire/pb/wkt.pb.h"

enum { MEMORY = 1 << 20 };

struct form_case {
    const char *name;
    const struct pb_msg *desc;
    const char *in, *out;
};

static const struct form_case forms[] = {
    { "nothing", &spanner_Session_msg, "{}", "{}" },
    { "both spellings", &spanner_Session_msg, "{\"creator_role\":\"r\",\"createTime\":null}", "{\"creatorRole\":\"r\"}" },
    { "int64 as text", &spanner_ExecuteSqlRequest_msg, "{\"seqno\":\"9223372036854775807\"}",
      "{\"seqno\":\"9223372036854775807\"}" },
    { "int64 as number", &spanner_ExecuteSqlRequest_msg, "{\"seqno\":-9223372036854775808}",
      "{\"seqno\":\"-9223372036854775808\"}" },
    { "whole real as integer", &spanner_ExecuteSqlRequest_msg, "{\"seqno\":1.5e1}", "{\"seqno\":\"15\"}" },
    { "uint64 beyond int64, as text", &spanner_RoutingHint_msg, "{\"databaseId\":\"18446744073709551615\"}",
      "{\"databaseId\":\"18446744073709551615\"}" },
    { "enum by name", &spanner_Type_msg, "{\"code\":\"INT64\"}", "{\"code\":\"INT64\"}" },
    { "enum by number", &spanner_Type_msg, "{\"code\":2}", "{\"code\":\"INT64\"}" },
    { "enum of an unknown number", &spanner_Type_msg, "{\"code\":99}", "{\"code\":99}" },
    { "bytes in base64", &spanner_TransactionSelector_msg, "{\"id\":\"+/8=\"}", "{\"id\":\"+/8=\"}" },
    { "bytes in base64url without padding", &spanner_TransactionSelector_msg, "{\"id\":\"-_8\"}", "{\"id\":\"+/8=\"}" },
    { "empty member of a oneof", &spanner_TransactionSelector_msg, "{\"id\":\"\"}", "{\"id\":\"\"}" },
    { "NaN", &spanner_QueryAdvisorResult_IndexAdvice_msg, "{\"improvementFactor\":\"NaN\"}",
      "{\"improvementFactor\":\"NaN\"}" },
    { "infinity", &spanner_QueryAdvisorResult_IndexAdvice_msg, "{\"improvementFactor\":\"-Infinity\"}",
      "{\"improvementFactor\":\"-Infinity\"}" },
    { "a double in its shortest form", &spanner_QueryAdvisorResult_IndexAdvice_msg, "{\"improvementFactor\":0.1}",
      "{\"improvementFactor\":0.1}" },
    { "a float in its shortest form", &dataproc_YarnApplication_msg, "{\"progress\":0.1}", "{\"progress\":0.1}" },
    { "map", &spanner_Session_msg, "{\"labels\":{\"b\":\"2\",\"a\":\"1\"}}", "{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}" },
    { "timestamp", &pb_Timestamp_msg, "\"2024-02-29T23:59:59.120Z\"", "\"2024-02-29T23:59:59.120Z\"" },
    { "timestamp with a zone", &pb_Timestamp_msg, "\"1970-01-01T01:00:00.5+01:30\"", "\"1969-12-31T23:30:00.500Z\"" },
    { "first instant", &pb_Timestamp_msg, "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\"" },
    { "last instant", &pb_Timestamp_msg, "\"9999-12-31T23:59:59.999999999Z\"", "\"9999-12-31T23:59:59.999999999Z\"" },
    { "duration", &pb_Duration_msg, "\"-0.5s\"", "\"-0.500s\"" },
    { "field mask", &pb_FieldMask_msg, "\"fooBar.baz,x\"", "\"fooBar.baz,x\"" },
    { "struct", &pb_Struct_msg, "{\"z\":[1,null,true,\"t\",{}],\"a\":{\"b\":[]}}",
      "{\"a\":{\"b\":[]},\"z\":[1,null,true,\"t\",{}]}" },
    { "empty", &pb_Empty_msg, "{}", "{}" },
    { "null value", &pb_Value_msg, "null", "null" },
    { "any", &lro_Operation_msg,
      "{\"response\":{\"name\":\"n\",\"@type\":\"type.googleapis.com/google.spanner.v1.Session\"}}",
      "{\"response\":{\"@type\":\"type.googleapis.com/google.spanner.v1.Session\",\"name\":\"n\"}}" },
    { "any of a well-known type", &pb_Any_msg, "{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"1s\"}",
      "{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"1s\"}" },
    { "any of any", &pb_Any_msg, "{\"@type\":\"x/google.protobuf.Any\",\"value\":{\"@type\":\"x/google.protobuf.Empty\"}}",
      "{\"@type\":\"x/google.protobuf.Any\",\"value\":{\"@type\":\"x/google.protobuf.Empty\"}}" },
};

static void test_forms(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
        DEFER(buf_free) struct buf out = BUF_INIT(MEMORY);
        void *msg = NULL;
        struct err err = { .message = "" };
        enum code rc = pb_from_json(forms[i].desc, str_z(forms[i].in), arena, 0, &msg, &err);
        if (!rc) rc = pb_to_json(forms[i].desc, msg, &out, &err);
        if (rc) fail_msg("%s: %s", forms[i].name, err.message);
        if (!str_eq_z(buf_str(&out), forms[i].out)) fail_msg("%s: is %.*s", forms[i].name, STR_ARG(buf_str(&out)));
    }
}

static const struct form_case refused[] = {
    /* out: the message */
    { "unknown field", &spanner_ExecuteBatchDmlRequest_msg, "{\"statements\":[{},{\"paramTypes\":{\"p\":{\"kode\":1}}}]}",
      "statements[1].paramTypes.p.kode: unknown field of google.spanner.v1.Type" },
    { "duplicate key", &spanner_Session_msg, "{\"name\":\"a\",\"name\":\"b\"}",
      "line 1, column 23: not valid JSON: a key occurs twice" },
    { "one field in two spellings", &spanner_Session_msg, "{\"creator_role\":\"a\",\"creatorRole\":\"b\"}",
      "creatorRole: given twice" },
    { "two members of a oneof", &spanner_TransactionSelector_msg, "{\"id\":\"\",\"begin\":{}}",
      "begin: another member of the same oneof is set" },
    { "int32 out of range", &spanner_BatchCreateSessionsRequest_msg, "{\"sessionCount\":2147483648}",
      "sessionCount: number out of range" },
    { "int64 out of range", &spanner_ExecuteSqlRequest_msg, "{\"seqno\":\"9223372036854775808\"}",
      "seqno: number out of range" },
    { "negative in an unsigned field", &spanner_RoutingHint_msg, "{\"databaseId\":\"-1\"}",
      "databaseId: negative number in an unsigned field" },
    { "fraction in an integer", &spanner_ExecuteSqlRequest_msg, "{\"seqno\":1.5}", "seqno: not an integer" },
    { "white space in a number", &spanner_ExecuteSqlRequest_msg, "{\"seqno\":\" 1\"}", "seqno: not a number" },
    { "hexadecimal", &spanner_ExecuteSqlRequest_msg, "{\"seqno\":\"0x10\"}", "seqno: not a number" },
    { "boolean as text", &spanner_Session_msg, "{\"multiplexed\":\"true\"}", "multiplexed: neither true nor false" },
    { "number as text", &spanner_Session_msg, "{\"name\":1}", "name: not a string" },
    { "enum's name is unknown", &spanner_Type_msg, "{\"code\":\"int64\"}",
      "code: \"int64\" is no value of google.spanner.v1.TypeCode" },
    { "not base64", &spanner_TransactionSelector_msg, "{\"id\":\"*\"}", "id: not base64" },
    { "float out of range", &dataproc_YarnApplication_msg, "{\"progress\":1e39}", "progress: number out of range" },
    { "null in a list", &spanner_ReadRequest_msg, "{\"columns\":[\"a\",null]}", "columns[1]: null in a list" },
    { "null in a map", &spanner_Session_msg, "{\"labels\":{\"a\":null}}", "labels.a: null in a map" },
    { "object for a list", &spanner_ReadRequest_msg, "{\"columns\":{}}", "columns: not a list" },
    { "list for an object", &spanner_Session_msg, "[]", "not an object" },
    { "29 February of no leap year", &spanner_Session_msg, "{\"createTime\":\"2023-02-29T00:00:00Z\"}",
      "createTime: not an RFC 3339 timestamp" },
    { "timestamp without a zone", &pb_Timestamp_msg, "\"2023-01-01T00:00:00\"", "not an RFC 3339 timestamp" },
    { "timestamp before year 1 by its zone", &pb_Timestamp_msg, "\"0001-01-01T00:00:00+00:01\"",
      "not an RFC 3339 timestamp" },
    { "ten digits of a second", &pb_Timestamp_msg, "\"2023-01-01T00:00:00.1234567890Z\"", "not an RFC 3339 timestamp" },
    { "duration without a unit", &pb_Duration_msg, "\"1\"", "not a duration such as \"1.5s\"" },
    { "duration too long", &pb_Duration_msg, "\"315576000001s\"", "not a duration such as \"1.5s\"" },
    { "field mask in snake case", &pb_FieldMask_msg, "\"foo_bar\"", "a field mask's path is camel case in JSON" },
    { "empty path in a field mask", &pb_FieldMask_msg, "\"a,,b\"", "an empty path in a field mask" },
    { "comma at the end of a field mask", &pb_FieldMask_msg, "\"a,\"", "an empty path in a field mask" },
    { "any of an unknown type", &pb_Any_msg, "{\"@type\":\"x/y.Z\"}", "unknown type \"x/y.Z\"" },
    { "any without a type", &pb_Any_msg, "{\"a\":1}", "\"@type\" is missing" },
    { "any with more than its value", &pb_Any_msg, "{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"1s\",\"b\":1}",
      "wants \"@type\" and \"value\", no more" },
    { "text after the end", &spanner_Session_msg, "{} {}", "line 1, column 4: not valid JSON" },
    { "not UTF-8", &spanner_Session_msg, "{\"name\":\"\xff\"}", "line 1, column 12: not valid JSON" },
    { "no text", &spanner_Session_msg, "", "line 1, column 1: not valid JSON" },
};

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
        void *msg = NULL;
        struct err err = { .message = "" };
        if (pb_from_json(refused[i].desc, str_z(refused[i].in), arena, 0, &msg, &err) != INVALID_ARGUMENT) {
            fail_msg("%s: not refused", refused[i].name);
        }
        if (strcmp(err.message, refused[i].out) != 0) fail_msg("%s: says %s", refused[i].name, err.message);
    }
}

static void test_unknown_fields_may_be_skipped(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
    void *msg = NULL;
    const struct str text = STR("{\"name\":\"n\",\"isNew\":[{}]}");
    assert_int_equal(pb_from_json(&spanner_Session_msg, text, arena, PB_SKIP_UNKNOWN, &msg, NULL), OK);
    assert_str(((struct spanner_Session *)msg)->name, "n");
}

static enum code read_lists(unsigned levels, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
    DEFER(buf_free) struct buf text = BUF_INIT(MEMORY);
    void *msg = NULL;
    for (unsigned i = 0; i < levels; i++) buf_add_char(&text, '[');
    for (unsigned i = 0; i < levels; i++) buf_add_char(&text, ']');
    return pb_from_json(&pb_ListValue_msg, buf_str(&text), arena, 0, &msg, err);
}

static void test_depth(void **state) {
    (void)state;
    struct err err = { .message = "" };
    assert_int_equal(read_lists(PB_MAX_DEPTH / 2, &err), OK); /* a list in a list is two messages deeper */
    assert_int_equal(read_lists(PB_MAX_DEPTH / 2 + 2, &err), INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "nested more than 64 levels deep"));
    assert_int_equal(read_lists(100000, &err), INVALID_ARGUMENT);
    assert_string_equal(err.message, "line 1, column 65: nested deeper than 64");
}

static void test_what_has_no_json(void **state) {
    (void)state;
    const struct pb_Timestamp year_10000 = { .seconds = 253402300800 };
    const struct pb_Duration mixed = { .seconds = 1, .nanos = -1 };
    struct str camel = STR("fooBar"), comma = STR("a,b"), nothing = STR("");
    const struct pb_FieldMask masks[] = { { .paths = { &camel, 1 } },
                                          { .paths = { &comma, 1 } },
                                          { .paths = { &nothing, 1 } } };
    const struct pb_Any any = { .type_url = STR("x/none.Such") };
    const struct {
        const struct pb_msg *desc;
        const void *msg;
    } cases[] = { { &pb_Timestamp_msg, &year_10000 }, { &pb_Duration_msg, &mixed },     { &pb_FieldMask_msg, &masks[0] },
                  { &pb_FieldMask_msg, &masks[1] },   { &pb_FieldMask_msg, &masks[2] }, { &pb_Any_msg, &any } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(MEMORY);
        assert_int_equal(pb_to_json(cases[i].desc, cases[i].msg, &out, NULL), INVALID_ARGUMENT);
    }
}

struct set_case {
    const char *path, *text, *out; /* out NULL: refused */
};

static const struct set_case sets[] = {
    { "session", "projects/p/instances/i", "{\"session\":\"projects/p/instances/i\"}" },
    { "seqno", "12", "{\"seqno\":\"12\"}" },
    { "queryMode", "PLAN", "{\"queryMode\":\"PLAN\"}" },
    { "query_mode", "1", "{\"queryMode\":\"PLAN\"}" },
    { "dataBoostEnabled", "true", "{\"dataBoostEnabled\":true}" },
    { "resumeToken", "AQI", "{\"resumeToken\":\"AQI=\"}" },
    { "requestOptions.requestTag", "t", "{\"requestOptions\":{\"requestTag\":\"t\"}}" },
    { "transaction.singleUse.readOnly.maxStaleness", "10s",
      "{\"transaction\":{\"singleUse\":{\"readOnly\":{\"maxStaleness\":\"10s\"}}}}" },
    { "seqno", "twelve", NULL },
    { "dataBoostEnabled", "yes", NULL },
    { "paramTypes", "x", NULL },
    { "params", "{}", NULL },
    { "params.fields", "x", NULL },
    { "requestOptions", "{}", NULL },
    { "session.name", "x", NULL },
    { "nothing", "x", NULL },
    { "", "x", NULL },
    { "requestOptions.", "x", NULL },
    { "session", "\xff", NULL },
};

static void test_set_field(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
        DEFER(buf_free) struct buf out = BUF_INIT(MEMORY);
        struct spanner_ExecuteSqlRequest *msg = PB_NEW(arena, spanner_ExecuteSqlRequest);
        const struct str path = str_z(sets[i].path), text = str_z(sets[i].text);
        enum code rc = pb_set_field(&spanner_ExecuteSqlRequest_msg, msg, path, text, arena, NULL);
        if (rc != (sets[i].out ? OK : INVALID_ARGUMENT)) fail_msg("%s: %d", sets[i].path, (int)rc);
        if (rc) continue;
        assert_int_equal(pb_to_json(&spanner_ExecuteSqlRequest_msg, msg, &out, NULL), OK);
        assert_str(buf_str(&out), sets[i].out);
    }
}

static void test_set_field_appends(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
    void *msg = NULL;
    assert_int_equal(pb_from_json(&spanner_ReadRequest_msg, STR("{\"columns\":[\"a\"]}"), arena, 0, &msg, NULL), OK);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(pb_set_field(&spanner_ReadRequest_msg, msg, STR("columns"), STR("b"), arena, NULL), OK);
    }
    const struct spanner_ReadRequest *read = msg;
    assert_int_equal(read->columns.n, 10);
    assert_str(read->columns.p[0], "a");
    assert_str(read->columns.p[9], "b");
}

/* Every allocation of arena and buffers fails once; what comes out is an error, never a part of a message. */
static void test_short_memory(void **state) {
    (void)state;
    static const char text[] =
        "{\"name\":\"op\",\"metadata\":{\"@type\":\"a/google.protobuf.Struct\",\"value\":{\"b\":[1,\"x\"],"
        "\"a\":null}},\"error\":{\"code\":5,\"message\":\"m\",\"details\":[{\"@type\":"
        "\"a/google.rpc.RetryInfo\",\"retryDelay\":\"1s\"}]}}";
    enum code rc = UNKNOWN;
    unsigned failures = 0;
    for (unsigned n = 1; rc != OK; n++) {
        DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
        DEFER(buf_free) struct buf out = BUF_INIT(MEMORY);
        void *msg = NULL;
        arena_fail_after(n);
        rc = pb_from_json(&lro_Operation_msg, str_z(text), arena, 0, &msg, NULL);
        if (rc) assert_null(msg);
        if (!rc) rc = pb_to_json(&lro_Operation_msg, msg, &out, NULL);
        arena_fail_after(0);
        failures += rc != OK;
        assert_true(n < 1000);
    }
    assert_true(failures > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unknown_fields_may_be_skipped),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_what_has_no_json),
        cmocka_unit_test(test_set_field),
        cmocka_unit_test(test_set_field_appends),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
