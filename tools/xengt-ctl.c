/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl: the administrator's command. Every verb is one command of xengtd's socket. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include <xengt/xengt.h>

#include "client.h"
#include "verb.h"

#ifndef XENGT_VERSION
#define XENGT_VERSION "unknown"
#endif

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

static const struct verb verbs[] = {
    {"attach", VERB_DOMAIN, "give a running domain a vGPU",
     "The domain must be a PVH or HVM guest with hardware assisted paging. Attach it before its\n"
     "driver starts. --type chooses one of those that xengt-ctl types shows.",
     show_attach},
    {"detach", VERB_DOMAIN, "take the vGPU away",
     "Every page of the domain is released. The guest reads all-ones from then on.", show_detach},
    {"list", VERB_NO_DOMAIN, "show the guests that have a vGPU",
     "STATE is running, paused, or failsafe with the reason at the end of the line.", show_list},
    {"stats", VERB_MAY_DOMAIN, "show counters of one guest, or of everything",
     "Lines \"key: value\". docs/control.md says what each counts.", show_stats},
    {"pause", VERB_DOMAIN, "let the vGPU execute nothing for now",
     "Its registers still answer, and what the guest submits waits.", show_pause},
    {"resume", VERB_DOMAIN, "end a pause", "What waited is executed.", show_resume},
    {"verify", VERB_DOMAIN, "check every GPU entry of a guest",
     "Each must be scratch or a live mapping of this guest, in the GPU's copy too. Exit status 1\n"
     "if one is not.",
     show_verify},
    {"types", VERB_NO_DOMAIN, "show the types of vGPU there are",
     "What a vGPU of each has of the GPU, and how many more of it there is room for now.",
     show_types},
    {"mappings", VERB_DOMAIN, "show which guest page is behind which GPU entry",
     "GFN is the guest's frame number, BFN the one the GPU uses.", show_mappings},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct invocation {
    const struct verb *verb;
    const char *domain; /* or NULL */
    const char *type;   /* or NULL */
    const char *socket;
    bool json;
};

static const char *operand(const struct verb *verb)
{
    static const char *const operands[] = {
        [VERB_NO_DOMAIN] = "",
        [VERB_DOMAIN] = " DOMAIN",
        [VERB_MAY_DOMAIN] = " [DOMAIN]",
    };

    return operands[verb->domain];
}

static bool takes_type(const struct verb *verb)
{
    return verb->show == show_attach;
}

static void help(FILE *out)
{
    char left[32];

    fprintf(out, "Usage: xengt-ctl VERB [DOMAIN] [--json] [--socket PATH]\n\n");
    for (size_t i = 0; i < VERBS; i++) {
        snprintf(left, sizeof(left), "%s%s", verbs[i].name, operand(&verbs[i]));
        fprintf(out, "  %-18s %s\n", left, verbs[i].summary);
    }
    fprintf(out, "\nDOMAIN is a name or a domid. xengt-ctl VERB --help says more.\n");
}

static int help_verb(const struct verb *verb)
{
    printf("Usage: xengt-ctl %s%s%s [--json] [--socket PATH]\n\n%s\n\n%s"
           "  --json         print the result as JSON\n"
           "  --socket PATH  control socket of xengtd (" XENGT_STATE_DIR "/control)\n",
           verb->name, operand(verb), takes_type(verb) ? " [--type NAME]" : "", verb->description,
           takes_type(verb) ? "  --type NAME    type of the vGPU (xengtd's default)\n" : "");
    return EXIT_OK;
}

static int usage(const char *subject, const char *problem)
{
    fprintf(stderr, "xengt-ctl: %s: %s; see xengt-ctl --help\n", subject, problem);
    return EXIT_USAGE;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (!strcmp(verbs[i].name, name)) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int run(const struct invocation *in)
{
    const struct client_request request = {in->verb->name, in->domain, in->type};
    char error[512] = "";
    struct json_object *result = client_call(in->socket, &request, error, sizeof(error));
    int status;

    if (!result) {
        fprintf(stderr, "xengt-ctl: %s\n", error);
        return EXIT_FAILED;
    }
    if (in->json) {
        printf("%s\n", json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN));
        /* For scripts that ask for the document and look at the status only. */
        status = member_number(result, "violations") ? EXIT_FAILED : EXIT_OK;
    } else {
        status = in->verb->show(result, in->domain);
    }
    json_object_put(result);
    return status;
}

/* The operands after the options: the verb, and a domain if the verb wants one. */
static int run_operands(struct invocation *in, int argc, char **argv, bool want_help)
{
    if (argc == 0 && want_help) {
        help(stdout);
        return EXIT_OK;
    }
    if (argc == 0) {
        help(stderr);
        return EXIT_USAGE;
    }
    in->verb = find_verb(argv[0]);
    if (!in->verb) {
        return usage(argv[0], "unknown verb");
    }
    if (want_help) {
        return help_verb(in->verb);
    }
    if (argc > 2 || (argc == 2 && in->verb->domain == VERB_NO_DOMAIN)) {
        return usage(argv[argc - 1], "one argument too many");
    }
    if (argc < 2 && in->verb->domain == VERB_DOMAIN) {
        return usage(in->verb->name, "needs a DOMAIN");
    }
    if (in->type && !takes_type(in->verb)) {
        return usage(in->verb->name, "takes no --type");
    }
    in->domain = argv[1]; /* NULL when there is none */
    return run(in);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},       {"socket", required_argument, NULL, 's'},
        {"type", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},    {0},
    };
    struct invocation in = {.socket = XENGT_STATE_DIR "/control"};
    bool want_help = false;
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (c) {
        case 'j':
            in.json = true;
            break;
        case 's':
            in.socket = optarg;
            break;
        case 't':
            in.type = optarg;
            break;
        case 'h':
            want_help = true;
            break;
        case 'v':
            printf("xengt-ctl %s\n", XENGT_VERSION);
            return EXIT_OK;
        case ':':
            return usage(argv[optind - 1], "needs a value");
        default:
            return usage(argv[optind - 1], "unknown option");
        }
    }
    return run_operands(&in, argc - optind, argv + optind, want_help);
}
