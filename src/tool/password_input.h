/* password_input: reads a password from a prompt or from standard input, never from the command
 * line. */
#ifndef TOOL_PASSWORD_INPUT_H
#define TOOL_PASSWORD_INPUT_H

#include <stdbool.h>

enum { PASSWORD_INPUT_BYTES = 1025 };

/* Reads one line without its end, zero-terminated; a new password is read twice from the terminal.
 * False: there is no usable input; the error is printed. */
bool password_input_read(bool from_stdin, bool is_new, char out[PASSWORD_INPUT_BYTES])
    __attribute__((warn_unused_result));

#endif
