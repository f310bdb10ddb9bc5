/*
 * line: one line of a session's input, whole and clean, or its refusal.
 */
#ifndef SUBMISSION_LINE_H
#define SUBMISSION_LINE_H

#include "submission/state.h"

read_fn line_read;

#endif
