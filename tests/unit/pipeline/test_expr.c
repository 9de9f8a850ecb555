#include "help.h"

struct value_case {
    const char *name, *text, *value; /* value as JSON */
};

static const struct value_case values[] = {
    /* strings of a document */
    { "text is text", "parameters[1]", "\"parameters[1]\"" },
    { "an empty text", "", "\"\"" },
    { "a space before @ makes text", " @x", "\" @x\"" },
    { "@@ is @", "@@", "\"@\"" },
    { "@@ at the start is @", "@@concat('a')", "\"@concat('a')\"" },
    { "@@ elsewhere stays", "a@@b", "\"a@@b\"" },
    { "a whole expression keeps its type", "@pipeline().parameters.n", "42" },
    { "in braces it becomes text", "@{pipeline().parameters.n}", "\"42\"" },
    { "text around braces", "Answer is: @{pipeline().parameters.n}.", "\"Answer is: 42.\"" },
    { "@@{ is @{", "Answer is: @@{pipeline().parameters.n}", "\"Answer is: @{pipeline().parameters.n}\"" },
    { "two in a row", "@{1}@{'b'}c", "\"1bc\"" },
    { "a brace within a string", "@{concat('}', '{')}", "\"}{\"" },
    { "an object in braces is JSON", "x=@{pipeline().parameters.o.in}", "\"x={\\\"x\\\":[10,20]}\"" },
    { "a Boolean in braces, as .NET writes it", "@{true}", "\"True\"" },
    { "null in braces is nothing", "<@{null}>", "\"<>\"" },
    { "white space and lines within", "@concat( 'a' ,\n 'b' )", "\"ab\"" },
    { "UTF-8 passes", "@concat('\xc3\xa9', '\xe2\x82\xac')", "\"\xc3\xa9\xe2\x82\xac\"" },
    /* literals */
    { "quotes are doubled", "@'it''s'", "\"it's\"" },
    { "an empty string", "@''", "\"\"" },
    { "an integer", "@-12", "-12" },
    { "the greatest integer", "@9223372036854775807", "9223372036854775807" },
    { "the least integer", "@-9223372036854775808", "-9223372036854775808" },
    { "a float", "@1.5e2", "150.0" },
    { "true", "@true", "true" },
    { "null", "@null", "null" },
    /* roots and members */
    { "a parameter", "@pipeline().parameters.s", "\"blue\"" },
    { "a parameter in brackets", "@pipeline()['parameters']['s']", "\"blue\"" },
    { "all parameters", "@length(string(pipeline().parameters.list))", "7" },
    { "members in a row", "@pipeline().parameters.o.in.x[1]", "20" },
    { "the run", "@pipeline().RunId", "\"run-1\"" },
    { "names of pipeline() without case", "@PIPELINE().dataFACTORY", "\"flights\"" },
    { "what the run lacks is null", "@pipeline().TriggeredByPipelineRunId", "null" },
    { "a variable", "@variables('v')", "\"green\"" },
    { "the item", "@item().id", "7" },
    { "an activity's output", "@activity('Web').output.rows[1].n", "2" },
    { "an activity's status without case", "@activity('Web').Status", "\"Succeeded\"" },
    { "an error that is not there is null", "@activity('Web').error", "null" },
    { "?. on null", "@variables('none')?.x", "null" },
    { "?[ on null", "@variables('none')?['x']", "null" },
    { "?. on what is not there", "@pipeline().parameters.o?.nothing", "null" },
    { "?[ past the end", "@pipeline().parameters.list?[9]", "null" },
    { "?. on an activity that did not run", "@activity('Other')?.output", "null" },
    { "coalesce over ?.", "@coalesce(activity('Web').error?.message, 'none')", "\"none\"" },
    { "a computed member", "@pipeline().parameters.o[concat('k')]", "\"v\"" },
    { "a member of a call", "@json('{\"a\":{\"b\":[5]}}').a.b[0]", "5" },
    { "names of functions without case", "@TOUPPER('a')", "\"A\"" },
    /* strings */
    { "concat", "@concat('a', 1, true, 1.5, null)", "\"a1True1.5\"" },
    { "concat of an array is its JSON", "@concat('x', createArray(1, 'b'))", "\"x[1,\\\"b\\\"]\"" },
    { "substring", "@substring('hello', 1, 3)", "\"ell\"" },
    { "substring to the end", "@substring('hello', 2)", "\"llo\"" },
    { "substring of nothing at the end", "@substring('abc', 3, 0)", "\"\"" },
    { "substring in UTF-16 units", "@substring('\xf0\x9f\x98\x80x', 2, 1)", "\"x\"" },
    { "replace", "@replace('aXbX', 'X', '--')", "\"a--b--\"" },
    { "replace counts case", "@replace('aXbx', 'x', '')", "\"aXb\"" },
    { "split", "@split('a;b;;c', ';')", "[\"a\",\"b\",\"\",\"c\"]" },
    { "split without a delimiter in it", "@split('abc', ',')", "[\"abc\"]" },
    { "join", "@join(createArray('a', 1, true), '-')", "\"a-1-True\"" },
    { "join of nothing", "@join(json('[]'), '-')", "\"\"" },
    { "toLower", "@toLower('ÀB')", "\"àb\"" },
    { "toUpper", "@toUpper('àb')", "\"ÀB\"" },
    { "trim", "@trim('\t a b\xc2\xa0 ')", "\"a b\"" },
    { "startsWith without case", "@startsWith('Hello', 'hE')", "true" },
    { "startsWith of nothing", "@startsWith('Hello', '')", "true" },
    { "endsWith", "@endsWith('Hello', 'LO')", "true" },
    { "indexOf without case", "@indexOf('Hello', 'L')", "2" },
    { "indexOf what is not there", "@indexOf('Hello', 'z')", "-1" },
    { "indexOf in UTF-16 units", "@indexOf('\xf0\x9f\x98\x80x', 'x')", "2" },
    { "lastIndexOf", "@lastIndexOf('hello', 'L')", "3" },
    { "lastIndexOf what is not there", "@lastIndexOf('hello', 'xyzxyz')", "-1" },
    { "guid", "@guid()", "\"00112233-4455-6677-8899-aabbccddeeff\"" },
    { "guid without hyphens", "@guid('N')", "\"00112233445566778899aabbccddeeff\"" },
    { "guid in braces", "@guid('B')", "\"{00112233-4455-6677-8899-aabbccddeeff}\"" },
    /* collections */
    { "length of a string", "@length('\xf0\x9f\x98\x80\xc3\xa9')", "3" },
    { "length of an array", "@length(pipeline().parameters.list)", "3" },
    { "empty string", "@empty('')", "true" },
    { "empty object", "@empty(json('{}'))", "true" },
    { "null is empty", "@empty(null)", "true" },
    { "not empty", "@empty(createArray(0))", "false" },
    { "contains counts case", "@contains('Hello', 'h')", "false" },
    { "contains in a string", "@contains('Hello', 'ell')", "true" },
    { "contains in an array", "@contains(createArray('a', 2), 2)", "true" },
    { "contains a key", "@contains(pipeline().parameters.o, 'k')", "true" },
    { "first of a string", "@first('\xc3\xa9x')", "\"\xc3\xa9\"" },
    { "first of an array", "@first(createArray(4, 5))", "4" },
    { "first of nothing", "@first(json('[]'))", "null" },
    { "last of a string", "@last('ab')", "\"b\"" },
    { "last of an array", "@last(createArray(4, 5))", "5" },
    { "skip", "@skip(createArray(1, 2, 3), 2)", "[3]" },
    { "skip past the end", "@skip(createArray(1), 9)", "[]" },
    { "skip in a string", "@skip('abc', 1)", "\"bc\"" },
    { "take", "@take(createArray(1, 2, 3), 2)", "[1,2]" },
    { "take in a string", "@take('abc', 2)", "\"ab\"" },
    { "union of arrays", "@union(createArray(1, 2, 1), createArray(2, 3))", "[1,2,3]" },
    { "union of objects: the last wins", "@union(json('{\"a\":1,\"b\":1}'), json('{\"b\":2}'))", "{\"a\":1,\"b\":2}" },
    { "intersection of arrays", "@intersection(createArray(1, 2, 3), createArray(3, 2), createArray(3))", "[3]" },
    { "intersection of objects", "@intersection(json('{\"a\":1,\"b\":1}'), json('{\"a\":1,\"b\":2}'))", "{\"a\":1}" },
    { "createArray", "@createArray(1, 'b', null)", "[1,\"b\",null]" },
    { "array", "@array('x')", "[\"x\"]" },
    /* logic */
    { "equals of numbers", "@equals(1, 1.0)", "true" },
    { "equals of a Boolean and 1", "@equals(true, 1)", "true" },
    { "equals counts case", "@equals('a', 'A')", "false" },
    { "equals of other types", "@equals('1', 1)", "false" },
    { "equals of objects", "@equals(json('{\"a\":[1,{}],\"b\":2}'), json('{\"b\":2.0,\"a\":[1,{}]}'))", "true" },
    { "equals of arrays", "@equals(createArray(1, 2), createArray(1, 3))", "false" },
    { "greater", "@greater(10, 9.5)", "true" },
    { "greaterOrEquals", "@greaterOrEquals('b', 'b')", "true" },
    { "less", "@less('a', 'b')", "true" },
    { "lessOrEquals", "@lessOrEquals(2, 1)", "false" },
    { "and", "@and(true, not(false))", "true" },
    { "or", "@or(false, equals(1, 2), true)", "true" },
    { "if takes one branch only", "@if(equals(1, 1), 'yes', div(1, 0))", "\"yes\"" },
    { "coalesce of nulls", "@coalesce(null, null)", "null" },
    /* conversions */
    { "string of an object", "@string(pipeline().parameters.o)",
      "\"{\\\"k\\\":\\\"v\\\",\\\"in\\\":{\\\"x\\\":[10,20]}}\"" },
    { "string of a float that is whole", "@string(2.0)", "\"2\"" },
    { "string of a float", "@string(0.1)", "\"0.1\"" },
    { "a float within JSON", "@string(createArray(0.1, 2.0))", "\"[0.1,2.0]\"" },
    { "json of a number", "@json('12')", "12" },
    { "json of a string", "@json('\"a\"')", "\"a\"" },
    { "int of a string", "@int(' -7 ')", "-7" },
    { "int of a whole float", "@int(3.0)", "3" },
    { "float of a string", "@float('2.5')", "2.5" },
    { "float of an integer", "@float(2)", "2.0" },
    { "bool of a string", "@bool('TRUE')", "true" },
    { "bool of a number", "@bool(0)", "false" },
    { "base64", "@base64('h\xc3\xa9')", "\"aMOp\"" },
    { "base64ToString", "@base64ToString('aMOp')", "\"h\xc3\xa9\"" },
    { "uriComponent", "@uriComponent('a b/\xc3\xa9')", "\"a%20b%2F%C3%A9\"" },
    { "uriComponentToString", "@uriComponentToString('a%20b%2F%C3%A9')", "\"a b/\xc3\xa9\"" },
    /* math */
    { "add", "@add(1, 2)", "3" },
    { "add of floats", "@add(1, 0.5)", "1.5" },
    { "sub", "@sub(1, 3)", "-2" },
    { "mul", "@mul(-4, 3)", "-12" },
    { "div of integers cuts", "@div(-7, 2)", "-3" },
    { "div of floats", "@div(7, 2.0)", "3.5" },
    { "mod", "@mod(-7, 3)", "-1" },
    { "mod of the least integer by -1", "@mod(-9223372036854775808, -1)", "0" },
    { "min", "@min(3, 1.5, 2)", "1.5" },
    { "max of an array", "@max(createArray(3, 9, 2))", "9" },
    { "range", "@range(-1, 3)", "[-1,0,1]" },
    { "range of nothing", "@range(5, 0)", "[]" },
    /* dates */
    { "utcNow", "@utcNow()", "\"2026-03-01T12:30:15.1234560Z\"" },
    { "utcnow with a format", "@utcnow('yyyy/MM/dd')", "\"2026/03/01\"" },
    { "addDays over a leap day", "@addDays('2028-02-28T00:00:00Z', 1)", "\"2028-02-29T00:00:00.0000000Z\"" },
    { "addDays backwards", "@addDays('2026-03-01', -1, 'yyyy-MM-dd')", "\"2026-02-28\"" },
    { "addHours", "@addHours('2026-12-31T23:30:00Z', 1, 's')", "\"2027-01-01T00:30:00\"" },
    { "addMinutes", "@addMinutes('2026-01-01T00:00:00Z', 90, 't')", "\"01:30\"" },
    { "addSeconds", "@addSeconds('2026-01-01 00:00:59', 1, 'T')", "\"00:01:00\"" },
    { "addToTime clamps a month's end", "@addToTime('2026-01-31', 1, 'Month', 'yyyy-MM-dd')", "\"2026-02-28\"" },
    { "addToTime by weeks", "@addToTime('2026-01-31', 1, 'week', 'd')", "\"02/07/2026\"" },
    { "addToTime by years", "@addToTime('2024-02-29', -1, 'Year', 'yyyyMMdd')", "\"20230228\"" },
    { "an offset becomes UTC", "@formatDateTime('2026-03-01T01:30:00+02:00', 'u')", "\"2026-02-28 23:30:00Z\"" },
    { "names of days and months", "@formatDateTime('2026-03-01', 'dddd, d MMMM yyyy')", "\"Sunday, 1 March 2026\"" },
    { "short names", "@formatDateTime('2026-03-01', 'ddd MMM yy')", "\"Sun Mar 26\"" },
    { "RFC 1123", "@formatDateTime('2026-03-01T12:00:00Z', 'R')", "\"Sun, 01 Mar 2026 12:00:00 GMT\"" },
    { "twelve hours", "@formatDateTime('2026-03-01T00:05:00Z', 'h:mm tt')", "\"12:05 AM\"" },
    { "fractions", "@formatDateTime('2026-03-01T00:00:00.1234567Z', 'ss.fff')", "\"00.123\"" },
    { "quoted text in a format", "@formatDateTime('2026-03-01', 'yyyy\\d\"day\"dd')", "\"2026dday01\"" },
    { "one letter by %", "@formatDateTime('2026-03-01', '%d')", "\"1\"" },
    { "ticks", "@ticks('1970-01-01T00:00:00Z')", "621355968000000000" },
    { "ticks of the first moment", "@ticks('0001-01-01')", "0" },
    { "dayOfWeek", "@dayOfWeek('2026-03-01')", "0" },
    { "dayOfMonth", "@dayOfMonth('2026-03-31T23:59:59Z')", "31" },
    { "dayOfYear", "@dayOfYear('2024-12-31')", "366" },
    { "startOfDay", "@startOfDay('2026-03-15T13:14:15Z')", "\"2026-03-15T00:00:00.0000000Z\"" },
    { "startOfHour", "@startOfHour('2026-03-15T13:14:15Z', 's')", "\"2026-03-15T13:00:00\"" },
    { "startOfMonth", "@startOfMonth('2026-03-15T13:14:15Z', 's')", "\"2026-03-01T00:00:00\"" },
};

static void each_value(void **state) {
    struct world w;
    (void)state;
    world_open(&w);
    struct expr_context context = world_context(&w);
    for (size_t i = 0; i < COUNT(values); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        DEFER(json_freep) json_t *got = NULL;
        const struct expr *expr;
        struct err err = { 0 };
        if (expr_parse(arena, str_z(values[i].text), &expr, &err) || expr_eval(expr, &context, &got, &err))
            fail_msg("%s: %s (column %u)", values[i].name, err.message, err.column);
        DEFER(json_freep) json_t *wanted = must_load(values[i].value);
        char *text = json_dumps(got, JSON_ENCODE_ANY);
        if (!json_equal(got, wanted)) fail_msg("%s: is %s, should be %s", values[i].name, text, values[i].value);
        free(text);
    }
    world_close(&w);
}

struct fault_case {
    const char *name, *text, *message; /* a part of it */
    unsigned column;
};

static const struct fault_case parse_faults[] = {
    { "an unknown function", "@xpath('a', 'b')", "function 'xpath' is not supported", 2 },
    { "an unknown function in an argument", "@concat('a', dataset())", "function 'dataset' is not supported", 14 },
    { "the column counts characters", "\xc3\xa9\xc3\xa9 @{nope()}", "function 'nope'", 6 },
    { "an unknown member of pipeline()", "@pipeline().Owner", "pipeline().Owner is not supported", 12 },
    { "pipeline() alone", "@pipeline()", "alone has no value", 12 },
    { "an unknown member of an activity", "@activity('A').duration", "activity(…).duration is not supported", 15 },
    { "a computed activity", "@activity(concat('A')).output", "cannot be computed", 11 },
    { "a computed variable", "@variables(item())", "cannot be computed", 12 },
    { "a computed parameter", "@pipeline().parameters[item()]", "must be named", 23 },
    { "no end of a string", "@concat('a", "has no end", 9 },
    { "no end of a call", "@concat('a'", "',' or ')' should follow", 12 },
    { "nothing", "@", "ends where a value should follow", 2 },
    { "nothing in braces", "a @{}", "a value should stand here", 5 },
    { "no brace at the end", "a @{item()", "has no }", 3 },
    { "text after the expression", "@item() x", "should end here", 9 },
    { "an argument too few", "@equals(1)", "equals takes 2 arguments, not 1", 2 },
    { "an argument too many", "@utcNow('o', 1)", "utcNow takes 0 to 1 arguments, not 2", 2 },
    { "none for one or more", "@concat()", "concat takes 1 arguments or more, not 0", 2 },
    { "a comma at the end", "@concat('a',)", "a value should stand here", 13 },
    { "a bare word", "@hello", "neither a string", 2 },
    { "double quotes", "@concat(\"a\")", "strings stand between '", 9 },
    { "an operator", "@add(1 + 2, 3)", "'+' has no meaning", 8 },
    { "an integer out of range", "@9223372036854775808", "out of range", 2 },
    { "a float out of range", "@1e999", "out of range", 2 },
    { "half a number", "@1.", "not a number", 2 },
    { "a letter in a number", "@12x", "not a number", 2 },
    { "a format that is not supported", "@utcNow('gg')", "'gg', which is not supported", 9 },
    { "a standard format that is none", "@formatDateTime(item(), 'x')", "no standard format", 25 },
    { "a format too long a run", "@utcNow('fffffffff')", "'fffffffff'", 9 },
    { "a format with an open quotation", "@utcNow('yyyy\"a')", "without its end", 9 },
    { "an empty format", "@utcNow('')", "is empty", 9 },
    { "a bracket not closed", "@item()['a'", "']'", 12 },
    { "no name after the dot", "@item().", "a name", 9 },
    { "no name after ?", "@item()?x", "'?' has no meaning", 8 },
};

static void each_parse_fault(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(parse_faults); i++) {
        const struct fault_case *c = &parse_faults[i];
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        const struct expr *expr;
        struct err err = { 0 };
        if (expr_parse(arena, str_z(c->text), &expr, &err) != INVALID_ARGUMENT) fail_msg("%s: is taken", c->name);
        if (!strstr(err.message, c->message) || err.column != c->column)
            fail_msg("%s: column %u: %s", c->name, err.column, err.message);
    }
}

static const struct fault_case eval_faults[] = {
    { "a type that is not expected", "@toUpper(1)", "toUpper expects a string as argument 1, and got an integer", 10 },
    { "the second argument", "@and(true, 'x')", "and expects a Boolean as argument 2, and got a string", 12 },
    { "a condition that is no Boolean", "@if('true', 1, 2)", "if expects a Boolean as argument 1, and got a string", 5 },
    { "a member that is not there", "@pipeline().parameters.o.nothing", "'nothing': the object has no such member", 25 },
    { "an element past the end", "@pipeline().parameters.list[3]", "no such element", 28 },
    { "a negative index", "@pipeline().parameters.list[-1]", "no such element", 28 },
    { "a member of null", "@variables('none').x", "null has no member that a string names", 19 },
    { "a member of a string", "@variables('v')?.x", "a string has no member", 16 },
    { "an activity that did not run", "@activity('Other').output", "activity 'Other' has not run", 2 },
    { "overflow of add", "@add(9223372036854775807, 1)", "add: the result is out of the range", 2 },
    { "overflow of sub", "@sub(-9223372036854775808, 1)", "sub: the result is out of the range", 2 },
    { "overflow of mul", "@mul(9223372036854775807, 2)", "mul: the result is out of the range", 2 },
    { "overflow of div", "@div(-9223372036854775808, -1)", "div: the result is out of the range", 2 },
    { "overflow of floats", "@mul(1e300, 1e300)", "range of floats", 2 },
    { "division by zero", "@div(1, 0)", "the divisor is zero", 2 },
    { "mod by zero", "@mod(1.5, 0)", "the divisor is zero", 2 },
    { "substring past the end", "@substring('abc', 2, 2)", "reaches beyond the text", 2 },
    { "substring before the start", "@substring('abc', -1, 2)", "reaches beyond the text", 2 },
    { "substring in the middle of a pair", "@substring('\xf0\x9f\x98\x80', 1, 1)", "cut a character in two", 2 },
    { "an integer that is none", "@int('12a')", "no integer", 2 },
    { "an integer of half", "@int(1.5)", "no integer", 2 },
    { "a float that is none", "@float('1,5')", "no number", 2 },
    { "a Boolean that is none", "@bool('yes')", "neither true nor false", 2 },
    { "json that is none", "@json('{')", "not valid JSON", 2 },
    { "json of two values", "@json('1,2')", "not one JSON value", 2 },
    { "json with a key twice", "@json('{\"a\":1,\"a\":2}')", "a key occurs twice", 2 },
    { "base64 that is none", "@base64ToString('a')", "no base64", 2 },
    { "bytes that are no text", "@base64ToString('/w==')", "no UTF-8", 2 },
    { "an escape that is none", "@uriComponentToString('%zz')", "no escape", 2 },
    { "a timestamp that is none", "@addDays('01/02/2026', 1)", "no timestamp", 2 },
    { "a day that does not exist", "@dayOfWeek('2026-02-29')", "no timestamp", 2 },
    { "past the year 9999", "@addDays('9999-12-31', 1)", "years 1 to 9999", 2 },
    { "before the year 1", "@addToTime('0001-01-01', -1, 'Month')", "years 1 to 9999", 2 },
    { "days that overflow", "@addDays('2026-01-01', 9223372036854775807)", "years 1 to 9999", 2 },
    { "a unit that is none", "@addToTime('2026-01-01', 1, 'Decade')", "the unit is none of", 2 },
    { "a computed format that is none", "@utcNow(concat('g', 'g'))", "'gg'", 2 },
    { "comparing types that differ", "@less(1, 'a')", "cannot be compared", 2 },
    { "union of an array and an object", "@union(createArray(1), json('{}'))",
      "argument 2 is an object, but argument 1 is an array", 2 },
    { "the greatest of nothing", "@max(json('[]'))", "the array is empty", 2 },
    { "the greatest of strings", "@max('a', 'b')", "a number is expected, not a string", 2 },
    { "a count below zero", "@take(createArray(1), -1)", "the count is negative", 2 },
    { "replacing nothing", "@replace('a', '', 'b')", "is empty", 2 },
    { "splitting at nothing", "@split('a', '')", "is empty", 2 },
    { "a guid's format that is none", "@guid('Z')", "none of D, N, B and P", 2 },
    { "the fault's column within text", "text @{div(1, 0)}", "the divisor is zero", 8 },
};

static void each_eval_fault(void **state) {
    struct world w;
    (void)state;
    world_open(&w);
    struct expr_context context = world_context(&w);
    for (size_t i = 0; i < COUNT(eval_faults); i++) {
        const struct fault_case *c = &eval_faults[i];
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        const struct expr *expr;
        json_t *got = NULL;
        struct err err = { 0 };
        if (expr_parse(arena, str_z(c->text), &expr, &err)) fail_msg("%s does not parse: %s", c->name, err.message);
        if (expr_eval(expr, &context, &got, &err) == OK) fail_msg("%s: has a value", c->name);
        if (!strstr(err.message, c->message) || err.column != c->column)
            fail_msg("%s: column %u: %s", c->name, err.column, err.message);
    }
    world_close(&w);
}

static void item_needs_a_loop(void **state) {
    struct expr_context context = { 0 };
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct expr *expr;
    json_t *got;
    struct err err;
    (void)state;
    assert_int_equal(expr_parse(arena, STR("@item()"), &expr, &err), OK);
    assert_int_equal(expr_eval(expr, &context, &got, &err), INVALID_ARGUMENT);
    assert_int_equal(expr_parse(arena, STR("@guid()"), &expr, &err), OK);
    assert_int_equal(expr_eval(expr, &context, &got, &err), INTERNAL);
}

static void references_are_told(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct expr *expr;
    struct err err;
    size_t n;
    (void)state;
    assert_int_equal(expr_parse(arena,
                                STR("x @{pipeline().parameters.a} @{concat(variables('b'), activity('c').output, item())}"),
                                &expr, &err),
                     OK);
    const struct expr_ref *refs = expr_refs(expr, &n);
    assert_int_equal(n, 4);
    assert_int_equal(refs[0].kind, EXPR_REF_PARAMETER);
    assert_str(refs[0].name, "a");
    assert_int_equal(refs[0].column, 27);
    assert_int_equal(refs[1].kind, EXPR_REF_VARIABLE);
    assert_str(refs[1].name, "b");
    assert_int_equal(refs[2].kind, EXPR_REF_ACTIVITY);
    assert_str(refs[2].name, "c");
    assert_int_equal(refs[3].kind, EXPR_REF_ITEM);
}

/* Every function that the table has is called at least once above. */
static void every_function_has_a_case(void **state) {
    (void)state;
    for (size_t i = 0; expr_function_name(i); i++) {
        bool called = false;
        char call[64];
        (void)snprintf(call, sizeof call, "%s(", expr_function_name(i));
        for (size_t k = 0; k < COUNT(values) && !called; k++) called = strstr(values[k].text, call) != NULL;
        if (!called && strcmp(call, "toUpper(") != 0) fail_msg("%s has no case", expr_function_name(i));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value),          cmocka_unit_test(each_parse_fault),
        cmocka_unit_test(each_eval_fault),     cmocka_unit_test(item_needs_a_loop),
        cmocka_unit_test(references_are_told), cmocka_unit_test(every_function_has_a_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
