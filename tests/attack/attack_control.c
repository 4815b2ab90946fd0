/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket: clients that hang, drip, storm, die and do not read. Meanwhile bob's requests
 * are answered in the round of the loop in which they come, an administrator gets in, and memory
 * and descriptors stay as they are.
 */
#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/event.h>

#include "attack.h"
#include "control/control.h"
#include "support/peer.h"

#define READER 1000u /* a uid */

struct siege {
    struct pair p;
    char path[64];
    struct control *control;
    int event_channel; /* that bob's requests come by */
    struct event *event;
    unsigned answered;
    int drips[CONTROL_READERS_MAX]; /* clients that say a byte in each round */
    unsigned drips_n;
    struct wait wait;
};

/* Bob's request, as the loop finds it. */
static void on_bob(evutil_socket_t fd, short what, void *arg)
{
    struct siege *s = arg;
    uint64_t n;

    (void)what;
    assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
    guest_reads(s->p.f, s->p.bob.domid, MMIO_BASE, RING_HEAD);
    s->answered++;
}

/* A round of the loop, in which bob asks for something. */
static void round_of(struct siege *s)
{
    const uint64_t one = 1;
    unsigned before = s->answered;

    for (unsigned i = 0; i < s->drips_n; i++) {
        send(s->drips[i], " ", 1, MSG_NOSIGNAL);
    }
    assert_int_equal(write(s->event_channel, &one, sizeof(one)), sizeof(one));
    ATTACK_WAIT(&s->p, &s->wait, "a round of the loop",
                event_base_loop(s->p.f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK));
    assert_int_equal(s->answered, before + 1);
}

static void rounds(struct siege *s, unsigned n)
{
    while (n--) {
        round_of(s);
    }
}

static int setup_loop(void **state)
{
    return setup_like(state, (struct stack_options){.base = event_base_new()});
}

static struct siege siege_begin(void **state)
{
    struct siege s = {.p = pair_begin(state), .path = "/tmp/xengt-attack-XXXXXX"};
    const struct rlimit descriptors = {4096, 4096};

    peer_uid = 0;
    signal(SIGPIPE, SIG_IGN); /* as xengtd does */
    setrlimit(RLIMIT_NOFILE, &descriptors);
    assert_non_null(mkdtemp(s.path));
    strcat(s.path, "/control");
    return s;
}

/* Where the siege is stays where it is from here on. */
static void siege_open(struct siege *s)
{
    const struct control_config config = {
        .base = s->p.f->base, .guests = s->p.f->guests, .path = s->path};
    char error[128];

    assert_int_equal(control_open(&config, &s->control, error, sizeof(error)), 0);
    s->event_channel = eventfd(0, EFD_NONBLOCK);
    s->event = event_new(s->p.f->base, s->event_channel, EV_READ | EV_PERSIST, on_bob, s);
    assert_int_equal(event_add(s->event, NULL), 0);
    rounds(s, 20);
    s->wait = (struct wait){0};
}

static void siege_end(struct siege *s)
{
    pair_check_bob(&s->p, "the siege");
    pair_check_bob_works(&s->p, 7);
    attack_check_wait(&s->wait);
    event_free(s->event);
    close(s->event_channel);
    control_close(s->control);
    *strrchr(s->path, '/') = '\0';
    rmdir(s->path);
    pair_end(&s->p);
}

static int connect_as(const struct siege *s, uid_t uid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    peer_uid = uid; /* that of whoever is accepted next */
    strcpy(address.sun_path, s->path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#define LIST  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n"
#define STATS "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stats\"}\n"
#define ALICE(method)                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\"," \
    "\"params\":{\"domain\":\"alice\"}}\n"

/* In so many rounds, with all others in between. */
#define ROUNDS_MAX (3 * CONTROL_CLIENTS_MAX)

static void check_root_gets_in(struct siege *s)
{
    int fd = connect_as(s, 0);
    char answer[64] = "";
    unsigned n = 0;

    say(fd, LIST);
    while (recv(fd, answer, sizeof(answer) - 1, 0) < 0) {
        round_of(s);
        assert_true(++n < ROUNDS_MAX);
    }
    assert_non_null(strstr(answer, "\"id\":1,\"result\""));
    close(fd);
    rounds(s, 4);
}

static unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

/* Half before root knocks, and half as root. */
TEST_WITH(clients_that_connect_and_hang, setup_loop, teardown)
{
    static int fds[1000];
    struct siege s = siege_begin(state);

    siege_open(&s);
    const unsigned before = descriptors();
    for (unsigned i = 0; i < 1000; i++) {
        fds[i] = connect_as(&s, i < 500 ? READER : 0);
        round_of(&s);
        if (i % 100 == 99) {
            check_root_gets_in(&s);
        }
    }
    assert_in_range(descriptors(), before + 1000, before + 1000 + CONTROL_CLIENTS_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        close(fds[i]);
    }
    rounds(&s, 40);
    assert_int_equal(descriptors(), before);
    siege_end(&s);
}

/* They begin while others are served, and go on while root gets in. */
TEST_WITH(bytes_that_drip, setup_loop, teardown)
{
    struct siege s = siege_begin(state);

    siege_open(&s);
    for (unsigned i = 0; i < CONTROL_READERS_MAX; i++) {
        s.drips[i] = connect_as(&s, READER);
        round_of(&s);
        s.drips_n = i + 1;
    }
    rounds(&s, 500);
    check_root_gets_in(&s);
    for (unsigned i = 0; i < CONTROL_READERS_MAX; i++) {
        close(s.drips[i]);
    }
    s.drips_n = 0;
    siege_end(&s);
}

/* As much as a client may have waiting, of what takes long. */
static void pour(int fd)
{
    for (unsigned i = 0; i < 600; i++) {
        if (send(fd, i % 2 ? STATS : ALICE("verify"), strlen(i % 2 ? STATS : ALICE("verify")),
                 MSG_NOSIGNAL) < 0) {
            return;
        }
    }
}

TEST_WITH(storms_of_requests, setup_loop, teardown)
{
    struct siege s = siege_begin(state);
    int fds[CONTROL_CLIENTS_MAX - 1];

    siege_open(&s);
    const size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX - 1; i++) {
        fds[i] = connect_as(&s, i < CONTROL_READERS_MAX ? READER : 0);
        round_of(&s);
        pour(fds[i]);
    }
    rounds(&s, 100);
    check_root_gets_in(&s);
    rounds(&s, 3000); /* nobody reads: answers come to their bound */
    assert_true(mallinfo2().uordblks < before + CONTROL_CLIENTS_MAX * (size_t)(3u << 19));
    check_root_gets_in(&s);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX - 1; i++) {
        close(fds[i]);
    }
    rounds(&s, 40);
    siege_end(&s);
}

TEST_WITH(answers_that_nobody_reads, setup_loop, teardown)
{
    struct siege s = siege_begin(state);

    siege_open(&s);
    const size_t before = mallinfo2().uordblks;
    int fd = connect_as(&s, 0);
    for (unsigned i = 0; i < 2000; i++) {
        if (send(fd, STATS, strlen(STATS), MSG_NOSIGNAL) < 0) {
            /* It has said all that it may for now. */
        }
        round_of(&s);
    }
    assert_true(mallinfo2().uordblks < before + (2u << 20));
    check_root_gets_in(&s);
    close(fd);
    siege_end(&s);
}

TEST_WITH(clients_that_die_in_the_middle, setup_loop, teardown)
{
    struct siege s = siege_begin(state);
    char some[10];

    siege_open(&s);
    const unsigned before = descriptors();
    for (unsigned i = 0; i < 100; i++) {
        int half = connect_as(&s, READER), whole;

        round_of(&s);
        send(half, STATS, i % strlen(STATS), MSG_NOSIGNAL);
        whole = connect_as(&s, READER);
        round_of(&s);
        pour(whole);
        rounds(&s, i % 8);
        if (recv(whole, some, sizeof(some), 0) < 0) {
            /* It has no answer yet. */
        }
        close(half);
        close(whole);
        round_of(&s);
    }
    rounds(&s, 700);
    assert_int_equal(descriptors(), before);
    check_root_gets_in(&s);
    siege_end(&s);
}

TEST_WITH(a_subscriber_that_never_reads, setup_loop, teardown)
{
    struct siege s = siege_begin(state);
    int fds[CONTROL_READERS_MAX];
    char error[128];

    siege_open(&s);
    for (unsigned i = 0; i < CONTROL_READERS_MAX; i++) {
        fds[i] = connect_as(&s, READER);
        round_of(&s);
        say(fds[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\"}\n");
    }
    rounds(&s, 40);
    const size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < 5000; i++) {
        guests_pause(s.p.f->guests, "alice", !(i % 2), error, sizeof(error));
        round_of(&s);
    }
    assert_true(guests_last_event(s.p.f->guests) >= 5000);
    assert_true(mallinfo2().uordblks < before + (1u << 20));
    check_root_gets_in(&s);
    for (unsigned i = 0; i < CONTROL_READERS_MAX; i++) {
        close(fds[i]);
    }
    siege_end(&s);
}
