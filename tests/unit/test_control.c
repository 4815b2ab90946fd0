/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket against clients of all kinds; the guests behind it is a fake. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <json-c/json.h>

#include "control/control.h"
#include "control/verbs.h"
#include "guests/guests.h"
#include "support/test.h"

/* --- a guests with one guest, "web" (5), that can be attached and detached --------------- */

struct guests {
    bool attached;
    bool paused;
    const struct vgpu_type *type;
};

static const struct vgpu_type types[] = {
    {.name = "small", .mappable = 256, .unmappable = 512, .fences = 2, .weight = 1},
    {.name = "large", .mappable = 512, .unmappable = 1024, .fences = 4, .weight = 8},
};

static int not_there(const char *domain, char *error, size_t error_size)
{
    snprintf(error, error_size, "domain '%s': has no vGPU", domain);
    return -ENOENT;
}

static bool is_web(const struct guests *guests, const char *domain)
{
    return guests->attached && !strcmp(domain, "web");
}

static void fill(const struct guests *guests, struct guest_info *info)
{
    *info = (struct guest_info){
        .domid = 5, .id = 1, .name = "web", .paused = guests->paused, .type = guests->type};
}

int guests_attach(struct guests *guests, const char *domain, const char *type,
                  struct guest_info *info, char *error, size_t error_size)
{
    if (strcmp(domain, "web") != 0) {
        snprintf(error, error_size, "domain '%s': no such domain", domain);
        return -ENOENT;
    }
    guests->attached = true;
    guests->type = type && !strcmp(type, "large") ? &types[1] : &types[0];
    fill(guests, info);
    return 0;
}

int guests_detach(struct guests *guests, const char *domain, char *error, size_t error_size)
{
    if (!is_web(guests, domain))
        return not_there(domain, error, error_size);
    guests->attached = false;
    return 0;
}

int guests_pause(struct guests *guests, const char *domain, bool paused, char *error,
                 size_t error_size)
{
    if (!is_web(guests, domain))
        return not_there(domain, error, error_size);
    guests->paused = paused;
    return 0;
}

int guests_info(struct guests *guests, const char *domain, struct guest_info *info, char *error,
                size_t error_size)
{
    if (!is_web(guests, domain))
        return not_there(domain, error, error_size);
    fill(guests, info);
    return 0;
}

/* It takes a portion more each time: the answer comes late, and the commands behind it wait. */
int guests_verify_some(struct guests *guests, const char *domain, char *error, size_t error_size)
{
    static unsigned portions;

    if (!is_web(guests, domain))
        return not_there(domain, error, error_size);
    if (++portions % 4)
        return -EAGAIN;
    snprintf(error, error_size, "entry 7 is another's");
    return 2;
}

bool guests_list(struct guests *guests, unsigned i, struct guest_info *info)
{
    if (i || !guests->attached)
        return false;
    fill(guests, info);
    return true;
}

bool guests_type(struct guests *guests, unsigned i, struct guests_type_info *info)
{
    (void)guests;
    if (i >= sizeof(types) / sizeof(types[0]))
        return false;
    *info = (struct guests_type_info){&types[i], .available = 3 + i, .preset = i == 0};
    return true;
}

/* Many: more than a socket's buffer holds. */
#define MAPPINGS 30000u

int guests_mappings(struct guests *guests, const char *domain,
                    void (*fn)(void *arg, const struct guests_mapping *m), void *arg, char *error,
                    size_t error_size)
{
    struct guests_mapping m = {.gfn = 0x1234, .bfn = 0x100000};

    if (!is_web(guests, domain))
        return not_there(domain, error, error_size);
    for (m.index = 0; m.index < MAPPINGS; m.index++)
        fn(arg, &m);
    return 0;
}

void guests_shared(struct guests *guests, struct guests_shared *shared)
{
    static const struct xengt_caps caps = {.backend_name = "fake", .explanation = "a test"};

    (void)guests;
    *shared =
        (struct guests_shared){.backend = &caps, .library = {.mapped = 3}, .gpu = {.commands = 42}};
}

/* --- the fixture ------------------------------------------------------------------------- */

struct fixture {
    char dir[32];
    char path[64];
    struct event_base *base;
    struct guests guests;
    struct control *control;
};

static struct control_config config_of(struct fixture *f)
{
    return (struct control_config){.base = f->base, .guests = &f->guests, .path = f->path};
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct control_config config;
    char error[128];

    signal(SIGPIPE, SIG_IGN);
    strcpy(f->dir, "/tmp/xengt-test-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/sub/control", f->dir);
    f->base = event_base_new();
    config = config_of(f);
    *state = f;
    return control_open(&config, &f->control, error, sizeof(error));
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char folder[64];

    control_close(f->control);
    event_base_free(f->base);
    snprintf(folder, sizeof(folder), "%s/sub", f->dir);
    rmdir(folder);
    rmdir(f->dir);
    free(f);
    return 0;
}

static int connect_to(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, f->path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void spin(struct fixture *f)
{
    for (int i = 0; i < 8; i++)
        event_base_loop(f->base, EVLOOP_NONBLOCK);
}

/* Sends, turning the daemon's loop while the socket is full; false: it hung up. */
static bool send_all(struct fixture *f, int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
            return false;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
        spin(f);
    }
    spin(f);
    return true;
}

/* One line of the answer, the caller's; NULL: the daemon closed the connection. */
static char *receive_line(struct fixture *f, int fd)
{
    size_t len = 0, size = 4u << 20;
    char *line = malloc(size);

    for (int patience = 0; patience < 3000 && len < size - 1;) {
        ssize_t n = recv(fd, line + len, 1, 0);

        if (n == 1) {
            if (line[len++] == '\n') {
                line[len] = '\0';
                return line;
            }
        } else if (n == 0 || errno != EAGAIN) {
            break;
        } else {
            spin(f);
            usleep(1000);
            patience++;
        }
    }
    free(line);
    return NULL;
}

/* The answer to a line, parsed. */
static struct json_object *ask(struct fixture *f, int fd, const char *line)
{
    struct json_object *answer;
    char *text;

    assert_true(send_all(f, fd, line, strlen(line)));
    text = receive_line(f, fd);
    assert_non_null(text);
    answer = json_tokener_parse(text);
    assert_true(json_object_is_type(answer, json_type_object));
    free(text);
    return answer;
}

static struct json_object *get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    assert_true(json_object_object_get_ex(object, key, &value));
    return value;
}

static void assert_refused(struct fixture *f, int fd, const char *line, const char *part)
{
    struct json_object *answer = ask(f, fd, line);
    const char *error = json_object_get_string(get(answer, "error"));

    assert_false(json_object_get_boolean(get(answer, "ok")));
    if (!strstr(error, part))
        fail_msg("\"%s\" does not say \"%s\"", error, part);
    json_object_put(answer);
}

static void assert_granted(struct fixture *f, int fd, const char *line)
{
    struct json_object *answer = ask(f, fd, line);

    assert_true(json_object_get_boolean(get(answer, "ok")));
    get(answer, "result");
    json_object_put(answer);
}

static void assert_closed(struct fixture *f, int fd)
{
    assert_null(receive_line(f, fd));
    close(fd);
}

#define ATTACH "{\"command\":\"attach\",\"domain\":\"web\"}\n"
#define LIST   "{\"command\":\"list\"}\n"

#define TEST(name) TEST_WITH(name, setup, teardown)

/* --- commands ---------------------------------------------------------------------------- */

TEST(test_commands)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    struct json_object *answer;

    assert_granted(f, fd, "{\"command\":\"version\"}\n");
    assert_granted(f, fd, LIST);
    assert_refused(f, fd, "{\"command\":\"stats\",\"domain\":\"web\"}\n", "has no vGPU");
    assert_granted(f, fd, ATTACH);
    assert_granted(f, fd, "{\"command\":\"stats\"}\n");
    assert_granted(f, fd, "{\"command\":\"stats\",\"domain\":\"web\"}\n");
    assert_granted(f, fd, "{\"command\":\"resume\",\"domain\":\"web\"}\n");

    answer = ask(f, fd, "{\"command\":\"pause\",\"domain\":\"web\"}\n");
    assert_string_equal(json_object_get_string(get(get(answer, "result"), "state")), "paused");
    json_object_put(answer);

    answer = ask(f, fd, "{\"command\":\"verify\",\"domain\":\"web\"}\n");
    assert_int_equal(json_object_get_int(get(get(answer, "result"), "violations")), 2);
    assert_string_equal(json_object_get_string(get(get(answer, "result"), "first")),
                        "entry 7 is another's");
    json_object_put(answer);

    assert_granted(f, fd, "{\"command\":\"detach\",\"domain\":\"web\"}\n");
    assert_refused(f, fd, "{\"command\":\"detach\",\"domain\":\"web\"}\n", "domain 'web'");
    close(fd);
}

/* The member "key" of an answer's result, as text. */
static void assert_result(struct fixture *f, int fd, const char *line, const char *key,
                          const char *value)
{
    struct json_object *answer = ask(f, fd, line);

    assert_string_equal(json_object_get_string(get(get(answer, "result"), key)), value);
    json_object_put(answer);
}

TEST(test_types)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    struct json_object *answer, *list;

    assert_result(f, fd, ATTACH, "type", "small");
    assert_granted(f, fd, "{\"command\":\"detach\",\"domain\":\"web\"}\n");
    assert_result(f, fd, "{\"command\":\"attach\",\"domain\":\"web\",\"type\":\"large\"}\n",
                  "weight", "8");
    assert_refused(f, fd, "{\"command\":\"attach\",\"domain\":\"web\",\"type\":8}\n",
                   "\"type\" is not a string");
    assert_refused(f, fd, "{\"command\":\"detach\",\"domain\":\"web\",\"type\":\"large\"}\n",
                   "unknown field \"type\"");

    answer = ask(f, fd, "{\"command\":\"types\"}\n");
    list = get(get(answer, "result"), "types");
    assert_int_equal(json_object_array_length(list), 2);
    list = json_object_array_get_idx(list, 1);
    assert_string_equal(json_object_get_string(get(list, "name")), "large");
    assert_int_equal(json_object_get_int(get(list, "mappable_mib")), 2);
    assert_int_equal(json_object_get_int(get(list, "unmappable_mib")), 4);
    assert_int_equal(json_object_get_int(get(list, "fences")), 4);
    assert_int_equal(json_object_get_int(get(list, "available_instances")), 4);
    assert_false(json_object_get_boolean(get(list, "default")));
    json_object_put(answer);
    close(fd);
}

TEST(long_answer)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    struct json_object *answer;

    assert_granted(f, fd, ATTACH);
    answer = ask(f, fd, "{\"command\":\"mappings\",\"domain\":\"web\"}\n");
    assert_int_equal(json_object_array_length(get(get(answer, "result"), "mappings")), MAPPINGS);
    json_object_put(answer);
    assert_granted(f, fd, LIST);
    close(fd);
}

TEST(bad_requests_keep_the_connection)
{
    struct fixture *f = *state;
    int fd = connect_to(f);

    assert_refused(f, fd, "{}\n", "\"command\" is missing");
    assert_refused(f, fd, "{\"command\":7}\n", "\"command\" is missing");
    assert_refused(f, fd, "{\"command\":\"explode\"}\n", "unknown command \"explode\"");
    assert_refused(f, fd, "{\"command\":\"attach\"}\n", "\"domain\" is missing");
    assert_refused(f, fd, "{\"command\":\"attach\",\"domain\":5}\n", "\"domain\" is missing");
    assert_refused(f, fd, "{\"command\":\"attach\",\"domain\":\"a\\u0000b\"}\n", "not a string");
    assert_refused(f, fd, "{\"command\":\"list\",\"domain\":\"web\"}\n", "unknown field");
    assert_refused(f, fd, "{\"command\":\"list\",\"force\":true}\n", "unknown field \"force\"");
    assert_refused(f, fd, "{\"command\":\"attach\",\"domain\":\"nope\"}\n", "no such domain");
    assert_granted(f, fd, LIST);
    close(fd);
}

/* --- the manual -------------------------------------------------------------------------- */

/* Reads docs/control.md from a heading on. */
static char *manual_from(const char *heading)
{
    FILE *file = fopen(CONTROL_MANUAL, "r");
    char *text = calloc(1, 1u << 20);

    assert_non_null(file);
    assert_true(fread(text, 1, (1u << 20) - 1, file) > 0);
    fclose(file);
    char *from = strstr(text, heading);
    assert_non_null(from);
    memmove(text, from, strlen(from) + 1);
    return text;
}

/* The next word in backticks before end, without its prefix; where to go on, or NULL. */
static const char *quoted(const char *at, const char *end, char word[64])
{
    const char *open = memchr(at, '`', (size_t)(end - at));
    const char *close = open ? memchr(open + 1, '`', (size_t)(end - open - 1)) : NULL;

    if (!close)
        return NULL;
    snprintf(word, 64, "%.*s", (int)(close - open - 1), open + 1);
    if (strchr(word, '.'))
        memmove(word, strchr(word, '.') + 1, strlen(strchr(word, '.')));
    return close + 1;
}

static bool has_key(struct json_object *value, const char *name)
{
    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value) &&
               has_key(json_object_array_get_idx(value, 0), name);
    if (!json_object_is_type(value, json_type_object))
        return false;
    json_object_object_foreach(value, key, member)
    {
        if (!strcmp(key, name) || has_key(member, name))
            return true;
    }
    return false;
}

static void assert_explained(const char *manual, const char *key)
{
    char plain[80], prefixed[80];

    snprintf(plain, sizeof(plain), "`%s`", key);
    snprintf(prefixed, sizeof(prefixed), ".%s`", key);
    if (!strstr(manual, plain) && !strstr(manual, prefixed))
        fail_msg("docs/control.md does not explain \"%s\"", key);
}

static void assert_all_explained(const char *manual, struct json_object *value)
{
    if (json_object_is_type(value, json_type_array))
        for (size_t i = 0; i < json_object_array_length(value); i++)
            assert_all_explained(manual, json_object_array_get_idx(value, i));
    if (!json_object_is_type(value, json_type_object))
        return;
    json_object_object_foreach(value, key, member)
    {
        if (!json_object_is_type(member, json_type_object) &&
            !json_object_is_type(member, json_type_array))
            assert_explained(manual, key);
        assert_all_explained(manual, member);
    }
}

TEST(every_field_is_explained_in_the_manual)
{
    struct fixture *f = *state;
    int fd = connect_to(f);

    assert_granted(f, fd, ATTACH);
    struct json_object *stats = ask(f, fd, "{\"command\":\"stats\"}\n");
    struct json_object *all_types = ask(f, fd, "{\"command\":\"types\"}\n");
    char *manual = manual_from("## Documents");
    assert_all_explained(manual, get(stats, "result"));
    assert_all_explained(manual, get(all_types, "result"));
    free(manual);
    json_object_put(all_types);
    json_object_put(stats);
    close(fd);
}

TEST(every_field_of_the_manual_exists)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    char word[64];

    assert_granted(f, fd, ATTACH);
    struct json_object *stats = ask(f, fd, "{\"command\":\"stats\"}\n");
    struct json_object *all_types = ask(f, fd, "{\"command\":\"types\"}\n");
    char *manual = manual_from("## Documents");
    for (const char *row = strstr(manual, "\n| `"); row; row = strstr(row, "\n| `")) {
        const char *end = strstr(row, "` | ") + 1;

        while ((row = quoted(row, end, word)))
            if (!has_key(stats, word) && !has_key(all_types, word))
                fail_msg("docs/control.md explains \"%s\", which is nowhere", word);
        row = end;
    }
    free(manual);
    json_object_put(all_types);
    json_object_put(stats);
    close(fd);
}

/* Whether a command takes a domain stands in the second column. */
TEST(every_command_of_the_manual_is_one)
{
    char *manual = manual_from("| command | domain | result |");
    char word[64];

    (void)state;
    strstr(manual, "\n\n")[1] = '\0';
    for (const char *row = strstr(manual, "\n| `"); row; row = strstr(row, "\n| `")) {
        const char *end = strstr(row, "` | ") + 1;
        bool required = !strncmp(end, " | required", 11);
        bool optional = !strncmp(end, " | optional", 11);

        while ((row = quoted(row, end, word))) {
            const struct verb *verb = verb_find(word);

            if (!verb) {
                fail_msg("docs/control.md lists \"%s\", which is no command", word);
                break;
            }
            assert_int_equal(verb->args[0].name != NULL, required || optional);
            assert_int_equal(verb->args[0].required, required);
        }
        row = end;
    }
    free(manual);
}

/* --- clients that mean no good ----------------------------------------------------------- */

TEST(garbage)
{
    static const char *const lines[] = {
        "hello\n",
        "\n",
        "[]\n",
        "null\n",
        "\"list\"\n",
        "{\"command\":\"list\"\n",
        "{\"command\":\"list\"} {}\n",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}\n",
        "{\"command\":\"\xff\xfe\"}\n",
        "\x01\x02\x03\n",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        int fd = connect_to(f);

        assert_refused(f, fd, lines[i], "not a JSON object");
        assert_closed(f, fd);
    }
}

TEST(zero_byte_in_a_line)
{
    static const char line[] = "{\"command\":\"list\"}\0{}\n";
    struct fixture *f = *state;
    int fd = connect_to(f);
    char *text;

    send_all(f, fd, line, sizeof(line) - 1);
    text = receive_line(f, fd);
    assert_non_null(strstr(text, "not a JSON object"));
    free(text);
    assert_closed(f, fd);
}

TEST(line_too_long)
{
    struct fixture *f = *state;
    size_t len = CONTROL_LINE_MAX * 4;
    char *line = malloc(len);
    int fd = connect_to(f);
    char *text;

    memset(line, ' ', len);
    send_all(f, fd, line, CONTROL_LINE_MAX);
    text = receive_line(f, fd);
    assert_non_null(text);
    assert_non_null(strstr(text, "too long"));
    free(text);
    assert_closed(f, fd);

    /* Also with its end in sight, and with more behind it. */
    line[CONTROL_LINE_MAX] = '\n';
    fd = connect_to(f);
    while (send(fd, line, len, MSG_NOSIGNAL) > 0)
        ;
    text = receive_line(f, fd);
    assert_non_null(text);
    assert_non_null(strstr(text, "too long"));
    free(text);
    close(fd);
    free(line);
}

TEST(long_line_within_the_limit)
{
    struct fixture *f = *state;
    char *line = malloc(CONTROL_LINE_MAX);
    struct json_object *answer;
    int fd = connect_to(f);

    memset(line, ' ', CONTROL_LINE_MAX);
    memcpy(line + CONTROL_LINE_MAX - 1 - strlen(LIST), LIST, strlen(LIST) + 1);
    answer = ask(f, fd, line);
    assert_true(json_object_get_boolean(get(answer, "ok")));
    json_object_put(answer);
    free(line);
    close(fd);
}

TEST(two_clients)
{
    struct fixture *f = *state;
    int half = connect_to(f), whole = connect_to(f);

    /* One that stops in the middle of a line does not keep the other waiting. */
    send_all(f, half, LIST, 8);
    assert_granted(f, whole, LIST);
    send_all(f, half, LIST + 8, strlen(LIST) - 8);
    free(receive_line(f, half));
    assert_granted(f, half, LIST);
    close(whole);
    assert_granted(f, half, LIST);
    close(half);
}

TEST(several_lines_at_once)
{
    struct fixture *f = *state;
    int fd = connect_to(f);

    send_all(f, fd, LIST LIST LIST, 3 * strlen(LIST));
    shutdown(fd, SHUT_WR); /* says no more, but listens */
    for (int i = 0; i < 3; i++) {
        char *text = receive_line(f, fd);

        assert_non_null(text);
        free(text);
    }
    assert_closed(f, fd);
}

/* The answers nobody takes are bounded: then its commands wait, and nobody else's do. */
TEST(client_that_does_not_read)
{
    static const char mappings[] = "{\"command\":\"mappings\",\"domain\":\"web\"}\n";
    struct fixture *f = *state;
    int deaf = connect_to(f), other = connect_to(f);

    assert_granted(f, other, ATTACH);
    for (int i = 0; i < 100; i++)
        if (send(deaf, mappings, sizeof(mappings) - 1, MSG_NOSIGNAL) < 0)
            break;
    spin(f);
    assert_granted(f, other, LIST);
    close(deaf);
    spin(f);
    assert_granted(f, other, LIST);
    close(other);
}

TEST(too_many_clients)
{
    struct fixture *f = *state;
    int fds[CONTROL_CLIENTS_MAX], extra;
    char *text;

    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = connect_to(f);
        assert_granted(f, fds[i], LIST);
    }
    extra = connect_to(f);
    text = receive_line(f, extra);
    assert_non_null(text);
    assert_non_null(strstr(text, "too many clients"));
    free(text);
    assert_closed(f, extra);

    close(fds[0]);
    spin(f);
    fds[0] = connect_to(f);
    assert_granted(f, fds[0], LIST);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        close(fds[i]);
}

TEST(idle_client)
{
    struct fixture *f = *state;
    struct control_config config = config_of(f);
    char error[128], *text;
    int fd;

    control_close(f->control);
    config.idle_s = 1;
    assert_int_equal(control_open(&config, &f->control, error, sizeof(error)), 0);
    fd = connect_to(f);
    text = receive_line(f, fd);
    assert_non_null(text);
    assert_non_null(strstr(text, "too long"));
    free(text);
    assert_closed(f, fd);
}

/* --- the socket -------------------------------------------------------------------------- */

TEST(socket_is_private)
{
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(second_daemon)
{
    struct fixture *f = *state;
    struct control_config config = config_of(f);
    struct control *second;
    char error[128];
    int fd;

    assert_int_equal(control_open(&config, &second, error, sizeof(error)), -EADDRINUSE);
    assert_non_null(strstr(error, "already running"));
    fd = connect_to(f); /* the first one is still there */
    assert_granted(f, fd, LIST);
    close(fd);
}

TEST(stale_socket)
{
    struct fixture *f = *state;
    struct control_config config = config_of(f);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char error[128];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    control_close(f->control);
    f->control = NULL;
    assert_int_equal(access(f->path, F_OK), -1);
    strcpy(address.sun_path, f->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd); /* killed: the name stays, nobody listens */

    assert_int_equal(control_open(&config, &f->control, error, sizeof(error)), 0);
    fd = connect_to(f);
    assert_granted(f, fd, LIST);
    close(fd);
}

TEST(file_in_the_way)
{
    struct fixture *f = *state;
    struct control_config config = config_of(f);
    char error[128];
    FILE *file;

    control_close(f->control);
    f->control = NULL;
    file = fopen(f->path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(control_open(&config, &f->control, error, sizeof(error)), -EEXIST);
    assert_int_equal(access(f->path, F_OK), 0);
    unlink(f->path);
}
