/* methods.h: the table of the Spanner API's methods: the road map of this folder. */
#pragma once
#include "service/method.h"

extern const struct method spanner_methods[];
extern const size_t spanner_n_methods;
