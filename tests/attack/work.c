/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work: the calls that the compiler puts into each basic block, the C library's loops, the clock.
 */
#include "attack/work.h"

#include <stddef.h>

#define UNIT_BYTES 8u

static uint64_t units;
static uint64_t idle_ns;

uint64_t work_done(void)
{
    return units;
}

void work_idle_ms(unsigned ms)
{
    idle_ns += ms * UINT64_C(1000000);
}

uint64_t work_clock_ms(void)
{
    return (units + idle_ns) / 1000000;
}

/* Names that the compiler and the linker choose. */
void __sanitizer_cov_trace_pc(void);
void *__real_memcpy(void *to, const void *from, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *to, int byte, size_t n);
void *__wrap_memset(void *to, int byte, size_t n);
int __real_memcmp(const void *a, const void *b, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n);
uint64_t __wrap_wake_now_ns(void);
uint64_t __wrap_wake_now_ms(void);

void __sanitizer_cov_trace_pc(void)
{
    units++;
}

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
    units += n / UNIT_BYTES;
    return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
    units += n / UNIT_BYTES;
    return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int byte, size_t n)
{
    units += n / UNIT_BYTES;
    return __real_memset(to, byte, n);
}

/* As if all of it were compared. */
int __wrap_memcmp(const void *a, const void *b, size_t n)
{
    units += n / UNIT_BYTES;
    return __real_memcmp(a, b, n);
}

uint64_t __wrap_wake_now_ns(void)
{
    return units + idle_ns;
}

uint64_t __wrap_wake_now_ms(void)
{
    return work_clock_ms();
}
