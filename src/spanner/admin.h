/* admin.h: google.spanner.admin.database.v1, admin.instance.v1 and longrunning, for embedded instances. Instances come from
 * the configuration; databases are made here. What blocks runs on spanner's own thread. */
#pragma once
#include "service/call.h"

enum code classify_create_database(struct call *call, struct err *err);
enum code classify_get_database(struct call *call, struct err *err);
enum code classify_list_databases(struct call *call, struct err *err);
enum code classify_drop_database(struct call *call, struct err *err);
enum code classify_get_ddl(struct call *call, struct err *err);
enum code classify_update_ddl(struct call *call, struct err *err);
void handle_create_database(struct call *call);
void handle_get_database(struct call *call);
void handle_list_databases(struct call *call);
void handle_drop_database(struct call *call);
void handle_get_ddl(struct call *call);
void handle_update_ddl(struct call *call);

/* What their classify prepared, of an upstream. */
struct target;
const struct target *create_database_target(const struct call *call);
const struct target *update_ddl_target(const struct call *call);
const struct target *list_databases_target(struct call *call); /* NULL: the call is over */

enum code classify_create_instance(struct call *call, struct err *err);
enum code classify_get_instance(struct call *call, struct err *err);
enum code classify_list_instances(struct call *call, struct err *err);
enum code classify_configs(struct call *call, struct err *err);
void handle_create_instance(struct call *call);
void handle_get_instance(struct call *call);
void handle_list_instances(struct call *call);
void handle_list_configs(struct call *call);
void handle_get_config(struct call *call);

enum code classify_get_operation(struct call *call, struct err *err);
enum code classify_list_operations(struct call *call, struct err *err);
enum code classify_delete_operation(struct call *call, struct err *err);
enum code classify_cancel_operation(struct call *call, struct err *err);
void handle_get_operation(struct call *call);
void handle_list_operations(struct call *call);
void handle_delete_operation(struct call *call);
void handle_cancel_operation(struct call *call);
