/* commands.h: the table of commands, and what every command does alike: help, complaints, exit statuses.
 *
 * A command's `run` returns the process's exit status: code_exit_status of what stopped it, or 64 for a command line that
 * cannot be understood. Results go to standard output, all else to standard error. Main thread only. */
#pragma once
#include "base/buf.h"
#include "cli/args.h"

enum { EXIT_USAGE = 64 };

extern const struct command *const commands[]; /* ends with NULL */

/* "linkspan sql: message" on standard error; returns the exit status. */
int complain(const struct args *args, const struct err *err);
int complain_usage(const struct args *args, const struct err *err); /* the same, with how to get help; EXIT_USAGE */
void help_command(const struct command *command, struct buf *out);
void help_all(struct buf *out);
/* What is in the buffer, to standard output; a reader that went away ends the program quietly. Returns the exit status. */
int print_out(const struct buf *out);

/* One table row a file. */
extern const struct command command_init, command_serve, command_check, command_version;
extern const struct command command_dev_issuer_serve, command_dev_issuer_token;
extern const struct command command_sql, command_import, command_run;
extern const struct command command_jobs_list, command_jobs_get, command_jobs_cancel, command_jobs_logs,
    command_jobs_delete;
extern const struct command command_policy_check, command_policy_fmt, command_policy_explain, command_policy_who,
    command_policy_roles;
extern const struct command command_doctor;
extern const struct command command_audit_verify, command_audit_show, command_audit_checkpoint, command_audit_prove;
