#include "base/enc.h"
#include "wire/pb/pb_json_internal.h"

/* jansson recurses far deeper than a message may nest, so the text's own depth is looked at first. Brackets inside strings
 * do not count; whether they match is jansson's business. */
static bool too_deep(struct str s) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];
        if (in_string) {
            if (c == '\\') i++;
            else if (c == '"') in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        else if (c == '{' || c == '[') depth++;
        else if ((c == '}' || c == ']') && depth) depth--;
        if (depth > PB_MAX_DEPTH) return true;
    }
    return false;
}

enum code pb_json_parse(struct str text, json_t **ret_tree, struct err *err) {
    if (too_deep(text)) return err_set(err, INVALID_ARGUMENT, "JSON nested more than %d levels deep", PB_MAX_DEPTH);
    json_error_t fault;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *tree = json_loadb(text.n ? text.p : "", text.n, flags, &fault);
    if (tree) {
        *ret_tree = tree;
        return OK;
    }
    if (json_error_code(&fault) == json_error_out_of_memory) return err_oom(err);
    return err_at(err, INVALID_ARGUMENT, fault.line > 0 ? (unsigned)fault.line : 0,
                  fault.column > 0 ? (unsigned)fault.column : 0, "JSON: %s", fault.text);
}
