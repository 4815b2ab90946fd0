/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of executors, by what a command is. */
#include "gpu/soft/executors.h"

#define EXECUTOR_ENTRY(command, function) [CMD_##command] = (function),
cs_execute_fn *const cs_executors[COMMAND_IDS] = {EXECUTORS(EXECUTOR_ENTRY)};
