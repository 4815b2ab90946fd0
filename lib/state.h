/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a state directory. What is in a journal is done: frames are unmapped. So neither
 * the directory nor a file in it may be one that another user can write to, or has put there.
 */
#ifndef XENGT_LIB_STATE_H
#define XENGT_LIB_STATE_H

#include "report.h"

/* Opens a file for reading and writing, or makes it: a descriptor, or a negative errno value. */
int state_file(const char *dir, const char *name, struct hv_error *error);

#endif
