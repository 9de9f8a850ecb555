#include "help.h"
#include <stdlib.h>
#include <unistd.h>
#include <arpa/inet.h>

static const char example[] =
#include "example.inc"
    ;

#define HEAD                                                                                                               \
    "domain d covers spanner demo/flights, spanner demo/other, dataproc demo/batch, synapse demo/* owner o\n"              \
    "identity alice is oidc corp where sub = \"alice\"\n"                                                                  \
    "identity bob is oidc corp where sub = \"bob\"\n"                                                                      \
    "identity team is oidc corp where \"team\" in groups\n"                                                                \
    "account app is \"app@x\"\n"                                                                                           \
    "account ops is \"ops@x\"\n"                                                                                           \
    "job n/a is pyspark \"gs://a.py\" sha256 \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n"       \
    "job n/b is pyspark \"gs://b.py\"\n"
#define DB  "spanner demo/flights"
#define END " owner o until 2027-01-01\n"

/* ---- reading ---- */

static unsigned line_of(const char *text, const char *what) {
    const char *at = strstr(text, what);
    assert_non_null(at);
    unsigned line = 1;
    for (const char *p = text; p < at; p++) line += *p == '\n';
    return line;
}

static void the_example_is_read(void **state) {
    (void)state;
    static const struct {
        const char *at, *fault;
        bool warning;
    } expected[] = {
        { "identity edge", "a kerberos proof is not enforced yet", false },
        { "identity helper", "an mtls proof is not enforced yet", false },
        { "job nightly/extract   is", "is not 64 hex digits: no code can match it", true },
        { "job nightly/transform is", "is not 64 hex digits: no code can match it", true },
        { "glass:   allow", "with approval is not enforced yet", false },
        { "deploy:", "when is not enforced yet", false },
        { "agent:", "act for is not enforced yet", false },
        { "mask Passengers", "mask is not enforced yet", false },
    };
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    struct policy_source source = { STR("flights.policy"), str_z(example) };
    struct policy_faults faults;
    struct policy *policy = NULL;
    struct err err;
    assert_int_equal(policy_load(&source, 1, NULL, a, &faults, &policy, &err), INVALID_ARGUMENT);
    for (size_t i = 0; i < faults.n && i < COUNT(expected); i++) {
        assert_str(faults.items[i].text, expected[i].fault);
        assert_int_equal(faults.items[i].line, line_of(example, expected[i].at));
        assert_int_equal(faults.items[i].warning, expected[i].warning);
    }
    assert_int_equal(faults.n, COUNT(expected));
    assert_string_equal(err.message, "flights.policy:8:21: a kerberos proof is not enforced yet (and more)");
}

static const struct fault_case {
    const char *name, *text, *faults; /* each fault as "line:column text\n" */
} fault_cases[] = {
    { "all faults, not only the first",
      HEAD "allow nobody to read T in " DB " owner o until 2027-01-01\nallow alice read\ndeny alice to read T in " DB "\n",
      "9:7 \"nobody\" is not defined\n10:13 expected to, found \"read\"\n11:1 needs an owner\n" },
    { "an allow ends", HEAD "allow alice to read T in " DB " owner o\n", "9:1 an allow needs an end: until DATE\n" },
    { "a restriction does not", HEAD "deny alice to read T in " DB " owner o until 2027-01-01\n",
      "9:60 a restriction may not end by itself, as its end would grant\n" },
    { "outside the domain", HEAD "allow alice to read T in spanner demo/secret" END,
      "9:26 \"spanner demo/secret\" is not covered by domain d\n" },
    { "wider than the domain", HEAD "allow alice to read T in spanner demo/*" END,
      "9:26 \"spanner demo/*\" is not covered by domain d\n" },
    { "star in the middle", HEAD "allow alice to read T in spanner */x" END,
      "9:34 expected a segment of a path, found \"*\"\n" },
    { "star is not last", HEAD "allow alice to read T in spanner demo/*/x" END,
      "9:40 expected nothing after \"*\", which stands only last, found \"/\"\n" },
    { "reserved table", HEAD "allow alice to read Order in " DB END,
      "9:21 \"Order\" is a reserved word: write it in back-quotes\n" },
    { "defined twice", HEAD "account alice is \"b@x\"\n", "9:9 \"alice\" is already defined: t.policy:2\n" },
    { "label twice", HEAD "x: allow alice to read T in " DB END "x: allow bob to read T in " DB END,
      "10:1 \"x\" is already defined: t.policy:9\n" },
    { "allow to anyone", HEAD "allow anyone to read T in " DB END,
      "9:7 expected names: an allow says whom, found \"anyone\"\n" },
    { "anyone is no name", HEAD "identity anyone is oidc corp\n", "9:10 \"anyone\" is a word of the language\n" },
    { "an identity is no account", HEAD "allow bob to act as alice" END, "9:21 \"alice\" is not an account\n" },
    { "upper case name", HEAD "allow Alice to read T in " DB END, "9:7 expected a name in lower case, found \"Alice\"\n" },
    { "columns of delete", HEAD "allow alice to delete T(a) in " DB END,
      "9:23 delete takes whole tables, without columns\n" },
    { "columns of change schema", HEAD "allow alice to change schema T(a) in " DB END,
      "9:30 change schema takes whole tables, without columns\n" },
    { "non-ASCII outside strings", HEAD "allow al\xc3\xafs to read T in " DB END,
      "9:9 only ASCII outside strings and comments\n" },
    { "bidi in a comment", HEAD "# \xe2\x80\xae evil\n",
      "9:3 bidirectional control U+202E is refused, in strings and comments too\n" },
    { "bidi in a string", HEAD "account q is \"\xe2\x81\xa6@x\"\n",
      "9:15 bidirectional control U+2066 is refused, in strings and comments too\n" },
    { "not UTF-8", "domain d covers spanner a/b owner o # \xff\n", "1:39 is not UTF-8\n" },
    { "a control character", "domain d covers spanner a/b owner o # \x01\n", "1:39 control character U+0001 is refused\n" },
    { "indented statement", "  domain d covers spanner a/b owner o\n", "1:3 a statement starts at column 1\n" },
    { "no domain", "account a is \"a@x\"\n", "1:1 a file begins with its domain\n" },
    { "two domains", "domain d covers spanner a/b owner o\ndomain e covers spanner a/c owner o\n",
      "2:1 one domain a file\n" },
    { "an open string", HEAD "account q is \"q@x\n", "9:14 is not closed on its line\n" },
    { "host bits", HEAD "allow alice to read T in " DB " from \"10.8.0.1/16\"" END,
      "9:52 has bits set beyond its prefix: one host, or the network?\n" },
    { "no such day", HEAD "allow alice to read T in " DB " owner o until 2027-02-29\n",
      "9:61 is not a date such as 2027-03-31, nor an instant with an offset\n" },
    { "an instant without offset", HEAD "allow alice to read T in " DB " owner o until 2027-02-20T10:00:00\n",
      "9:61 is not a date such as 2027-03-31, nor an instant with an offset\n" },
    { "a clause twice", HEAD "allow alice to read T in " DB " owner o owner p until 2027-02-20\n",
      "9:55 expected each clause once, found \"owner\"\n" },
    { "undefined job", HEAD "allow alice to read T in " DB " during job n/z" END, "9:58 job \"n/z\" is not defined\n" },
    { "undefined tables", HEAD "allow alice to read tables pii in " DB END, "9:28 tables \"pii\" are not defined\n" },
    { "tables of another database",
      HEAD "tables pii are T in spanner demo/other\nallow alice to read tables pii in " DB END,
      "10:28 tables \"pii\" are in spanner demo/other, not in " DB "\n" },
    { "jobs on a database", HEAD "allow alice to see jobs on " DB END,
      "9:28 runs no jobs: name a dataproc or synapse path\n" },
    { "tables in a pipeline", HEAD "allow alice to read T in synapse demo/daily" END,
      "9:26 holds no tables: name a spanner database\n" },
    { "a schema of a pipeline", HEAD "deny alice to read schema in synapse demo/daily owner o\n",
      "9:30 holds no tables: name a spanner database\n" },
    { "tables of a pipeline", HEAD "tables q are T in synapse demo/daily\n",
      "9:19 holds no tables: name a spanner database\n" },
    { "a job of a pipeline", HEAD "allow alice to run job n/a on synapse demo/daily as app" END,
      "9:31 runs pipelines, not jobs of a job statement: write run jobs\n" },
    { "a pipeline outside the domain", HEAD "allow alice to see jobs on synapse prod/daily" END,
      "9:28 \"synapse prod/daily\" is not covered by domain d\n" },
    { "tables on a cluster", HEAD "allow alice to read T in dataproc demo/batch" END,
      "9:26 holds no tables: name a spanner database\n" },
    { "a broken definition still defines", HEAD "identity eve is oidc\nallow eve to read T in " DB END,
      "10:1 expected a name, found the end of the statement\n" },
    { "not enforced",
      HEAD "group g is alice, bob\nallow alice to read stream s and back up and restore and read statistics in " DB END,
      "9:1 group is not enforced yet\n10:16 read stream is not enforced yet\n10:34 back up is not enforced yet\n10:46 "
      "restore is not enforced yet\n"
      "10:58 read statistics is not enforced yet\n" },
    { "grants have no tables", HEAD "allow alice to change grants T in " DB END, "9:30 expected in, found \"T\"\n" },
    { "calls without an audience", HEAD "allow alice to call \"https://x/\"" END,
      "9:34 expected with audience, found \"owner\"\n" },
    { "bounds that are not counted",
      HEAD
      "limit app to 5 rows per query, 6 bytes per query, 7 bytes per second, 8 rows at once, 9 requests per query in " DB
      " owner o\n",
      "9:14 rows per query is not enforced yet\n9:32 bytes per query is not enforced yet\n9:51 bytes per second is not "
      "enforced yet\n9:71 rows at once is not enforced yet\n9:87 requests per query is not enforced yet\n" },
    { "a bound of nothing, and one that is none",
      HEAD "limit app to 0 requests at once in " DB " owner o\nlimit app to 1000000001 requests at once in " DB
           " owner o\n",
      "9:14 is no count from 1 to 1,000,000,000 (for none at all, write deny)\n"
      "10:14 is no count from 1 to 1,000,000,000 (for none at all, write deny)\n" },
    { "commits where there are none", HEAD "limit app to 5 commits at once in dataproc demo/batch owner o\n",
      "9:16 there are no commits in dataproc demo/batch: name a spanner database\n" },
    { "a limit that ends", HEAD "limit app to 5 commits at once in " DB END,
      "9:70 a restriction may not end by itself, as its end would grant\n" },
    { "a limit outside the domain, of nobody", HEAD "limit zed to 5 commits at once in spanner x/y owner o\n",
      "9:7 \"zed\" is not defined\n9:35 \"spanner x/y\" is not covered by domain d\n" },
    { "a limit without an owner", HEAD "limit app to 5 commits at once in " DB "\n", "9:1 needs an owner\n" },
    { "a limit without a count", HEAD "limit app to commits at once in " DB " owner o\n",
      "9:14 expected a count, found \"commits\"\n" },
    { "nothing", "", "0:0 holds no statement: a file begins with its domain\n" },
};

static void faults_have_places(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(fault_cases); i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        DEFER(policy_unrefp) struct policy *policy = NULL;
        DEFER(buf_free) struct buf got = BUF_INIT(1 << 16);
        struct policy_source source = { STR("t.policy"), str_z(fault_cases[i].text) };
        struct policy_faults faults;
        struct err err;
        assert_int_equal(policy_load(&source, 1, NULL, a, &faults, &policy, &err), INVALID_ARGUMENT);
        for (size_t k = 0; k < faults.n; k++)
            if (!faults.items[k].warning)
                buf_printf(&got, "%u:%u %.*s\n", faults.items[k].line, faults.items[k].column,
                           STR_ARG(faults.items[k].text));
        if (!str_eq_z(buf_str(&got), fault_cases[i].faults))
            print_error("%s:\n%.*s", fault_cases[i].name, STR_ARG(buf_str(&got)));
        assert_str(buf_str(&got), fault_cases[i].faults);
    }
}

/* The place is that of the text in quotes. */
static void urls_have_one_spelling(void **state) {
    (void)state;
    static const struct {
        const char *url, *fault; /* NULL: none */
    } cases[] = {
        { "https://h/", NULL },
        { "https://h/*", NULL },
        { "http://h:80/a/*", NULL },
        { "https://127.0.0.1:8443/bridge/*", NULL },
        { "https://[2001:db8::1]:443/a", NULL },
        { "https://h/a/", NULL },
        { "https://h/a%20b", NULL },
        { "https://h/1/2/3/4/5/6/7/8/9/10/11/12/*", NULL },
        { "https://h/1/2/3/4/5/6/7/8/9/10/11/12/13/*", "has more than 12 segments before its *" },
        { "https://h", "has another spelling: write https://h/" },
        { "https://H/a", "has another spelling: write https://h/a" },
        { "HTTPS://h/a", "has another spelling: write https://h/a" },
        { "https://[2001:DB8:0::1]:443/a", "has another spelling: write https://[2001:db8::1]:443/a" },
        { "https://h/a%c3%a9", "has another spelling: write https://h/a%C3%A9" },
        { "ftp://h/a", "a URL begins with https:// or http://" },
        { "//h/a", "a URL begins with https:// or http://" },
        { "https://u:p@h/", "user info before the host is refused" },
        { "https://h/?a=b", "holds a query: a rule speaks of scheme, host, port and path" },
        { "https://h/#x", "a fragment (#) is refused" },
        { "https://h/a*", "holds a * that is not the whole last segment of the path" },
        { "https://h/*/b", "holds a * that is not the whole last segment of the path" },
        { "https://*/b", "holds a * that is not the whole last segment of the path" },
        { "https://*", "the host is missing, or longer than 253 bytes" },
        { "https://h/%2e%2e/*", "the path encodes a character that may stand plainly" },
        { "https://h/../*", "the path holds a dot segment" },
        { "https://127.1/*",
          "the host is an IPv4 address in another spelling than four decimal numbers such as 127.0.0.1" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        DEFER(policy_unrefp) struct policy *policy = NULL;
        struct str text = arena_printf(a, HEAD "deny alice to call \"%s\" with audience \"\" owner o\n", cases[i].url);
        struct policy_source source = { STR("t.policy"), text };
        struct policy_faults faults;
        struct err err = { 0 };
        enum code rc = policy_load(&source, 1, NULL, a, &faults, &policy, &err);
        const struct policy_fault *last = &faults.items[faults.n - 1];
        if ((rc == OK) != (cases[i].fault == NULL)) fail_msg("%s: %s", cases[i].url, err.message);
        if (rc == OK) continue;
        assert_str(last->text, cases[i].fault);
        assert_int_equal(last->line, 9);
        assert_int_equal(last->column, 20);
    }
}

static enum policy_known known_column(void *user, struct str path, struct str table, struct str column) {
    (void)user;
    if (!str_eq_z(path, DB)) return POLICY_UNKNOWN;
    if (!str_eq_nocase(table, STR("flights"))) return POLICY_ABSENT;
    return !column.n || str_eq_nocase(column, STR("carrier")) ? POLICY_PRESENT : POLICY_ABSENT;
}

static enum policy_known known_issuer(void *user, struct str issuer) {
    (void)user;
    return str_eq_z(issuer, "corp") ? POLICY_PRESENT : POLICY_ABSENT;
}

static void what_is_known_outside_is_compared(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp) struct policy *policy = NULL;
    const struct policy_context context = { NULL, known_column, known_issuer };
    struct policy_source source = { STR("t.policy"), STR(HEAD "allow alice to read Flights(CARRIER, dest), Nope in " DB END
                                                              "allow alice to read Nope in spanner demo/other" END) };
    struct policy_faults faults;
    struct err err = { 0 };
    assert_int_equal(policy_load(&source, 1, &context, a, &faults, &policy, &err), OK);
    assert_int_equal(faults.n_errors, 0);
    assert_int_equal(faults.n, 3); /* the first: a job without sha256 */
    assert_str(faults.items[0].text, "without sha256, whoever may write \"gs://b.py\" is this job");
    assert_str(faults.items[1].text, "table \"Flights\" has no column \"dest\"");
    assert_str(faults.items[2].text, DB " has no table \"Nope\"");
    source.text = STR("domain d covers synapse a/* owner o\nidentity x is oidc workspaces where oid = \"1\"\n");
    DEFER(policy_unrefp) struct policy *own = NULL;
    assert_int_equal(policy_load(&source, 1, &context, a, &faults, &own, &err), OK);
    source.text = STR("domain d covers spanner a/b owner o\nidentity x is oidc gone\n");
    struct policy *none = NULL;
    assert_int_equal(policy_load(&source, 1, &context, a, &faults, &none, &err), INVALID_ARGUMENT);
    assert_str(faults.items[0].text, "issuer \"gone\" is not in the configuration");
}

static void formatting_is_canonical(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "domain d covers spanner a/b ,dataproc c/d\n   owner o", "domain d covers spanner a/b, dataproc c/d owner o\n" },
        { "x :  allow a,b to read T( x , Y ),`Order`except(`in`)and insert,update U in spanner a/b until 2027-01-01 owner "
          "o because \"a\\\"b\"",
          "x: allow a, b to read T(x, Y), `Order` except (`in`) and insert, update U in spanner a/b\n    owner o until "
          "2027-01-01 because \"a\\\"b\"\n" },
        { "allow a to call \"https://h:443/x/*\" with audience \"\" and call \"http://h/\" with audience \"a\\\\b\" and "
          "act as "
          "e owner o until 2027-01-01",
          "allow a to call \"https://h:443/x/*\" with audience \"\" and call \"http://h/\" with audience \"a\\\\b\" and "
          "act as "
          "e\n    owner o until 2027-01-01\n" },
        { "# one\n\n# two\naccount a is \"a@x\" # three\n\n# end\n",
          "# one\n# two\n# three\naccount a is \"a@x\"\n# end\n" },
        { "identity i is oidc c where a.\"B c\".d = \"1\" and \"x\" in g and e in (\"1\",\"2\") and f != \"q\" and \"k\" "
          "in (\"v\")",
          "identity i is oidc c where a.\"B c\".d = \"1\" and \"x\" in g and e in (\"1\", \"2\") and f != \"q\" and k in "
          "(\"v\")\n" },
        { "allow a to run jobs on dataproc c/d as e and see jobs on dataproc c/* and administer spanner a/b\n owner o "
          "until 2027-01-01T02:00:00+02:00",
          "allow a to run jobs on dataproc c/d as e and see jobs on dataproc c/* and administer spanner a/b\n    owner o "
          "until 2027-01-01T00:00:00Z\n" },
    };
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    for (size_t i = 0; i <= COUNT(cases); i++) {
        struct str once, twice;
        struct err err = { 0 };
        struct str in = i < COUNT(cases) ? str_z(cases[i].in) : str_z(example);
        if (policy_format((struct policy_source){ STR("t"), in }, a, &once, &err)) fail_msg("%s", err.message);
        if (i < COUNT(cases)) assert_str(once, cases[i].out);
        assert_int_equal(policy_format((struct policy_source){ STR("t"), once }, a, &twice, &err), OK);
        assert_true(str_eq(once, twice));
    }
    struct str none;
    struct err err;
    assert_int_equal(policy_format((struct policy_source){ STR("t"), STR("allow") }, a, &none, &err), INVALID_ARGUMENT);
}

/* ---- deciding ---- */

struct caller {
    const char *subject, *claims, *chain, *job, *from; /* a subject with "@" is an account; claims: JSON or NULL */
};

static struct actor actor_of(const char *subject, const json_t *claims) {
    bool account = strchr(subject, '@') != NULL;
    return (struct actor){ account ? ACTOR_ACCOUNT : ACTOR_OIDC, account ? STR("") : STR("corp"), str_z(subject), claims };
}

static const struct policy_subject *identify(const struct policy *policy, struct arena *a, const struct caller *c) {
    json_t *claims = c->claims ? json_loads(c->claims, 0, NULL) : NULL;
    struct principal p = { .actor = actor_of(c->subject, claims), .job = str_z(c->job) };
    if (c->chain) p.chain[p.n_chain++] = actor_of(c->chain, NULL);
    struct in_addr v4 = { 0 };
    if (c->from) {
        assert_int_equal(inet_pton(AF_INET, c->from, &v4), 1);
        p.from.s6_addr[10] = p.from.s6_addr[11] = 0xff;
        memcpy(&p.from.s6_addr[12], &v4, 4);
    }
    const struct policy_subject *s = policy_identify(policy, &p, a);
    json_decref(claims);
    return s;
}

static const struct decision_case {
    const char *name, *rules;
    struct caller caller;
    const char *atoms;
    enum reason reason;
    int column;
    const char *rule;
} decision_cases[] = {
#define T "|" DB "|T||"
    { "nothing is allowed by default", "", { "alice" }, "read" T "a", NO_RULE, 0, "" },
    { "an allow allows", "r: allow alice to read T in " DB END, { "alice" }, "read" T "a", REASON_NONE, -1, "r" },
    { "another's allow does not", "r: allow alice to read T in " DB END, { "bob" }, "read" T "a", NO_RULE, 0, "" },
    { "a rule for somebody else", "r: allow alice to read T in " DB END, { "eve" }, "read" T "a", NO_RULE, 0, "" },
    { "another verb", "r: allow alice to read T in " DB END, { "alice" }, "update" T "a", NO_RULE, 0, "" },
    { "another table", "r: allow alice to read T in " DB END, { "alice" }, "read|" DB "|U||a", NO_RULE, 0, "" },
    { "another database",
      "r: allow alice to read T in " DB END,
      { "alice" },
      "read|spanner demo/other|T||a",
      NO_RULE,
      0,
      "" },
    { "tables and columns ignore case",
      "r: allow alice to read Tab(Col) in " DB END,
      { "alice" },
      "read|" DB "|tAB||cOL",
      REASON_NONE,
      -1,
      "r" },
    { "columns: the one refused",
      "r: allow alice to read T(a, b) in " DB END,
      { "alice" },
      "read" T "a,b,c",
      NO_RULE_FOR_COLUMN,
      2,
      "" },
    { "columns unite over rules",
      "r: allow alice to read T(a) in " DB END "s: allow alice to read T(b) in " DB END,
      { "alice" },
      "read" T "a,b",
      REASON_NONE,
      -1,
      "r" },
    { "except", "r: allow alice to read T except (b) in " DB END, { "alice" }, "read" T "a,b", NO_RULE_FOR_COLUMN, 1, "" },
    { "except includes later columns",
      "r: allow alice to read T except (b) in " DB END,
      { "alice" },
      "read" T "zzz",
      REASON_NONE,
      -1,
      "r" },
    { "every table", "r: allow alice to read every table in " DB END, { "alice" }, "read" T "a", REASON_NONE, -1, "r" },
    { "a table's own name space", "r: allow alice to read `every` in " DB END, { "alice" }, "read" T "a", NO_RULE, 0, "" },
    { "deny goes before allow",
      "r: allow alice to read T in " DB END "x: deny anyone to read T(b) in " DB " owner o\n",
      { "alice" },
      "read" T "a,b",
      DENIED,
      1,
      "x" },
    { "deny leaves the rest",
      "r: allow alice to read T in " DB END "x: deny anyone to read T(b) in " DB " owner o\n",
      { "alice" },
      "read" T "a",
      REASON_NONE,
      -1,
      "r" },
    { "deny goes before what is missing",
      "x: deny alice to read U in " DB " owner o\n",
      { "alice" },
      "read" T "a;read|" DB "|U||a",
      DENIED,
      0,
      "x" },
    { "deny follows the chain",
      "r: allow app to read T in " DB END "x: deny alice to read T in " DB " owner o\n",
      { "app@x", .chain = "alice" },
      "read" T "a",
      DENIED,
      0,
      "x" },
    { "allow does not",
      "r: allow alice to read T in " DB END,
      { "app@x", .chain = "alice" },
      "read" T "a",
      NO_RULE,
      0,
      "" },
    { "anyone except",
      "r: allow alice, app to read T in " DB END "x: deny anyone except app to read T in " DB " owner o\n",
      { "app@x", .chain = "alice" },
      "read" T "a",
      REASON_NONE,
      -1,
      "r" },
    { "anyone except: current subject only",
      "r: allow alice, app to read T in " DB END "x: deny anyone except alice to read T in " DB " owner o\n",
      { "app@x", .chain = "alice" },
      "read" T "a",
      DENIED,
      0,
      "x" },
    { "unknown claim: no allow", "r: allow team to read T in " DB END, { "eve" }, "read" T "a", CLAIM_MISSING, 0, "" },
    { "known claim: false",
      "r: allow team to read T in " DB END,
      { "alice", "{\"groups\":[\"x\"]}" },
      "read" T "a",
      NO_RULE,
      0,
      "" },
    { "known claim: true",
      "r: allow team to read T in " DB END,
      { "alice", "{\"groups\":[\"x\",\"team\"]}" },
      "read" T "a",
      REASON_NONE,
      -1,
      "r" },
    { "a claim of another shape is unknown",
      "r: allow team to read T in " DB END,
      { "alice", "{\"groups\":\"team\"}" },
      "read" T "a",
      CLAIM_MISSING,
      0,
      "" },
    { "unknown claim: a deny applies",
      "r: allow alice to read T in " DB END "x: deny team to read T in " DB " owner o\n",
      { "alice" },
      "read" T "a",
      DENIED,
      0,
      "x" },
    { "false claim: it does not",
      "r: allow alice to read T in " DB END "x: deny team to read T in " DB " owner o\n",
      { "alice", "{\"groups\":[]}" },
      "read" T "a",
      REASON_NONE,
      -1,
      "r" },
    { "unknown exemption exempts nobody",
      "r: allow alice to read T in " DB END "x: deny anyone except team to read T in " DB " owner o\n",
      { "alice" },
      "read" T "a",
      DENIED,
      0,
      "x" },
    { "during job",
      "r: allow app to read T in " DB " during job n/a, n/b" END,
      { "app@x", .job = "n/b" },
      "read" T "a",
      REASON_NONE,
      -1,
      "r" },
    { "during another job",
      "r: allow app to read T in " DB " during job n/a" END,
      { "app@x", .job = "n/b" },
      "read" T "a",
      JOB_WRONG,
      0,
      "" },
    { "out of any job",
      "r: allow app to read T in " DB " during job n/a" END,
      { "app@x" },
      "read" T "a",
      JOB_WRONG,
      0,
      "" },
    { "a deny during a job",
      "r: allow app to read T in " DB END "x: deny app to read T in " DB " during job n/a owner o\n",
      { "app@x", .job = "n/b" },
      "read" T "a",
      REASON_NONE,
      -1,
      "r" },
    { "from its network",
      "r: allow app to read T in " DB " from \"10.8.0.0/13\"" END,
      { "app@x", .from = "10.15.255.255" },
      "read" T "a",
      REASON_NONE,
      -1,
      "r" },
    { "from beside it",
      "r: allow app to read T in " DB " from \"10.8.0.0/13\"" END,
      { "app@x", .from = "10.16.0.0" },
      "read" T "a",
      NETWORK_WRONG,
      0,
      "" },
    { "from nowhere known",
      "r: allow app to read T in " DB " from \"10.8.0.0/13\"" END,
      { "app@x" },
      "read" T "a",
      NETWORK_WRONG,
      0,
      "" },
    { "from nowhere known, a deny applies",
      "r: allow app to read T in " DB END "x: deny app to read T in " DB " from \"10.0.0.0/8\" owner o\n",
      { "app@x" },
      "read" T "a",
      DENIED,
      0,
      "x" },
    { "expired",
      "r: allow alice to read T in " DB " owner o until 2026-05-31\n",
      { "alice" },
      "read" T "a",
      RULE_EXPIRED,
      0,
      "" },
    { "ends at midnight after its day",
      "r: allow alice to read T in " DB " owner o until 2026-06-01\n",
      { "alice" },
      "read" T "a",
      REASON_NONE,
      -1,
      "r" },
    { "an instant",
      "r: allow alice to read T in " DB " owner o until 2026-06-01T13:00:00+02:00\n",
      { "alice" },
      "read" T "a",
      RULE_EXPIRED,
      0,
      "" },
    { "a job, and another",
      "r: allow alice to run job n/a on dataproc demo/batch as app" END,
      { "alice" },
      "run job|dataproc demo/batch|n/a|app@x",
      REASON_NONE,
      -1,
      "r" },
    { "another job",
      "r: allow alice to run job n/a on dataproc demo/batch as app" END,
      { "alice" },
      "run job|dataproc demo/batch|n/b|app@x",
      NO_RULE,
      -1,
      "" },
    { "as another",
      "r: allow alice to run job n/a on dataproc demo/batch as app" END,
      { "alice" },
      "run job|dataproc demo/batch|n/a|ops@x",
      NO_RULE,
      -1,
      "" },
    { "free code is no job",
      "r: allow alice to run job n/a on dataproc demo/batch as app" END,
      { "alice" },
      "run job|dataproc demo/batch||app@x",
      NO_RULE,
      -1,
      "" },
    { "run jobs runs free code",
      "r: allow alice to run jobs on dataproc demo/batch as app" END,
      { "alice" },
      "run job|dataproc demo/batch||app@x",
      REASON_NONE,
      -1,
      "r" },
    { "run jobs runs any job",
      "r: allow alice to run jobs on dataproc demo/batch as app" END,
      { "alice" },
      "run job|dataproc demo/batch|n/a|app@x",
      REASON_NONE,
      -1,
      "r" },
    { "free code is acting as",
      "r: allow alice to run jobs on dataproc demo/batch as app" END "x: deny alice to act as app owner o\n",
      { "alice" },
      "run job|dataproc demo/batch||app@x",
      DENIED,
      -1,
      "x" },
    { "a named job is not",
      "r: allow alice to run jobs on dataproc demo/batch as app" END "x: deny alice to act as app owner o\n",
      { "alice" },
      "run job|dataproc demo/batch|n/a|app@x",
      REASON_NONE,
      -1,
      "r" },
    { "act as", "r: allow alice to act as app" END, { "alice" }, "act as|||app@x", REASON_NONE, -1, "r" },
    { "act as another", "r: allow alice to act as app" END, { "alice" }, "act as|||ops@x", NO_RULE, -1, "" },
    { "act as nobody", "r: allow alice to act as app" END, { "alice" }, "act as|||", NO_RULE, -1, "" },
    { "use: something", "r: allow alice to read T(a) in " DB END, { "alice" }, "use|" DB "||", REASON_NONE, -1, "r" },
    { "use: nothing here",
      "r: allow alice to read T(a) in " DB END,
      { "alice" },
      "use|spanner demo/other||",
      NO_RULE,
      -1,
      "" },
    { "see is not cancel",
      "r: allow alice to see jobs on dataproc demo/batch" END,
      { "alice" },
      "cancel jobs|dataproc demo/batch||",
      NO_RULE,
      -1,
      "" },
#define PIPELINE  "run job|synapse demo/daily||flights@demo.synapse"
#define WORKSPACE "account workspace is \"flights@demo.synapse\"\nr: allow alice to run jobs on synapse demo/"
    { "a pipeline as its workspace", WORKSPACE "daily as workspace" END, { "alice" }, PIPELINE, REASON_NONE, -1, "r" },
    { "every pipeline", WORKSPACE "* as workspace" END, { "alice" }, PIPELINE, REASON_NONE, -1, "r" },
    { "another pipeline", WORKSPACE "hourly as workspace" END, { "alice" }, PIPELINE, NO_RULE, -1, "" },
    { "a pipeline as another", WORKSPACE "daily as app" END, { "alice" }, PIPELINE, NO_RULE, -1, "" },
    { "a pipeline of one who may not act as its workspace",
      WORKSPACE "daily as workspace" END "x: deny alice to act as workspace owner o\n",
      { "alice" },
      PIPELINE,
      DENIED,
      -1,
      "x" },
    { "seeing and cancelling runs",
      "r: allow alice to see jobs on synapse demo/daily and cancel jobs on synapse demo/* and administer synapse "
      "demo/daily" END,
      { "alice" },
      "see jobs|synapse demo/daily||;cancel jobs|synapse demo/daily||;administer|synapse demo/daily||",
      REASON_NONE,
      -1,
      "r" },
    { "administering another pipeline",
      "r: allow alice to administer synapse demo/daily" END,
      { "alice" },
      "administer|synapse demo/hourly||",
      NO_RULE,
      -1,
      "" },
    { "a workspace calls for the person who started the run",
      "account workspace is \"flights@demo.synapse\"\nr: allow workspace to call \"https://127.0.0.1:8443/bridge/*\" with "
      "audience \"api://linkspan\"" END
      "x: deny bob to call \"https://127.0.0.1:8443/*\" with audience \"api://linkspan\" owner o\n",
      { "flights@demo.synapse", .chain = "bob" },
      "call||https://127.0.0.1:8443/bridge/dataproc/p/r/jobs|api://linkspan",
      DENIED,
      -1,
      "x" },
#undef PIPELINE
#undef WORKSPACE
    { "administer", "r: allow alice to administer " DB END, { "alice" }, "administer|" DB "||", REASON_NONE, -1, "r" },
    { "change grants",
      "r: allow alice to change grants in " DB END,
      { "alice" },
      "change grants|" DB "||",
      REASON_NONE,
      -1,
      "r" },
    { "a schema is not its grants",
      "r: allow alice to change schema every table and read schema in " DB END,
      { "alice" },
      "change grants|" DB "||",
      NO_RULE,
      -1,
      "" },
    { "read schema",
      "r: allow alice to change schema every table and read schema in " DB END,
      { "alice" },
      "read schema|" DB "||;change schema" T,
      REASON_NONE,
      -1,
      "r" },
    { "count: one column is enough",
      "r: allow alice to read T(a) in " DB END,
      { "alice" },
      "read" T "?",
      REASON_NONE,
      -1,
      "r" },
    { "count: of these columns",
      "r: allow alice to read T(a) in " DB END,
      { "alice" },
      "read" T "?b,c",
      NO_RULE_FOR_COLUMN,
      -1,
      "" },
    { "count: all denied",
      "r: allow alice to read T in " DB END "x: deny alice to read T(a, b) in " DB " owner o\n",
      { "alice" },
      "read" T "?a,b",
      DENIED,
      -1,
      "x" },
    { "count: one left",
      "r: allow alice to read T in " DB END "x: deny alice to read T(a) in " DB " owner o\n",
      { "alice" },
      "read" T "?a,b",
      REASON_NONE,
      -1,
      "r" },
    { "the whole table", "r: allow alice to read T(a) in " DB END, { "alice" }, "read" T, NO_RULE_FOR_COLUMN, -1, "" },
    { "the whole table, a column denied",
      "r: allow alice to read T in " DB END "x: deny alice to read T(a) in " DB " owner o\n",
      { "alice" },
      "read" T,
      DENIED,
      -1,
      "x" },
    { "a star is no table",
      "r: allow alice to read every table in " DB END,
      { "alice" },
      "read|" DB "|*||a",
      NOT_UNDERSTOOD,
      -1,
      "" },
    { "an empty table",
      "r: allow alice to read every table in " DB END,
      { "alice" },
      "read|" DB "|||a",
      NOT_UNDERSTOOD,
      -1,
      "" },
    { "an unknown verb", "", { "alice" }, "fly" T, NOT_UNDERSTOOD, -1, "" },
    { "named tables",
      "tables two are T(a), U in " DB "\nr: allow alice to read tables two in " DB END,
      { "alice" },
      "read" T "a;read|" DB "|u||z",
      REASON_NONE,
      -1,
      "r" },
    { "schema-qualified",
      "r: allow alice to read Sales.Orders in " DB END,
      { "alice" },
      "read|" DB "|sales.orders||z",
      REASON_NONE,
      -1,
      "r" },
#define CALL "r: allow app to call \"https://h/a/*\" with audience \"api://x\"" END
    { "a call", CALL, { "app@x" }, "call||https://h/a/b/c|api://x", REASON_NONE, -1, "r" },
    { "a call of what lies below: the slash itself",
      CALL,
      { "app@x" },
      "call||https://h/a/|api://x",
      REASON_NONE,
      -1,
      "r" },
    { "a call of what lies beside", CALL, { "app@x" }, "call||https://h/a|api://x", NO_RULE, -1, "" },
    { "a call of what begins alike", CALL, { "app@x" }, "call||https://h/ab|api://x", NO_RULE, -1, "" },
    { "a call with another audience", CALL, { "app@x" }, "call||https://h/a/b|api://y", NO_RULE, -1, "" },
    { "a call without a token", CALL, { "app@x" }, "call||https://h/a/b|", NO_RULE, -1, "" },
    { "a call of another port", CALL, { "app@x" }, "call||https://h:8443/a/b|api://x", NO_RULE, -1, "" },
    { "a call of another scheme", CALL, { "app@x" }, "call||http://h/a/b|api://x", NO_RULE, -1, "" },
    { "a call of another host", CALL, { "app@x" }, "call||https://h.h/a/b|api://x", NO_RULE, -1, "" },
    { "a call by another", CALL, { "ops@x" }, "call||https://h/a/b|api://x", NO_RULE, -1, "" },
    { "a call of no normal form", CALL, { "app@x" }, "call||https://h/a/../b|api://x", NOT_UNDERSTOOD, -1, "" },
    { "a call of the default port written out",
      CALL,
      { "app@x" },
      "call||https://h:443/a/b|api://x",
      NOT_UNDERSTOOD,
      -1,
      "" },
    { "a call of a star", CALL, { "app@x" }, "call||https://h/a/*|api://x", NOT_UNDERSTOOD, -1, "" },
    { "a call with a path", CALL, { "app@x" }, "call|" DB "|https://h/a/b|api://x", NOT_UNDERSTOOD, -1, "" },
    { "a call, deep",
      CALL,
      { "app@x" },
      "call||https://h/a/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17|api://x",
      REASON_NONE,
      -1,
      "r" },
    { "a call denied below",
      CALL "x: deny alice to call \"https://h:443/a/b/*\" with audience \"api://x\" owner o\n",
      { "app@x", .chain = "alice" },
      "call||https://h/a/b/c|api://x",
      DENIED,
      -1,
      "x" },
    { "a call denied to all but one",
      CALL "x: deny anyone except app to call \"https://h/*\" with audience \"api://x\" owner o\n",
      { "app@x", .chain = "alice" },
      "call||https://h/a/b/c|api://x",
      REASON_NONE,
      -1,
      "r" },
    { "a call that has ended",
      "r: allow app to call \"https://h/\" with audience \"\" owner o until 2026-05-31\n",
      { "app@x" },
      "call||https://h/|",
      RULE_EXPIRED,
      -1,
      "" },
#undef CALL
#undef T
};

static void decisions(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(decision_cases); i++) {
        const struct decision_case *c = &decision_cases[i];
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        char text[8192];
        (void)snprintf(text, sizeof text, "%s%s", HEAD, c->rules);
        DEFER(policy_unrefp) struct policy *policy = load_text(a, text);
        struct atoms atoms = atoms_of(a, c->atoms);
        struct verdict v;
        policy_decide(policy, identify(policy, a, &c->caller), &atoms, day(2026, 6, 1) + 12 * INT64_C(3600000000), &v);
        if (v.reason != c->reason || v.column != c->column || !str_eq_z(v.rule, c->rule))
            fail_msg("%s: %s column %d rule \"%.*s\"", c->name, v.reason ? reason_name(v.reason) : "allowed", v.column,
                     STR_ARG(v.rule));
    }
}

static void who_bears_nothing_is_told_so(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp) struct policy *policy = load_text(a, HEAD "allow alice to read T in " DB END);
    struct atoms atoms = atoms_of(a, "read|" DB "|T||a");
    struct verdict v;
    policy_decide(policy, identify(policy, a, &(struct caller){ "other@x" }), &atoms, 0, &v);
    assert_int_equal(v.reason, NO_IDENTITY);
    DEFER(policy_unrefp) struct policy *newer = load_text(a, HEAD);
    policy_decide(newer, identify(policy, a, &(struct caller){ "alice" }), &atoms, 0, &v);
    assert_int_equal(v.reason, POLICY_STALE);
}

static void stars_cover_one_segment(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp)
    struct policy *policy = load_text(
        a,
        "domain d covers spanner demo/* owner o\naccount app is \"app@x\"\nr: allow app to read T(a) in spanner demo/*" END
        "s: allow app to read every table in spanner demo/x" END "x: deny app to read T(b) in spanner demo/* owner o\n");
    static const struct {
        const char *atoms;
        enum reason reason;
    } cases[] = {
        { "read|spanner demo/y|T||a", REASON_NONE }, { "read|spanner demo/x|T||a,c", REASON_NONE },
        { "read|spanner demo/x|T||b", DENIED },      { "read|spanner demo/y|T||c", NO_RULE_FOR_COLUMN },
        { "read|spanner demo/y/z|T||a", NO_RULE },   { "read|spanner demo|T||a", NO_RULE },
        { "use|spanner demo/q||", REASON_NONE },     { "read|spanner demo/*|T||a", NOT_UNDERSTOOD },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct atoms atoms = atoms_of(a, cases[i].atoms);
        struct verdict v;
        policy_decide(policy, identify(policy, a, &(struct caller){ "app@x" }), &atoms, 0, &v);
        if (v.reason != cases[i].reason) fail_msg("%s: %s", cases[i].atoms, reason_name(v.reason));
    }
}

static void more_than_64_columns(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
    DEFER(buf_free) struct buf text = BUF_INIT(1 << 16);
    buf_add_z(&text, HEAD "x: deny alice to read T(c999) in " DB " owner o\nr: allow alice to read T(c0");
    for (int i = 1; i < 1000; i++) buf_printf(&text, ", c%d", i);
    buf_add_z(&text, ") in " DB END);
    buf_add_char(&text, '\0');
    DEFER(policy_unrefp) struct policy *policy = load_text(a, text.p);
    const struct policy_subject *s = identify(policy, a, &(struct caller){ "alice" });
    static const struct {
        const char *atoms;
        enum reason reason;
    } cases[] = { { "read|" DB "|T||c0,c63,c64,c998", REASON_NONE },
                  { "read|" DB "|T||c1000", NO_RULE_FOR_COLUMN },
                  { "read|" DB "|T||c999", DENIED } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct atoms atoms = atoms_of(a, cases[i].atoms);
        struct verdict v;
        policy_decide(policy, s, &atoms, 0, &v);
        assert_int_equal(v.reason, cases[i].reason);
    }
    text.n -= strlen(") in " DB END) + 1;
    for (int i = 1000; i < 1030; i++) buf_printf(&text, ", c%d", i);
    buf_add_z(&text, ") in " DB END);
    struct policy_source source = { STR("t.policy"), buf_str(&text) };
    struct policy_faults faults;
    struct policy *none = NULL;
    struct err err;
    assert_int_equal(policy_load(&source, 1, NULL, a, &faults, &none, &err), INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "more than 1,024 columns of one table are named"));
}

/* ---- look-ups ---- */

static void lookups(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp)
    struct policy *policy = load_text(a, HEAD "allow alice to run job n/a on dataproc demo/batch as app, ops" END
                                              "allow alice to run jobs on dataproc demo/batch as ops" END
                                              "deny alice to act as ops owner o\nallow alice to read T(a) in " DB
                                              " owner o until 2026-01-01\nallow alice to insert U(a) in " DB END
                                              "deny alice to insert U(a) in " DB
                                              " owner o\nallow alice to delete W in " DB END);
    const struct policy_subject *alice = identify(policy, a, &(struct caller){ "alice" });
    struct policy_names names;
    assert_true(policy_accounts_for_run(policy, alice, STR("dataproc demo/batch"), STR("n/a"), day(2026, 6, 1), a, &names));
    assert_int_equal(names.n, 2);
    assert_str(names.items[0], "app@x");
    assert_true(policy_accounts_for_run(policy, alice, STR("dataproc demo/batch"), STR(""), day(2026, 6, 1), a, &names));
    assert_int_equal(names.n, 0); /* the deny */
    static const char sha[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_str(policy_job_for_digest(policy, STR("pyspark"), STR("file:///x.py"), str_z(sha)), "n/a");
    assert_str(policy_job_for_digest(policy, STR("spark"), STR("gs://a.py"), str_z(sha)), "");
    assert_str(policy_job_for_digest(policy, STR("pyspark"), STR("gs://a.py"), STR("00")), "");
    assert_str(policy_job_for_digest(policy, STR("pyspark"), STR("gs://b.py"), STR("00")), "n/b");
    assert_str(policy_job_for_digest(policy, STR("pyspark"), STR("gs://b.py"), str_z(sha)), "n/a");
    assert_true(policy_holds_something(policy, alice, STR(DB), STR("t"), day(2025, 6, 1)));
    assert_false(policy_holds_something(policy, alice, STR(DB), STR("t"), day(2026, 6, 1)));
    assert_true(policy_holds_something(policy, alice, STR(DB), STR("w"), day(2026, 6, 1)));
    assert_true(policy_holds_something(policy, alice, STR(DB), STR(""), day(2026, 6, 1)));
    assert_false(policy_holds_something(policy, alice, STR("spanner demo/other"), STR(""), day(2026, 6, 1)));
    assert_str(policy_path_held(policy, alice, STR("spanner demo/"), day(2026, 6, 1), a), DB);
    assert_str(policy_path_held(policy, alice, STR("spanner dem/"), day(2026, 6, 1), a), "");
    assert_true(policy_next_change(policy, day(2025, 1, 1)) == day(2026, 1, 2));
    assert_true(policy_next_change(policy, day(2026, 1, 2)) == day(2027, 1, 2));
    assert_true(policy_next_change(policy, day(2027, 1, 2)) == INT64_MAX);
    assert_str(policy_account_email(policy, STR("app")), "app@x");
    assert_str(policy_account_name(policy, STR("app@x")), "app");
    assert_str(policy_account_email(policy, STR("alice")), "");
}

/* ---- explain ---- */

static void explain_proposes_what_is_missing(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp)
    struct policy *policy = load_text(a, HEAD "allow app to read T(a) in " DB " during job n/a" END
                                              "x: deny anyone to read T(secret) in " DB " owner o because \"why\"\n");
    static const struct {
        const char *atoms, *job, *rule, *says;
    } cases[] = {
        { "read|" DB "|T||a,b;insert|" DB "|Order||c;read|" DB "|U||x", "n/a",
          "allow app to read T(b), U(x) and insert `Order`(c) in " DB "\n    during job n/a owner o until 2026-08-30\n",
          "add to t.policy" },
        { "read|" DB "|T||b", "", "allow app to read T(b) in " DB "\n    owner o until 2026-08-30\n",
          "NO_RULE_FOR_COLUMN" },
        { "read|" DB "|T||a,secret", "n/a", "", "deny anyone to read T(secret) in " DB " owner o because \"why\"" },
        { "read|spanner x/y|T||a", "", "", "no domain covers what is asked for" },
        { "use|" DB "||;delete|" DB "|T||", "", "allow app to delete T in " DB "\n    owner o until 2026-08-30\n",
          "JOB_WRONG" },
        { "use|spanner demo/other||", "", "", "any rule that allows something there admits" },
        { "run job|dataproc demo/batch||ops@x", "",
          "allow app to run jobs on dataproc demo/batch as ops\n    owner o until 2026-08-30\n", "no job statement" },
        { "run job|synapse demo/daily||ops@x;administer|synapse demo/x y||", "", "",
          "run jobs in synapse demo/daily as ops@x" },
        { "run job|synapse demo/daily||ops@x", "",
          "allow app to run jobs on synapse demo/daily as ops\n    owner o until 2026-08-30\n", "NO_RULE" },
        { "act as|||ops@x", "", "allow app to act as ops\n    owner o until 2026-08-30\n", "" },
        { "call||https://h/a|api://x", "",
          "allow app to call \"https://h/a\" with audience \"api://x\"\n    owner o until 2026-08-30\n",
          "call https://h/a with audience api://x" },
        { "call||https://127.0.0.1/a|", "",
          "allow app to call \"https://127.0.0.1:443/a\" with audience \"\"\n    owner o until 2026-08-30\n",
          "call https://127.0.0.1/a without a token" },
        { "read|" DB "|T||a", "n/a", "", "the policy in force allows it" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct atoms atoms = atoms_of(a, cases[i].atoms);
        struct str app = STR("app");
        struct policy_recorded r = {
            .bearing = { .sure = { &app, 1 } }, .subject = STR("app@x"), .job = str_z(cases[i].job), .atoms = &atoms
        };
        struct policy_explanation e;
        struct err err;
        assert_int_equal(policy_explain(policy, &r, day(2026, 6, 1), a, &e, &err), OK);
        assert_str(only_rule(&e), cases[i].rule);
        if (str_find(e.text, str_z(cases[i].says)) < 0) fail_msg("%.*s", STR_ARG(e.text));
    }
}

static void explain_names_the_limit(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp)
    struct policy *policy = load_text(a, HEAD "x: limit app to 2 requests at once in " DB " owner o\n");
    struct atoms atoms = atoms_of(a, "read|" DB "|T||a");
    struct str app = STR("app");
    struct policy_recorded r = { .bearing = { .sure = { &app, 1 } },
                                 .subject = STR("app@x"),
                                 .atoms = &atoms,
                                 .verdict = { LIMIT_REACHED, 0, -1, STR("x") } };
    struct policy_explanation e;
    struct err err;
    assert_int_equal(policy_explain(policy, &r, day(2026, 6, 1), a, &e, &err), OK);
    assert_int_equal(e.n_additions, 0);
    if (str_find(e.text, STR("LIMIT_REACHED: a limit was reached: what was allowed comes through once there is room again\n"
                             "rule:   x (t.policy:9)\n        limit app to 2 requests at once in " DB " owner o\n")) < 0)
        fail_msg("%.*s", STR_ARG(e.text));
}

static void explain_names_the_rules_that_nearly_fit(void **state) {
    (void)state;
    static const struct {
        const char *name, *rules, *bears, *atoms, *job, *near; /* near: "rule|lacks\n" */
        bool person, from;
    } cases[] = {
#define T "|" DB "|T||"
        { "nothing is near", "r: allow app to insert T in " DB END "s: allow app to read U in " DB END, "app", "read" T "a",
          "", "", false, false },
        { "it has ended", "old: allow app to read T in " DB " owner o until 2026-05-30\n", "app", "read" T "a", "",
          "old|ended at 2026-05-31T00:00:00Z\n", false, false },
        { "another job", "r: allow app to read T in " DB " during job n/a" END, "app", "read" T "a", "n/b",
          "r|is for the time of job n/a, and the request came from job n/b\n", false, false },
        { "no job", "r: allow app to read T in " DB " during job n/a, n/b" END, "app", "read" T "a", "",
          "r|is for the time of job n/a, n/b, and the request came from no job\n", false, false },
        { "another network", "r: allow app to read T in " DB " from \"10.0.0.0/8\"" END, "app", "read" T "a", "",
          "r|is for network 10.0.0.0/8, and the request came from 192.168.1.2\n", false, true },
        { "no network", "r: allow app to read T in " DB " from \"10.0.0.0/8\"" END, "app", "read" T "a", "",
          "r|is for network 10.0.0.0/8, and the request came from an address that is not known\n", false, false },
        { "its network", "r: allow app to read T in " DB " from \"192.168.0.0/16\" owner o until 2026-05-30\n", "app",
          "read" T "a", "", "r|ended at 2026-05-31T00:00:00Z\n", false, true },
        { "another account as which", "r: allow alice to run job n/a on dataproc demo/batch as app" END, "alice",
          "run job|dataproc demo/batch|n/a|ops@x", "", "r|is for account app\n", true, false },
        { "a pipeline as another", "r: allow alice to run jobs on synapse demo/* as app" END, "alice",
          "run job|synapse demo/daily||ops@x", "", "r|is for account app\n", true, false },
        { "changed code", "r: allow alice to run job n/a on dataproc demo/batch as app" END, "alice",
          "run job|dataproc demo/batch||app@x", "",
          "r|is for job n/a, and the code is that of no job statement: has it changed since?\n", true, false },
        { "another's code", "r: allow alice to run job n/a on dataproc demo/batch as app" END, "alice",
          "run job|dataproc demo/batch|n/b|app@x", "", "r|is for job n/a, and the code is that of n/b\n", true, false },
        { "another audience", "r: allow app to call \"https://h/*\" with audience \"a\"" END, "app", "call||https://h/x|b",
          "", "r|is for audience a\n", false, false },
        { "no token", "r: allow app to call \"https://h/x\" with audience \"\"" END, "app", "call||https://h/x|b", "",
          "r|is for calls without a token\n", false, false },
        { "other columns", "r: allow app to read T(b) in " DB END, "app", "read" T "b,a", "",
          "r|does not cover the column\n", false, false },
        { "not the whole table", "r: allow app to read T(b) in " DB END, "app", "read" T, "",
          "r|does not cover the column\n", false, false },
        { "a claim", "r: allow team to read T in " DB END, "alice", "read" T "a", "",
          "r|is for team, and the issuer did not send the claim that tells\n", true, false },
        { "another account", "r: allow ops to read T in " DB END, "app", "read" T "a", "",
          "r|is for another account, ops\n", false, false },
        { "another person is not near", "r: allow bob to read T in " DB END, "alice", "read" T "a", "", "", true, false },
        { "two things", "r: allow app to read T in " DB " during job n/a owner o until 2026-05-30\n", "app", "read" T "a",
          "", "r|ended at 2026-05-31T00:00:00Z; it is for the time of job n/a, and the request came from no job\n", false,
          false },
        { "three are not near", "r: allow app to read T(b) in " DB " during job n/a owner o until 2026-05-30\n", "app",
          "read" T "a", "", "", false, false },
        { "the nearest first, and no further ones",
          "a: allow app to read T(b) in " DB END "b: allow app to read T in " DB
          " owner o until 2026-05-30\nc: allow app to read T in " DB
          " during job n/a owner o until 2026-05-30\nd: allow app to "
          "read every table in " DB " during job n/a" END "e: allow app to read T(c) in " DB END,
          "app", "read" T "a", "",
          "b|ended at 2026-05-31T00:00:00Z\nd|is for the time of job n/a, and the request came from no job\na|does not "
          "cover "
          "the column\n",
          false, false },
        { "denied: nothing to name",
          "r: allow app to read T in " DB " owner o until 2026-05-30\ndeny app to read T in " DB " owner o\n", "app",
          "read" T "a", "", "", false, false },
#undef T
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        DEFER(buf_free) struct buf got = BUF_INIT(1 << 16);
        DEFER(policy_unrefp) struct policy *policy = load_text(a, arena_printf(a, "%s%s", HEAD, cases[i].rules).p);
        struct atoms atoms = atoms_of(a, cases[i].atoms);
        struct str bears = str_z(cases[i].bears), team = STR("team");
        struct policy_recorded r = { .bearing = { .sure = { &bears, 1 }, .unsure = { &team, cases[i].person } },
                                     .job = str_z(cases[i].job),
                                     .atoms = &atoms };
        if (cases[i].from) assert_int_equal(inet_pton(AF_INET6, "::ffff:192.168.1.2", &r.from), 1);
        struct policy_explanation e;
        struct err err;
        assert_int_equal(policy_explain(policy, &r, day(2026, 6, 1), a, &e, &err), OK);
        for (size_t k = 0; k < e.n_near; k++) {
            const struct policy_near *n = &e.near[k];
            buf_printf(&got, "%.*s|%.*s\n", STR_ARG(n->rule), STR_ARG(n->lacks));
            struct str said = arena_printf(a, "near:   rule %.*s (t.policy:%u) %.*s\n", STR_ARG(n->rule), n->line,
                                           STR_ARG(n->lacks));
            assert_true(str_find(e.text, said) > 0);
        }
        if (!str_eq_z(buf_str(&got), cases[i].near))
            fail_msg("%s:\n%.*s%.*s", cases[i].name, STR_ARG(buf_str(&got)), STR_ARG(e.text));
    }
}

static void explain_names_who_has_no_name(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp) struct policy *policy = load_text(a, HEAD);
    struct atoms atoms = atoms_of(a, "read|" DB "|T||a");
    struct policy_recorded r = {
        .issuer = STR("corp"), .subject = STR("e\"ve"), .atoms = &atoms, .verdict = { .reason = NO_IDENTITY }
    };
    struct policy_explanation e;
    struct err err;
    assert_int_equal(policy_explain(policy, &r, day(2026, 6, 1), a, &e, &err), OK);
    assert_str(only_rule(&e), "identity caller is oidc corp where sub = \"e\\\"ve\"\nallow caller to read T(a) in " DB
                              "\n    owner o until 2026-08-30\n");
    r.verdict.reason = TOKEN_EXPIRED;
    assert_int_equal(policy_explain(policy, &r, day(2026, 6, 1), a, &e, &err), OK);
    assert_str(only_rule(&e), "");
}

static void a_request_cannot_write_rules(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp) struct policy *policy = load_text(a, HEAD);
    static const char *const evil[] = {
        "read|" DB "|T in spanner demo/flights owner o until 2027-01-01\nallow bob to read every table||a",
        "read|" DB "|T||a) in spanner demo/flights owner o until 2027-01-01\nallow bob to read T(b",
        "read|" DB "|T\x1b[2J||a",
        "run job|dataproc demo/batch|n/a on dataproc demo/batch as app\nallow bob to run job n/b|app@x",
        "call||https://h/a|x\ny",
    };
    for (size_t i = 0; i < COUNT(evil); i++) {
        struct atoms atoms = atoms_of(a, evil[i]);
        struct str alice = STR("alice");
        struct policy_recorded r = { .bearing = { .sure = { &alice, 1 } }, .atoms = &atoms };
        struct policy_explanation e;
        struct err err;
        assert_int_equal(policy_explain(policy, &r, day(2026, 6, 1), a, &e, &err), OK);
        assert_str(only_rule(&e), "");
        assert_true(str_find(e.text, STR("the request holds names that no statement can hold")) > 0);
        assert_true(str_find(e.text, STR("\nallow")) < 0);
        assert_true(str_find_char(e.text, '\x1b') < 0);
    }
    struct atoms atoms = atoms_of(a, "read|" DB "|T||a");
    struct policy_recorded r = { .issuer = STR("corp"),
                                 .subject = STR("x\"\nallow bob to act as app owner o until 2027-01-01\n#"),
                                 .atoms = &atoms };
    struct policy_explanation e;
    struct err err;
    assert_int_equal(policy_explain(policy, &r, day(2026, 6, 1), a, &e, &err), OK);
    assert_str(only_rule(&e), "");
    assert_true(str_find(e.text, STR("\nallow")) < 0);
}

static void the_narrowest_identity_is_proposed(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp) struct policy *policy = load_text(a, HEAD "identity all is oidc corp\n");
    struct atoms atoms = atoms_of(a, "read|" DB "|T||a");
    struct str names[] = { STR_INIT("all"), STR_INIT("bob") };
    struct policy_recorded r = { .bearing = { .sure = { names, 2 } }, .atoms = &atoms };
    struct policy_explanation e;
    struct err err;
    assert_int_equal(policy_explain(policy, &r, day(2026, 6, 1), a, &e, &err), OK);
    assert_true(str_starts(only_rule(&e), STR("allow bob to read T(a) in")));
}

/* ---- memory, files ---- */

static void short_memory_is_reported(void **state) {
    (void)state;
    struct policy_source source = {
        STR("t.policy"), STR(HEAD "tables q are T(a) in " DB "\nallow alice, bob to read tables q and insert U(b) in " DB
                                  " during job n/a" END "deny anyone except app to read every table in " DB
                                  " owner o\nlimit anyone to 2 commits at once in " DB " owner o\nallow zed")
    };
    static const struct {
        size_t cut; /* of the text: without it the policy is good */
        enum code code;
    } cases[] = { { 0, INVALID_ARGUMENT }, { sizeof "allow zed" - 1, OK } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy_source cut = { source.name, str_upto(source.text, source.text.n - cases[i].cut) };
        enum code rc = RESOURCE_EXHAUSTED;
        unsigned n = 0;
        while (rc == RESOURCE_EXHAUSTED) {
            DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
            struct policy_faults faults;
            struct policy *policy = NULL;
            struct err err = { 0 };
            arena_fail_after(++n);
            rc = policy_load(&cut, 1, NULL, a, &faults, &policy, &err);
            arena_fail_after(0);
            assert_true((rc == OK) == (policy != NULL));
            policy_unref(policy);
        }
        assert_int_equal(rc, cases[i].code);
        assert_true(n > 50); /* every allocation before failed, and each was reported */
    }
}

static void a_directory_is_loaded(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    char dir[] = "/tmp/policy-test-XXXXXX", path[64];
    struct policy_faults faults;
    struct policy *policy = NULL;
    struct err err;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(policy_load_dir(dir, NULL, a, &faults, &policy, &err), NOT_FOUND);
    static const char *const files[][2] = {
        { "a.policy", "domain a covers spanner x/a owner o\nallow app to read T in spanner x/a" END },
        { "b.policy", "domain b covers spanner x/b owner o\naccount app is \"app@x\"\n" },
        { "c.txt", "not a policy" }
    };
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i][0]);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        (void)fputs(files[i][1], f);
        (void)fclose(f);
    }
    assert_int_equal(policy_load_dir(dir, NULL, a, &faults, &policy, &err), OK);
    assert_int_equal(policy_rule_count(policy), 1);
    struct atoms atoms = atoms_of(a, "read|spanner x/a|T||a");
    struct verdict v;
    policy_decide(policy, identify(policy, a, &(struct caller){ "app@x" }), &atoms, 0, &v);
    assert_int_equal(v.reason, REASON_NONE);
    assert_true(str_starts(v.rule, STR("a.policy#")));
    policy_unref(policy_ref(policy));
    policy_unref(policy);
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i][0]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_read),
        cmocka_unit_test(faults_have_places),
        cmocka_unit_test(urls_have_one_spelling),
        cmocka_unit_test(what_is_known_outside_is_compared),
        cmocka_unit_test(formatting_is_canonical),
        cmocka_unit_test(decisions),
        cmocka_unit_test(who_bears_nothing_is_told_so),
        cmocka_unit_test(stars_cover_one_segment),
        cmocka_unit_test(more_than_64_columns),
        cmocka_unit_test(lookups),
        cmocka_unit_test(explain_proposes_what_is_missing),
        cmocka_unit_test(explain_names_the_limit),
        cmocka_unit_test(explain_names_the_rules_that_nearly_fit),
        cmocka_unit_test(explain_names_who_has_no_name),
        cmocka_unit_test(a_request_cannot_write_rules),
        cmocka_unit_test(the_narrowest_identity_is_proposed),
        cmocka_unit_test(short_memory_is_reported),
        cmocka_unit_test(a_directory_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
