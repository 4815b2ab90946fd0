/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bare guest's command line and its lines on the console. */
#ifndef TESTS_GUEST_PVH_TEXT_H
#define TESTS_GUEST_PVH_TEXT_H

/* To be called once, before arg(), arg_num() or case_name(). */
void command_line_init(const char *from);

/* platform.c: until somebody outside lets the guest go on. */
void wait_for_go(void);

#endif
