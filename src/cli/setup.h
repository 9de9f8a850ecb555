/* setup.h: what the commands that read the configuration share. Main thread. */
#pragma once
#include "cli/commands.h"
#include "gate/config.h"

#define OPTION_CONFIG                                                                                                      \
    {                                                                                                                      \
        .name = "config", .value = "FILE", .fallback = "linkspan.yaml", .env = "LINKSPAN_CONFIG",                          \
        .doc = "The configuration."                                                                                        \
    }

/* Reads it, and prints all faults to standard error as file:line:column: text. */
MUST_USE enum code setup_config(const struct args *args, struct arena *arena, struct config *ret, struct err *err);
