/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The record: a line in the log for each thing that a client changed, or was not to change. There
 * are only so many at a time; those that are left out are counted.
 */
#ifndef XENGT_CONTROL_RECORD_H
#define XENGT_CONTROL_RECORD_H

#include <stdint.h>
#include <sys/types.h>

#include "text.h"
#include "vgpu/budget.h"

struct json_object;

/* Those of one kind do not use up another's lines. */
enum record_kind { RECORD_CHANGE, RECORD_REFUSAL, RECORD_FORBIDDEN, RECORD_KINDS };

struct record {
    text_log_fn *log; /* may be NULL */
    void *log_arg;
    struct {
        struct budget budget;
        uint64_t left_out;
    } kinds[RECORD_KINDS];
};

/* guest: the document of the guest that a verb changed. */
void record_change(struct record *record, const char *verb, struct json_object *guest, uid_t uid);

/* domain: what the client calls it, or NULL. */
void record_refusal(struct record *record, enum record_kind kind, const char *verb,
                    const char *domain, const char *reason, uid_t uid);

#endif
