/* test.h: what every unit test includes: cmocka, in the order that it demands. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"

#define assert_str(actual, expected)                                                                                       \
    do {                                                                                                                   \
        struct str actual_ = (actual), expected_ = str_z(expected);                                                        \
        if (!str_eq(actual_, expected_))                                                                                   \
            fail_msg("is \"%.*s\", should be \"%.*s\"", STR_ARG(actual_), STR_ARG(expected_));                             \
    } while (0)
