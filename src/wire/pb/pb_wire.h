/* pb_wire.h: protobuf's wire types. Source: protobuf.dev, Encoding. */
#pragma once

enum pb_wire {
    PB_WIRE_VARINT = 0,
    PB_WIRE_64 = 1,
    PB_WIRE_BYTES = 2,
    PB_WIRE_GROUP = 3, /* refused */
    PB_WIRE_END = 4,   /* refused */
    PB_WIRE_32 = 5,
};
