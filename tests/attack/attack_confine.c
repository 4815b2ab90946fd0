/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Somebody who has got hold of the confined daemon: what he tries next is refused. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include "support/test.h"

#include "confine.h"

static long start_program(void)
{
    char *const none[] = {NULL};

    return execve("/bin/true", none, none);
}

static long look_into_others(void)
{
#ifdef __SANITIZE_ADDRESS__
    errno = EPERM; /* the search for leaks may */
    return -1;
#else
    return ptrace(PTRACE_SEIZE, getppid(), 0, 0);
#endif
}

static long mount_something(void)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static long load_module(void)
{
    return syscall(SYS_finit_module, -1, "", 0);
}

static long load_program(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}

static long call_home(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static long get_capabilities_back(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.effective = ~0u}};

    return syscall(SYS_capset, &header, data);
}

static long become_another(void)
{
    return syscall(SYS_setuid, 65534);
}

static long leave_by_a_namespace(void)
{
    return syscall(SYS_unshare, 0x10000000);
}

static long open_by_handle(void)
{
    return syscall(SYS_open_by_handle_at, -1, NULL, 0);
}

static long get_a_keyring(void)
{
    return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static const struct {
    const char *what;
    long (*try)(void);
} tries[] = {
    {"start a program", start_program},
    {"look into others", look_into_others},
    {"mount", mount_something},
    {"load a module", load_module},
    {"load a program into the kernel", load_program},
    {"connect to the network", call_home},
    {"get capabilities back", get_capabilities_back},
    {"become another user", become_another},
    {"leave by a namespace", leave_by_a_namespace},
    {"open a file by its handle", open_by_handle},
    {"get a keyring", get_a_keyring},
};

static int try_all(void)
{
    int wrong = 0;

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        errno = 0;
        if (tries[i].try() != -1 || errno != EPERM) {
            fprintf(stderr, "%s: errno %d\n", tries[i].what, errno);
            wrong++;
        }
    }
    return wrong;
}

static void *in_thread(void *arg)
{
    int *go = arg;
    char byte;

    if (read(go[0], &byte, 1) != 1) {
        return (void *)1;
    }
    return (void *)(long)(call_home() != -1 || errno != EPERM);
}

/* In a process of its own: there is no way back. */
static int confined(int (*fn)(void))
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        char error[256];

        _exit(confine(error, sizeof(error)) ? 99 : fn());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

PLAIN_TEST(what_an_intruder_tries_is_refused)
{
    (void)state;
    assert_int_equal(confined(try_all), 0);
}

static int work(void)
{
    int pair[2], fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    void *memory = malloc(1u << 20);
    int wrong = fd < 0 || !memory || write(fd, "x", 1) != 1;

    wrong += socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != -1; /* nobody needs it */
    wrong += socket(AF_UNIX, SOCK_STREAM, 0) < 0;
    free(memory);
    return wrong;
}

PLAIN_TEST(what_the_daemon_does_is_not)
{
    (void)state;
    assert_int_equal(confined(work), 0);
}

/* The thread is there before: it is confined with the others. */
PLAIN_TEST(a_thread_that_ran_before_is_confined_too)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (!pid) {
        pthread_t thread;
        char error[256];
        void *result = (void *)1;
        int go[2];

        if (pipe(go) || pthread_create(&thread, NULL, in_thread, go) ||
            confine(error, sizeof(error)) || write(go[1], "x", 1) != 1 ||
            pthread_join(thread, &result)) {
            _exit(98);
        }
        _exit(result != NULL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
