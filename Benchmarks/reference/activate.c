// Measures from exec to the first reply of a server that inherits its listening socket, as systemd passes it.
//
//     activate SOCKET-PATH seqpacket|stream NAME REQUEST-HEX COMMAND...
//
// The request waits in the socket before COMMAND is started with LISTEN_FDS=1 and the descriptor 3. Prints ns.
#include "bench.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

int main(int argc, char **argv) {
    if (argc < 6) complain("usage: activate SOCKET-PATH seqpacket|stream NAME REQUEST-HEX COMMAND...");
    int type = socket_type(argv[2]);
    size_t size;
    unsigned char *request = from_hex(argv[4], &size), answer[4096];
    int listener = unix_listen(argv[1], type), client = unix_connect(argv[1], type);
    if (send(client, request, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
    // What a process has is copied by fork: this one is small, and the same for everybody.
    uint64_t start = now_ns();
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        char pid[32];
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_FDNAMES", argv[3], 1);
        // The listener may be descriptor 3 already.
        if (dup2(listener, 3) != 3 || fcntl(3, F_SETFD, 0)) _exit(126);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 2);
        execv(argv[5], argv + 5);
        _exit(127);
    }
    struct timeval patience = {.tv_sec = 20};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t n = recv(client, answer, sizeof answer, 0);
    uint64_t end = now_ns();
    kill(child, SIGKILL);
    waitpid(child, 0, 0);
    unlink(argv[1]);
    if (n <= 0) complain("no answer");
    printf("%llu\n", (unsigned long long)(end - start));
    return 0;
}
