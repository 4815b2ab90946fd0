/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A xenstored in the process, behind libxenstore's functions: as much of it as the store asks. */
#ifndef TESTS_UNIT_XENSTORE_FAKE_H
#define TESTS_UNIT_XENSTORE_FAKE_H

#include <stdbool.h>
#include <stdint.h>

void fake_reset(void);

/* A node of that owner, as a client of its own writes it: watches fire. "": the folder alone. */
void fake_write(const char *path, const char *value, unsigned owner);

/* The node and all below. */
void fake_remove(const char *path);
void fake_fire(const char *path); /* "@releaseDomain" and the like */

/* The value of a node is, or soon will be: NULL, that there is none. */
bool fake_becomes(const char *path, const char *value);

/* Requests wait from now on, or go on. */
void fake_hang(bool hang);

/* Every connection breaks; new ones are refused or taken. */
void fake_break(bool refuse);

unsigned fake_requests(void);

#endif
