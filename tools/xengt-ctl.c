/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl: the administrator's command. Every verb is one command of xengtd's socket. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include <xengt/xengt.h>

#include "client.h"
#include "verb.h"

#define VERB_POINTER(name) &verb_##name,
static const struct verb *const verbs[] = {VERBS(VERB_POINTER)};
#define VERBS_COUNT (sizeof(verbs) / sizeof(verbs[0]))

enum common { OPT_JSON, OPT_SOCKET, OPT_HELP, OPT_VERSION, OPT_COMMON };

/* The options of every verb, and of no verb. */
static const struct verb_option common[] = {
    [OPT_JSON] = {"json", NULL, "print the result as JSON"},
    [OPT_SOCKET] = {"socket", "PATH", "control socket of xengtd (" XENGT_STATE_DIR "/control)"},
    [OPT_HELP] = {"help", NULL, "print this and exit"},
    [OPT_VERSION] = {"version", NULL, "print the version and exit"},
    {0},
};

/* Options of all verbs, and of one command line: more than there are. */
#define OPTIONS_MAX 32u

/* An option as it was given. */
struct argument {
    const struct verb_option *option;
    const char *value; /* NULL: it takes none */
};

struct invocation {
    const struct verb *verb;
    const char *domain; /* or NULL */
    const char *socket;
    bool json;
    bool help;
    bool version;
    struct argument own[OPTIONS_MAX]; /* options that are the verb's own */
    unsigned own_n;
};

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
    fprintf(out, "\nDOMAIN is a name or a domid. xengt-ctl VERB --help says more.\n");
}

static void help_options(const struct verb_option *options)
{
    for (; options && options->name; options++) {
        char left[32];

        snprintf(left, sizeof(left), "--%s %s", options->name,
                 options->value ? options->value : "");
        printf("  %-14s %s\n", left, options->help);
    }
}

static void help_verb(const struct verb *verb)
{
    printf("Usage: xengt-ctl %s%s [OPTION]...\n\n%s\n\n", verb->name, operand(verb),
           verb->description);
    help_options(verb->options);
    help_options(common);
}

/* --- what is asked of xengtd ------------------------------------------------------------- */

static bool is_of(const struct verb *verb, const struct verb_option *option)
{
    for (const struct verb_option *own = verb->options; own && own->name; own++) {
        if (!strcmp(own->name, option->name)) {
            return true;
        }
    }
    return false;
}

static struct json_object *request_of(const struct invocation *in)
{
    struct json_object *request = json_object_new_object();

    json_object_object_add(request, "command", json_object_new_string(in->verb->name));
    if (in->domain) {
        json_object_object_add(request, "domain", json_object_new_string(in->domain));
    }
    for (unsigned i = 0; i < in->own_n; i++) {
        const char *value = in->own[i].value;

        json_object_object_add(request, in->own[i].option->name,
                               value ? json_object_new_string(value)
                                     : json_object_new_boolean(true));
    }
    return request;
}

static int show(const struct invocation *in, struct json_object *result)
{
    if (!in->json) {
        return in->verb->show(result, in->domain);
    }
    printf("%s\n", json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
    return in->verb->status ? in->verb->status(result) : EXIT_OK;
}

static int run(const struct invocation *in)
{
    char error[512] = "";
    struct json_object *request = request_of(in);
    struct json_object *result = client_call(in->socket, request, error, sizeof(error));

    json_object_put(request);
    if (!result) {
        fprintf(stderr, "xengt-ctl: %s\n", error);
        return EXIT_FAILED;
    }
    int status = show(in, result);
    json_object_put(result);
    return status;
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

static void take_option(struct invocation *in, int index, const struct verb_option *option)
{
    switch (index) {
    case OPT_JSON:
        in->json = true;
        break;
    case OPT_SOCKET:
        in->socket = optarg;
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

int main(int argc, char **argv)
{
    struct invocation in = {.socket = XENGT_STATE_DIR "/control"};
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
        return usage(argv[0], "unknown verb");
    }
    if (in.help) {
        help_verb(in.verb);
        return EXIT_OK;
    }
    status = read_operands(&in, argc, argv);
    return status == EXIT_OK ? run(&in) : status;
}
