/*
 * stage_header: the stages that work on the header; src/mail does the work.
 */
#ifndef SUBMISSION_STAGE_HEADER_H
#define SUBMISSION_STAGE_HEADER_H

#include "submission/stage.h"

/* Splits the header into its fields. */
stage_fn stage_header_parse;
/* Whether this login may send it: only this stage says no to an author. Sets the first From address
 * of the envelope. */
stage_fn stage_header_policy;
/* Makes the fields complete and fit to be sent. */
stage_fn stage_header_repair;
/* Replaces the header of the content by the fields, with the trace on top. */
stage_fn stage_header_rewrite;

#endif
