/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps, by ptrace. */
#include "step.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cmocka_all.h"

/* The child stops itself where it is to be watched from. */
static pid_t start(const struct step_watch *watch)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
            _exit(1);
        }
        raise(SIGSTOP);
        watch->run(watch->arg);
        _exit(0);
    }
    return pid;
}

unsigned step_through(const struct step_watch *watch)
{
    unsigned looks = 0;
    int status;
    pid_t pid = start(watch);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    while (WIFSTOPPED(status)) {
        if (watch->changed(watch->arg)) {
            watch->look(watch->arg);
            looks++;
        }
        int sig = WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, sig), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    watch->look(watch->arg);
    return looks + 1;
}
