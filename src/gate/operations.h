/* operations.h: google.longrunning.Operations, one service for all systems: the name says whose operation it is. */
#pragma once
#include "gate/gate.h"

struct service operations_service(struct gate *gate);
