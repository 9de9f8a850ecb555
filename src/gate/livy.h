/* livy.h: the gate's wiring of Livy's two APIs over the connections' Dataproc. At start, before the routes. */
#pragma once
#include "gate/gate.h"

/* Adds the services that the configuration has. After the connection's dataproc was opened. */
MUST_USE enum code livy_open(struct gate *gate, struct err *err);
void livy_close(struct gate *gate);
