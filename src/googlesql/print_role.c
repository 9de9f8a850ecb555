/* print_role.c: roles and grants as GetDatabaseDdl gives them. */
#include "googlesql/print.h"

void sql_print_role(struct str name, struct buf *out) {
    buf_add_z(out, "CREATE ROLE ");
    sql_print_name(name, out);
}

static void print_list(const struct str *names, size_t n, struct buf *out) {
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add_z(out, ", ");
        sql_print_name(names[i], out);
    }
}

static void print_privilege(const struct sql_privilege_item *item, struct buf *out) {
    buf_add_z(out, sql_privilege_name(item->privilege));
    if (!item->n_columns) return;
    buf_add_char(out, '(');
    print_list(item->columns, item->n_columns, out);
    buf_add_char(out, ')');
}

void sql_print_grants(const struct sql_grants *grants, bool revoke, struct buf *out) {
    buf_add_z(out, revoke ? "REVOKE " : "GRANT ");
    for (size_t i = 0; i < grants->n_privileges; i++) {
        if (i) buf_add_z(out, ", ");
        print_privilege(&grants->privileges[i], out);
    }
    buf_add_z(out, " ON TABLE ");
    print_list(grants->tables, grants->n_tables, out);
    buf_add_z(out, revoke ? " FROM ROLE " : " TO ROLE ");
    print_list(grants->roles, grants->n_roles, out);
}
