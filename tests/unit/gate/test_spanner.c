/* test_spanner.c: the Spanner API as clients meet it: over REST, through identity and policy, down to the engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/engine.h"
#include "engine/sql/functions.h"
#include "gate_rig.h"
#include "spanner/spanner.h"

#define HEAD                                                                                                               \
    "domain d covers spanner demo/* owner o\n"                                                                             \
    "account reader is \"reader@demo\"\naccount other is \"other@demo\"\naccount nobody is \"nobody@demo\"\n"
#define END " in spanner demo/flights owner o until 2099-01-01\n"
#define POLICY                                                                                                             \
    HEAD "allow reader to administer spanner demo/flights owner o until 2099-01-01\n"                                      \
         "allow reader to change schema every table and read schema" END                                                   \
         "allow reader to read, insert, update, delete every table" END "allow other to read Singers(Id, Name)" END        \
         "allow other to insert Singers(Id, Name)" END
#define DB "/v1/projects/p/instances/in1/databases/flights"

static struct engine *engine;
static struct spanner *spanner;
static struct service service;

/* ---- calls in JSON ---- */

static struct reply last;

static const char *call(const char *verb, const char *path, const char *body) {
    memset(&last, 0, sizeof last);
    reply_rest(&last, verb, path, body);
    reply_wait(&last);
    return last.first;
}

static void expect(const char *verb, const char *path, const char *body, unsigned status, const char *text) {
    (void)call(verb, path, body);
    if (last.http_status == status && strstr(last.first, text)) return;
    fail_msg("%s %s %s\nshould be %u with %s\nis %u %s %s", verb, path, body, status, text, last.http_status, last.first,
             last.error);
}

/* The text behind "key":" of the last answer, in a place of its own. */
static const char *field(const char *key) {
    static char places[64][4096];
    static unsigned next;
    char *place = places[next++ % 64], mark[64];
    snprintf(mark, sizeof mark, "\"%s\":\"", key);
    const char *at = strstr(last.first, mark);
    if (!at) fail_msg("no %s in %s", key, last.first);
    snprintf(place, sizeof places[0], "%.*s", (int)strcspn(at + strlen(mark), "\""), at + strlen(mark));
    return place;
}

static const char *print(const char *fmt, const char *a, const char *b) {
    static char places[64][8192];
    static unsigned next;
    char *place = places[next++ % 64];
    const char *from = fmt;
    size_t n = 0;
    for (; *from && n < sizeof places[0] - 1; from++) { /* %a and %b */
        if (*from != '%') {
            place[n++] = *from;
            continue;
        }
        const char *piece = *++from == 'a' ? a : b;
        n += (size_t)snprintf(place + n, sizeof places[0] - n, "%s", piece);
    }
    place[n] = '\0';
    return place;
}

static const char *session(void) {
    (void)call("POST", DB "/sessions", "{}");
    return print("/v1/%a", field("name"), "");
}

static void commit(const char *mutation) {
    expect("POST", print("%a:commit", session(), ""),
           print("{\"singleUseTransaction\":{\"readWrite\":{}},\"mutations\":[%a]}", mutation, ""), 200, "commitTimestamp");
}

/* ---- life ---- */

static void start_spanner(void) {
    struct err err = { 0 };
    struct engine_options options = { .data_dir = rig.folder,
                                      .setup = spanner_setup_connection,
                                      .sql_error = sql_error_from_sqlite };
    if (engine_open(&options, &engine, &err)) fail_msg("%s", err.message);
    struct spanner_config config = { .engine = engine, .n_connections = 1 };
    config.connections[0] = (struct spanner_connection){ STR("demo"), STR("p"), STR("in1") };
    if (spanner_new(&config, &spanner, &err)) fail_msg("%s", err.message);
    service = spanner_service(spanner);
}

static int set_up(void **state) {
    (void)state;
    gate_rig_prepare();
    start_spanner();
    gate_rig_start(&service, POLICY);
    expect("POST", "/v1/projects/p/instances/in1/databases",
           "{\"createStatement\":\"CREATE DATABASE flights\",\"extraStatements\":[\"CREATE TABLE Singers (Id INT64 NOT "
           "NULL, Name STRING(MAX), Secret STRING(10)) PRIMARY KEY (Id)\"]}",
           200, "\"done\":true");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    gate_rig_drain();
    spanner_free(spanner);
    engine_close(engine);
    gate_rig_stop();
    return 0;
}

static void add_rows(unsigned n) {
    char rows[8192] = "";
    for (unsigned i = 0; i < n; i++) {
        size_t at = strlen(rows);
        snprintf(rows + at, sizeof rows - at, "%s[\"%u\",\"n%u\",\"s%u\"]", i ? "," : "", i, i, i);
    }
    commit(
        print("{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\",\"Name\",\"Secret\"],\"values\":[%a]}}", rows, ""));
}

/* ---- tests ---- */

static void test_databases(void **state) {
    (void)state;
    expect("GET", "/v1/projects/p/instances/in1/databases", "", 200, "databases/flights");
    expect("GET", DB, "", 200, "\"state\":\"READY\"");
    expect("GET", DB "/ddl", "", 200, "CREATE TABLE Singers");
    expect("GET", "/v1/projects/p/instances/in1", "", 200, "displayName");
    expect("POST", "/v1/projects/p/instances", "{\"instanceId\":\"in1\"}", 409, "already exists");
    expect("POST", "/v1/projects/p/instances/in1/databases", "{\"createStatement\":\"CREATE DATABASE flights\"}", 409,
           "already exists");
    expect("PATCH", DB "/ddl", "{\"statements\":[\"ALTER TABLE Singers ADD COLUMN Age INT64\"],\"operationId\":\"op_1\"}",
           200, "\"done\":true");
    expect("PATCH", DB "/ddl", "{\"statements\":[\"DROP TABLE Singers\"],\"operationId\":\"a/b\"}", 400, "operation_id");
    expect("GET", DB "/ddl", "", 200, "Age INT64");
    gate_rig_become("nobody@demo");
    expect("GET", DB "/ddl", "", 403, "NO_RULE");
    expect("GET", "/v1/projects/p/instances/in1/databases", "", 200, "{}");
    gate_rig_become("reader@demo");
    expect("DELETE", DB, "", 200, "{}");
    expect("GET", DB, "", 404, "Database not found");
}

/* The database whose tables cannot be made is not left behind. */
static void test_create_fails(void **state) {
    (void)state;
    expect("DELETE", DB, "", 200, "{}");
    expect("POST", "/v1/projects/p/instances/in1/databases",
           "{\"createStatement\":\"CREATE DATABASE flights\",\"extraStatements\":[\"CREATE TABLE A (I INT64) PRIMARY KEY "
           "(I)\",\"CREATE TABLE A (I INT64) PRIMARY KEY (I)\"]}",
           400, "\"error\"");
    expect("GET", DB, "", 404, "Database not found");
}

static void test_sessions(void **state) {
    (void)state;
    expect("POST", DB "/sessions:batchCreate", "{\"sessionCount\":3}", 200, "sessions/");
    expect("POST", DB "/sessions:batchCreate", "{\"sessionCount\":3,\"sessionTemplate\":{\"multiplexed\":true}}", 400,
           "CreateSession");
    expect("POST", DB "/sessions", "{\"session\":{\"multiplexed\":true}}", 200, "\"multiplexed\":true");
    expect("POST", DB "/sessions", "{\"session\":{\"creatorRole\":\"r\"}}", 404, "Role not found: r");
    const char *mine = session();
    expect("GET", mine, "", 200, "createTime");
    gate_rig_become("other@demo");
    expect("GET", mine, "", 404, "Session not found"); /* bound to its owner */
    expect("DELETE", mine, "", 200, "{}");
    gate_rig_become("reader@demo");
    expect("GET", mine, "", 200, "createTime");
    expect("DELETE", mine, "", 200, "{}");
    expect("DELETE", mine, "", 200, "{}");
    expect("GET", mine, "", 404, "Session not found");
    gate_rig_become("nobody@demo");
    expect("POST", DB "/sessions", "{}", 403, "NO_RULE");
    gate_rig_become("reader@demo");
}

#define READ "{\"table\":\"Singers\",\"columns\":[\"Id\",\"Name\"],\"keySet\":"
static void test_read(void **state) {
    (void)state;
    add_rows(5);
    const char *s = session(), *read = print("%a:read", s, ""), *stream = print("%a:streamingRead", s, "");
    expect("POST", read, READ "{\"all\":true}}", 200, "[\"4\",\"n4\"]");
    expect("POST", read, READ "{\"keys\":[[\"3\"]]}}", 200, "\"rows\":[[\"3\",\"n3\"]]");
    expect("POST", read, READ "{\"ranges\":[{\"startClosed\":[\"1\"],\"endOpen\":[\"3\"]}]}}", 200,
           "\"rows\":[[\"1\",\"n1\"],[\"2\",\"n2\"]]");
    expect("POST", read, READ "{\"all\":true},\"limit\":\"1\"}", 200, "\"rows\":[[\"0\",\"n0\"]]");
    expect("POST", read, READ "{\"all\":true},\"index\":\"x\"}", 501, "indexes");
    expect("POST", "/v1/projects/p/instances/in1/databases/flights/sessions/nope:read", READ "{\"all\":true}}", 404,
           "\"@type\":\"type.googleapis.com/google.rpc.ResourceInfo\",\"resourceType\":\"type.googleapis.com/"
           "google.spanner.v1.Session\",\"resourceName\":\"projects/p/instances/in1/databases/flights/sessions/nope\"");
    expect("POST", read, "{\"table\":\"Nope\",\"columns\":[\"Id\"],\"keySet\":{\"all\":true}}", 404, "Table not found");
    expect("POST", read, "{\"table\":\"Singers\",\"columns\":[\"Nope\"],\"keySet\":{\"all\":true}}", 404,
           "Column not found");
    expect("POST", stream, READ "{\"all\":true}}", 200, "resumeToken");
    gate_rig_become("other@demo");
    s = session();
    expect("POST", print("%a:read", s, ""), READ "{\"all\":true}}", 200, "[\"4\",\"n4\"]");
    expect("POST", print("%a:read", s, ""), "{\"table\":\"Singers\",\"columns\":[\"Secret\"],\"keySet\":{\"all\":true}}",
           403, "NO_RULE_FOR_COLUMN");
    expect("POST", print("%a:executeSql", s, ""), "{\"sql\":\"SELECT Name FROM Singers WHERE Secret = 's1'\"}", 403,
           "NO_RULE_FOR_COLUMN");
    gate_rig_become("reader@demo");
}

/* A resumed read goes on behind its token, also when nothing is left, twice. */
static void test_resume_read(void **state) {
    (void)state;
    add_rows(3);
    const char *stream = print("%a:streamingRead", session(), "");
    (void)call("POST", stream, READ "{\"all\":true}}");
    const char *token = field("resumeToken");
    for (unsigned i = 0; i < 3; i++) {
        (void)call("POST", stream, print(READ "{\"all\":true},\"resumeToken\":\"%a\"}", token, ""));
        assert_int_equal(last.http_status, 200);
        assert_null(strstr(last.first, "values"));
        token = field("resumeToken");
    }
    expect("POST", stream, print(READ "{\"keys\":[[\"1\"]]},\"resumeToken\":\"%a\"}", token, ""), 400, "resume token");
    gate_rig_become("other@demo");
    expect("POST", print("%a:streamingRead", session(), ""),
           print(READ "{\"all\":true},\"resumeToken\":\"%a\"}", token, ""), 400, "resume token");
    gate_rig_become("reader@demo");
}

static void test_sql(void **state) {
    (void)state;
    add_rows(5);
    const char *s = session(), *sql = print("%a:executeSql", s, ""), *stream = print("%a:executeStreamingSql", s, "");
    expect("POST", sql, "{\"sql\":\"SELECT COUNT(*) AS n FROM Singers\"}", 200, "\"rows\":[[\"5\"]]");
    expect(
        "POST", sql,
        "{\"sql\":\"SELECT Name FROM Singers WHERE Id = @id\",\"params\":{\"id\":\"2\"},\"paramTypes\":{\"id\":{\"code\":"
        "\"INT64\"}}}",
        200, "\"rows\":[[\"n2\"]]");
    expect("POST", sql, "{\"sql\":\"SELECT Name FROM Singers WHERE Id = @id\"}", 400, "No parameter found");
    expect("POST", sql, "{\"sql\":\"SELECT Nope FROM Singers\"}", 400, "Nope");
    expect("POST", sql, "{\"sql\":\"SELECT Name FROM Singers WHERE Id = @id\",\"queryMode\":\"PLAN\"}", 200,
           "undeclaredParameters");
    expect("POST", sql, "{\"sql\":\"SELECT Name FROM Singers\",\"queryMode\":\"PLAN\"}", 200,
           "\"stats\":{\"queryPlan\":{\"planNodes\":[{\"kind\":\"RELATIONAL\",\"displayName\":\"Query\"}]}}");
    expect("POST", stream, "{\"sql\":\"SELECT Name FROM Singers\",\"queryMode\":\"PLAN\"}", 200, "\"queryPlan\"");
    expect("POST", sql, "{\"sql\":\"DELETE FROM Singers WHERE true\"}", 501, "DML");
    expect("POST", stream, "{\"sql\":\"SELECT Id FROM Singers ORDER BY Id\"}", 200, "resumeToken");
    const char *token = field("resumeToken");
    (void)call("POST", stream, print("{\"sql\":\"SELECT Id FROM Singers ORDER BY Id\",\"resumeToken\":\"%a\"}", token, ""));
    if (last.http_status != 200 || strstr(last.first, "values")) fail_msg("resumed: %s", last.first);
    commit("{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\",\"Name\"],\"values\":[[\"9\",\"new\"]]}}");
    (void)call("POST", stream, print("{\"sql\":\"SELECT Id FROM Singers ORDER BY Id\",\"resumeToken\":\"%a\"}", token, ""));
    if (last.http_status != 200 || strstr(last.first, "values")) /* its result is that of its own time */
        fail_msg("resumed after a commit: %s", last.first);
    expect("POST", stream, print("{\"sql\":\"SELECT Id FROM Singers ORDER BY Id DESC\",\"resumeToken\":\"%a\"}", token, ""),
           400, "resume token");
    expect("POST", sql,
           "{\"sql\":\"SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.INDEX_COLUMNS WHERE INDEX_NAME = 'PRIMARY_KEY' AND "
           "UPPER(TABLE_NAME) = UPPER(@t)\",\"params\":{\"t\":\"singers\"},\"paramTypes\":{\"t\":{\"code\":\"STRING\"}}}",
           200, "\"rows\":[[\"Id\"]]");
    gate_rig_become("nobody@demo");
    expect("POST", sql, "{\"sql\":\"SELECT 1\"}", 404, "Session not found");
    gate_rig_become("reader@demo");
}

/* A statement that came before counts for one schema, one set of types, and anybody: who may not still may not. */
static void test_statements_again(void **state) {
    (void)state;
    add_rows(1);
    char sql[500]; /* print's places come round */
    snprintf(sql, sizeof sql, "%s:executeSql", session());
#define ALL "{\"sql\":\"SELECT * FROM Singers\"}"
    for (unsigned i = 0; i < 2; i++) expect("POST", sql, ALL, 200, "\"rows\":[[\"0\",\"n0\",\"s0\"]]");
    gate_rig_become("other@demo");
    expect("POST", print("%a:executeSql", session(), ""), ALL, 403, "NO_RULE_FOR_COLUMN");
    gate_rig_become("reader@demo");
    expect("PATCH", DB "/ddl", "{\"statements\":[\"ALTER TABLE Singers ADD COLUMN Age INT64\"]}", 200, "\"done\":true");
    for (unsigned i = 0; i < 2; i++) expect("POST", sql, ALL, 200, "\"rows\":[[\"0\",\"n0\",\"s0\",null]]");
    expect("PATCH", DB "/ddl", "{\"statements\":[\"DROP TABLE Singers\"]}", 200, "\"done\":true");
    for (unsigned i = 0; i < 2; i++) expect("POST", sql, ALL, 400, "Table not found");
    static const char *const types[] = { "INT64", "STRING", "FLOAT64" };
    for (unsigned i = 0; i < 9; i++)
        expect("POST", sql,
               print("{\"sql\":\"SELECT @a AS x\",\"params\":{\"a\":%b},\"paramTypes\":{\"a\":{\"code\":\"%a\"}}}",
                     types[i % 3], i % 3 == 2 ? "1.5" : "\"7\""),
               200, print("\"code\":\"%a\"", types[i % 3], ""));
    for (unsigned i = 0; i < 600; i++) { /* more than are kept, each twice */
        char number[16];
        snprintf(number, sizeof number, "%u", i / 2 % 290);
        expect("POST", sql, print("{\"sql\":\"SELECT %a AS n\"}", number, ""), 200, print("[[\"%a\"]]", number, ""));
    }
}

/* A resumed query over INFORMATION_SCHEMA goes on; not when the schema changed: its order would be another. */
static void test_resume_info(void **state) {
    (void)state;
#define TABLES "{\"sql\":\"SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES\""
    const char *stream = print("%a:executeStreamingSql", session(), "");
    expect("POST", stream, TABLES "}", 200, "\"values\":[\"Singers\"]");
    const char *token = field("resumeToken");
    (void)call("POST", stream, print(TABLES ",\"resumeToken\":\"%a\"}", token, ""));
    if (last.http_status != 200 || strstr(last.first, "values")) fail_msg("resumed: %s", last.first);
    token = field("resumeToken");
    expect("PATCH", DB "/ddl", "{\"statements\":[\"ALTER TABLE Singers ADD COLUMN Age INT64\"]}", 200, "\"done\":true");
    (void)call("POST", stream, print(TABLES ",\"resumeToken\":\"%a\"}", token, "")); /* it shows no columns: the same */
    if (last.http_status != 200 || strstr(last.first, "values")) fail_msg("resumed: %s", last.first);
    expect("PATCH", DB "/ddl", "{\"statements\":[\"CREATE TABLE A (I INT64) PRIMARY KEY (I)\"]}", 200, "\"done\":true");
    expect("POST", stream, print(TABLES ",\"resumeToken\":\"%a\"}", token, ""), 400, "run the query again");
}

static const char *begin(const char *s, const char *options) {
    expect("POST", print("%a:beginTransaction", s, ""), print("{\"options\":{%a}}", options, ""), 200, "\"id\":\"");
    return field("id");
}

static void test_transactions(void **state) {
    (void)state;
    add_rows(2);
    const char *s = session(), *read = print("%a:read", s, ""), *done = print("%a:commit", s, "");
    const char *ro = begin(s, "\"readOnly\":{\"strong\":true,\"returnReadTimestamp\":true}");
    commit("{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\",\"Name\"],\"values\":[[\"7\",\"late\"]]}}");
    (void)call("POST", read, print(READ "{\"all\":true},\"transaction\":{\"id\":\"%a\"}}", ro, ""));
    assert_null(strstr(last.first, "late")); /* it reads at its own time */
    expect("POST", read, READ "{\"all\":true}}", 200, "late");
    expect("POST", done, print("{\"transactionId\":\"%a\"}", ro, ""), 400, "read-only");
    const char *rw = begin(s, "\"readWrite\":{}");
    expect("POST", read, print(READ "{\"all\":true},\"transaction\":{\"id\":\"%a\"}}", rw, ""), 200, "late");
    expect("POST", done,
           print("{\"transactionId\":\"%a\",\"mutations\":[{\"delete\":{\"table\":\"Singers\",\"keySet\":{"
                 "\"keys\":[[\"7\"]]}}}],\"returnCommitStats\":true}",
                 rw, ""),
           200, "mutationCount");
    (void)call("POST", read, READ "{\"all\":true}}");
    assert_null(strstr(last.first, "late"));
    const char *lost = begin(s, "\"readWrite\":{}"), *roll = print("%a:rollback", s, "");
    expect("POST", roll, print("{\"transactionId\":\"%a\"}", lost, ""), 200, "{}");
    expect("POST", done, print("{\"transactionId\":\"%a\"}", lost, ""), 400, "\"error\"");
    expect("POST", read, READ "{\"all\":true},\"transaction\":{\"begin\":{\"readOnly\":{\"strong\":true}}}}", 200,
           "\"transaction\":{\"id\":");
    const char *first = begin(s, "\"readWrite\":{}"), *second = begin(s, "\"readWrite\":{}");
    const char *txns[] = { first, second };
    for (size_t i = 0; i < COUNT(txns); i++)
        expect("POST", read, print(READ "{\"all\":true},\"transaction\":{\"id\":\"%a\"}}", txns[i], ""), 200, "n1");
    for (size_t i = 0; i < COUNT(txns); i++) /* both read what both write: one loses */
        expect(
            "POST", done,
            print(
                "{\"transactionId\":\"%a\",\"mutations\":[{\"update\":{\"table\":\"Singers\",\"columns\":[\"Id\",\"Name\"],"
                "\"values\":[[\"1\",\"n1\"]]}}]}",
                txns[i], ""),
            i ? 409 : 200, i ? "ABORTED" : "commitTimestamp");
    if (!strstr(last.first,
                "\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"0.010s\"}]"))
        fail_msg("no RetryInfo: %s", last.first);
    const char *theirs = begin(s, "\"readWrite\":{}");
    gate_rig_become("other@demo");
    (void)call("POST", print("%a:commit", session(), ""), print("{\"transactionId\":\"%a\"}", theirs, ""));
    assert_true(last.http_status >= 400);
    gate_rig_become("reader@demo");
}

static void test_commit_errors(void **state) {
    (void)state;
    add_rows(1);
    static const struct {
        const char *mutation;
        unsigned status;
        const char *text;
    } cases[] = {
        { "{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\"],\"values\":[[\"0\"]]}}", 409, "\"error\"" },
        { "{\"update\":{\"table\":\"Singers\",\"columns\":[\"Id\"],\"values\":[[\"9\"]]}}", 404, "\"error\"" },
        { "{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\"],\"values\":[[\"x\"]]}}", 400, "Id" },
        { "{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\"],\"values\":[[\"8\",\"y\"]]}}", 400, "values" },
        { "{\"insert\":{\"table\":\"Nope\",\"columns\":[\"Id\"],\"values\":[[\"8\"]]}}", 404, "Nope" },
        { "{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\",\"Secret\"],\"values\":[[\"8\",\"12345678901\"]]}}", 400,
          "\"error\"" },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect("POST", print("%a:commit", session(), ""),
               print("{\"singleUseTransaction\":{\"readWrite\":{}},\"mutations\":[%a]}", cases[i].mutation, ""),
               cases[i].status, cases[i].text);
    gate_rig_become("other@demo");
    expect("POST", print("%a:commit", session(), ""),
           "{\"singleUseTransaction\":{\"readWrite\":{}},\"mutations\":[{\"delete\":{\"table\":\"Singers\",\"keySet\":{"
           "\"all\":true}}}]}",
           403, "NO_RULE");
    gate_rig_become("reader@demo");
}

/* Mutations of one kind are decided once; one of another kind is, wherever it stands and however many kinds there are. */
static void test_commit_kinds(void **state) {
    (void)state;
    static char body[1 << 16];
    static const struct {
        const char *name, *odd;
        unsigned kinds, status;
        const char *text;
    } cases[] = {
        { "all alike", NULL, 1, 200, "commitTimestamp" },
        { "another column", "{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\",\"Secret\"]}}", 1, 403, "Secret" },
        { "another operation", "{\"delete\":{\"table\":\"Singers\",\"keySet\":{\"all\":true}}}", 1, 403, "delete" },
        { "another table", "{\"insert\":{\"table\":\"Nope\",\"columns\":[\"Id\",\"Name\"]}}", 1, 403, "Nope" },
        { "behind many kinds", "{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\",\"Secret\"]}}", 50, 403, "Secret" },
    };
    gate_rig_become("other@demo");
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = (size_t)snprintf(body, sizeof body, "{\"singleUseTransaction\":{\"readWrite\":{}},\"mutations\":[");
        for (unsigned k = 0; k < 60; k++) { /* kinds differ in how often they name the column */
            n += (size_t)snprintf(body + n, sizeof body - n, "%s{\"insert\":{\"table\":\"Singers\",\"columns\":[\"Id\"",
                                  k ? "," : "");
            for (unsigned c = 0; c <= k % cases[i].kinds; c++)
                n += (size_t)snprintf(body + n, sizeof body - n, ",\"Name\"");
            n += (size_t)snprintf(body + n, sizeof body - n, "],\"values\":[[\"%u\",\"n\"]]}}", 5000 + k);
            if (k == 55 && cases[i].odd) n += (size_t)snprintf(body + n, sizeof body - n, ",%s", cases[i].odd);
        }
        (void)snprintf(body + n, sizeof body - n, "]}");
        (void)call("POST", print("%a:commit", session(), ""), body);
        if (last.http_status != cases[i].status || !strstr(last.first, cases[i].text))
            fail_msg("%s: is %u %s %s", cases[i].name, last.http_status, last.first, last.error);
    }
    gate_rig_become("reader@demo");
}

/* The parts of a table together are the table, each row once. */
static void test_partitions(void **state) {
    (void)state;
    add_rows(100);
    const char *s = session();
    const char *ro = begin(s, "\"readOnly\":{\"strong\":true}");
    const char *at = print("\"transaction\":{\"id\":\"%a\"}", ro, "");
    expect(
        "POST", print("%a:partitionQuery", s, ""),
        "{\"sql\":\"SELECT Id FROM Singers\",\"transaction\":{\"singleUse\":{\"readOnly\":{\"exactStaleness\":\"0s\"}}}}",
        400, "more than once");
    expect("POST", print("%a:partitionQuery", s, ""), print("{\"sql\":\"SELECT COUNT(*) FROM Singers\",%a}", at, ""), 400,
           "root-partitionable");
    expect("POST", print("%a:partitionQuery", s, ""), print("{\"sql\":\"SELECT Id FROM Singers\",%a}", at, ""), 200,
           "partitionToken");
    static char answer[sizeof last.first];
    memcpy(answer, last.first, sizeof answer);
    unsigned parts = 0, rows = 0, full = 0;
    for (const char *p = answer; (p = strstr(p, "\"partitionToken\":\"")); parts++) {
        p += strlen("\"partitionToken\":\"");
        char token[2048];
        snprintf(token, sizeof token, "%.*s", (int)strcspn(p, "\""), p);
        const char *more = print("\"partitionToken\":\"%a\",%b", token, at);
        (void)call("POST", print("%a:executeSql", s, ""), print("{\"sql\":\"SELECT Id FROM Singers\",%a}", more, ""));
        if (last.http_status != 200) fail_msg("%s", last.first);
        unsigned before = rows;
        const char *rest = strstr(last.first, "\"rows\":");
        for (const char *q = rest; q && (q = strstr(q, "[\"")); q++) rows++;
        full += rows > before;
        expect("POST", print("%a:executeSql", s, ""), print("{\"sql\":\"SELECT Name FROM Singers\",%a}", more, ""), 400,
               "partition token");
    }
    assert_int_equal(rows, 100);
    assert_true(parts >= 2 && full >= 2);
    expect("POST", print("%a:executeSql", s, ""), "{\"sql\":\"SELECT 1\",\"dataBoostEnabled\":true}", 400,
           "partition_token");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_databases),    TEST(test_create_fails),  TEST(test_sessions),    TEST(test_read),
        TEST(test_resume_read),  TEST(test_sql),           TEST(test_resume_info), TEST(test_statements_again),
        TEST(test_transactions), TEST(test_commit_errors), TEST(test_partitions),  TEST(test_commit_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
