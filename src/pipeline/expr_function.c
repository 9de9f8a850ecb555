/* The functions by their name. Each group has its table; names count without case. */
#include "pipeline/expr_internal.h"

static const struct expr_function *const groups[] = {
    expr_functions_text,    expr_functions_collection, expr_functions_logic,
    expr_functions_convert, expr_functions_math,       expr_functions_date,
};

const struct expr_function *expr_function_find(struct str name) {
    for (size_t g = 0; g < COUNT(groups); g++)
        for (const struct expr_function *f = groups[g]; f->name; f++)
            if (str_eq_nocase(name, str_z(f->name))) return f;
    return NULL;
}

const char *expr_function_name(size_t index) {
    for (size_t g = 0; g < COUNT(groups); g++)
        for (const struct expr_function *f = groups[g]; f->name; f++)
            if (index-- == 0) return f->name;
    return NULL;
}
