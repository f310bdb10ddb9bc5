/* hidden_input: switches off the echo of the terminal on standard input for a while. */
#ifndef TOOL_HIDDEN_INPUT_H
#define TOOL_HIDDEN_INPUT_H

#include <stdbool.h>

/* Switches the echo off and discards what was typed before; false: nothing was changed, errno says
 * why.  A signal that ends or stops the process restores the terminal first. */
bool hidden_input_begin(void) __attribute__((warn_unused_result));
/* Restores the terminal; what was typed and not read is discarded. */
void hidden_input_end(void);

#endif
