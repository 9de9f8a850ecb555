/* attr.h: the few compiler attributes that the house uses. Control flow never hides in a macro; DEFER is the one exception.
 */
#pragma once

#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED                 __attribute__((unused))

/* Runs `fn(&var)` when the variable leaves its scope: DEFER(buf_free) struct buf b = …; */
#define DEFER(fn) __attribute__((cleanup(fn)))

/* Hands a pointer over: the variable becomes NULL, so that its DEFER finds nothing to free. */
#define TAKE(p)                                                                                                            \
    (__extension__({                                                                                                       \
        __typeof__(p) take_ = (p);                                                                                         \
        (p) = NULL;                                                                                                        \
        take_;                                                                                                             \
    }))

#define COUNT(array)                    (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
