#define _GNU_SOURCE
#include "CLinux.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

// The keeper is told so that its parent has ended: a signal that nobody else sends, not even a terminal.
#define PARENT_ENDED SIGRTMAX

static void end_group(int number) {
    (void)number;
    kill(0, SIGKILL);
}

// Ends as the program did, whose wait status this is.
static _Noreturn void end_alike(int status) {
    if (WIFSIGNALED(status)) {
        int number = WTERMSIG(status);
        sigset_t only;
        sigemptyset(&only);
        sigaddset(&only, number);
        prctl(PR_SET_DUMPABLE, 0);  // the program has left its core, if any
        signal(number, SIG_DFL);
        kill(getpid(), number);
        sigprocmask(SIG_UNBLOCK, &only, NULL);
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 127);
}

static _Noreturn void tell(int report, int error) {
    ssize_t written = write(report, &error, sizeof error);
    (void)written;
    _exit(127);
}

static _Noreturn void run_program(char *const arguments[], const int streams[3], pid_t keeper, int report) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper) _exit(127);
    // First out of the way of 0, 1 and 2, of which any may have been closed when the tool began.
    int copies[3];
    int high_report = fcntl(report, F_DUPFD_CLOEXEC, 3);
    if (high_report < 0) tell(report, errno);
    report = high_report;
    for (int i = 0; i < 3; i++)
        if ((copies[i] = fcntl(streams[i], F_DUPFD_CLOEXEC, 3)) < 0) tell(report, errno);
    for (int i = 0; i < 3; i++)
        if (dup2(copies[i], i) < 0) tell(report, errno);
    execvp(arguments[0], arguments);
    tell(report, errno);
}

static _Noreturn void keep(char *const arguments[], const int streams[3], pid_t parent, int report) {
    sigset_t all_others, before;
    struct sigaction end = {.sa_handler = end_group}, inherited;
    setpgid(0, 0);
    sigfillset(&all_others);
    sigdelset(&all_others, PARENT_ENDED);
    sigaction(PARENT_ENDED, &end, &inherited);
    sigprocmask(SIG_SETMASK, &all_others, &before);
    prctl(PR_SET_PDEATHSIG, PARENT_ENDED);
    if (getppid() != parent) _exit(127);

    pid_t keeper = getpid(), program = fork();
    if (program == 0) {
        sigaction(PARENT_ENDED, &inherited, NULL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        run_program(arguments, streams, keeper, report);
    }
    if (program < 0) tell(report, errno);
    prctl(PR_SET_NAME, "keeper");
    // Nothing stays open for the keeper's sake, the report before all: its end is waited for.
    close(report);
    close_range(0, ~0U, 0);
    int status;
    while (waitpid(program, &status, 0) < 0)
        if (errno != EINTR) _exit(127);
    end_alike(status);
}

int clinux_spawn(char *const arguments[], const int streams[3], int *process) {
    // Whoever started the tool may ignore its children, and it then: an end would leave no status.
    struct sigaction children;
    if (!sigaction(SIGCHLD, NULL, &children) && children.sa_handler == SIG_IGN) signal(SIGCHLD, SIG_DFL);
    int report[2], error = 0;
    if (pipe2(report, O_CLOEXEC)) return errno;
    pid_t parent = getpid(), keeper = fork();
    if (keeper == 0) keep(arguments, streams, parent, report[1]);
    if (keeper < 0) error = errno;
    close(report[1]);
    // The program has begun when nobody can report any more.
    while (keeper > 0 && read(report[0], &error, sizeof error) < 0 && errno == EINTR) continue;
    close(report[0]);
    if (error)
        while (keeper > 0 && waitpid(keeper, NULL, 0) < 0 && errno == EINTR) continue;
    *process = keeper;
    return error;
}
