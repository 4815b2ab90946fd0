/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's own prison: capabilities given up, and a filter of system calls (libseccomp). */
#include "confine.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <seccomp.h>

#include "text.h"

/*
 * All that xengtd, libevent, Xen's libraries and libc make after the start, by what they make it
 * for. Names that a machine does not have are left out.
 */
static const char *const allowed[] = {
    /* memory */
    "brk madvise mlock mlock2 mmap mprotect mremap msync munlock munmap",
    /* files: the state directory, /dev/xen, /proc */
    "access chmod close close_range creat dup dup2 dup3 faccessat faccessat2 fallocate fchmod "
    "fchmodat fchown fchownat fcntl fdatasync flock fstat fstatfs fsync ftruncate getcwd "
    "getdents64 ioctl lchown chown lseek lstat mkdir mkdirat newfstatat open openat pread64 "
    "pwrite64 read readlink readlinkat readv rename renameat renameat2 rmdir stat statfs "
    "statx umask unlink unlinkat write writev",
    /* sockets: the control socket, xenstored's, systemd's */
    "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmsg "
    "sendmsg sendto setsockopt shutdown",
    /* the event loop */
    "epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2 pipe pipe2 poll "
    "ppoll pselect6 select timerfd_create timerfd_settime",
    /* signals, threads, the end */
    "clone clone3 exit exit_group futex get_robust_list membarrier restart_syscall rseq "
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sched_getaffinity sched_yield "
    "set_robust_list set_tid_address sigaltstack tgkill",
    /* what it is, what time it is */
    "clock_getres clock_gettime clock_nanosleep getegid geteuid getgid getpid getppid "
    "getrandom gettid gettimeofday getuid nanosleep prctl prlimit64 sysinfo time uname",
#ifdef __SANITIZE_ADDRESS__
    /* the search for leaks, which stops the process and looks at it from another one */
    "arch_prctl getdents kill mincore process_vm_readv ptrace wait4",
#endif
};

static int keep_capabilities(uint32_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, data)) {
        return -errno;
    }
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        uint32_t mask = i ? 0 : kept;

        data[i].effective &= mask;
        data[i].permitted &= mask;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* The calls of these names, with a space between them. */
static int allow(scmp_filter_ctx filter, const char *names)
{
    int ret = 0;

    while (!ret && *names) {
        char name[32];
        size_t len = strcspn(names, " ");

        snprintf(name, sizeof(name), "%.*s", (int)len, names);
        int number = seccomp_syscall_resolve_name(name);
        if (number != __NR_SCMP_ERROR) {
            ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
        }
        names += len + strspn(names + len, " ");
    }
    return ret;
}

static int filter_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int ret = filter ? 0 : -ENOMEM;

    for (size_t i = 0; !ret && i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        ret = allow(filter, allowed[i]);
    }
    if (!ret) {
        ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                               SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    }
    /* Of all threads: xenstore's client has one. */
    ret = ret ? ret : seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    ret = ret ? ret : seccomp_load(filter);
    if (filter) {
        seccomp_release(filter);
    }
    return ret;
}

int confine(char *error, size_t error_size)
{
    int ret = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;

    ret = ret ? ret : keep_capabilities(1u << CAP_CHOWN);
    ret = ret ? ret : filter_calls();
    if (ret) {
        text_line(error, error_size,
                  "privileges cannot be given up: %s; --confine false goes without",
                  strerror(-ret));
    }
    return ret;
}
