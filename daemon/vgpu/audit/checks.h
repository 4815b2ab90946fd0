/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks of a command besides its form: where it leads. */
#ifndef XENGT_VGPU_AUDIT_CHECKS_H
#define XENGT_VGPU_AUDIT_CHECKS_H

#include "vgpu/audit/audit.h"

/* False: refused, with a reason. */
bool check_command(const struct audit_command *c);

#endif
