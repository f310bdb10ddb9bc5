/* password: from a prompt or from standard input, never from the command line. */
#ifndef MAIN_PASSWORD_H
#define MAIN_PASSWORD_H

#include <stdbool.h>

enum { PASSWORD_TEXT_BYTES = 1025 };

/* One line without its end, zero-terminated; twice from the terminal when it is a new one.
 * False: nothing usable was given (said on standard error). */
bool password_read(bool from_stdin, bool is_new, char out[PASSWORD_TEXT_BYTES])
    __attribute__((warn_unused_result));

#endif
