/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The marks of a loop over all pages of a batch, which is where the time of a call is. */
#ifndef XENGT_LIB_HOT_H
#define XENGT_LIB_HOT_H

/* A function of its own, whose loop has all registers to itself. */
#define HOT_LOOP __attribute__((noinline))

/* One that is called from there now and then, and takes none of them. */
#define SELDOM __attribute__((noinline, cold))

/* Before the loop. */
#ifdef __clang__
#define HOT_UNROLL _Pragma("unroll 8")
#else
#define HOT_UNROLL _Pragma("GCC unroll 8")
#endif

#endif
