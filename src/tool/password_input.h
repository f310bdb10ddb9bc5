/* password_input: from a prompt or from standard input, never from the command line. */
#ifndef TOOL_PASSWORD_INPUT_H
#define TOOL_PASSWORD_INPUT_H

#include <stdbool.h>

enum { PASSWORD_INPUT_BYTES = 1025 };

/* One line without its end, zero-terminated; twice from the terminal when it is a new one.
 * False: nothing usable was given (said on standard error). */
bool password_input_read(bool from_stdin, bool is_new, char out[PASSWORD_INPUT_BYTES])
    __attribute__((warn_unused_result));

#endif
