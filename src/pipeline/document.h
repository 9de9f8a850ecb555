/* document.h: a pipeline's JSON, as Synapse Studio and the SDKs send it, compiled.
 *
 * {"properties": {"activities": […], "parameters": {…}, "variables": {…}, "concurrency", "annotations", "description",
 * "folder"}}. What is not supported is refused when it is saved, by name and place: unknown keys and activity types,
 * expressions that do not parse or that refer to what they cannot know, cycles.
 *
 * A struct pipeline is immutable and reference counted; it owns all it holds (its arena and its document). Any thread.
 * Limits (Synapse's own where it has one): 80 activities with inner ones, 50 parameters, 50 variables, 40 dependencies and
 * 25 user properties an activity, 4 MiB of text, 64 levels of JSON, 50 parallel iterations. As in Synapse, a ForEach
 * may hold an IfCondition, and no other container another: PIPELINE_NESTING_MAX lists stand inside one another. Source:
 * Azure Synapse artifacts REST API 2020-12-01, PipelineResource and Activity. */
#pragma once
#include "pipeline/fault.h"
#include "pipeline/template.h"

enum {
    PIPELINE_TEXT_MAX = 4 << 20,
    PIPELINE_DEPTH_MAX = 64,
    PIPELINE_ACTIVITIES_MAX = 80,
    PIPELINE_PARAMETERS_MAX = 50,
    PIPELINE_VARIABLES_MAX = 50,
    PIPELINE_NESTING_MAX = 3,
    PIPELINE_NAME_MAX = 140,
    ACTIVITY_NAME_MAX = 55,
    ACTIVITY_DEPENDENCIES_MAX = 40,
    ACTIVITY_USER_PROPERTIES_MAX = 25,
    FOR_EACH_BATCH_MAX = 50,
    FOR_EACH_BATCH_DEFAULT = 20,
    FOR_EACH_ITEMS_MAX = 100000,
    WEB_HEADERS_MAX = 64,
    WEB_TIMEOUT_DEFAULT_S = 60,
    WEB_TIMEOUT_MAX_S = 600,
    WAIT_MAX_S = 7 * 86400,
};

enum pipeline_type { TYPE_STRING, TYPE_INT, TYPE_FLOAT, TYPE_BOOL, TYPE_ARRAY, TYPE_OBJECT };
const char *pipeline_type_name(enum pipeline_type type); /* "String" */

/* A parameter or a variable. */
struct pipeline_slot {
    struct str name;
    enum pipeline_type type; /* variables: String, Int (Integer), Bool (Boolean) or Array */
    const json_t *initial;   /* defaultValue, borrowed; NULL: none */
};

enum activity_kind {
    ACTIVITY_WEB,
    ACTIVITY_WAIT,
    ACTIVITY_SET_VARIABLE,
    ACTIVITY_FAIL,
    ACTIVITY_IF_CONDITION,
    ACTIVITY_FOR_EACH,
    ACTIVITY_EXECUTE_PIPELINE,
    ACTIVITY_KINDS
};
const char *activity_type(enum activity_kind kind); /* "WebActivity", "Wait", …: as documents write it */

/* How the activity before must have ended; the conditions of one dependency are alternatives, dependencies all must hold.
 */
enum { DEPEND_SUCCEEDED = 1, DEPEND_FAILED = 2, DEPEND_SKIPPED = 4, DEPEND_COMPLETED = 8 };
struct activity_dependency {
    unsigned activity;   /* index into the same list */
    unsigned conditions; /* DEPEND_…, never 0 */
};

struct activity_policy {
    unsigned retry;                   /* 0 … 1000 attempts after the first */
    unsigned retry_interval_s;        /* 30 … 86400; default 30 */
    uint32_t timeout_s;               /* of one attempt; 1 … 7 days; default 7 days */
    bool secure_input, secure_output; /* never shown in activity runs, nor logged */
};

struct activity;
struct activity_list {
    const struct activity *items;
    size_t n;
};

struct web_activity {
    struct str method;               /* GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE */
    const struct template *url;      /* a string */
    const struct template *headers;  /* an object whose values are strings once evaluated; NULL: none */
    const struct template *body;     /* a string goes as it is, other values as JSON; NULL: none */
    const struct template *resource; /* authentication MSI: the audience, a string; NULL: no token is sent */
    uint32_t request_timeout_s;      /* httpRequestTimeout: 1 … 600, default 60: until the reply's headers */
    bool turn_off_async;             /* a 202 with Location is the answer, and not polled */
};
struct execute_pipeline_activity {
    struct str pipeline;               /* referenceName */
    const struct template *parameters; /* an object; NULL: none */
    bool wait_on_completion;           /* default false, as in the API */
};

struct activity {
    struct str name;
    enum activity_kind kind;
    unsigned ordinal; /* unique in the pipeline, 0 … n_activities-1, in the document's order */
    struct str path;  /* its place in the document, for messages */
    const struct activity_dependency *depends_on;
    size_t n_depends_on;
    struct activity_policy policy;
    const struct template *user_properties; /* an array of {"name", "value"}; NULL: none */
    union {
        struct web_activity web;
        const struct template *wait_s; /* an integer ≥ 0 once evaluated */
        struct {
            unsigned variable; /* index into variables */
            const struct template *value;
        } set_variable;
        struct {
            const struct template *message, *error_code; /* strings */
        } fail;
        struct {
            const struct template *expression; /* a Boolean */
            struct activity_list if_true, if_false;
        } if_condition;
        struct {
            const struct template *items; /* an array, at most FOR_EACH_ITEMS_MAX */
            bool is_sequential;
            unsigned batch_count; /* 1 when sequential */
            struct activity_list activities;
        } for_each;
        struct execute_pipeline_activity execute;
    };
};

struct pipeline {
    struct activity_list activities;
    size_t n_activities; /* with inner ones */
    const struct pipeline_slot *parameters, *variables;
    size_t n_parameters, n_variables;
    unsigned concurrency;         /* runs at once; 0 = no limit */
    const json_t *document;       /* as it was sent */
    const struct str *references; /* of the pipelines that ExecutePipeline names, each once */
    size_t n_references;
};

/* Starts with a letter, a digit or '_'; none of . + ? / < > * # % & : \ and no control characters; at most `max_chars` code
 * points, no space at the end. */
bool pipeline_name_valid(struct str name, size_t max_chars);

/* Compiles a document. `faults` (set its arena first, zero the rest) gets all faults; the code and err are faults_err's. */
MUST_USE enum code pipeline_read(struct str text, struct faults *faults, struct pipeline **ret, struct err *err);
MUST_USE enum code pipeline_compile(json_t *document, struct faults *faults, struct pipeline **ret, struct err *err);
struct pipeline *pipeline_ref(struct pipeline *pipeline);
struct pipeline *pipeline_unref(struct pipeline *pipeline); /* NULL is fine; returns NULL */
void pipeline_unrefp(struct pipeline **pipeline);           /* for DEFER */

/* The values of all parameters: what was supplied (an object, or NULL), else the default. A fault names each that is
 * missing, unknown or of another type; an integer is also a float. A new reference. */
MUST_USE enum code pipeline_bind_parameters(const struct pipeline *pipeline, const json_t *supplied, struct faults *faults,
                                            json_t **ret, struct err *err);
/* The variables at the start of a run: the default, else "", 0, false or []. A new reference; NULL when memory is short. */
json_t *pipeline_initial_variables(const struct pipeline *pipeline);
/* Whether a value may be in such a slot. */
bool pipeline_type_holds(enum pipeline_type type, const json_t *value);
