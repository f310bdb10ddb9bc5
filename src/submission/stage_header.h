/*
 * stage_header: the stages that work on the header: it is parsed, checked and repaired.
 */
#ifndef SUBMISSION_STAGE_HEADER_H
#define SUBMISSION_STAGE_HEADER_H

#include "submission/stage.h"

/* Splits the header into its fields. */
stage_fn stage_header_parse;
/* Checks who may be its author, repairs it, and replaces the header of the content. */
stage_fn stage_header_repair;

#endif
