#include <stdlib.h>

#include "help.h"

/* A document with its single quotes for double ones, so that cases can be read. */
static json_t *load(const char *text) {
    char *copy = strdup(text);
    for (char *c = copy; *c; c++) *c = *c == '\'' ? '"' : *c == '`' ? '\'' : *c;
    json_t *json = json_loads(copy, JSON_REJECT_DUPLICATES, NULL);
    free(copy);
    if (!json) fail_msg("not JSON: %s", text);
    return json;
}

static const char whole[] =
    "{'name':'Nightly','properties':{'description':'d','annotations':['x'],'folder':{'name':'f'},'concurrency':2,"
    "'parameters':{'date':{'type':'string'},'n':{'type':'int','defaultValue':3}},"
    "'variables':{'v':{'type':'String','defaultValue':'a'},'list':{'type':'Array'}},"
    "'activities':["
    "{'name':'Start','type':'WebActivity','dependsOn':[],'userProperties':[{'name':'who','value':'@pipeline().RunId'}],"
    " 'policy':{'timeout':'0.00:10:00','retry':2,'retryIntervalInSeconds':45,'secureInput':true,'secureOutput':false},"
    " 'typeProperties':{'method':'POST','url':{'value':'@concat(`https://a.example/`, "
    "pipeline().parameters.date)','type':'Expression'},"
    "  'headers':{'Content-Type':'application/json'},'body':{'d':'@pipeline().parameters.date'},"
    "  "
    "'authentication':{'type':'MSI','resource':'api://"
    "linkspan'},'httpRequestTimeout':'00:02:00','disableCertValidation':false}},"
    "{'name':'Keep','type':'SetVariable','dependsOn':[{'activity':'Start','dependencyConditions':['Succeeded']}],"
    " 'typeProperties':{'variableName':'v','value':'@activity(`Start`).output.id'}},"
    "{'name':'Each','type':'ForEach','dependsOn':[{'activity':'Keep','dependencyConditions':['Completed']}],"
    " 'typeProperties':{'items':'@range(0, pipeline().parameters.n)','isSequential':false,'batchCount':5,'activities':["
    "  {'name':'Even','type':'IfCondition','typeProperties':{'expression':'@equals(mod(item(), 2), 0)',"
    "   'ifTrueActivities':[{'name':'Pause','type':'Wait','typeProperties':{'waitTimeInSeconds':'@item()'}}],"
    "   'ifFalseActivities':[{'name':'Other','type':'ExecutePipeline','typeProperties':{"
    "    'pipeline':{'referenceName':'Sub','type':'PipelineReference'},'parameters':{'x':'@activity(`Start`).output.id'},"
    "    'waitOnCompletion':true}}]}}]}},"
    "{'name':'Give up','type':'Fail','dependsOn':[{'activity':'Start','dependencyConditions':['Failed','Skipped']}],"
    " 'typeProperties':{'message':'@{activity(`Start`).error}','errorCode':'500'}}]}}";

static void a_whole_document(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(json_freep) json_t *json = load(whole);
    DEFER(pipeline_unrefp) struct pipeline *p = NULL;
    struct faults faults = { .arena = arena };
    struct err err = { 0 };
    (void)state;
    if (pipeline_compile(json, &faults, &p, &err)) fail_msg("%s", err.message);
    assert_int_equal(p->n_activities, 7);
    assert_int_equal(p->activities.n, 4);
    assert_int_equal(p->concurrency, 2);
    assert_int_equal(p->n_references, 1);
    assert_str(p->references[0], "Sub");
    const struct activity *start = &p->activities.items[0], *keep = start + 1, *each = start + 2, *fail = start + 3;
    assert_int_equal(start->kind, ACTIVITY_WEB);
    assert_int_equal(start->policy.retry, 2);
    assert_int_equal(start->policy.retry_interval_s, 45);
    assert_int_equal(start->policy.timeout_s, 600);
    assert_true(start->policy.secure_input && !start->policy.secure_output);
    assert_str(start->web.method, "POST");
    assert_int_equal(start->web.request_timeout_s, 120);
    assert_non_null(start->web.resource);
    assert_non_null(start->user_properties);
    assert_int_equal(keep->policy.timeout_s, 7 * 86400);
    assert_int_equal(keep->depends_on[0].activity, 0);
    assert_int_equal(keep->depends_on[0].conditions, DEPEND_SUCCEEDED);
    assert_int_equal(keep->set_variable.variable, 0);
    assert_int_equal(each->for_each.batch_count, 5);
    assert_int_equal(fail->depends_on[0].conditions, DEPEND_FAILED | DEPEND_SKIPPED);
    const struct activity *even = &each->for_each.activities.items[0];
    assert_str(even->if_condition.if_false.items[0].execute.pipeline, "Sub");
    assert_true(even->if_condition.if_false.items[0].execute.wait_on_completion);
    assert_str(even->if_condition.if_true.items[0].path,
               "properties.activities[2].typeProperties.activities[0].typeProperties.ifTrueActivities[0]");
}

static void a_pipeline_outlives_who_made_it(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    json_t *json = load(whole);
    struct pipeline *p = NULL;
    struct faults faults = { .arena = arena };
    struct err err;
    (void)state;
    assert_int_equal(pipeline_compile(json, &faults, &p, &err), OK);
    json_decref(json);
    struct pipeline *second = pipeline_ref(p);
    p = pipeline_unref(p);
    assert_str(second->activities.items[0].name, "Start");
    assert_non_null(json_object_get(second->document, "properties"));
    assert_null(pipeline_unref(second));
    assert_null(pipeline_unref(NULL));
}

struct fault_case {
    const char *name, *properties; /* a part of "properties" */
    const char *path, *message;
    unsigned column;
};

#define ONE(activity)    "'activities':[" activity "]"
#define WEB(properties)  ONE("{'name':'A','type':'WebActivity','typeProperties':{" properties "}}")
#define GET(more)        WEB("'method':'GET','url':'https://a.example'" more)
#define WAIT(name, more) "{'name':'" name "','type':'Wait','typeProperties':{'waitTimeInSeconds':1}" more "}"
#define AFTER(name)      ",'dependsOn':[{'activity':'" name "','dependencyConditions':['Succeeded']}]"
#define SET(value)                                                                                                         \
    "'variables':{'v':{'type':'String'}},'parameters':{'p':{'type':'String'}}," ONE(                                       \
        "{'name':'A','type':'SetVariable','typeProperties':{'variableName':'v','value':" value "}}")
#define T "properties.activities[0].typeProperties"

static const struct fault_case cases[] = {
    /* the document */
    { "an unknown key", "'triggers':[]", "properties.triggers", "'triggers' is not supported here", 0 },
    { "activities that are no list", "'activities':{}", "properties.activities", "should be an array", 0 },
    { "concurrency of none", "'concurrency':0", "properties.concurrency", "should be 1 to 10000", 0 },
    { "a folder with more", "'folder':{'name':'a','x':1}", "properties.folder.x", "not supported", 0 },
    { "an activity that is no object", ONE("1"), "properties.activities[0]", "an activity is an object", 0 },
    /* parameters and variables */
    { "a type that is none", "'parameters':{'p':{'type':'Date'}}", "properties.parameters.p.type",
      "type 'Date' is not supported", 0 },
    { "a secret parameter", "'parameters':{'p':{'type':'securestring'}}", "properties.parameters.p.type",
      "type 'securestring' is not supported", 0 },
    { "a parameter without a type", "'parameters':{'p':{}}", "properties.parameters.p", "'type' is missing", 0 },
    { "a default of another type", "'parameters':{'p':{'type':'int','defaultValue':'1'}}",
      "properties.parameters.p.defaultValue", "should be of type Int", 0 },
    { "a computed default", "'parameters':{'p':{'type':'string','defaultValue':'@utcNow()'}}",
      "properties.parameters.p.defaultValue", "an expression is not supported here", 0 },
    { "names that differ in case", "'parameters':{'p':{'type':'int'},'P':{'type':'int'}}", "properties.parameters.P",
      "differs from this only in its case", 0 },
    { "a variable of a parameter's type", "'variables':{'v':{'type':'Object'}}", "properties.variables.v.type",
      "type 'Object' is not supported", 0 },
    { "a variable's default", "'variables':{'v':{'type':'Array','defaultValue':'a'}}",
      "properties.variables.v.defaultValue", "should be of type Array", 0 },
    { "a name that is none", "'parameters':{'a.b':{'type':'int'}}", "properties.parameters['a.b']", "not a valid name", 0 },
    /* activities in common */
    { "an unknown activity", ONE("{'name':'A','type':'Copy','typeProperties':{}}"), "properties.activities[0].type",
      "activity type 'Copy' is not supported", 0 },
    { "the case of a type", ONE("{'name':'A','type':'wait','typeProperties':{}}"), "properties.activities[0].type",
      "'wait'", 0 },
    { "no name", ONE("{'type':'Wait','typeProperties':{'waitTimeInSeconds':1}}"), "properties.activities[0]",
      "'name' is missing", 0 },
    { "a name with a colon", ONE(WAIT("a:b", "")), "properties.activities[0].name", "not a valid name", 0 },
    { "a name too long", ONE(WAIT("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffff", "")),
      "properties.activities[0].name", "at most 55", 0 },
    { "one name twice", ONE(WAIT("A", "") "," WAIT("a", "")), "properties.activities[1].name",
      "is also the name of properties.activities[0]", 0 },
    { "one name twice, once inside",
      ONE(WAIT("A", "") ",{'name':'I','type':'IfCondition','typeProperties':{'expression':'@true','ifTrueActivities':"
                        "[" WAIT("A", "") "]}}"),
      "properties.activities[1].typeProperties.ifTrueActivities[0].name", "is also the name of", 0 },
    { "an unknown key of an activity", ONE(WAIT("A", ",'linkedServiceName':{}")),
      "properties.activities[0].linkedServiceName", "not supported here", 0 },
    { "an activity switched off", ONE(WAIT("A", ",'state':'Inactive'")), "properties.activities[0].state", "only Active",
      0 },
    { "no typeProperties", ONE("{'name':'A','type':'Wait'}"), "properties.activities[0]", "'typeProperties' is missing",
      0 },
    { "a policy of what has none", ONE(WAIT("A", ",'policy':{'retry':1}")), "properties.activities[0].policy.retry",
      "not supported here", 0 },
    { "a dependency on nobody", ONE(WAIT("A", AFTER("Z"))), "properties.activities[0].dependsOn[0].activity",
      "there is no activity 'Z'", 0 },
    { "a dependency without conditions",
      ONE(WAIT("B", "") "," WAIT("A", ",'dependsOn':[{'activity':'B','dependencyConditions':[]}]")),
      "properties.activities[1].dependsOn[0].dependencyConditions", "is empty", 0 },
    { "a condition that is none",
      ONE(WAIT("B", "") "," WAIT("A", ",'dependsOn':[{'activity':'B','dependencyConditions':['Done']}]")),
      "properties.activities[1].dependsOn[0].dependencyConditions[0]", "should be Succeeded", 0 },
    { "a dependency twice",
      ONE(WAIT("B", "") "," WAIT("A", ",'dependsOn':[{'activity':'B','dependencyConditions':['Failed']},{'activity':'B','"
                                      "dependencyConditions':['Failed']}]")),
      "properties.activities[1].dependsOn[1]", "the same activity twice", 0 },
    { "a dependency on itself", ONE(WAIT("A", AFTER("A"))), "properties.activities[0].dependsOn", "in a circle: A → A", 0 },
    { "a circle", ONE(WAIT("A", AFTER("C")) "," WAIT("B", AFTER("A")) "," WAIT("C", AFTER("B"))),
      "properties.activities[0].dependsOn", "in a circle: A → C → B → A", 0 },
    { "user properties that are none", ONE(WAIT("A", ",'userProperties':[{'name':'x'}]")),
      "properties.activities[0].userProperties[0]", "'value' is missing", 0 },
    /* policy */
    { "a timeout that is none",
      ONE("{'name':'A','type':'WebActivity','policy':{'timeout':'10m'},'typeProperties':{'method':'GET','url':'https://"
          "a'}}"),
      "properties.activities[0].policy.timeout", "should be a time span", 0 },
    { "a timeout of nothing",
      ONE("{'name':'A','type':'WebActivity','policy':{'timeout':'00:00:00'},'typeProperties':{'method':'GET','url':'https:/"
          "/a'}}"),
      "properties.activities[0].policy.timeout", "should be a time span", 0 },
    { "a timeout over a week",
      ONE("{'name':'A','type':'WebActivity','policy':{'timeout':'7.00:00:01'},'typeProperties':{'method':'GET','url':'"
          "https://a'}}"),
      "properties.activities[0].policy.timeout", "604800", 0 },
    { "a retry below zero",
      ONE("{'name':'A','type':'WebActivity','policy':{'retry':-1},'typeProperties':{'method':'GET','url':'https://a'}}"),
      "properties.activities[0].policy.retry", "should be 0 to 1000", 0 },
    { "a short interval",
      ONE("{'name':'A','type':'WebActivity','policy':{'retryIntervalInSeconds':5},'typeProperties':{'method':'GET','url':'"
          "https://a'}}"),
      "properties.activities[0].policy.retryIntervalInSeconds", "should be 30 to 86400", 0 },
    /* Web */
    { "no url", WEB("'method':'GET'"), T, "'url' is missing", 0 },
    { "a url of a file", WEB("'method':'GET','url':'file:///etc/passwd'"), T ".url", "should begin with https://", 0 },
    { "a url that is a number", WEB("'method':'GET','url':5"), T ".url", "should be a string", 0 },
    { "a method that is none", WEB("'method':'BREW','url':'https://a'"), T ".method", "should be GET", 0 },
    { "GET with a body", GET(",'body':'x'"), T ".body", "GET has no body", 0 },
    { "POST without a body", WEB("'method':'POST','url':'https://a'"), T, "POST needs one", 0 },
    { "a key for credentials", GET(",'headers':{'Authorization':'Bearer x'}"), T ".headers.Authorization",
      "use authentication with type MSI", 0 },
    { "a header of the connection", GET(",'headers':{'Host':'x'}"), T ".headers.Host", "the connection sets it", 0 },
    { "a header with a line's end", GET(",'headers':{'a\\nb':'x'}"), T ".headers['a\nb']", "is not the name of a header",
      0 },
    { "a header that is a number", GET(",'headers':{'X-A':1}"), T ".headers['X-A']", "should be a string", 0 },
    { "Basic authentication", GET(",'authentication':{'type':'Basic','username':'u','password':'p'}"),
      T ".authentication.type", "authentication 'Basic' is not supported: MSI is", 0 },
    { "MSI with a certificate", GET(",'authentication':{'type':'MSI','resource':'r','pfx':'x'}"), T ".authentication.pfx",
      "not supported here", 0 },
    { "MSI without a resource", GET(",'authentication':{'type':'MSI'}"), T ".authentication", "'resource' is missing", 0 },
    { "certificates not checked", GET(",'disableCertValidation':true"), T ".disableCertValidation", "always checked", 0 },
    { "a runtime of one's own", GET(",'connectVia':{'referenceName':'mine','type':'IntegrationRuntimeReference'}"),
      T ".connectVia", "'connectVia' is not supported", 0 },
    { "data sets", GET(",'datasets':[{}]"), T ".datasets", "'datasets' is not supported", 0 },
    { "linked services", GET(",'linkedServices':[{}]"), T ".linkedServices", "'linkedServices' is not supported", 0 },
    { "a request longer than may be", GET(",'httpRequestTimeout':'00:10:01'"), T ".httpRequestTimeout",
      "of 1 to 600 seconds", 0 },
    { "an unknown key of Web", GET(",'cert':1"), T ".cert", "not supported here", 0 },
    /* the others */
    { "waiting for text", ONE("{'name':'A','type':'Wait','typeProperties':{'waitTimeInSeconds':'5'}}"),
      T ".waitTimeInSeconds", "should be an integer, or an expression", 0 },
    { "waiting below zero", ONE("{'name':'A','type':'Wait','typeProperties':{'waitTimeInSeconds':-5}}"),
      T ".waitTimeInSeconds", "should be 0 to", 0 },
    { "a variable that is not there",
      ONE("{'name':'A','type':'SetVariable','typeProperties':{'variableName':'z','value':'1'}}"), T ".variableName",
      "no variable 'z'", 0 },
    { "a variable of another type", SET("5"), T ".value", "should be a string", 0 },
    { "a return value",
      "'variables':{'v':{'type':'String'}}," ONE(
          "{'name':'A','type':'SetVariable','typeProperties':{'variableName':'v','setSystemVariable':true,'value':'1'}}"),
      T ".setSystemVariable", "not supported", 0 },
    { "Fail without a code", ONE("{'name':'A','type':'Fail','typeProperties':{'message':'m'}}"), T,
      "'errorCode' is missing", 0 },
    { "a condition that is text", ONE("{'name':'A','type':'IfCondition','typeProperties':{'expression':'true'}}"),
      T ".expression", "should be a Boolean", 0 },
    { "items that are text", ONE("{'name':'A','type':'ForEach','typeProperties':{'items':'a','activities':[]}}"),
      T ".items", "should be an array", 0 },
    { "too many at once",
      ONE("{'name':'A','type':'ForEach','typeProperties':{'items':'@range(0,1)','batchCount':51,'activities':[]}}"),
      T ".batchCount", "should be 1 to 50", 0 },
    { "a loop in a loop",
      ONE("{'name':'A','type':'ForEach','typeProperties':{'items':'@range(0,1)','activities':[{'name':'B','type':'ForEach',"
          "'typeProperties':{}}]}}"),
      T ".activities[0]", "ForEach 'B' inside of ForEach 'A' is not supported", 0 },
    { "a condition in a condition",
      ONE("{'name':'A','type':'IfCondition','typeProperties':{'expression':'@true','ifTrueActivities':[{'name':'B','type':'"
          "IfCondition','typeProperties':{}}]}}"),
      T ".ifTrueActivities[0]", "IfCondition 'B' inside of IfCondition 'A'", 0 },
    { "no pipeline's name",
      ONE("{'name':'A','type':'ExecutePipeline','typeProperties':{'pipeline':{'type':'PipelineReference'}}}"),
      T ".pipeline", "'referenceName' is missing", 0 },
    { "parameters that are a list",
      ONE("{'name':'A','type':'ExecutePipeline','typeProperties':{'pipeline':{'type':'PipelineReference','referenceName':'"
          "p'},'parameters':[]}}"),
      T ".parameters", "should be an object", 0 },
    { "a url that is an object", WEB("'method':'GET','url':{'a':'@pipeline().RunId'}"), T ".url", "should be a string", 0 },
    { "headers that are a list", GET(",'headers':[]"), T ".headers", "should be an object", 0 },
    { "a condition that can only be text",
      ONE("{'name':'A','type':'IfCondition','typeProperties':{'expression':'@{true}'}}"), T ".expression",
      "should be a Boolean", 0 },
    /* expressions */
    { "an expression that does not parse", SET("'@nope()'"), T ".value", "function 'nope' is not supported", 2 },
    { "a parameter that is not there", SET("'@pipeline().parameters.q'"), T ".value", "no parameter 'q'", 24 },
    { "a variable set from itself", SET("'@variables(`v`)'"), T ".value", "cannot be set from itself", 12 },
    { "an unknown variable", SET("'@variables(`w`)'"), T ".value", "no variable 'w'", 12 },
    { "an unknown activity in an expression", SET("'x @{activity(`Z`).output}'"), T ".value", "there is no activity 'Z'",
      14 },
    { "an activity's own output", SET("'@activity(`A`).output'"), T ".value", "'A' does not depend on it", 11 },
    { "item() outside of a loop", SET("'@item()'"), T ".value", "only inside of a ForEach", 2 },
    { "item() in the loop's own items",
      ONE("{'name':'A','type':'ForEach','typeProperties':{'items':'@item()','activities':[]}}"), T ".items",
      "only inside of a ForEach", 2 },
    { "an activity that need not have run",
      ONE(WAIT("B",
               "") ",{'name':'A','type':'Fail','typeProperties':{'errorCode':'1','message':'@{activity(`B`).status}'}}"),
      "properties.activities[1].typeProperties.message",
      "activity 'B' need not have run by then: 'A' does not depend on it", 12 },
    { "an activity inside of another",
      ONE("{'name':'I','type':'IfCondition','typeProperties':{'expression':'@true','ifTrueActivities':[" WAIT(
          "W", "") "]}},"
                   "{'name':'A','type':'Fail'" AFTER(
                       "I") ",'typeProperties':{'errorCode':'1','message':'@{activity(`W`).status}'}}"),
      "properties.activities[1].typeProperties.message", "activity 'W' need not have run", 12 },
    { "the container of an activity",
      ONE("{'name':'I','type':'IfCondition','typeProperties':{'expression':'@true','ifTrueActivities':["
          "{'name':'A','type':'Fail','typeProperties':{'errorCode':'1','message':'@{activity(`I`).status}'}}]}}"),
      T ".ifTrueActivities[0].typeProperties.message", "activity 'I' need not have run", 12 },
};

static bool has_fault(const struct faults *faults, const struct fault_case *c) {
    for (size_t i = 0; i < faults->n; i++)
        if (str_eq_z(faults->items[i].path, c->path) && faults->items[i].column == c->column &&
            str_find(faults->items[i].message, str_z(c->message)) >= 0)
            return true;
    return false;
}

static void each_fault(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[2048];
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct pipeline *p = NULL;
        struct faults faults = { .arena = arena };
        struct err err = { 0 };
        (void)snprintf(text, sizeof text, "{'properties':{%s}}", cases[i].properties);
        DEFER(json_freep) json_t *json = load(text);
        if (pipeline_compile(json, &faults, &p, &err) != INVALID_ARGUMENT) fail_msg("%s: is taken", cases[i].name);
        if (!has_fault(&faults, &cases[i]) || faults.total > 1)
            fail_msg("%s: %zu, column %u: %s", cases[i].name, faults.total, faults.items[0].column, err.message);
    }
}

static void all_faults_at_once_and_as_a_body(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct faults faults = { .arena = arena };
    struct pipeline *p = NULL;
    struct err err;
    (void)state;
    DEFER(json_freep)
    json_t *json = load("{'properties':{'x':1,'activities':[{'name':'A','type':'Copy'},{'name':'B','type':'Fail',"
                        "'typeProperties':{'message':'@a()','errorCode':'@b()'}}]}}");
    assert_int_equal(pipeline_compile(json, &faults, &p, &err), INVALID_ARGUMENT);
    assert_int_equal(faults.n, 4);
    assert_string_equal(err.message, "properties.x: 'x' is not supported here (and 3 more)");
    DEFER(json_freep) json_t *body = faults_body(&faults, STR("pipelines/p"));
    const json_t *error = json_object_get(body, "error"), *details = json_object_get(error, "details");
    assert_string_equal(json_string_value(json_object_get(error, "code")), "BadRequest");
    assert_string_equal(json_string_value(json_object_get(error, "target")), "pipelines/p");
    assert_int_equal(json_array_size(details), 4);
    const json_t *third = json_array_get(details, 2);
    assert_string_equal(json_string_value(json_object_get(third, "code")), "InvalidTemplate");
    assert_string_equal(json_string_value(json_object_get(third, "target")),
                        "properties.activities[1].typeProperties.message");
    assert_string_equal(json_string_value(json_object_get(third, "message")), "function 'a' is not supported (column 2)");
}

static void faults_beyond_the_maximum_are_counted(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(json_freep) json_t *json = load("{'properties':{}}");
    struct faults faults = { .arena = arena };
    struct pipeline *p = NULL;
    struct err err;
    (void)state;
    for (int i = 0; i < 60; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "x%d", i);
        (void)json_object_set_new(json_object_get(json, "properties"), key, json_true());
    }
    assert_int_equal(pipeline_compile(json, &faults, &p, &err), INVALID_ARGUMENT);
    assert_int_equal(faults.n, FAULTS_MAX);
    assert_int_equal(faults.total, 60);
}

static void eighty_activities_and_no_more(void **state) {
    (void)state;
    for (int n = PIPELINE_ACTIVITIES_MAX; n <= PIPELINE_ACTIVITIES_MAX + 1; n++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        DEFER(json_freep) json_t *json = load("{'properties':{'activities':[]}}");
        DEFER(pipeline_unrefp) struct pipeline *p = NULL;
        struct faults faults = { .arena = arena };
        struct err err = { 0 };
        json_t *list = json_object_get(json_object_get(json, "properties"), "activities");
        for (int i = 0; i < n; i++)
            (void)json_array_append_new(list, json_pack("{s:o, s:s, s:{s:i}}", "name", json_sprintf("W%d", i), "type",
                                                        "Wait", "typeProperties", "waitTimeInSeconds", 0));
        assert_int_equal(pipeline_compile(json, &faults, &p, &err), n > PIPELINE_ACTIVITIES_MAX ? INVALID_ARGUMENT : OK);
        if (n > PIPELINE_ACTIVITIES_MAX) assert_non_null(strstr(err.message, "more than 80 activities"));
    }
}

static void text_is_read_strictly(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct faults faults = { .arena = arena };
    struct pipeline *p = NULL;
    struct err err;
    (void)state;
    assert_int_equal(pipeline_read(STR("{\"properties\":{},\"properties\":{}}"), &faults, &p, &err), INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "line 1, column"));
    faults.n = faults.total = 0;
    assert_int_equal(pipeline_read(STR("[]"), &faults, &p, &err), INVALID_ARGUMENT);
    faults.n = faults.total = 0;
    assert_int_equal(pipeline_read(STR("{\"properties\":{}}"), &faults, &p, &err), OK);
    p = pipeline_unref(p);
}

/* A failure may fall on a path that nobody keeps: then the pipeline is whole all the same. */
static void memory_may_fail_anywhere(void **state) {
    DEFER(json_freep) json_t *json = load(whole);
    unsigned failed = 0;
    (void)state;
    for (unsigned n = 1; n < 400; n++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        DEFER(pipeline_unrefp) struct pipeline *p = NULL;
        struct faults faults = { .arena = arena };
        struct err err = { 0 };
        arena_fail_after(n);
        enum code rc = pipeline_compile(json, &faults, &p, &err);
        arena_fail_after(0);
        failed += rc == RESOURCE_EXHAUSTED;
        if (rc != OK && rc != RESOURCE_EXHAUSTED) fail_msg("%u: %d %s", n, rc, err.message);
        if (rc == OK) assert_int_equal(p->n_activities, 7);
        if (rc == OK) assert_str(p->activities.items[3].path, "properties.activities[3]");
    }
    assert_in_range(failed, 60, 398);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_document),
        cmocka_unit_test(a_pipeline_outlives_who_made_it),
        cmocka_unit_test(each_fault),
        cmocka_unit_test(all_faults_at_once_and_as_a_body),
        cmocka_unit_test(faults_beyond_the_maximum_are_counted),
        cmocka_unit_test(eighty_activities_and_no_more),
        cmocka_unit_test(text_is_read_strictly),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
