// The Linux calls that Swift's Glibc module leaves out: it is compiled without _GNU_SOURCE, and cannot see macros
// with arguments, variadic functions or transparent unions. Wrappers exist only where a plain import is impossible.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
// fd_set's member is called fds_bits or __fds_bits by feature macro; Swift refuses two modules that disagree, and its
// Glibc module has the latter.
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

// Sends one datagram (or stream bytes) with up to 16 descriptors attached.
static inline ssize_t clinux_send_fds(int sock, const void *data, size_t len, const int *fds, unsigned nfds) {
    struct iovec iov = {(void *)data, len};
    union {
        struct cmsghdr h;
        char b[CMSG_SPACE(sizeof(int) * 16)];
    } u;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (nfds > 16) {
        errno = EINVAL;
        return -1;
    }
    if (nfds) {
        memset(&u, 0, sizeof u);
        m.msg_control = u.b;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Receives one datagram and at most `cap` descriptors (close-on-exec); further ones are closed. `*truncated` has bit 0
// set when data was cut (MSG_TRUNC) and bit 1 when descriptors were lost (MSG_CTRUNC).
static inline ssize_t clinux_recv_fds(int sock, void *data, size_t len, int *fds, unsigned cap, unsigned *nfds,
                                      int *truncated) {
    struct iovec iov = {data, len};
    union {
        struct cmsghdr h;
        char b[CMSG_SPACE(sizeof(int) * 16)];
    } u;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
    *nfds = 0;
    *truncated = 0;
    ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    if (n < 0) return n;
    *truncated = ((m.msg_flags & MSG_TRUNC) ? 1 : 0) | ((m.msg_flags & MSG_CTRUNC) ? 2 : 0);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            unsigned k = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            int *p = (int *)(void *)CMSG_DATA(c);
            for (unsigned i = 0; i < k; i++) {
                if (*nfds < cap) fds[(*nfds)++] = p[i];
                else close(p[i]);
            }
        }
    return n;
}

static inline int clinux_peercred(int fd, int *pid, unsigned *uid, unsigned *gid) {
    struct ucred c;
    socklen_t l = sizeof c;
    int r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &l);
    if (!r) {
        *pid = c.pid;
        *uid = c.uid;
        *gid = c.gid;
    }
    return r;
}

static inline int clinux_accept(int fd) { return accept4(fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC); }
static inline int clinux_bind(int fd, const void *addr, socklen_t len) {
    return bind(fd, (const struct sockaddr *)addr, len);
}
static inline int clinux_connect(int fd, const void *addr, socklen_t len) {
    return connect(fd, (const struct sockaddr *)addr, len);
}
static inline int clinux_add_seals(int fd, int seals) { return fcntl(fd, F_ADD_SEALS, seals); }
// Makes a file for writing that is not there yet. openat(2) is variadic.
static inline int clinux_openat_new(int directory, const char *name, mode_t mode) {
    return openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}
// A descriptor that can be read when the process has ended.
static inline int clinux_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
static inline int clinux_get_seals(int fd) { return fcntl(fd, F_GET_SEALS); }

// Largest file that this process may make (RLIMIT_FSIZE): going beyond it raises SIGXFSZ, which kills.
// Not inline: <sys/resource.h> differs between this module and Swift's Glibc, which the compiler refuses.
unsigned long long clinux_file_size_limit(void);
// What tells a file from all others.
struct clinux_file_identity {
    unsigned device_major, device_minor;
    unsigned long long inode;
};
// Which file stands under a path; false with errno. It does not ask for times, as stat(2) does: on a file whose times were asked
// for, kernels from 6.13 on note a new time with the very next write, and the next fdatasync has an inode to write as well.
bool clinux_identify_file(const char *path, struct clinux_file_identity *identity);
// Starts a program, looked for as a shell does, with these descriptors as its standard input, output and error. It is in a process
// group of its own, whose number is `*process`. All of the group is killed when the calling thread ends, however that ends; posix_spawn(3)
// cannot do so. For that, a keeper stands between: `*process` is the keeper, which ends when and as the program does, and ignores what
// else the group is sent. `arguments` ends with NULL. Answers 0 or an error number.
int clinux_spawn(char *const arguments[], const int streams[3], int *process);
// Opens /dev/null, for reading, in the place of those of the descriptors 0 to 2 that are closed: otherwise the next file or socket would
// be opened there, and texts for people written into it.
void clinux_hold_standard_streams(void);
// Writes what standard output still holds; false if that, or anything before it, was not taken.
bool clinux_finish_output(void);
// Raises the soft limit of descriptors to the hard one, and returns it.
unsigned long long clinux_raise_descriptor_limit(void);
