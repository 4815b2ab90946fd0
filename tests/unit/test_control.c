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
#include <syslog.h>
#include <unistd.h>

#include <event2/event.h>
#include <json-c/json.h>

#include "control/control.h"
#include "control/documents.h"
#include "control/verbs.h"
#include "guests/guests.h"
#include "support/peer.h"
#include "support/test.h"
#include "text.h"

/* --- a guests with one guest, "web" (5), that can be attached and detached --------------- */

struct guests {
    bool attached;
    bool paused;
    const struct vgpu_type *type;
    bool endless;   /* a verify takes for ever */
    unsigned asked; /* for a list */
    uint64_t events;
    void (*on_event)(void *arg);
    void *on_event_arg;
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
    *info = (struct guest_info){.domid = 5,
                                .id = 1,
                                .name = "web",
                                .paused = guests->paused,
                                .type = guests->type,
                                .weight = guests->type->weight};
}

int guests_attach(struct guests *guests, const char *domain, const char *type,
                  struct guest_info *info, char *error, size_t error_size)
{
    if (!strcmp(domain, "twin")) {
        snprintf(error, error_size, "'twin' is the name of domains 5 and 9: give the number");
        return -ENOTUNIQ;
    }
    if (strcmp(domain, "web") != 0) {
        text_line(error, error_size, "domain '%s': no such domain", domain);
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
    if (guests->endless || ++portions % 4)
        return -EAGAIN;
    snprintf(error, error_size, "entry 7 is another's");
    return 2;
}

bool guests_list(struct guests *guests, unsigned i, struct guest_info *info)
{
    guests->asked += !i;
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

int guests_mappings_some(struct guests *guests, const char *domain, uint32_t *next, unsigned max,
                         guests_mapping_fn *fn, void *arg, char *error, size_t error_size)
{
    struct guests_mapping m = {.gfn = 0x1234, .bfn = 0x100000};

    if (!is_web(guests, domain))
        return not_there(domain, error, error_size);
    while (*next < MAPPINGS) {
        if (!max--)
            return 1;
        m.index = (*next)++;
        fn(arg, &m);
    }
    return 0;
}

void guests_shared(struct guests *guests, struct guests_shared *shared)
{
    static const struct xengt_caps caps = {.backend_name = "fake", .explanation = "a test"};

    (void)guests;
    *shared =
        (struct guests_shared){.backend = &caps, .library = {.mapped = 3}, .gpu = {.commands = 42}};
}

/* Events of "web", as many as there are to be. */
uint64_t guests_last_event(const struct guests *guests)
{
    return guests->events;
}

bool guests_event(const struct guests *guests, uint64_t number, struct guests_event *event)
{
    if (!number || number > guests->events || guests->events - number >= GUESTS_EVENTS_KEPT)
        return false;
    *event = (struct guests_event){
        .number = number, .kind = GUESTS_EVENT_FAILSAFE, .domid = 5, .id = 1, .name = "web"};
    strcpy(event->reason, "a\nreason");
    return true;
}

void guests_on_event(struct guests *guests, void (*fn)(void *arg), void *arg)
{
    guests->on_event = fn;
    guests->on_event_arg = arg;
}

static void happen(struct guests *guests, unsigned n)
{
    while (n--) {
        guests->events++;
        guests->on_event(guests->on_event_arg);
    }
}

/* --- the fixture ------------------------------------------------------------------------- */

struct fixture {
    char dir[32];
    char path[64];
    struct event_base *base;
    struct guests guests;
    struct control *control;
    char log[512]; /* the last line */
    unsigned lines;
};

static void hear(void *arg, int level, const char *line)
{
    struct fixture *f = arg;

    assert_int_equal(level, LOG_INFO);
    snprintf(f->log, sizeof(f->log), "%s", line);
    f->lines++;
}

static struct control_config config_of(struct fixture *f)
{
    return (struct control_config){
        .base = f->base, .guests = &f->guests, .path = f->path, .log = hear, .log_arg = f};
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct control_config config;
    char error[128];

    peer_uid = 0;
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

/* One round of the loop. */
static void turn(struct fixture *f)
{
    event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void spin(struct fixture *f)
{
    for (int i = 0; i < 64; i++)
        turn(f);
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

/* An answer is of the protocol: the id that it is to have, and a result or an error of one line. */
static void assert_answer(struct json_object *answer, const char *id)
{
    struct json_object *error;

    assert_string_equal(json_object_get_string(get(answer, "jsonrpc")), "2.0");
    assert_int_equal(json_object_object_length(answer), 3);
    if (id)
        assert_string_equal(json_object_to_json_string(get(answer, "id")), id);
    else
        assert_null(get(answer, "id"));
    if (json_object_object_get_ex(answer, "error", &error)) {
        assert_true(json_object_get_int(get(error, "code")) <= -32000);
        assert_null(strpbrk(json_object_get_string(get(error, "message")), "\r\n"));
    } else {
        assert_true(json_object_is_type(get(answer, "result"), json_type_object));
    }
}

static void assert_error(struct json_object *answer, int code, const char *part)
{
    struct json_object *error = get(answer, "error");
    const char *message = json_object_get_string(get(error, "message"));

    if (json_object_get_int(get(error, "code")) != code || !strstr(message, part))
        fail_msg("\"%s\" (%s) does not say \"%s\" (%d)", message,
                 json_object_get_string(get(error, "code")), part, code);
}

/* A request of ASK() has an error. */
static void assert_refused(struct fixture *f, int fd, const char *line, int code, const char *part)
{
    struct json_object *answer = ask(f, fd, line);

    assert_answer(answer, "1");
    assert_error(answer, code, part);
    json_object_put(answer);
}

/* The line is no request. */
static void assert_rejected(struct fixture *f, int fd, const char *line, int code, const char *part)
{
    struct json_object *answer = ask(f, fd, line);

    assert_answer(answer, NULL);
    assert_error(answer, code, part);
    json_object_put(answer);
}

static void assert_granted(struct fixture *f, int fd, const char *line)
{
    struct json_object *answer = ask(f, fd, line);

    assert_answer(answer, "1");
    get(answer, "result");
    json_object_put(answer);
}

static void assert_closed(struct fixture *f, int fd)
{
    assert_null(receive_line(f, fd));
    close(fd);
}

/* A request, as a literal. */
#define ASK(method, params) \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":{" params "}}\n"
#define ATTACH ASK("attach", "\"domain\":\"web\"")
#define LIST   ASK("list", "")

#define TEST(name) TEST_WITH(name, setup, teardown)

/* --- commands ---------------------------------------------------------------------------- */

TEST(test_commands)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    struct json_object *answer;

    assert_granted(f, fd, ASK("version", ""));
    assert_granted(f, fd, LIST);
    assert_refused(f, fd, ASK("stats", "\"domain\":\"web\""), VERB_NOT_ATTACHED, "has no vGPU");
    assert_granted(f, fd, ATTACH);
    assert_granted(f, fd, ASK("stats", ""));
    assert_granted(f, fd, ASK("stats", "\"domain\":\"web\""));
    assert_granted(f, fd, ASK("resume", "\"domain\":\"web\""));

    answer = ask(f, fd, ASK("pause", "\"domain\":\"web\""));
    assert_string_equal(json_object_get_string(get(get(answer, "result"), "state")), "paused");
    json_object_put(answer);

    answer = ask(f, fd, ASK("verify", "\"domain\":\"web\""));
    assert_int_equal(json_object_get_int(get(get(answer, "result"), "violations")), 2);
    assert_string_equal(json_object_get_string(get(get(answer, "result"), "first")),
                        "entry 7 is another's");
    json_object_put(answer);

    assert_granted(f, fd, ASK("detach", "\"domain\":\"web\""));
    assert_refused(f, fd, ASK("detach", "\"domain\":\"web\""), VERB_NOT_ATTACHED, "domain 'web'");
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
    assert_granted(f, fd, ASK("detach", "\"domain\":\"web\""));
    assert_result(f, fd, ASK("attach", "\"domain\":\"web\",\"type\":\"large\""), "weight", "8");
    assert_refused(f, fd, ASK("attach", "\"domain\":\"web\",\"type\":8"), VERB_PARAMS,
                   "\"type\" is not a string");
    assert_refused(f, fd, ASK("detach", "\"domain\":\"web\",\"type\":\"large\""), VERB_PARAMS,
                   "unknown parameter \"type\"");

    answer = ask(f, fd, ASK("types", ""));
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

/* So many at a time, and where the others begin. */
TEST(mappings_come_in_portions)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    size_t got = 0;

    assert_granted(f, fd, ATTACH);
    for (int next = 0; next >= 0;) {
        struct json_object *answer, *list;
        char line[160];

        snprintf(line, sizeof(line), ASK("mappings", "\"domain\":\"web\",\"from\":%d"), next);
        answer = ask(f, fd, line);
        list = get(get(answer, "result"), "mappings");
        assert_true(json_object_array_length(list) <= 4096);
        got += json_object_array_length(list);
        next = get(get(answer, "result"), "next")
                   ? json_object_get_int(get(get(answer, "result"), "next"))
                   : -1;
        json_object_put(answer);
    }
    assert_int_equal(got, MAPPINGS);
    assert_refused(f, fd, ASK("mappings", "\"domain\":\"web\",\"from\":-1"), VERB_PARAMS,
                   "no entry");
    assert_refused(f, fd, ASK("mappings", "\"domain\":\"web\",\"from\":4294967296"), VERB_PARAMS,
                   "no entry");
    assert_refused(f, fd, ASK("mappings", "\"domain\":\"web\",\"from\":1.5"), VERB_PARAMS,
                   "not an int");
    close(fd);
}

TEST(refusals_have_a_code)
{
    struct fixture *f = *state;
    int fd = connect_to(f);

    assert_refused(f, fd, ASK("explode", ""), VERB_UNKNOWN, "no method \"explode\"");
    assert_refused(f, fd, ASK("attach", ""), VERB_PARAMS, "\"domain\" is missing");
    assert_refused(f, fd, ASK("attach", "\"domain\":5"), VERB_PARAMS, "\"domain\" is missing");
    assert_refused(f, fd, ASK("attach", "\"domain\":\"a\\u0000b\""), VERB_PARAMS, "not a string");
    assert_refused(f, fd, ASK("list", "\"domain\":\"web\""), VERB_PARAMS, "unknown parameter");
    assert_refused(f, fd, ASK("list", "\"force\":true"), VERB_PARAMS,
                   "unknown parameter \"force\"");
    assert_refused(f, fd, ASK("attach", "\"domain\":\"nope\""), VERB_NO_DOMAIN, "no such domain");
    assert_refused(f, fd, ASK("attach", "\"domain\":\"twin\""), VERB_AMBIGUOUS, "domains 5 and 9");
    assert_granted(f, fd, LIST);
    close(fd);
}

/* --- JSON-RPC ---------------------------------------------------------------------------- */

#define WITH_ID(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"list\"}\n"

TEST(an_answer_has_the_id_of_its_request)
{
    static const char *const ids[] = {"7", "-7", "0", "9007199254740992", "\"a b\"", "\"\""};
    struct fixture *f = *state;
    int fd = connect_to(f);

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char line[128];

        snprintf(line, sizeof(line), WITH_ID("%s"), ids[i]);
        struct json_object *answer = ask(f, fd, line);
        assert_answer(answer, ids[i]);
        json_object_put(answer);
    }
    struct json_object *answer = ask(f, fd, WITH_ID("null"));
    assert_answer(answer, NULL);
    get(answer, "result");
    json_object_put(answer);
    close(fd);
}

/* It is carried out, and not answered, whatever comes of it. */
TEST(a_notification_has_no_answer)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    static const char lines[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"attach\",\"params\":{\"domain\":\"web\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"attach\",\"params\":{\"domain\":\"nope\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"attach\"}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"explode\"}\n";

    assert_true(send_all(f, fd, lines, sizeof(lines) - 1));
    assert_granted(f, fd, LIST);
    assert_true(f->guests.attached);
    close(fd);
}

TEST(what_is_no_request_is_rejected_and_the_connection_goes_on)
{
    static const struct {
        const char *line;
        int code;
    } lines[] = {
        {"hello\n", VERB_PARSE},
        {"\n", VERB_PARSE},
        {"{\"jsonrpc\":\"2.0\"\n", VERB_PARSE},
        {LIST "", 0},
        {"{} {}\n", VERB_PARSE},
        {"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}\n", VERB_PARSE},
        {"{\"method\":\"\xff\xfe\"}\n", VERB_PARSE},
        {"\x01\x02\x03\n", VERB_PARSE},
        {"[]\n", VERB_INVALID},
        {"["
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}"
         "]\n",
         VERB_INVALID},
        {"null\n", VERB_INVALID},
        {"7\n", VERB_INVALID},
        {"\"list\"\n", VERB_INVALID},
        {"{}\n", VERB_INVALID},
        {"{\"id\":{},\"jsonrpc\":\"2.0\",\"method\":\"list\"}\n", VERB_INVALID},
        {"{\"id\":1.5,\"jsonrpc\":\"2.0\",\"method\":\"list\"}\n", VERB_INVALID},
        {"{\"id\":true,\"jsonrpc\":\"2.0\",\"method\":\"list\"}\n", VERB_INVALID},
        {"{\"id\":9007199254740993,\"jsonrpc\":\"2.0\",\"method\":\"list\"}\n", VERB_INVALID},
        {"{\"id\":99999999999999999999,\"jsonrpc\":\"2.0\",\"method\":\"list\"}\n", VERB_INVALID},
        {"{\"jsonrpc\":\"1.0\",\"method\":\"list\"}\n", VERB_INVALID},
        {"{\"jsonrpc\":2.0,\"method\":\"list\"}\n", VERB_INVALID},
        {"{\"jsonrpc\":\"2.0\",\"method\":7}\n", VERB_INVALID},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"list\",\"force\":true}\n", VERB_INVALID},
    };
    struct fixture *f = *state;
    int fd = connect_to(f);

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (lines[i].code)
            assert_rejected(f, fd, lines[i].line, lines[i].code, "");
    assert_granted(f, fd, LIST);
    assert_rejected(f, fd, "[]\n", VERB_INVALID, "batches are not taken");
    assert_refused(f, fd, "{\"id\":1,\"jsonrpc\":\"2.0\"}\n", VERB_INVALID,
                   "\"method\" is missing");
    assert_refused(f, fd, "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"list\",\"params\":[]}\n",
                   VERB_PARAMS, "parameters have names");
    close(fd);
}

/* A method's name of many bytes, of which each character is cut somewhere. */
TEST(an_answer_is_utf8_whatever_was_asked)
{
    struct fixture *f = *state;
    int fd = connect_to(f);

    for (unsigned before = 0; before < 5; before++) {
        char line[1024] =
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\",\"params\":{\"domain\":\"";
        struct json_tokener *tokener = json_tokener_new();
        char *text;

        for (unsigned i = 0; i < before; i++)
            strcat(line, "x");
        for (unsigned i = 0; i < 130; i++)
            strcat(line, "\xe2\x82\xac");
        strcat(line, "\"}}\n");
        assert_true(send_all(f, fd, line, strlen(line)));
        text = receive_line(f, fd);
        assert_non_null(text);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        struct json_object *answer = json_tokener_parse_ex(tokener, text, (int)strlen(text));
        assert_answer(answer, "1");
        assert_error(answer, VERB_NO_DOMAIN, "\xe2\x82\xac");
        assert_null(strchr(json_object_get_string(get(get(answer, "error"), "message")), '?'));
        json_object_put(answer);
        json_tokener_free(tokener);
        free(text);
    }
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
    struct json_object *stats = ask(f, fd, ASK("stats", ""));
    struct json_object *all_types = ask(f, fd, ASK("types", ""));
    char *manual = manual_from("## Documents");
    struct json_object *event = document_event(&(struct guests_event){.id = 1}, 0);
    assert_all_explained(manual, event);
    json_object_put(event);
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
    struct json_object *stats = ask(f, fd, ASK("stats", ""));
    struct json_object *all_types = ask(f, fd, ASK("types", ""));
    struct json_object *event = document_event(&(struct guests_event){.id = 1}, 0);
    char *manual = manual_from("## Documents");
    for (const char *row = strstr(manual, "\n| `"); row; row = strstr(row, "\n| `")) {
        const char *end = strstr(row, "` | ") + 1;

        while ((row = quoted(row, end, word)))
            if (!has_key(stats, word) && !has_key(all_types, word) && !has_key(event, word))
                fail_msg("docs/control.md explains \"%s\", which is nowhere", word);
        row = end;
    }
    free(manual);
    json_object_put(event);
    json_object_put(all_types);
    json_object_put(stats);
    close(fd);
}

/* What a method takes stands in the second column, and whether it changes something in the third.
 */
TEST(every_method_of_the_manual_is_one)
{
    char *manual = manual_from("| method | parameters | | result |");
    char word[64];

    (void)state;
    strstr(manual, "\n\n")[1] = '\0';
    for (const char *row = strstr(manual, "\n| `"); row; row = strstr(row, "\n| `")) {
        const char *end = strstr(row, "` | ") + 1;
        const char *params_end = strstr(end + 3, " | ");
        bool changes = !strncmp(params_end, " | changes", 10);
        bool reads = !strncmp(params_end, " | reads", 8);

        assert_true(changes || reads);
        while ((row = quoted(row, end, word))) {
            const struct verb *verb = verb_find(word);
            const char *param = end;
            unsigned n = 0;

            if (!verb) {
                fail_msg("docs/control.md lists \"%s\", which is no method", word);
                break;
            }
            assert_int_equal(verb->changes, changes);
            while ((param = quoted(param, params_end, word))) {
                assert_string_equal(verb->args[n].name, word);
                assert_int_equal(verb->args[n++].required, *param != '?');
            }
            assert_null(n < VERB_ARGS_MAX ? verb->args[n].name : NULL);
        }
        row = params_end;
    }
    free(manual);
}

/* --- clients that mean no good ----------------------------------------------------------- */

TEST(zero_byte_in_a_line)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"list\"}\0{}\n";
    struct fixture *f = *state;
    int fd = connect_to(f);
    char *text;

    send_all(f, fd, line, sizeof(line) - 1);
    text = receive_line(f, fd);
    assert_non_null(text);
    assert_non_null(strstr(text, "not JSON"));
    free(text);
    assert_granted(f, fd, LIST);
    close(fd);
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
    assert_answer(answer, "1");
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
    static const char mappings[] = ASK("mappings", "\"domain\":\"web\"");
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

static void assert_told(struct fixture *f, int fd, int code, const char *part)
{
    char *text = receive_line(f, fd);

    assert_non_null(text);
    struct json_object *answer = json_tokener_parse(text);
    assert_answer(answer, NULL);
    assert_error(answer, code, part);
    json_object_put(answer);
    free(text);
    assert_closed(f, fd);
}

/* Clients of a user, each after the other with something to say. */
static void connect_all(struct fixture *f, int *fds, unsigned n, uid_t uid)
{
    peer_uid = uid;
    for (unsigned i = 0; i < n; i++) {
        fds[i] = connect_to(f);
        assert_granted(f, fds[i], LIST);
    }
}

TEST(the_longest_silent_makes_way)
{
    struct fixture *f = *state;
    int fds[CONTROL_CLIENTS_MAX], extra;

    connect_all(f, fds, CONTROL_CLIENTS_MAX, 0);
    assert_granted(f, fds[0], LIST); /* the next one is silent for longer now */
    extra = connect_to(f);
    assert_granted(f, extra, LIST);
    assert_told(f, fds[1], VERB_CLOSED, "silent for longest");
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (i != 1)
            assert_granted(f, fds[i], LIST);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (i != 1)
            close(fds[i]);
    close(extra);
}

/* Bytes are no speech: only a whole request is. */
TEST(who_drips_bytes_is_silent)
{
    struct fixture *f = *state;
    int fds[CONTROL_CLIENTS_MAX], extra;

    connect_all(f, fds, CONTROL_CLIENTS_MAX, 0);
    for (unsigned i = 0; i < 8; i++)
        assert_true(send_all(f, fds[0], "{", 1));
    extra = connect_to(f);
    assert_granted(f, extra, LIST);
    assert_told(f, fds[0], VERB_CLOSED, "silent for longest");
    for (unsigned i = 1; i < CONTROL_CLIENTS_MAX; i++)
        close(fds[i]);
    close(extra);
}

TEST(readers_make_way_for_each_other_only)
{
    struct fixture *f = *state;
    int admins[CONTROL_CLIENTS_MAX - CONTROL_READERS_MAX], fds[CONTROL_READERS_MAX], extra;
    unsigned n = CONTROL_CLIENTS_MAX - CONTROL_READERS_MAX;

    connect_all(f, admins, n, 0); /* silent for longer than every reader */
    connect_all(f, fds, CONTROL_READERS_MAX, 1000);
    for (unsigned i = 0; i < 3; i++) {
        extra = connect_to(f);
        assert_granted(f, extra, LIST);
        assert_told(f, fds[i], VERB_CLOSED, "silent for longest");
        fds[i] = extra;
    }
    for (unsigned i = 0; i < n; i++)
        assert_granted(f, admins[i], LIST);
    peer_uid = 0;
    extra = connect_to(f); /* the places are full: a reader's, which is silent for longest */
    assert_granted(f, extra, ATTACH);
    assert_told(f, fds[3], VERB_CLOSED, "silent for longest");
    close(extra);
    for (unsigned i = 0; i < CONTROL_READERS_MAX; i++)
        if (i != 3)
            close(fds[i]);
    for (unsigned i = 0; i < n; i++)
        close(admins[i]);
}

/* Who waits for an answer is not silent: then there is no place. */
TEST(who_waits_for_an_answer_keeps_its_place)
{
    static const char verify[] = ASK("verify", "\"domain\":\"web\"");
    struct fixture *f = *state;
    int fds[CONTROL_CLIENTS_MAX], extra;

    connect_all(f, fds, CONTROL_CLIENTS_MAX, 0);
    assert_granted(f, fds[0], ATTACH);
    f->guests.endless = true;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        assert_true(send_all(f, fds[i], verify, sizeof(verify) - 1));
    extra = connect_to(f);
    assert_told(f, extra, VERB_BUSY, "too many clients");
    f->guests.endless = false;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        char *text = receive_line(f, fds[i]);

        assert_non_null(text);
        free(text);
        close(fds[i]);
    }
}

/* A round of the loop is one request of one client, in turn. */
TEST(clients_have_turns)
{
    struct fixture *f = *state;
    int greedy = connect_to(f), modest = connect_to(f);
    char *storm = calloc(1, 300 * strlen(LIST) + 1);
    unsigned rounds = 0;

    for (unsigned i = 0; i < 300; i++)
        strcat(storm, LIST);
    assert_int_equal(send(greedy, storm, strlen(storm), 0), strlen(storm));
    assert_int_equal(send(modest, LIST, strlen(LIST), 0), strlen(LIST));
    for (char byte; recv(modest, &byte, 1, 0) < 0; rounds++) {
        unsigned before = f->guests.asked;

        turn(f);
        assert_true(f->guests.asked - before <= 1);
    }
    assert_true(rounds < 12);
    spin(f);
    close(greedy);
    close(modest);
    free(storm);
}

/* --- who may what ------------------------------------------------------------------------ */

TEST(readers_read)
{
    struct fixture *f = *state;
    int root = connect_to(f), reader;

    assert_granted(f, root, ATTACH);
    peer_uid = 1000;
    reader = connect_to(f);
    assert_granted(f, reader, LIST);
    assert_granted(f, reader, ASK("stats", "\"domain\":\"web\""));
    assert_granted(f, reader, ASK("verify", "\"domain\":\"web\""));
    assert_refused(f, reader, ASK("pause", "\"domain\":\"web\""), VERB_FORBIDDEN, "only root may");
    assert_refused(f, reader, ASK("resume", "\"domain\":\"web\""), VERB_FORBIDDEN, "only root may");
    assert_refused(f, reader, ASK("detach", "\"domain\":\"web\""), VERB_FORBIDDEN, "only root may");
    assert_refused(f, reader, ATTACH, VERB_FORBIDDEN, "only root may");
    assert_true(f->guests.attached && !f->guests.paused);
    close(reader);
    close(root);
}

/* A notification is no way around it. */
TEST(readers_change_nothing_in_silence)
{
    static const char line[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"attach\",\"params\":{\"domain\":\"web\"}}\n";
    struct fixture *f = *state;
    int reader;

    peer_uid = 1000;
    reader = connect_to(f);
    assert_true(send_all(f, reader, line, sizeof(line) - 1));
    assert_granted(f, reader, LIST);
    assert_false(f->guests.attached);
    assert_string_equal(f->log, "attach 'web' refused, by uid 1000: attach: only root may; you may "
                                "read");
    close(reader);
}

TEST(changes_are_in_the_log)
{
    struct fixture *f = *state;
    int fd = connect_to(f);

    assert_granted(f, fd, ATTACH);
    assert_string_equal(f->log, "attach 'web' (5): small, by uid 0");
    assert_refused(f, fd, ASK("detach", "\"domain\":\"a\\nb\""), VERB_NOT_ATTACHED, "");
    assert_string_equal(f->log, "detach 'a?b' refused, by uid 0: domain 'a?b': has no vGPU");
    assert_granted(f, fd, LIST);
    assert_int_equal(f->lines, 2);
    close(fd);
}

/* However many there are; and those of one kind leave room for another's. */
TEST(the_log_is_bounded)
{
    struct fixture *f = *state;
    int fd = connect_to(f);

    for (unsigned i = 0; i < 100; i++)
        assert_refused(f, fd, ASK("detach", "\"domain\":\"web\""), VERB_NOT_ATTACHED, "");
    assert_in_range(f->lines, 20, 25);
    assert_granted(f, fd, ATTACH);
    assert_string_equal(f->log, "attach 'web' (5): small, by uid 0");
    close(fd);
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

/* --- subscriptions ----------------------------------------------------------------------- */

#define SUBSCRIBE ASK("subscribe", "")

/* The next event, whose number it is, and how many are missing before it. */
static void assert_event(struct fixture *f, int fd, int number, int dropped)
{
    char *text = receive_line(f, fd);

    assert_non_null(text);
    struct json_object *message = json_tokener_parse(text);
    struct json_object *params = get(message, "params");
    assert_string_equal(json_object_get_string(get(message, "method")), "event");
    assert_false(json_object_object_get_ex(message, "id", NULL));
    assert_string_equal(json_object_get_string(get(params, "event")), "failsafe");
    assert_string_equal(json_object_get_string(get(params, "reason")), "a?reason");
    assert_int_equal(json_object_get_int(get(params, "number")), number);
    assert_int_equal(json_object_get_int(get(params, "dropped")), dropped);
    json_object_put(message);
    free(text);
}

TEST(a_subscriber_hears_of_events)
{
    struct fixture *f = *state;
    int fd = connect_to(f), other = connect_to(f);

    happen(&f->guests, 2);
    assert_granted(f, fd, SUBSCRIBE);
    happen(&f->guests, 2);
    assert_event(f, fd, 3, 0);
    assert_event(f, fd, 4, 0);
    assert_granted(f, fd, LIST); /* it may ask as before */
    assert_granted(f, other, LIST);
    assert_granted(f, other, ASK("subscribe", "\"recent\":true"));
    for (int number = 1; number <= 4; number++)
        assert_event(f, other, number, 0);
    close(fd);
    spin(f);
    happen(&f->guests, 1); /* nobody is left out because one is gone */
    assert_event(f, other, 5, 0);
    close(other);
}

/* What it does not read stays where it is; what is dropped is counted. */
TEST(a_slow_subscriber_misses_events_and_is_told)
{
    struct fixture *f = *state;
    int fd = connect_to(f), room = 4096, number = 0, missing = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    assert_granted(f, fd, SUBSCRIBE);
    for (unsigned i = 0; i < 500; i++) {
        happen(&f->guests, 100);
        turn(f);
    }
    while (number < 50000) {
        char *text = receive_line(f, fd);

        assert_non_null(text);
        struct json_object *message = json_tokener_parse(text);
        struct json_object *params = get(message, "params");
        int dropped = json_object_get_int(get(params, "dropped"));
        assert_int_equal(json_object_get_int(get(params, "number")), number + dropped + 1);
        number += dropped + 1;
        missing += dropped;
        json_object_put(message);
        free(text);
    }
    assert_in_range(missing, 40000, 50000 - GUESTS_EVENTS_KEPT);
    close(fd);
}

/* Who listens is not silent, and keeps its place: there are only so many. */
TEST(subscriptions_are_few)
{
    struct fixture *f = *state;
    int readers[CONTROL_READERS_MAX], admins[CONTROL_CLIENTS_MAX - CONTROL_READERS_MAX];

    peer_uid = 1000;
    for (unsigned i = 0; i < CONTROL_READERS_MAX; i++) {
        readers[i] = connect_to(f);
        if (i < CONTROL_LISTENERS_MAX / 2)
            assert_granted(f, readers[i], SUBSCRIBE);
        else
            assert_refused(f, readers[i], SUBSCRIBE, VERB_BUSY, "too many clients have");
    }
    assert_granted(f, readers[0], SUBSCRIBE); /* again: it is the same one */
    peer_uid = 0;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX - CONTROL_READERS_MAX; i++) {
        admins[i] = connect_to(f);
        if (i < CONTROL_LISTENERS_MAX / 2)
            assert_granted(f, admins[i], SUBSCRIBE);
        else
            assert_refused(f, admins[i], SUBSCRIBE, VERB_BUSY, "too many clients have");
    }
    for (unsigned i = 0; i < 20; i++) {
        int extra = connect_to(f);

        assert_granted(f, extra, LIST);
        close(extra);
    }
    happen(&f->guests, 1);
    for (unsigned i = 0; i < CONTROL_LISTENERS_MAX / 2; i++) {
        assert_event(f, readers[i], 1, 0);
        assert_event(f, admins[i], 1, 0);
    }
    for (unsigned i = 0; i < CONTROL_READERS_MAX; i++)
        close(readers[i]);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX - CONTROL_READERS_MAX; i++)
        close(admins[i]);
}

/* --- the socket -------------------------------------------------------------------------- */

TEST(socket_is_private)
{
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(socket_of_a_group)
{
    struct fixture *f = *state;
    struct control_config config = config_of(f);
    const gid_t group = getgid();
    char error[128];
    struct stat st;

    control_close(f->control);
    config.group = &group;
    assert_int_equal(control_open(&config, &f->control, error, sizeof(error)), 0);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(st.st_gid, group);
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
