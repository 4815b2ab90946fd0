/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is checked of each command besides its length. False: refused, with a reason. */
#ifndef XENGT_VGPU_AUDIT_CHECKS_H
#define XENGT_VGPU_AUDIT_CHECKS_H

#include "vgpu/audit/audit.h"

bool check_store_data_imm(const struct audit_command *c);
bool check_load_register_imm(const struct audit_command *c);
bool check_store_register_mem(const struct audit_command *c);
bool check_load_register_mem(const struct audit_command *c);
bool check_load_register_reg(const struct audit_command *c);
bool check_flush_dw(const struct audit_command *c);
bool check_atomic(const struct audit_command *c);
bool check_batch_buffer_start(const struct audit_command *c);
bool check_pipe_control(const struct audit_command *c);
bool check_color_blt(const struct audit_command *c);
bool check_copy_blt(const struct audit_command *c);

/* Its memory is what the pipeline's state points to: only a PPGTT makes that the guest's own. */
bool check_pipeline(const struct audit_command *c);

#endif
