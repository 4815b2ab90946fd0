/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-tool: guests as scenarios see them. Under emulation the guest has but one CPU, which it
 * shares with whoever waits for it, and starting xl takes half a second of that: one process that
 * looks often is cheaper than a shell that starts three for each look.
 *
 *   guest-tool log DOMID                    what it has written to its console
 *   guest-tool expect DOMID REGEX SECONDS   until a line matches; prints the lines that do
 *   guest-tool expect FILE REGEX SECONDS    the same of a file: a Linux guest's console
 *   guest-tool steps SECONDS DOMID:N...     until one has said more than N lines "step ...", or its
 *                                           PASS or FAIL; prints for each: DOMID, lines, that word
 *   guest-tool stopped DOMID SECONDS        until it has shut itself down
 *   guest-tool nmi DOMID                    an NMI to its first virtual CPU
 *   guest-tool destroy DOMID                without the toolstack
 *   guest-tool domids                       of all that live, but dom0
 *   guest-tool zombies MAX SECONDS          until there are no more than that; prints how many
 *
 * Exit status: 0; 1 if the time is up, or the domain is gone; 2 if it cannot be asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xenctrl.h>

#define LOG_MAX     (4u << 20)
#define POLL_MS     20
#define PATIENCE    5
#define DOMAINS_MAX 64u

/* A log that grows: Xen's ring, of one domain or all, or a file. */
struct log {
    xc_interface *xc; /* NULL: a file */
    int fd;
    uint32_t index; /* of the ring: how far it was read */
    char mark[16];  /* what stands before each of the domain's lines; nothing: all lines */
    char *text;
    unsigned len;
    unsigned seen; /* the lines up to here have been looked at */
};

static int fail(const char *what)
{
    fprintf(stderr, "guest-tool: %s: %s\n", what, strerror(errno));
    return 2;
}

static void log_close(struct log *log)
{
    if (log->fd >= 0) {
        close(log->fd);
    }
    if (log->text) {
        munmap(log->text, LOG_MAX + 1);
    }
}

/* Of a domid, of a file, or, without a name, of all domains. To be closed also when it fails. */
static int log_open(struct log *log, xc_interface *xc, const char *name)
{
    void *text =
        mmap(NULL, LOG_MAX + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *log = (struct log){.fd = -1, .text = text == MAP_FAILED ? NULL : text};
    if (!log->text) {
        return -1;
    }
    char *end = "";
    unsigned long domid = name ? strtoul(name, &end, 10) : 0;
    if (*end) {
        log->fd = open(name, O_RDONLY | O_CLOEXEC);
        return log->fd < 0 ? -1 : 0;
    }
    log->xc = xc;
    if (name) {
        snprintf(log->mark, sizeof(log->mark), "(d%lu) ", domid);
    }
    return 0;
}

static int log_read(struct log *log)
{
    unsigned n = LOG_MAX - log->len;
    if (log->xc) {
        if (xc_readconsolering(log->xc, log->text + log->len, &n, 0, 1, &log->index)) {
            return -1;
        }
    } else {
        ssize_t got = read(log->fd, log->text + log->len, n);
        if (got < 0) {
            return -1;
        }
        n = (unsigned)got;
    }
    log->len += n;
    log->text[log->len] = '\0';
    return 0;
}

/* The next line that is whole, without what stands before it; NULL: there is none yet. */
static const char *log_line(struct log *log)
{
    char *end;
    while ((end = memchr(log->text + log->seen, '\n', log->len - log->seen))) {
        char *line = log->text + log->seen;
        log->seen = (unsigned)(end + 1 - log->text);
        *end = '\0';
        if (end > line && end[-1] == '\r') {
            end[-1] = '\0';
        }
        char *own = log->xc ? strstr(line, log->mark) : line;
        if (own) {
            return own + strlen(log->mark);
        }
    }
    return NULL;
}

/* --- waiting ----------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Whether there is time left; passes some of it. */
static bool waited(double until)
{
    const struct timespec pause = {0, POLL_MS * 1000000};
    if (now() >= until) {
        return false;
    }
    nanosleep(&pause, NULL);
    return true;
}

/* Seconds are those of an idle machine: limits end what hangs, not what is slow. */
static double after(const char *seconds)
{
    return now() + PATIENCE * strtod(seconds, NULL);
}

/* --- verbs ------------------------------------------------------------------------------- */

#define CLEANUP(name) __attribute__((cleanup(name)))

static int show_log(xc_interface *xc, char **arg)
{
    CLEANUP(log_close) struct log log = {.fd = -1};
    if (log_open(&log, xc, arg[0]) || log_read(&log)) {
        return fail(arg[0]);
    }
    for (const char *line; (line = log_line(&log));) {
        puts(line);
    }
    return 0;
}

static int find(struct log *log, const regex_t *regex, double until)
{
    bool found = false;
    do {
        if (log_read(log)) {
            return fail("log");
        }
        for (const char *line; (line = log_line(log));) {
            if (regexec(regex, line, 0, NULL, 0) == 0) {
                puts(line);
                found = true;
            }
        }
    } while (!found && waited(until));
    return !found;
}

static int expect(xc_interface *xc, char **arg)
{
    CLEANUP(log_close) struct log log = {.fd = -1};
    CLEANUP(regfree) regex_t regex = {0};
    if (regcomp(&regex, arg[1], REG_EXTENDED | REG_NOSUB)) {
        fprintf(stderr, "guest-tool: '%s' is no regular expression\n", arg[1]);
        return 2;
    }
    return log_open(&log, xc, arg[0]) ? fail(arg[0]) : find(&log, &regex, after(arg[2]));
}

struct guest {
    const char *domid;
    char mark[16]; /* what stands before each of its lines */
    unsigned known;
    unsigned steps;
    const char *word;
};

/* "DOMID:N" */
static struct guest guest_of(char *arg)
{
    struct guest g = {.domid = arg, .word = "-"};
    char *colon = strchr(arg, ':');
    if (colon) {
        g.known = strtoul(colon + 1, NULL, 10);
        *colon = '\0';
    }
    snprintf(g.mark, sizeof(g.mark), "(d%s) ", arg);
    return g;
}

/* Whether the line is new to who asked. */
static bool count(struct guest *g, const char *line)
{
    const char *own = strstr(line, g->mark);
    if (!own) {
        return false;
    }
    own += strlen(g->mark);
    g->steps += strncmp(own, "step ", 5) == 0;
    g->word = strncmp(own, "PASS ", 5) == 0   ? "PASS"
              : strncmp(own, "FAIL ", 5) == 0 ? "FAIL"
                                              : g->word;
    return g->steps > g->known || *g->word != '-';
}

static int steps(xc_interface *xc, char **arg)
{
    CLEANUP(log_close) struct log log = {.fd = -1};
    struct guest guest[DOMAINS_MAX];
    unsigned n = 0;
    double until = after(*arg++);
    for (; *arg && n < DOMAINS_MAX; arg++) {
        guest[n++] = guest_of(*arg);
    }
    if (log_open(&log, xc, NULL)) {
        return fail("log");
    }
    bool news = false;
    do {
        if (log_read(&log)) {
            return fail("log");
        }
        for (const char *line; (line = log_line(&log));) {
            for (unsigned i = 0; i < n; i++) {
                news |= count(&guest[i], line);
            }
        }
    } while (!news && waited(until));
    for (unsigned i = 0; i < n; i++) {
        printf("%s %u %s\n", guest[i].domid, guest[i].steps, guest[i].word);
    }
    return !news;
}

static int stopped(xc_interface *xc, char **arg)
{
    uint32_t domid = strtoul(arg[0], NULL, 10);
    double until = after(arg[1]);
    xc_domaininfo_t info;
    do {
        if (xc_domain_getinfolist(xc, domid, 1, &info) != 1 || info.domain != domid) {
            return 1;
        }
        if (info.flags & XEN_DOMINF_shutdown) {
            unsigned why = info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
            return why == SHUTDOWN_crash;
        }
    } while (waited(until));
    return 1;
}

static int nmi(xc_interface *xc, char **arg)
{
    uint32_t domid = strtoul(arg[0], NULL, 10);
    return xc_domain_send_trigger(xc, domid, XEN_DOMCTL_SENDTRIGGER_NMI, 0) ? fail("nmi") : 0;
}

static int destroy(xc_interface *xc, char **arg)
{
    uint32_t domid = strtoul(arg[0], NULL, 10);
    return xc_domain_destroy(xc, domid) ? fail("destroy") : 0;
}

static int domids(xc_interface *xc, char **arg)
{
    xc_domaininfo_t info[DOMAINS_MAX];
    int n = xc_domain_getinfolist(xc, 1, DOMAINS_MAX, info);
    (void)arg;
    for (int i = 0; i < n; i++) {
        if (!(info[i].flags & XEN_DOMINF_dying)) {
            printf("%u\n", info[i].domain);
        }
    }
    return n < 0 ? fail("domains") : 0;
}

static int zombies(xc_interface *xc, char **arg)
{
    xc_domaininfo_t info[DOMAINS_MAX];
    unsigned max = strtoul(arg[0], NULL, 10);
    double until = after(arg[1]);
    unsigned dying;
    do {
        int n = xc_domain_getinfolist(xc, 1, DOMAINS_MAX, info);
        if (n < 0) {
            return fail("domains");
        }
        dying = 0;
        for (int i = 0; i < n; i++) {
            dying += (info[i].flags & XEN_DOMINF_dying) != 0;
        }
    } while (dying > max && waited(until));
    printf("%u\n", dying);
    return dying > max;
}

static const struct {
    const char *name;
    int args; /* at least */
    int (*run)(xc_interface *xc, char **arg);
} verbs[] = {
    {"log", 1, show_log}, {"expect", 3, expect},   {"steps", 2, steps},   {"stopped", 2, stopped},
    {"nmi", 1, nmi},      {"destroy", 1, destroy}, {"domids", 0, domids}, {"zombies", 2, zombies},
};

int main(int argc, char **argv)
{
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    if (!xc) {
        return fail("Xen");
    }
    for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (argc >= 2 && !strcmp(argv[1], verbs[i].name) && argc - 2 >= verbs[i].args) {
            return verbs[i].run(xc, argv + 2);
        }
    }
    fprintf(stderr, "guest-tool: no such verb, or too few arguments (guest-tool.c tells them)\n");
    return 2;
}
