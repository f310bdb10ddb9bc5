/* hidden_input: a terminal on standard input that does not show what is typed, for a while. */
#ifndef TOOL_HIDDEN_INPUT_H
#define TOOL_HIDDEN_INPUT_H

#include <stdbool.h>

/* No echo from now on, and what was typed before is thrown away; false: nothing was changed, errno
 * says why.  A signal that ends the process, or stops it, gives the terminal back as it was. */
bool hidden_input_begin(void) __attribute__((warn_unused_result));
/* As it was before; what was typed and not read is thrown away. */
void hidden_input_end(void);

#endif
