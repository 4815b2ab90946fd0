/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUEST_CASES_H
#define TESTS_GUEST_CASES_H

const char *case_blit(void);
const char *case_probe(void);
const char *case_repoint(void);
const char *case_halves(void);
const char *case_badgfn(void);
const char *case_race(void);
const char *case_hold(void);
const char *case_badcommand(void);

#endif
