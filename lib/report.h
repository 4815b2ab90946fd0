/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words for people: of a handle, and of what keeps one from being opened. */
#ifndef XENGT_LIB_REPORT_H
#define XENGT_LIB_REPORT_H

#include <stddef.h>

struct xengt;

/* What xengt_last_error() will say. Returns error. */
__attribute__((format(printf, 3, 4))) int handle_fail(struct xengt *xg, int error,
                                                      const char *format, ...);
__attribute__((format(printf, 3, 4))) void handle_log(struct xengt *xg, int level,
                                                      const char *format, ...);

/* Why there is no handle: text goes here, which is never NULL. */
struct hv_error {
    char *text;
    size_t size;
};
__attribute__((format(printf, 2, 3))) void hv_error(struct hv_error *error, const char *format,
                                                    ...);

#endif
