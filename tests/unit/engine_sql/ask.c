/* ask.c: answers the queries of standard input, one a line, from the fixture: for comparing with another Spanner by hand.
 */
#include "fixture.h"
#include <stdio.h>
#include <string.h>

int main(void) {
    struct fixture f;
    fixture_open(&f);
    char line[65536];
    while (fgets(line, sizeof line, stdin)) {
        DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
        line[strcspn(line, "\n")] = '\0';
        fixture_ask(&f, line, true, &out);
        printf("%.*s\n", STR_ARG(buf_str(&out)));
    }
    fixture_close(&f);
    return 0;
}
