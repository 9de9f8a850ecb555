/* ast.h: one policy file as read: statements in the order of the text, every slice in the arena of the load. Internal. */
#pragma once
#include <netinet/in.h>
#include "policy/policy.h"

struct name {
    struct str text;
    unsigned line, column;
};

struct names {
    struct name *items;
    size_t n, cap;
};

/* "Flights(carrier)", "Flights except (tailnum)", "Sales.Orders". */
struct table_ref {
    struct name name;
    bool has_columns, except;
    struct names columns;
};

struct table_refs {
    struct table_ref *items;
    size_t n, cap;
};

enum stmt_kind {
    STMT_DOMAIN,
    STMT_IDENTITY,
    STMT_GROUP,
    STMT_ACCOUNT,
    STMT_JOB,
    STMT_TABLES,
    STMT_ALLOW,
    STMT_DENY,
    STMT_MASK,
    STMT_LIMIT
};

enum act_kind {
    ACT_DML, /* verbs: a set of 1 << VERB_…, and change schema, which takes a set of tables too */
    ACT_CHANGE_SCHEMA,
    ACT_CHANGE_GRANTS,
    ACT_READ_STREAM,
    ACT_READ_SCHEMA,
    ACT_READ_STATISTICS,
    ACT_BACK_UP,
    ACT_RESTORE,
    ACT_RUN_JOBS,
    ACT_RUN_JOB,
    ACT_ACT_AS,
    ACT_ACT_FOR,
    ACT_SEE_JOBS,
    ACT_CANCEL_JOBS,
    ACT_CALL,
    ACT_ADMINISTER
};

enum set_kind { SET_NONE, SET_EVERY, SET_NAMED, SET_LIST };

struct act {
    enum act_kind kind;
    unsigned verbs; /* ACT_DML */
    enum set_kind set;
    struct name named; /* SET_NAMED; the stream; the URL of `call` */
    struct table_refs tables;
    struct names jobs;
    struct name path; /* of placed acts; data acts share the statement's */
    struct names as;  /* accounts, or for whom; the audience of `call` */
    struct str url;   /* of `call`, in normal form; with `below` it ends with '/' */
    bool below;       /* everything below it */
    bool port;        /* its port is written out */
};

struct acts {
    struct act *items;
    size_t n, cap;
};

struct who {
    bool anyone;
    struct names names; /* after `except` when anyone */
};

struct test {
    struct names claim; /* its segments */
    enum { TEST_EQUAL, TEST_DIFFERS, TEST_ONE_OF, TEST_CONTAINS } op;
    struct names values;
};

struct tests {
    struct test *items;
    size_t n, cap;
};

enum clause_kind {
    CLAUSE_JOB,
    CLAUSE_FROM,
    CLAUSE_WHEN,
    CLAUSE_APPROVAL,
    CLAUSE_OWNER,
    CLAUSE_UNTIL,
    CLAUSE_BECAUSE,
    CLAUSE_COUNT
};

struct clauses {
    unsigned has; /* 1 << CLAUSE_… */
    struct names jobs;
    struct name from;
    struct name days, begin, end, zone;
    struct name approver, at_most;
    struct name owner, until, because;
    bool until_is_date;
    int64_t until_us;
    struct in6_addr net; /* of `from`, IPv4 mapped */
    unsigned net_bits;
};

struct bound {
    struct name count, unit, per; /* per empty: at once */
    uint64_t most;
};

struct bounds {
    struct bound *items;
    size_t n, cap;
};

struct stmt {
    enum stmt_kind kind;
    unsigned line;     /* of its first token, at column 1 */
    bool blank_before; /* for the printer */
    bool broken;       /* has a fault of syntax: kept so that what it defines is not called undefined as well */
    struct names comments;
    struct name label, name; /* name: what is defined */
    struct name kind_word;   /* proof, or kind of job, or kind of mask */
    struct name detail;      /* issuer, e-mail, URI, "last" or "domain" of keep */
    struct name extra;       /* the kind of mtls name; the digest; the count of keep last */
    struct tests tests;
    struct names members; /* of a group; the covered paths of a domain */
    struct who who;
    struct acts acts;
    struct table_refs tables;
    struct bounds bounds;
    struct name path;
    struct clauses clauses;
    struct str rule; /* its name; set by check */
    unsigned file;
};

struct file_ast {
    struct str name, text;
    struct stmt *items;
    size_t n, cap;
    bool faulty;       /* not all of it could be read */
    struct names tail; /* comments after the last statement */
};
