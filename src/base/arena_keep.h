/* arena_keep.h: first blocks of arenas that are kept for the next ones, for threads that serve many short requests: what
 * was used last is still in the processor's cache, and the heap has less to do. */
#pragma once

/* How many blocks (4 KiB each) this thread keeps when arenas are freed. 0, as every thread begins: none; frees what it has.
 * None at all under AddressSanitizer, which watches freed memory. */
void arena_keep(unsigned blocks);
