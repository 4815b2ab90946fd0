/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of commands, as they are written. */
#ifndef XENGT_GEN_COMMAND_ROWS_H
#define XENGT_GEN_COMMAND_ROWS_H

#include "gen/commands.h"

/* The commands of an engine's pipeline, by ascending keys. */
struct command_rows {
    const struct command *row;
    size_t count;
};
extern const struct command_rows command_rows[GPU_ENGINES];

#define RCS         (1u << GPU_RCS)
#define BCS         (1u << GPU_BCS)
#define VCS         (1u << GPU_VCS0)
#define VECS        (1u << GPU_VECS)
#define ALL_ENGINES (RCS | BCS | VCS | VECS)

#define ALL UINT32_MAX

#define BITS(...)                            \
    .bits = (const uint32_t[]){__VA_ARGS__}, \
    .bits_count = sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

#define ROW_FIELDS(id_, name_, length_, min_, max_, engines_, flags_, privileged_)        \
    .id = (id_), .name = (name_), .length_bits = (length_), .min = (min_), .max = (max_), \
    .engines = (engines_), .flags = (flags_), .privileged = (privileged_)

#define ROW(id, name, length, min, max, engines, flags, privileged, ...)                \
    {                                                                                   \
        ROW_FIELDS(id, name, length, min, max, engines, flags, privileged), __VA_ARGS__ \
    }

#define MI(name, ...)    ROW(CMD_MI_##name, "MI_" #name, __VA_ARGS__)
#define OTHER(name, ...) ROW(CMD_MI_OTHER, "MI_" #name, __VA_ARGS__, )
#define BLT(name, min, max, flags, ...) \
    ROW(CMD_##name, #name, 8, min, max, BCS, flags, 0, __VA_ARGS__)

#endif
