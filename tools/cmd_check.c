/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl check: what a host must have, one line each, and the remedy for what is missing. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <json-c/json.h>
#include <linux/magic.h>

#include <xengt/xengt.h>

#include "verb.h"

enum outcome { PASS, WARN, FAIL };
static const char *const outcomes[] = {[PASS] = "pass", [WARN] = "warn", [FAIL] = "fail"};

struct check {
    const struct invocation *in;
    struct json_object *findings;
    const char *subject; /* of the finding that comes next */
};

__attribute__((format(printf, 1, 0))) static struct json_object *text_of(const char *format,
                                                                         va_list args)
{
    char text[512];

    vsnprintf(text, sizeof(text), format, args);
    return json_object_new_string(text);
}

/* remedy: what to do, to be pasted where it is a command; NULL where there is nothing to do. */
__attribute__((format(printf, 4, 5))) static void finding(struct check *c, enum outcome outcome,
                                                          const char *remedy, const char *format,
                                                          ...)
{
    struct json_object *found = json_object_new_object();
    va_list args;

    va_start(args, format);
    json_object_object_add(found, "subject", json_object_new_string(c->subject));
    json_object_object_add(found, "outcome", json_object_new_string(outcomes[outcome]));
    json_object_object_add(found, "found", text_of(format, args));
    json_object_object_add(found, "remedy", remedy ? json_object_new_string(remedy) : NULL);
    va_end(args);
    json_object_array_add(c->findings, found);
}

/* The first line of a file, without its end. "": it cannot be read. */
static void read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");

    line[0] = '\0';
    if (file) {
        if (!fgets(line, (int)size, file)) {
            line[0] = '\0';
        }
        fclose(file);
    }
    line[strcspn(line, "\n")] = '\0';
}

/* --- Xen --------------------------------------------------------------------------------- */

/*
 * The releases of each version of Xen that have the fixes of what a guest could do to this program
 * or through it: XSA-480, 486, 501, 506, 507. Of 4.17 and 4.18 there is none; distributions have
 * them as patches, which the version does not show.
 */
static const struct {
    unsigned major, minor, patch;
} fixed[] = {{4, 19, 6}, {4, 20, 4}, {4, 21, 2}, {4, 22, 0}};

static void check_fixes(struct check *c, unsigned major, unsigned minor, unsigned patch)
{
    static const char remedy[] =
        "upgrade Xen, or see whether your distribution has patched its own";

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (fixed[i].major == major && fixed[i].minor == minor) {
            finding(c, patch < fixed[i].patch ? WARN : PASS, patch < fixed[i].patch ? remedy : NULL,
                    "%u.%u.%u; XSA-480, 486, 501, 506 and 507 are fixed in %u.%u.%u", major, minor,
                    patch, major, minor, fixed[i].patch);
            return;
        }
    }
    if (major == 4 && minor < 19) {
        finding(c, WARN, remedy,
                "%u.%u.%u; no release of it has fixes of XSA-480, 486, 501, 506, 507", major, minor,
                patch);
    } else {
        finding(c, PASS, NULL, "%u.%u.%u", major, minor, patch);
    }
}

/* False: there is nothing more to look at. */
static bool check_xen(struct check *c)
{
    char type[32], major[16], minor[16], extra[32];

    c->subject = "Xen";
    read_line("/sys/hypervisor/type", type, sizeof(type));
    if (strcmp(type, "xen") != 0) {
        finding(c, FAIL,
                "apt install xen-hypervisor-amd64, and choose \"with Xen hypervisor\" at boot",
                "this system does not run under Xen");
        return false;
    }
    read_line("/sys/hypervisor/version/major", major, sizeof(major));
    read_line("/sys/hypervisor/version/minor", minor, sizeof(minor));
    read_line("/sys/hypervisor/version/extra", extra, sizeof(extra));
    unsigned patch = extra[0] == '.' ? (unsigned)strtoul(extra + 1, NULL, 10) : 0;
    unsigned version = (unsigned)strtoul(minor, NULL, 10);
    if (strtoul(major, NULL, 10) == 4 && version < 17) {
        finding(c, FAIL, "upgrade Xen", "4.%u; 4.17 is the oldest that xengtd knows", version);
    } else {
        check_fixes(c, (unsigned)strtoul(major, NULL, 10), version, patch);
    }
    return true;
}

static void check_domain(struct check *c)
{
    char type[16], capabilities[64];

    c->subject = "domain";
    read_line("/sys/hypervisor/guest_type", type, sizeof(type));
    read_line("/proc/xen/capabilities", capabilities, sizeof(capabilities));
    if (!strstr(capabilities, "control_d")) {
        finding(
            c, FAIL,
            access("/proc/xen/capabilities", F_OK) ? "mount -t xenfs xenfs /proc/xen"
                                                   : "run it in dom0",
            "this domain is not known to be dom0, which alone may map guests' pages on any Xen");
    } else {
        finding(c, PASS, NULL, "dom0, %s", type[0] ? type : "of unknown type");
    }
}

/* --- Linux ------------------------------------------------------------------------------- */

static void check_device(struct check *c, const char *path, const char *module)
{
    char remedy[64];

    c->subject = path;
    if (access(path, F_OK)) {
        snprintf(remedy, sizeof(remedy), "modprobe %s", module);
        finding(c, FAIL, remedy, "is missing");
    } else if (access(path, R_OK | W_OK)) {
        finding(c, FAIL, "run it as root: sudo xengt-ctl check", "cannot be opened: %s",
                strerror(errno));
    } else {
        finding(c, PASS, NULL, "is there");
    }
}

static void check_linux(struct check *c)
{
    struct utsname name;

    c->subject = "Linux";
    if (!uname(&name)) {
        unsigned major = (unsigned)strtoul(name.release, NULL, 10);

        finding(c, major < 6 ? WARN : PASS, major < 6 ? "upgrade to 6.1 or later" : NULL, "%s%s",
                name.release, major < 6 ? "; nobody has tried xengtd on it" : "");
    }
    check_device(c, "/dev/xen/privcmd", "xen-privcmd");
    check_device(c, "/dev/xen/evtchn", "xen-evtchn");
    check_device(c, "/dev/xen/gntdev", "xen-gntdev");
}

/* --- what mappings need ------------------------------------------------------------------ */

/* "memmap=…" out of a message that has it, for the kernel's command line. */
static const char *memmap_in(const char *text, char *remedy, size_t size)
{
    const char *option = strstr(text, "memmap=");

    if (!option) {
        return "see docs/troubleshooting.md, \"window\"";
    }
    snprintf(remedy, size,
             "add %.*s to GRUB_CMDLINE_LINUX in /etc/default/grub (write each $ as \\\\\\$), "
             "then update-grub and reboot",
             (int)strcspn(option, " ;,)"), option);
    return remedy;
}

static void check_window(struct check *c)
{
    char text[384], remedy[256];

    c->subject = "mappings";
    int ret = xengt_check(text, sizeof(text));
    if (!ret) {
        finding(c, PASS, NULL, "%s", text);
    } else if (ret == -EPERM) {
        finding(c, FAIL, "run it as root: sudo xengt-ctl check", "%s", text);
    } else {
        finding(c, FAIL, memmap_in(text, remedy, sizeof(remedy)), "%s", text);
    }
}

static void check_state(struct check *c)
{
    struct statfs fs;

    c->subject = XENGT_STATE_DIR;
    if (statfs(access(XENGT_STATE_DIR, F_OK) ? "/run" : XENGT_STATE_DIR, &fs)) {
        finding(c, FAIL, "mkdir -p " XENGT_STATE_DIR, "%s", strerror(errno));
    } else if (fs.f_type != TMPFS_MAGIC) {
        finding(c, WARN, "mount a tmpfs at /run",
                "is not on a tmpfs: what it says of mappings must not outlive the host");
    } else if (fs.f_bavail * (uint64_t)fs.f_bsize < UINT64_C(64) << 20) {
        finding(c, WARN, "make room in /run: mount -o remount,size=... /run",
                "has less than 64 MiB of room; each guest takes 2.4");
    } else {
        finding(c, PASS, NULL, "is on a tmpfs, with room");
    }
}

/* --- the daemon -------------------------------------------------------------------------- */

static void check_backend(struct check *c, struct json_object *backend)
{
    c->subject = "back end";
    finding(c, PASS, NULL, "%s: %s", member_text(backend, "name"),
            member_text(backend, "explanation"));
}

static void check_guests(struct check *c, struct client *client)
{
    struct json_object *list = NULL;

    c->subject = "guests";
    if (client_call(client, "list", NULL, &list) != CLIENT_OK) {
        return;
    }
    struct json_object *guests = member(list, "guests");
    size_t n = json_object_is_type(guests, json_type_array) ? json_object_array_length(guests) : 0;
    unsigned failed = 0;
    for (size_t i = 0; i < n; i++) {
        failed += !strcmp(member_text(json_object_array_get_idx(guests, i), "state"), "failsafe");
    }
    finding(c, failed ? WARN : PASS, failed ? "xengt-ctl failsafe shows why" : NULL,
            "%zu with a vGPU, %u of them in failsafe", n, failed);
    json_object_put(list);
}

static void check_daemon(struct check *c)
{
    struct client client;
    struct json_object *version = NULL;

    c->subject = "xengtd";
    enum client_status status = client_connect(&client, c->in->socket, c->in->timeout_s);
    if (status == CLIENT_OK) {
        status = client_call(&client, "version", NULL, &version);
    }
    if (status != CLIENT_OK) {
        finding(c, FAIL,
                "systemctl enable --now xengtd; journalctl -u xengtd says why it does not run",
                "%s", client.error);
        return;
    }
    const char *running = member_text(version, "version");
    bool same = !strcmp(running, XENGT_VERSION);
    finding(c, same ? PASS : WARN, same ? NULL : "systemctl restart xengtd; guests outlive it",
            "%s runs%s%s", running, same ? "" : ", and this is xengt-ctl ",
            same ? "" : XENGT_VERSION);
    check_backend(c, member(version, "backend"));
    check_guests(c, &client);
    json_object_put(version);
    client_close(&client);
}

/* --- together ---------------------------------------------------------------------------- */

static int status(struct json_object *result)
{
    struct json_object *findings = member(result, "findings");

    for (size_t i = 0; i < json_object_array_length(findings); i++) {
        if (!strcmp(member_text(json_object_array_get_idx(findings, i), "outcome"), "fail")) {
            return EXIT_FAILED;
        }
    }
    return EXIT_OK;
}

static int show(struct json_object *result, const struct invocation *in)
{
    struct json_object *findings = member(result, "findings");

    (void)in;
    for (size_t i = 0; i < json_object_array_length(findings); i++) {
        struct json_object *found = json_object_array_get_idx(findings, i);

        printf("%s  %-17s %s\n", member_text(found, "outcome"), member_text(found, "subject"),
               member_text(found, "found"));
        if (member(found, "remedy")) {
            printf("      %-17s -> %s\n", "", member_text(found, "remedy"));
        }
    }
    return status(result);
}

static int run(const struct invocation *in)
{
    struct check check = {.in = in, .findings = json_object_new_array()};
    struct json_object *result = json_object_new_object();

    json_object_object_add(result, "findings", check.findings);
    if (check_xen(&check)) {
        check_domain(&check);
        check_linux(&check);
        check_window(&check);
    }
    check_state(&check);
    check_daemon(&check);
    int ret = show_result(in, result);
    json_object_put(result);
    return ret;
}

const struct verb verb_check = {
    .name = "check",
    .domain = VERB_NO_DOMAIN,
    .summary = "look whether this host has what xengtd needs",
    .description =
        "Changes nothing. Each line says pass, warn or fail; below those that do not pass is\n"
        "the remedy. Exit status 1 if something fails.",
    .show = show,
    .status = status,
    .run = run,
};
