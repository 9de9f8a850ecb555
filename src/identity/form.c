#include "identity/form.h"

#include "base/enc.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool percent_decode(struct str text, bool plus_is_space, struct arena *arena, struct str *ret) {
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    if (!out) return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = text.n - i > 2 ? hex_digit(text.p[i + 1]) : -1, low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
            if (low < 0) return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if ((unsigned char)c < 0x20 || c == 0x7f) return false;
        out[n++] = c;
    }
    *ret = (struct str){ out, n };
    return utf8_valid(*ret);
}

bool form_get(const struct form *form, const char *name, struct str *ret) {
    for (size_t i = 0; i < form->n; i++) {
        if (!str_eq_z(form->names[i], name)) continue;
        *ret = form->values[i];
        return true;
    }
    return false;
}

static bool has_name(const struct form *form, struct str name) {
    for (size_t i = 0; i < form->n; i++)
        if (str_eq(form->names[i], name)) return true;
    return false;
}

bool form_parse(struct str text, struct arena *arena, struct form *ret) {
    ret->n = 0;
    while (text.n) {
        struct str value = str_cut(&text, '&'), name, decoded;
        if (value.n == 0) continue;
        struct str raw_name = str_cut(&value, '=');
        if (ret->n == FORM_FIELDS_MAX || !percent_decode(raw_name, true, arena, &name) ||
            !percent_decode(value, true, arena, &decoded) || has_name(ret, name))
            return false;
        ret->names[ret->n] = name;
        ret->values[ret->n++] = decoded;
    }
    return true;
}

struct str form_unknown(const struct form *form, const char *const *known) {
    for (size_t i = 0; i < form->n; i++) {
        bool found = false;
        for (const char *const *k = known; *k && !found; k++) found = str_eq_z(form->names[i], *k);
        if (!found) return form->names[i];
    }
    return (struct str){ NULL, 0 };
}
