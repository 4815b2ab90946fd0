/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration file, xengtd.conf(5): options, one a line; below [type NAME] a type of vGPU;
 * below [domain NAME] what a domain gets.
 */
#ifndef XENGT_CONFIG_H
#define XENGT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct options;

/* The file options->config. False: error has one line, FILE:LINE: KEY: what is wrong and the fix.
 */
bool config_read(struct options *options, char *error, size_t error_size);

/* Whether the types that options and rules name exist. False: error says which does not. */
bool config_check_types(const struct options *options, char *error, size_t error_size);

#endif
