/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line: --NAME VALUE for each option, and the few words that are none. */
#include "command_line.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "options.h"
#include "text.h"

/* --- help -------------------------------------------------------------------------------- */

static void print_help(void)
{
    char left[64];

    printf("Usage: xengtd [OPTION]...\n"
           "Gives Xen guests virtual GPUs on one real one. Runs in the foreground.\n\n");
    for (size_t i = 0; i < options_count(); i++) {
        snprintf(left, sizeof(left), "--%s %s", options_row(i)->name, options_row(i)->value);
        printf("  %-28s %s\n", left, options_row(i)->help);
    }
    printf("  %-28s %s\n", "--check-config",
           "read the options and the file, say what is wrong, exit");
    printf("  %-28s %s\n", "--foreground", "the default, for scripts that like to say so");
    printf("  %-28s %s\n", "--version", "print the version and exit");
    printf("  %-28s %s\n", "--help", "print this and exit");
}

/* --- the command line -------------------------------------------------------------------- */

/* What is no option, after the numbers of those that are. */
enum { OPT_HELP = OPTIONS_MAX, OPT_VERSION, OPT_FOREGROUND, OPT_CHECK, OPT_END };

static void fill_getopt(struct option getopt[OPT_END + 1])
{
    static const struct option words[] = {
        {"help", no_argument, NULL, OPT_HELP},
        {"version", no_argument, NULL, OPT_VERSION},
        {"foreground", no_argument, NULL, OPT_FOREGROUND},
        {"check-config", no_argument, NULL, OPT_CHECK},
        {0},
    };
    size_t n = options_count();

    for (size_t i = 0; i < n; i++) {
        getopt[i] = (struct option){options_row(i)->name, required_argument, NULL, (int)i};
    }
    memcpy(&getopt[n], words, sizeof(words));
}

static bool is_config(const struct option_row *row)
{
    return !strcmp(row->name, "config");
}

/* Only --config in the first pass: the file's values come before the others. */
static enum command_line_result pass(struct options *options, int argc, char **argv, bool first,
                                     bool *check, char *error, size_t error_size)
{
    struct option getopt[OPT_END + 1];
    int i;

    fill_getopt(getopt);
    optind = 0;
    opterr = 0;
    while ((i = getopt_long(argc, argv, ":", getopt, NULL)) != -1) {
        if (i == ':' || i == '?') {
            const char *given = argv[optind - 1];
            const char *nearest = i == '?' ? options_nearest(given + strspn(given, "-")) : NULL;

            text_line(error, error_size, "%s %s; %s%s", given,
                      i == ':' ? "needs a value" : "is not an option",
                      nearest ? "did you mean --" : "see xengtd --help", nearest ? nearest : "");
            return COMMAND_LINE_WRONG;
        }
        if (i == OPT_HELP) {
            print_help();
            return COMMAND_LINE_DONE;
        }
        if (i == OPT_VERSION) {
            printf("xengtd %s\n", XENGT_VERSION);
            return COMMAND_LINE_DONE;
        }
        *check |= i == OPT_CHECK;
        if (i < OPT_HELP && is_config(options_row((size_t)i)) == first &&
            !options_set(options, options_row((size_t)i), optarg, error, error_size)) {
            return COMMAND_LINE_WRONG;
        }
    }
    if (optind < argc) {
        text_line(error, error_size, "%s: no such option; see xengtd --help", argv[optind]);
        return COMMAND_LINE_WRONG;
    }
    return COMMAND_LINE_RUN;
}

enum command_line_result command_line_read(struct options *options, int argc, char **argv,
                                           char *error, size_t error_size)
{
    bool check = false;

    options_init(options);
    enum command_line_result result = pass(options, argc, argv, true, &check, error, error_size);
    if (result != COMMAND_LINE_RUN) {
        return result;
    }
    if (options->config[0] && !config_read(options, error, error_size)) {
        return COMMAND_LINE_WRONG;
    }
    result = pass(options, argc, argv, false, &check, error, error_size);
    if (result != COMMAND_LINE_RUN) {
        return result;
    }
    if (options->sim_domains_n && options->backend != XENGT_BACKEND_SIM) {
        text_line(error, error_size, "sim-domain needs --backend sim");
        return COMMAND_LINE_WRONG;
    }
    if (!config_check_types(options, error, error_size)) {
        return COMMAND_LINE_WRONG;
    }
    if (check) {
        printf("%s: fine\n", options->config[0] ? options->config : "options");
    }
    return check ? COMMAND_LINE_DONE : COMMAND_LINE_RUN;
}
