#include "googlesql/info_schema.h"

enum { S = SQL_STRING, I = SQL_INT64, B = SQL_BOOL };

/* The columns as Spanner has them, in order. */
#define COLUMN(n, column_name, column_type)                                                                                \
    {                                                                                                                      \
        .name = STR_INIT(column_name), .type = (enum sql_type)(column_type),                                               \
        .max_length = (int)(column_type) == (int)S ? INT64_MAX : 0, .id = (n)                                              \
    }

static const struct sql_column schemata[] = {
    COLUMN(1, "CATALOG_NAME", S),
    COLUMN(2, "SCHEMA_NAME", S),
    COLUMN(3, "EFFECTIVE_TIMESTAMP", I),
    COLUMN(4, "SCHEMA_OWNER", S),
};
static const struct sql_column tables[] = {
    COLUMN(1, "TABLE_CATALOG", S),     COLUMN(2, "TABLE_SCHEMA", S),     COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "PARENT_TABLE_NAME", S), COLUMN(5, "ON_DELETE_ACTION", S), COLUMN(6, "TABLE_TYPE", S),
    COLUMN(7, "SPANNER_STATE", S),     COLUMN(8, "INTERLEAVE_TYPE", S),  COLUMN(9, "ROW_DELETION_POLICY_EXPRESSION", S),
};
static const struct sql_column columns[] = {
    COLUMN(1, "TABLE_CATALOG", S),
    COLUMN(2, "TABLE_SCHEMA", S),
    COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "COLUMN_NAME", S),
    COLUMN(5, "ORDINAL_POSITION", I),
    COLUMN(6, "COLUMN_DEFAULT", S),
    COLUMN(7, "DATA_TYPE", S),
    COLUMN(8, "IS_NULLABLE", S),
    COLUMN(9, "SPANNER_TYPE", S),
    COLUMN(10, "IS_GENERATED", S),
    COLUMN(11, "GENERATION_EXPRESSION", S),
    COLUMN(12, "IS_STORED", S),
    COLUMN(13, "SPANNER_STATE", S),
    COLUMN(14, "IS_IDENTITY", S),
    COLUMN(15, "IDENTITY_GENERATION", S),
    COLUMN(16, "IDENTITY_KIND", S),
    COLUMN(17, "IDENTITY_START_WITH_COUNTER", S),
    COLUMN(18, "IDENTITY_SKIP_RANGE_MIN", S),
    COLUMN(19, "IDENTITY_SKIP_RANGE_MAX", S),
};
static const struct sql_column indexes[] = {
    COLUMN(1, "TABLE_CATALOG", S),       COLUMN(2, "TABLE_SCHEMA", S),     COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "INDEX_NAME", S),          COLUMN(5, "INDEX_TYPE", S),       COLUMN(6, "PARENT_TABLE_NAME", S),
    COLUMN(7, "IS_UNIQUE", B),           COLUMN(8, "IS_NULL_FILTERED", B), COLUMN(9, "INDEX_STATE", S),
    COLUMN(10, "SPANNER_IS_MANAGED", B),
};
static const struct sql_column index_columns[] = {
    COLUMN(1, "TABLE_CATALOG", S),    COLUMN(2, "TABLE_SCHEMA", S),    COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "INDEX_NAME", S),       COLUMN(5, "INDEX_TYPE", S),      COLUMN(6, "COLUMN_NAME", S),
    COLUMN(7, "ORDINAL_POSITION", I), COLUMN(8, "COLUMN_ORDERING", S), COLUMN(9, "IS_NULLABLE", S),
    COLUMN(10, "SPANNER_TYPE", S),
};
static const struct sql_column table_constraints[] = {
    COLUMN(1, "CONSTRAINT_CATALOG", S), COLUMN(2, "CONSTRAINT_SCHEMA", S), COLUMN(3, "CONSTRAINT_NAME", S),
    COLUMN(4, "TABLE_CATALOG", S),      COLUMN(5, "TABLE_SCHEMA", S),      COLUMN(6, "TABLE_NAME", S),
    COLUMN(7, "CONSTRAINT_TYPE", S),    COLUMN(8, "IS_DEFERRABLE", S),     COLUMN(9, "INITIALLY_DEFERRED", S),
    COLUMN(10, "ENFORCED", S),
};
static const struct sql_column key_column_usage[] = {
    COLUMN(1, "CONSTRAINT_CATALOG", S), COLUMN(2, "CONSTRAINT_SCHEMA", S), COLUMN(3, "CONSTRAINT_NAME", S),
    COLUMN(4, "TABLE_CATALOG", S),      COLUMN(5, "TABLE_SCHEMA", S),      COLUMN(6, "TABLE_NAME", S),
    COLUMN(7, "COLUMN_NAME", S),        COLUMN(8, "ORDINAL_POSITION", I),  COLUMN(9, "POSITION_IN_UNIQUE_CONSTRAINT", I),
};
static const struct sql_column referential_constraints[] = {
    COLUMN(1, "CONSTRAINT_CATALOG", S),
    COLUMN(2, "CONSTRAINT_SCHEMA", S),
    COLUMN(3, "CONSTRAINT_NAME", S),
    COLUMN(4, "UNIQUE_CONSTRAINT_CATALOG", S),
    COLUMN(5, "UNIQUE_CONSTRAINT_SCHEMA", S),
    COLUMN(6, "UNIQUE_CONSTRAINT_NAME", S),
    COLUMN(7, "MATCH_OPTION", S),
    COLUMN(8, "UPDATE_RULE", S),
    COLUMN(9, "DELETE_RULE", S),
    COLUMN(10, "SPANNER_STATE", S),
};
static const struct sql_column constraint_column_usage[] = {
    COLUMN(1, "TABLE_CATALOG", S),   COLUMN(2, "TABLE_SCHEMA", S),       COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "COLUMN_NAME", S),     COLUMN(5, "CONSTRAINT_CATALOG", S), COLUMN(6, "CONSTRAINT_SCHEMA", S),
    COLUMN(7, "CONSTRAINT_NAME", S),
};
static const struct sql_column views[] = {
    COLUMN(1, "TABLE_CATALOG", S),   COLUMN(2, "TABLE_SCHEMA", S),  COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "VIEW_DEFINITION", S), COLUMN(5, "SECURITY_TYPE", S),
};
static const struct sql_column sequences[] = {
    COLUMN(1, "CATALOG", S),
    COLUMN(2, "SCHEMA", S),
    COLUMN(3, "NAME", S),
    COLUMN(4, "DATA_TYPE", S),
};
static const struct sql_column database_options[] = {
    COLUMN(1, "CATALOG_NAME", S), COLUMN(2, "SCHEMA_NAME", S),  COLUMN(3, "OPTION_NAME", S),
    COLUMN(4, "OPTION_TYPE", S),  COLUMN(5, "OPTION_VALUE", S),
};
static const struct sql_column column_options[] = {
    COLUMN(1, "TABLE_CATALOG", S), COLUMN(2, "TABLE_SCHEMA", S), COLUMN(3, "TABLE_NAME", S),   COLUMN(4, "COLUMN_NAME", S),
    COLUMN(5, "OPTION_NAME", S),   COLUMN(6, "OPTION_TYPE", S),  COLUMN(7, "OPTION_VALUE", S),
};

static const struct sql_column roles[] = {
    COLUMN(1, "ROLE_NAME", S),
    COLUMN(2, "IS_SYSTEM", B),
};
static const struct sql_column role_grantees[] = {
    COLUMN(1, "ROLE_NAME", S),
    COLUMN(2, "GRANTEE", S),
};
static const struct sql_column table_privileges[] = {
    COLUMN(1, "TABLE_CATALOG", S),  COLUMN(2, "TABLE_SCHEMA", S), COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "PRIVILEGE_TYPE", S), COLUMN(5, "GRANTEE", S),
};
static const struct sql_column column_privileges[] = {
    COLUMN(1, "TABLE_CATALOG", S), COLUMN(2, "TABLE_SCHEMA", S),   COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "COLUMN_NAME", S),   COLUMN(5, "PRIVILEGE_TYPE", S), COLUMN(6, "GRANTEE", S),
};
static const struct sql_column constraint_table_usage[] = {
    COLUMN(1, "TABLE_CATALOG", S),      COLUMN(2, "TABLE_SCHEMA", S),      COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "CONSTRAINT_CATALOG", S), COLUMN(5, "CONSTRAINT_SCHEMA", S), COLUMN(6, "CONSTRAINT_NAME", S),
};
static const struct sql_column column_column_usage[] = {
    COLUMN(1, "TABLE_CATALOG", S), COLUMN(2, "TABLE_SCHEMA", S),     COLUMN(3, "TABLE_NAME", S),
    COLUMN(4, "COLUMN_NAME", S),   COLUMN(5, "DEPENDENT_COLUMN", S),
};

#define TABLE(n, table_name, list)                                                                                         \
    {                                                                                                                      \
        .schema = STR_INIT("INFORMATION_SCHEMA"), .name = STR_INIT(table_name), .id = (n), .columns = (list),              \
        .n_columns = COUNT(list)                                                                                           \
    }

static const struct sql_table all[] = {
    TABLE(1, "SCHEMATA", schemata),
    TABLE(2, "TABLES", tables),
    TABLE(3, "COLUMNS", columns),
    TABLE(4, "INDEXES", indexes),
    TABLE(5, "INDEX_COLUMNS", index_columns),
    TABLE(6, "TABLE_CONSTRAINTS", table_constraints),
    TABLE(7, "KEY_COLUMN_USAGE", key_column_usage),
    TABLE(8, "REFERENTIAL_CONSTRAINTS", referential_constraints),
    TABLE(9, "CONSTRAINT_COLUMN_USAGE", constraint_column_usage),
    TABLE(10, "VIEWS", views),
    TABLE(11, "SEQUENCES", sequences),
    TABLE(12, "DATABASE_OPTIONS", database_options),
    TABLE(13, "COLUMN_OPTIONS", column_options),
    TABLE(14, "COLUMN_COLUMN_USAGE", column_column_usage),
    TABLE(15, "CONSTRAINT_TABLE_USAGE", constraint_table_usage),
    TABLE(16, "ROLES", roles),
    TABLE(17, "ROLE_GRANTEES", role_grantees),
    TABLE(18, "TABLE_PRIVILEGES", table_privileges),
    TABLE(19, "COLUMN_PRIVILEGES", column_privileges),
    TABLE(20, "ROLE_TABLE_GRANTS", table_privileges),
    TABLE(21, "ROLE_COLUMN_GRANTS", column_privileges),
};

/* What Spanner has besides: refused by name, for an empty answer would be a lie. */
static const char *const elsewhere[] = {
    "CHANGE_STREAMS",
    "CHANGE_STREAM_COLUMNS",
    "CHANGE_STREAM_OPTIONS",
    "CHANGE_STREAM_PRIVILEGES",
    "CHANGE_STREAM_TABLES",
    "CHECK_CONSTRAINTS",
    "INDEX_OPTIONS",
    "LOCALITY_GROUP_OPTIONS",
    "MODELS",
    "MODEL_COLUMNS",
    "MODEL_OPTIONS",
    "PARAMETERS",
    "PLACEMENTS",
    "PLACEMENT_OPTIONS",
    "PROPERTY_GRAPHS",
    "ROLE_CHANGE_STREAM_GRANTS",
    "ROLE_MODEL_GRANTS",
    "ROLE_ROUTINE_GRANTS",
    "ROUTINES",
    "ROUTINE_OPTIONS",
    "ROUTINE_PRIVILEGES",
    "SEQUENCE_OPTIONS",
    "SPANNER_STATISTICS",
    "TABLE_SYNONYMS",
};

const struct sql_table *sql_info_schema_table(struct str name) {
    for (size_t i = 0; i < COUNT(all); i++)
        if (str_eq_nocase(all[i].name, name)) return &all[i];
    return NULL;
}

const struct sql_table *sql_info_schema_at(size_t index) {
    return index < COUNT(all) ? &all[index] : NULL;
}

bool sql_info_schema_elsewhere(struct str name) {
    for (size_t i = 0; i < COUNT(elsewhere); i++)
        if (str_eq_nocase(name, str_z(elsewhere[i]))) return true;
    return false;
}
