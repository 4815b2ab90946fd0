/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl: the administrator's command, a verb for each thing that xengtd's socket offers. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/xengt.h>

#include "text.h"
#include "verb.h"

#define VERB_POINTER(name) &verb_##name,
static const struct verb *const verbs[] = {VERBS(VERB_POINTER)};
#define VERBS_COUNT (sizeof(verbs) / sizeof(verbs[0]))

enum common { OPT_JSON, OPT_SOCKET, OPT_TIMEOUT, OPT_HELP, OPT_VERSION, OPT_COMMON };

/* The options of every verb, and of no verb. */
static const struct verb_option common[] = {
    [OPT_JSON] = {"json", NULL, "print the result as JSON"},
    [OPT_SOCKET] = {"socket", "PATH", "control socket of xengtd (" XENGT_STATE_DIR "/control)"},
    [OPT_TIMEOUT] = {"timeout", "SECONDS", "how long to wait for an answer (30)"},
    [OPT_HELP] = {"help", NULL, "print this and exit"},
    [OPT_VERSION] = {"version", NULL, "print the version and exit"},
    {0},
};

#define TIMEOUT_S     30u /* the daemon answers at once; after this long something is wrong */
#define TIMEOUT_MAX_S 3600u

static int usage(const char *subject, const char *problem)
{
    fprintf(stderr, "xengt-ctl: %s: %s; see xengt-ctl --help\n", subject, problem);
    return EXIT_USAGE;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS_COUNT; i++) {
        if (!strcmp(verbs[i]->name, name)) {
            return verbs[i];
        }
    }
    return NULL;
}

/* --- a slip of the finger ---------------------------------------------------------------- */

static int unknown_verb(const char *name)
{
    const char *names[VERBS_COUNT];

    for (size_t i = 0; i < VERBS_COUNT; i++) {
        names[i] = verbs[i]->name;
    }
    const char *nearest = text_nearest(name, names, VERBS_COUNT);
    if (!nearest) {
        return usage(name, "unknown verb");
    }
    fprintf(stderr, "xengt-ctl: %s: unknown verb; did you mean %s?\n", name, nearest);
    return EXIT_USAGE;
}

/* --- help -------------------------------------------------------------------------------- */

static const char *operand(const struct verb *verb)
{
    static const char *const operands[] = {
        [VERB_NO_DOMAIN] = "",
        [VERB_DOMAIN] = " DOMAIN",
        [VERB_MAY_DOMAIN] = " [DOMAIN]",
    };

    return operands[verb->domain];
}

static void help(FILE *out)
{
    fprintf(out, "Usage: xengt-ctl VERB [DOMAIN] [--json] [--socket PATH]\n\n");
    for (size_t i = 0; i < VERBS_COUNT; i++) {
        char left[32];

        snprintf(left, sizeof(left), "%s%s", verbs[i]->name, operand(verbs[i]));
        fprintf(out, "  %-18s %s\n", left, verbs[i]->summary);
    }
    fprintf(out,
            "\nDOMAIN is a name or a domid. xengt-ctl VERB --help says more.\n"
            "Exit status: 0 done; 1 refused, or what is checked is not well; 2 the command line\n"
            "makes no sense; 3 xengtd does not answer.\n");
}

static void help_options(const struct verb_option *options)
{
    for (; options && options->name; options++) {
        char left[32];

        snprintf(left, sizeof(left), "--%s %s", options->name,
                 options->value ? options->value : "");
        printf("  %-18s %s\n", left, options->help);
    }
}

static void help_verb(const struct verb *verb)
{
    printf("Usage: xengt-ctl %s%s [OPTION]...\n\n%s\n\n", verb->name, operand(verb),
           verb->description);
    help_options(verb->options);
    help_options(common);
}

/* --- the command line -------------------------------------------------------------------- */

/* Every option there is, the common ones first: a name that two verbs have stands there twice. */
static unsigned all_options(const struct verb_option *all[OPTIONS_MAX])
{
    unsigned n = 0;

    for (; n < OPT_COMMON; n++) {
        all[n] = &common[n];
    }
    for (size_t i = 0; i < VERBS_COUNT; i++) {
        for (const struct verb_option *own = verbs[i]->options; own && own->name && n < OPTIONS_MAX;
             own++) {
            all[n++] = own;
        }
    }
    return n;
}

static bool is_of(const struct verb *verb, const struct verb_option *option)
{
    for (const struct verb_option *own = verb->options; own && own->name; own++) {
        if (!strcmp(own->name, option->name)) {
            return true;
        }
    }
    return false;
}

static unsigned seconds(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    return *text >= '0' && *text <= '9' && !*end && value <= TIMEOUT_MAX_S ? (unsigned)value : 0;
}

static void take_option(struct invocation *in, int index, const struct verb_option *option)
{
    switch (index) {
    case OPT_JSON:
        in->json = true;
        break;
    case OPT_SOCKET:
        in->socket = optarg;
        break;
    case OPT_TIMEOUT:
        in->timeout_s = seconds(optarg);
        break;
    case OPT_HELP:
        in->help = true;
        break;
    case OPT_VERSION:
        in->version = true;
        break;
    default:
        in->own[in->own_n++] = (struct argument){option, optarg};
    }
}

static int read_options(struct invocation *in, int argc, char **argv)
{
    const struct verb_option *all[OPTIONS_MAX];
    struct option getopt[OPTIONS_MAX + 1] = {0};
    unsigned n = all_options(all);

    for (unsigned i = 0; i < n; i++) {
        int takes = all[i]->value ? required_argument : no_argument;

        getopt[i] = (struct option){all[i]->name, takes, NULL, (int)i};
    }
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":h", getopt, NULL)) != -1;) {
        if (c == ':' || c == '?') {
            return usage(argv[optind - 1], c == ':' ? "needs a value" : "unknown option");
        }
        if (in->own_n == OPTIONS_MAX) {
            return usage(argv[optind - 1], "one option too many");
        }
        c = c == 'h' ? OPT_HELP : c;
        take_option(in, c, all[c]);
        if (!in->timeout_s) {
            return usage(optarg, "--timeout takes seconds, 1 to 3600");
        }
    }
    return EXIT_OK;
}

/* The operands after the options: the verb, and a domain if the verb wants one. */
static int read_operands(struct invocation *in, int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && in->verb->domain == VERB_NO_DOMAIN)) {
        return usage(argv[argc - 1], "one argument too many");
    }
    if (argc < 2 && in->verb->domain == VERB_DOMAIN) {
        return usage(in->verb->name, "needs a DOMAIN");
    }
    for (unsigned i = 0; i < in->own_n; i++) {
        if (!is_of(in->verb, in->own[i].option)) {
            char problem[64];

            snprintf(problem, sizeof(problem), "takes no --%s", in->own[i].option->name);
            return usage(in->verb->name, problem);
        }
    }
    in->domain = argv[1]; /* NULL when there is none */
    return EXIT_OK;
}

/* What was printed is where it should be, or it was for nothing. A reader that left knows why. */
static int end_output(int status)
{
    if (!fflush(stdout) && !ferror(stdout)) {
        return status;
    }
    if (errno != EPIPE) {
        fprintf(stderr, "xengt-ctl: the output cannot be written: %s\n", strerror(errno));
    }
    return status == EXIT_OK ? EXIT_FAILED : status;
}

static int run(const struct invocation *in)
{
    return in->verb->run ? in->verb->run(in) : ask_and_show(in, in->verb->name);
}

static int obey(int argc, char **argv)
{
    struct invocation in = {.socket = XENGT_STATE_DIR "/control", .timeout_s = TIMEOUT_S};
    int status = read_options(&in, argc, argv);

    if (status != EXIT_OK) {
        return status;
    }
    if (in.version) {
        printf("xengt-ctl %s\n", XENGT_VERSION);
        return EXIT_OK;
    }
    argc -= optind;
    argv += optind;
    if (argc == 0) {
        help(in.help ? stdout : stderr);
        return in.help ? EXIT_OK : EXIT_USAGE;
    }
    in.verb = find_verb(argv[0]);
    if (!in.verb) {
        return unknown_verb(argv[0]);
    }
    if (in.help) {
        help_verb(in.verb);
        return EXIT_OK;
    }
    status = read_operands(&in, argc, argv);
    return status == EXIT_OK ? run(&in) : status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    return end_output(obey(argc, argv));
}
