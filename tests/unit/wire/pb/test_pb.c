/* The binary codec: what is refused, what merges, look-ups, Any, hand writing and hand reading, short memory. */
#include "test.h"
#include <string.h>
#include "base/enc.h"
#include "wire/pb/dataproc.pb.h"
#include "wire/pb/lro.pb.h"
#include "wire/pb/pb_read.h"
#include "wire/pb/pb_write.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"

enum { MEMORY = 1 << 20 };

struct refused_case {
    const char *name;
    const struct pb_msg *desc;
    const char *hex, *message;
};

static const struct refused_case refused[] = {
    { "unknown field", &spanner_ExecuteSqlRequest_msg, "980601",
      "google.spanner.v1.ExecuteSqlRequest: unknown field number 99 (wire type 0)" },
    { "unknown field below", &spanner_ExecuteSqlRequest_msg, "1202380a",
      "google.spanner.v1.TransactionSelector: unknown field number 7 (wire type 0)" },
    { "unknown field in a map entry", &spanner_ExecuteSqlRequest_msg, "2a021801",
      "google.spanner.v1.ExecuteSqlRequest.ParamTypesEntry: unknown field number 3 (wire type 0)" },
    { "known number, wrong wire type", &spanner_Session_msg, "0801",
      "google.spanner.v1.Session: unknown field number 1 (wire type 0)" },
    { "packed form of a string", &spanner_Session_msg, "3201ff",
      "google.spanner.v1.Session: unknown field number 6 (wire type 2)" },
    { "string is not UTF-8", &spanner_Session_msg, "0a02c328", "google.spanner.v1.Session.name: string is not UTF-8" },
    { "surrogate in a string", &spanner_Session_msg, "0a03eda080", "google.spanner.v1.Session.name: string is not UTF-8" },
    { "length past the end", &spanner_Session_msg, "0a05414243", "google.spanner.v1.Session: malformed protobuf" },
    { "length of 2^63", &spanner_Session_msg, "0a80808080808080808001", "google.spanner.v1.Session: malformed protobuf" },
    { "cut in a tag", &spanner_Session_msg, "8a", "google.spanner.v1.Session: malformed protobuf" },
    { "field number zero", &spanner_Session_msg, "0001", "google.spanner.v1.Session: malformed protobuf" },
    { "tag over 32 bits", &spanner_Session_msg, "888080808001", "google.spanner.v1.Session: malformed protobuf" },
    { "group", &spanner_Session_msg, "0b0c", "google.spanner.v1.Session: malformed protobuf" },
    { "wire type 7", &spanner_Session_msg, "0f", "google.spanner.v1.Session: malformed protobuf" },
    { "varint of eleven bytes", &spanner_Session_msg, "30ffffffffffffffffffff01",
      "google.spanner.v1.Session: malformed protobuf" },
    { "varint of 65 bits", &spanner_Session_msg, "30ffffffffffffffffff02",
      "google.spanner.v1.Session: malformed protobuf" },
    { "cut in a fixed64", &pb_Value_msg, "1100000000", "google.protobuf.Value: malformed protobuf" },
    { "cut in a packed field", &spanner_BatchWriteResponse_msg, "0a0180",
      "google.spanner.v1.BatchWriteResponse.indexes: malformed packed field" },
};

static struct str from_hex(struct arena *arena, const char *hex) {
    struct str s;
    assert_true(dec_hex(arena, str_z(hex), &s));
    return s;
}

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
        void *msg = NULL;
        struct err err = { .message = "" };
        const struct str in = from_hex(arena, refused[i].hex);
        if (pb_decode(refused[i].desc, in, arena, PB_REFUSE_UNKNOWN, &msg, &err) != INVALID_ARGUMENT) {
            fail_msg("%s: not refused", refused[i].name);
        }
        assert_null(msg);
        assert_string_equal(err.message, refused[i].message);
    }
}

struct same_case {
    const char *name;
    const struct pb_msg *desc;
    const char *in, *out; /* decoded, skipping what is unknown, and encoded again */
};

static const struct same_case same[] = {
    { "nothing", &spanner_Session_msg, "", "" },
    { "unknown fields are skipped", &spanner_Session_msg, "9806010a0141a506010203049a06021234", "0a0141" },
    { "fields come out in order", &spanner_Session_msg, "30010a0141", "0a01413001" },
    { "the last of two scalars wins", &spanner_Session_msg, "0a01410a0142", "0a0142" },
    { "messages merge", &spanner_Session_msg, "1a0208011a021002", "1a0408011002" },
    { "an empty message is present", &spanner_Session_msg, "1a00", "1a00" },
    { "a default scalar is absent", &spanner_Session_msg, "0a003000", "" },
    { "any varint is true", &spanner_Session_msg, "308002", "3001" },
    { "overlong varint", &spanner_Session_msg,
      "8a80808000818000"
      "41",
      "0a0141" },
    { "the last member of a oneof wins", &spanner_TransactionSelector_msg, "0a0012014112014a", "12014a" },
    { "a oneof's member may be empty", &spanner_TransactionSelector_msg, "1200", "1200" },
    { "a oneof's message merges with itself only", &spanner_TransactionSelector_msg, "1a0228010a0028011a0230011a022801",
      "1a0428013001" },
    { "a map's last key wins, keys ascend", &spanner_Session_msg,
      "12060a01621201311206"
      "0a0161120132"
      "12060a0162120133",
      "12060a016112013212060a0162120133" },
    { "a map entry without key or value", &spanner_Session_msg, "1200", "12040a001200" },
    { "packed and not packed", &spanner_BatchWriteResponse_msg,
      "0a0201020803"
      "0800",
      "0a0401020300" },
    { "a negative int32 takes ten bytes", &spanner_BatchWriteResponse_msg, "0a05ffffffff0f", "0a0affffffffffffffffff01" },
    { "unknown enum number is kept", &spanner_Type_msg, "08e707", "08e707" },
    { "a null value is present", &pb_Value_msg, "0800", "0800" },
};

static void test_same(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(same); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
        DEFER(buf_free) struct buf out = BUF_INIT(MEMORY), hex = BUF_INIT(MEMORY);
        void *msg = NULL;
        struct err err = { .message = "" };
        if (pb_decode(same[i].desc, from_hex(arena, same[i].in), arena, 0, &msg, &err)) {
            fail_msg("%s: %s", same[i].name, err.message);
        }
        assert_int_equal(pb_encode(same[i].desc, msg, &out, &err), OK);
        enc_hex(&hex, buf_str(&out));
        if (!str_eq_z(buf_str(&hex), same[i].out)) fail_msg("%s: is %.*s", same[i].name, STR_ARG(buf_str(&hex)));
    }
}

/* Value in ListValue in Value …: each level of lists is two levels of messages. */
static void nested_lists(struct buf *out, unsigned levels) {
    buf_clear(out);
    for (unsigned i = 0; i < levels; i++) {
        DEFER(buf_free) struct buf inner = BUF_INIT(MEMORY);
        buf_add_str(&inner, buf_str(out));
        buf_clear(out);
        pb_put_bytes(out, i % 2 ? 1 : 6, buf_str(&inner));
    }
}

static void test_depth(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
    DEFER(buf_free) struct buf in = BUF_INIT(MEMORY);
    void *msg = NULL;
    struct err err = { .message = "" };
    nested_lists(&in, PB_MAX_DEPTH); /* even: the outermost is a ListValue */
    assert_int_equal(pb_decode(&pb_ListValue_msg, buf_str(&in), arena, 0, &msg, &err), OK);
    nested_lists(&in, PB_MAX_DEPTH + 2);
    assert_int_equal(pb_decode(&pb_ListValue_msg, buf_str(&in), arena, 0, &msg, &err), INVALID_ARGUMENT);
    assert_string_equal(err.message, "google.protobuf.Value: nested more than 64 levels deep");
}

static void test_memory_is_bounded(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(16 << 10);
    static char in[16 << 10]; /* ten thousand empty statements are two bytes each on the wire, and more in memory */
    for (size_t i = 0; i < sizeof in; i += 2) memcpy(in + i, "\x1a\x00", 2);
    void *msg = NULL;
    struct err err = { .message = "" };
    const struct str bytes = { in, sizeof in };
    assert_int_equal(pb_decode(&spanner_ExecuteBatchDmlRequest_msg, bytes, arena, 0, &msg, &err), RESOURCE_EXHAUSTED);
    DEFER(buf_free) struct buf small = BUF_INIT(8);
    struct spanner_Session s = { .name = STR("a name of more than eight bytes") };
    assert_int_equal(pb_encode(&spanner_Session_msg, &s, &small, &err), RESOURCE_EXHAUSTED);
}

static void test_lookups(void **state) {
    (void)state;
    assert_ptr_equal(pb_find(STR("google.spanner.v1.Mutation.Write")), &spanner_Mutation_Write_msg);
    assert_ptr_equal(pb_find(STR("google.cloud.dataproc.v1.Job")), &dataproc_Job_msg);
    assert_null(pb_find(STR("google.spanner.v1.Mutatio")));
    assert_null(pb_find(STR("")));
    const struct pb_field *f = pb_field_by_name(&spanner_ExecuteSqlRequest_msg, STR("paramTypes"));
    assert_ptr_equal(f, pb_field_by_name(&spanner_ExecuteSqlRequest_msg, STR("param_types")));
    assert_ptr_equal(f, pb_field_by_number(&spanner_ExecuteSqlRequest_msg, 5));
    assert_null(pb_field_by_number(&spanner_ExecuteSqlRequest_msg, 12));
    assert_null(pb_field_by_number(&spanner_ExecuteSqlRequest_msg, 500000));
    assert_int_equal(pb_enum_by_name(&spanner_TypeCode_enum, STR("INT64"))->number, spanner_TypeCode_INT64);
    assert_str(pb_enum_by_number(&spanner_TypeCode_enum, 17)->name, "UUID");
    assert_null(pb_enum_by_number(&spanner_TypeCode_enum, 12));
}

static void test_any(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
    struct err err = { .message = "" };
    struct spanner_Session in = { .name = STR("s"), .multiplexed = true };
    struct pb_Any *any = NULL;
    const struct pb_msg *desc = NULL;
    void *out = NULL;
    assert_int_equal(pb_any_pack(&spanner_Session_msg, &in, arena, &any, &err), OK);
    assert_str(any->type_url, "type.googleapis.com/google.spanner.v1.Session");
    assert_int_equal(pb_any_unpack(any, arena, PB_REFUSE_UNKNOWN, &desc, &out, &err), OK);
    assert_ptr_equal(desc, &spanner_Session_msg);
    assert_true(((struct spanner_Session *)out)->multiplexed);
    struct pb_Any other = { .type_url = STR("type.googleapis.com/google.spanner.v1.Sessions") };
    assert_int_equal(pb_any_unpack(&other, arena, 0, &desc, &out, &err), INVALID_ARGUMENT);
    other.type_url = STR("google.spanner.v1.Session"); /* no slash: no type URL */
    assert_int_equal(pb_any_unpack(&other, arena, 0, &desc, &out, &err), INVALID_ARGUMENT);
}

/* A row written by hand is what the codec would have written. */
static void test_hand_written_row(void **state) {
    (void)state;
    DEFER(buf_free) struct buf hand = BUF_INIT(MEMORY), codec = BUF_INIT(MEMORY);
    static const char long_text[300] = { [0] = 'x', [299] = 'y' };
    const struct str text = { long_text, sizeof long_text };
    struct pb_Value inner[] = { { .kind_case = pb_Value_kind_number_value, .number_value = 1.5 },
                                { .kind_case = pb_Value_kind_string_value, .string_value = text } };
    struct pb_ListValue list = { .values = { inner, COUNT(inner) } };
    struct pb_ListValue none = { 0 };
    struct pb_Value cells[] = { { .kind_case = pb_Value_kind_null_value },
                                { .kind_case = pb_Value_kind_bool_value, .bool_value = true },
                                { .kind_case = pb_Value_kind_bool_value },
                                { .kind_case = pb_Value_kind_string_value, .string_value = STR("42") },
                                { .kind_case = pb_Value_kind_list_value, .list_value = &list },
                                { .kind_case = pb_Value_kind_list_value, .list_value = &none } };
    struct spanner_PartialResultSet set = { .values = { cells, COUNT(cells) }, .resume_token = STR("t"), .last = true };
    pb_put_value_null(&hand, 2);
    pb_put_value_bool(&hand, 2, true);
    pb_put_value_bool(&hand, 2, false);
    pb_put_value_string(&hand, 2, STR("42"));
    struct pb_list_mark mark = pb_begin_value_list(&hand, 2);
    pb_put_value_number(&hand, 1, 1.5);
    pb_put_value_string(&hand, 1, text);
    pb_end_value_list(&hand, mark);
    pb_end_value_list(&hand, pb_begin_value_list(&hand, 2));
    pb_put_bytes(&hand, 4, STR("t"));
    pb_put_u64(&hand, 9, 1);
    assert_int_equal(pb_encode(&spanner_PartialResultSet_msg, &set, &codec, NULL), OK);
    assert_true(buf_ok(&hand));
    assert_true(str_eq(buf_str(&hand), buf_str(&codec)));
}

static void test_hand_reading(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
    struct pb_reader r = pb_read(from_hex(arena, "08960112026869"
                                                 "1d01000000"
                                                 "21000000000000f83f"));
    struct pb_item item;
    assert_true(pb_next(&r, &item) && item.number == 1 && item.wire == PB_WIRE_VARINT && item.value == 150);
    assert_true(pb_next(&r, &item) && item.number == 2);
    assert_str(item.bytes, "hi");
    assert_true(pb_next(&r, &item) && item.number == 3 && item.value == 1);
    assert_true(pb_next(&r, &item) && item.number == 4 && pb_as_double(item.value) > 1.4 && pb_as_double(item.value) < 1.6);
    assert_false(pb_next(&r, &item));
    assert_false(r.bad);
    r = pb_read(from_hex(arena, "0b"));
    assert_false(pb_next(&r, &item));
    assert_true(r.bad);
    assert_false(pb_next(&r, &item)); /* and stays so */
    r = pb_read((struct str){ NULL, 0 });
    assert_false(pb_next(&r, &item));
    assert_false(r.bad);
}

/* A full buffer stays full and is never written past its end, whatever the writer does. */
static void test_writing_past_the_maximum(void **state) {
    (void)state;
    for (size_t max = 1; max < 400; max++) {
        DEFER(buf_free) struct buf out = BUF_INIT(max);
        static const char text[150];
        const size_t whole = 3 + 3 + 6 + sizeof text + 11; /* value, list, string, number */
        struct pb_list_mark mark = pb_begin_value_list(&out, 2);
        pb_put_value_string(&out, 1, (struct str){ text, sizeof text });
        pb_put_value_number(&out, 1, 1);
        pb_end_value_list(&out, mark);
        assert_true(out.n <= max);
        assert_int_equal(buf_ok(&out), max >= whole);
    }
}

static void test_short_memory(void **state) {
    (void)state;
    static const char hex[] = "0a0173"
                              "1a0853454c4543542031"
                              "22120a070a0162120208000a070a016112020800"
                              "2a070a0162120208022a070a016112020802";
    enum code rc = UNKNOWN;
    unsigned failures = 0;
    for (unsigned n = 1; rc != OK; n++) {
        DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
        DEFER(buf_free) struct buf out = BUF_INIT(MEMORY);
        const struct str in = from_hex(arena, hex);
        void *msg = NULL;
        arena_fail_after(n);
        rc = pb_decode(&spanner_ExecuteSqlRequest_msg, in, arena, 0, &msg, NULL);
        if (!rc) rc = pb_encode(&spanner_ExecuteSqlRequest_msg, msg, &out, NULL);
        arena_fail_after(0);
        if (rc) assert_int_equal(rc, RESOURCE_EXHAUSTED);
        failures += rc != OK;
        assert_true(n < 1000);
    }
    assert_true(failures > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_hand_written_row),
        cmocka_unit_test(test_hand_reading),
        cmocka_unit_test(test_writing_past_the_maximum),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
