/*
 * The main loop of xenstored begins with poll(). There the process becomes a fork server: each
 * connection to FOLDER/control gets a child, a xenstored with the pristine store, which ends with
 * the connection. Children live one after the other: they share xenstored's listening socket.
 *
 * When the driver has nothing left to do, what xenstored waits for (a throttled writer, a timeout)
 * comes at once: its clock jumps. With XENSTORED_PLAIN in the environment there is no fork, no
 * driver and no jump: a xenstored to measure.
 */
#define _GNU_SOURCE
#include "machine.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_POLLED = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t became_idle = PTHREAD_COND_INITIALIZER;
static int wake_event = -1;
static uint64_t asked, idle_since;
static int idle_timeout;
static int64_t skipped_ms;
static bool has_begun, is_plain, must_return;

/* The C library's own asks no kernel: xenstored looks at the clock six times a request. */
int clock_gettime(clockid_t id, struct timespec *time) {
  static int (*libc_gettime)(clockid_t, struct timespec *);
  if (libc_gettime == NULL) *(void **)&libc_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  if (libc_gettime == NULL) give_up("clock_gettime");
  int result = libc_gettime(id, time);
  time->tv_sec += skipped_ms / 1000;
  time->tv_nsec += skipped_ms % 1000 * 1000000;
  if (time->tv_nsec >= 1000000000) {
    time->tv_nsec -= 1000000000;
    time->tv_sec++;
  }
  return result;
}

static int ask(bool is_time_over) {
  pthread_mutex_lock(&lock);
  uint64_t mine = ++asked;
  if (is_time_over) skipped_ms += idle_timeout;
  must_return = is_time_over;
  signal_event(wake_event);
  while (idle_since < mine) pthread_cond_wait(&became_idle, &lock);
  int timeout = idle_timeout > 0 ? idle_timeout : 0;
  pthread_mutex_unlock(&lock);
  return timeout;
}

int wait_until_idle(void) { return ask(false); }

int let_time_pass(void) { return ask(true); }

static int poll_now(struct pollfd *fds, nfds_t count, int timeout) {
  return (int)syscall(SYS_poll, fds, count, timeout);
}

static void begin(void);

int poll(struct pollfd *fds, nfds_t count, int timeout) {
  if (!has_begun) begin();
  if (is_plain) return poll_now(fds, count, timeout);
  static struct pollfd all[MAX_POLLED + 1];
  for (;;) {
    pthread_mutex_lock(&lock);
    uint64_t latest = asked;
    bool is_time_over = must_return;
    must_return = false;
    pthread_mutex_unlock(&lock);
    int ready = poll_now(fds, count, 0);
    if (ready != 0 || timeout == 0 || is_time_over) return ready;
    pthread_mutex_lock(&lock);
    idle_since = latest;
    idle_timeout = timeout;
    pthread_cond_broadcast(&became_idle);
    pthread_mutex_unlock(&lock);
    if (count > MAX_POLLED) give_up("too many connections");
    memcpy(all, fds, count * sizeof fds[0]);
    all[count] = (struct pollfd){ .fd = wake_event, .events = POLLIN };
    if (poll_now(all, count + 1, timeout) == 0) return 0;
    if (all[count].revents != 0) drain_event(wake_event);
  }
}

static int listen_at(const char *folder, const char *name) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", folder, name);
  unlink(address.sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0)
    give_up(address.sun_path);
  return fd;
}

/* Returns in each child; the parent ends with its standard input. */
static void serve_children(int control, const char *folder) {
  for (;;) {
    struct pollfd fds[] = { { .fd = control, .events = POLLIN }, { .fd = STDIN_FILENO } };
    poll_now(fds, 2, -1);
    if (fds[1].revents != 0) _exit(0);
    int connection = accept(control, NULL, NULL);
    if (connection < 0) continue;
    pid_t child = fork();
    if (child < 0) give_up("fork");
    if (child == 0) {
      close(control);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      start_driver(connection, folder);
      return;
    }
    close(connection);
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) fprintf(stderr, "xenstored: signal %d\n", WTERMSIG(status));
  }
}

/* Returns at once if this is to be a plain xenstored. */
static void begin(void) {
  const char *folder = getenv("XENSTORED_RUNDIR");
  if (folder == NULL) give_up("no XENSTORED_RUNDIR");
  is_plain = getenv("XENSTORED_PLAIN") != NULL;
  has_begun = true;
  wake_event = eventfd(0, EFD_NONBLOCK);
  int control = is_plain ? -1 : listen_at(folder, "control");
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) give_up("standard output");
  if (!is_plain) serve_children(control, folder);
}
