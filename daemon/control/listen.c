/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket: a folder for it, a place free of a dead daemon's, the right mode. */
#include "control/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "text.h"

static int fail(char *error, size_t error_size, int err, const char *path, const char *what)
{
    return text_error(error, error_size, err, "%s: %s", path, what ? what : strerror(-err));
}

static int address_of(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address->sun_path, path, strlen(path));
    return 0;
}

static int new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

/* The folder only; what is above it is the system's. */
static int make_folder(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path) {
        return 0;
    }
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    return mkdir(folder, 0755) && errno != EEXIST ? -errno : 0;
}

/*
 * Makes way for a new socket. Only a refused connection proves that nobody listens: a daemon
 * that is busy lets us wait (EAGAIN), and one of another user does not let us in (EACCES).
 */
static int remove_stale(const struct sockaddr_un *address, char *error, size_t error_size)
{
    const char *path = address->sun_path;
    struct stat st;

    if (lstat(path, &st)) {
        return errno == ENOENT ? 0 : fail(error, error_size, -errno, path, NULL);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return fail(error, error_size, -EEXIST, path, "is in the way, and not a socket");
    }
    int fd = new_socket();
    if (fd < 0) {
        return fail(error, error_size, fd, path, NULL);
    }
    int ret = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
    close(fd);
    if (ret == 0 || ret == -EAGAIN) {
        return fail(error, error_size, -EADDRINUSE, path, "xengtd is already running");
    }
    if (ret != -ECONNREFUSED) {
        return fail(error, error_size, ret, path, NULL);
    }
    return unlink(path) ? fail(error, error_size, -errno, path, NULL) : 0;
}

/*
 * The mode is right from the first moment: changing it later would leave a gap. The group comes
 * later: until then it is our own's.
 */
static int bind_private(int fd, const struct sockaddr_un *address, const gid_t *group)
{
    mode_t mask = umask(group ? 0117 : 0177);
    int ret = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

    umask(mask);
    return !ret && group && lchown(address->sun_path, (uid_t)-1, *group) ? -errno : ret;
}

int control_listen(const char *path, const gid_t *group, char *error, size_t error_size)
{
    struct sockaddr_un address;
    int ret = address_of(path, &address);
    if (!ret) {
        ret = make_folder(path);
    }
    if (ret) {
        return fail(error, error_size, ret, path, NULL);
    }
    ret = remove_stale(&address, error, error_size);
    if (ret) {
        return ret;
    }
    int fd = new_socket();
    if (fd < 0) {
        return fail(error, error_size, fd, path, NULL);
    }
    ret = bind_private(fd, &address, group);
    if (!ret && listen(fd, SOMAXCONN)) {
        ret = -errno;
    }
    if (ret) {
        close(fd);
        return fail(error, error_size, ret, path, NULL);
    }
    return fd;
}

int control_adopt(int fd, char *error, size_t error_size)
{
    int listens = 0;
    socklen_t size = sizeof(listens);
    int flags = fcntl(fd, F_GETFL);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || !listens) {
        return text_error(error, error_size, -EINVAL,
                          "descriptor %d, of LISTEN_FDS, is no socket that listens; see "
                          "xengtd.socket",
                          fd);
    }
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC)) {
        return text_error(error, error_size, -errno, "descriptor %d: %s", fd, strerror(errno));
    }
    return fd;
}
