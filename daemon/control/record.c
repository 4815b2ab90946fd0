/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of what clients changed, by lines in the log. */
#include "control/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <syslog.h>

#include <json-c/json.h>

#include "guests/wake.h"

/* Clients can provoke lines at will, too. */
static const struct budget_rate line_rate = {.at_once = 20, .one_more_ns = UINT64_C(3000000000)};

__attribute__((format(printf, 3, 4))) static void say(struct record *record, enum record_kind kind,
                                                      const char *format, ...)
{
    uint64_t *left_out = &record->kinds[kind].left_out;
    char line[480];
    va_list args;

    if (!budget_take(&record->kinds[kind].budget, &line_rate, wake_now_ns())) {
        ++*left_out;
        return;
    }
    va_start(args, format);
    text_vline(line, sizeof(line), format, args);
    va_end(args);
    if (*left_out) {
        text_log(record->log, record->log_arg, LOG_INFO, "%s (%" PRIu64 " lines left out)", line,
                 *left_out);
    } else {
        text_log(record->log, record->log_arg, LOG_INFO, "%s", line);
    }
    *left_out = 0;
}

static const char *member(struct json_object *guest, const char *key)
{
    const char *text = json_object_get_string(json_object_object_get(guest, key));

    return text ? text : "-";
}

void record_change(struct record *record, const char *verb, struct json_object *guest, uid_t uid)
{
    say(record, RECORD_CHANGE, "%s '%s' (%s): %s, by uid %u", verb, member(guest, "name"),
        member(guest, "domid"), member(guest, "type"), (unsigned)uid);
}

void record_refusal(struct record *record, enum record_kind kind, const char *verb,
                    const char *domain, const char *reason, uid_t uid)
{
    say(record, kind, "%s '%.64s' refused, by uid %u: %s", verb, domain ? domain : "",
        (unsigned)uid, reason);
}
