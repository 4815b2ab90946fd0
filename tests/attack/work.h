/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work: what the daemon and the library have done, counted by the compiler's own instrumentation.
 * A unit is a basic block or eight bytes that were copied, filled or compared, about a nanosecond
 * each. The same in every run, whatever else the machine does.
 */
#ifndef TESTS_ATTACK_WORK_H
#define TESTS_ATTACK_WORK_H

#include <stdint.h>

/* Units since the program began. In a benchmark, which counts nothing, nanoseconds of this thread.
 */
uint64_t work_done(void);

/* The daemon's clock goes on by a nanosecond a unit, and by this. */
void work_idle_ms(unsigned ms);
uint64_t work_clock_ms(void);

#endif
