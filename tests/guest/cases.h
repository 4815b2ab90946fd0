/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cases of the test guest, by name. */
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

const char *case_tables(void);
const char *case_pprepoint(void);
const char *case_ppshare(void);
const char *case_recycle(void);
const char *case_hammer(void);
const char *case_pphalves(void);
const char *case_ppodd(void);
const char *case_pplate(void);
const char *case_ppbad(void);
const char *case_pphuge(void);
const char *case_pploops(void);
const char *case_ppuses(void);
const char *case_ppballoon(void);
const char *case_ggttclear(void);
const char *case_ppnoroot(void);
const char *case_ppoddroot(void);
const char *case_pvrefusal(void);
const char *case_ppnotify(void);
const char *case_pphold(void);
const char *case_former(void);
const char *case_survive(void);
const char *case_ask(void);
const char *case_outlive(void);
const char *case_media(void);

const char *case_ring(void);
const char *case_ringbusy(void);

#endif
