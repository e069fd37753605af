/*
 * LD_PRELOAD for Debian's xenstored: what it asks of the hypervisor, answered from a table of
 * domains in this process, so that it runs without Xen and without privileges.
 */
#define _GNU_SOURCE
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_DOMAINS = 1100, MAX_PORTS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct domain domains[MAX_DOMAINS];
static struct domain *bound[MAX_PORTS];
static bool is_pending[MAX_PORTS], is_masked[MAX_PORTS];
static uint32_t queue[MAX_PORTS];
static unsigned queue_length;
static uint32_t exception_port;
static int port_event = -1, guest_event = -1;

void give_up(const char *what) {
  printf("fault: %s: %s\n", what, strerror(errno));
  fflush(stdout);
  _exit(70);
}

void signal_event(int fd) {
  uint64_t one = 1;
  if (write(fd, &one, sizeof one) != sizeof one && errno != EAGAIN) give_up("eventfd");
}

void drain_event(int fd) {
  uint64_t count;
  while (read(fd, &count, sizeof count) > 0) continue;
}

__attribute__((constructor)) static void prepare(void) {
  port_event = eventfd(0, EFD_NONBLOCK);
  guest_event = eventfd(0, EFD_NONBLOCK);
  if (!create_domain(0)) give_up("domain 0");
}

/* ---- domains ---- */

struct domain *find_domain(uint32_t id) {
  for (unsigned i = 0; i < MAX_DOMAINS; i++)
    if (domains[i].exists && domains[i].id == id) return &domains[i];
  return NULL;
}

bool create_domain(uint32_t id) {
  if (find_domain(id) != NULL) return false;
  for (unsigned i = 0; i < MAX_DOMAINS; i++) {
    if (domains[i].exists || domains[i].port != 0) continue;
    uint8_t *page = mmap(NULL, PAGE_OCTETS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                         -1, 0);
    if (page == MAP_FAILED) give_up("mmap");
    domains[i] = (struct domain){ .exists = true, .id = id, .page = page };
    return true;
  }
  return false;
}

/* The first fields of xc_dominfo_t (xenctrl.h of Xen 4.17); xenstored looks at no other. */
struct domain_info {
  uint32_t domid, ssidref;
  unsigned dying : 1, crashed : 1, shutdown : 1, paused : 1, blocked : 1, running : 1;
  unsigned shutdown_reason;
};

int xc_domain_getinfo(void *xc, uint32_t first, unsigned max, struct domain_info *info) {
  (void)xc;
  if (max == 0) return 0;
  pthread_mutex_lock(&lock);
  const struct domain *next = NULL;
  for (unsigned i = 0; i < MAX_DOMAINS; i++) {
    const struct domain *one = &domains[i];
    if (one->exists && one->id >= first && (next == NULL || one->id < next->id)) next = one;
  }
  int count = next == NULL ? -1 : 1;
  if (next != NULL) {
    memset(info, 0, sizeof *info);
    info->domid = next->id;
    info->dying = next->is_dying;
    info->shutdown = next->is_shut_down;
    info->shutdown_reason = next->reason;
  }
  pthread_mutex_unlock(&lock);
  if (count < 0) errno = ESRCH;
  return count;
}

void *xc_interface_open(void *logger, void *domain_logger, unsigned flags) {
  (void)logger, (void)domain_logger, (void)flags;
  return &domains;
}

int xc_interface_close(void *xc) {
  (void)xc;
  return 0;
}

/* ---- ring pages ---- */

void *xengnttab_open(void *logger, unsigned flags) {
  (void)logger, (void)flags;
  return &domains;
}

int xengnttab_close(void *table) {
  (void)table;
  return 0;
}

int xengnttab_set_max_grants(void *table, uint32_t count) {
  (void)table, (void)count;
  return 0;
}

void *xengnttab_map_grant_ref(void *table, uint32_t domid, uint32_t ref, int protection) {
  (void)table, (void)ref, (void)protection;
  pthread_mutex_lock(&lock);
  struct domain *domain = find_domain(domid);
  pthread_mutex_unlock(&lock);
  if (domain != NULL) return domain->page;
  errno = EINVAL;
  return NULL;
}

int xengnttab_unmap(void *table, void *start, uint32_t count) {
  (void)table, (void)start, (void)count;
  return 0;
}

/* The kernel's two files about Domain 0's own ring. */
int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
  va_end(list);
  if (strcmp(path, "/proc/xen/xsd_kva") == 0 || strcmp(path, "/dev/xen/xsd_kva") == 0) {
    int fd = memfd_create("xsd_kva", 0);
    if (fd < 0 || ftruncate(fd, PAGE_OCTETS) != 0) give_up("memfd_create");
    return fd;
  }
  if (strcmp(path, "/proc/xen/xsd_port") == 0) {
    int fd = memfd_create("xsd_port", 0);
    if (fd < 0 || pwrite(fd, "1\n", 2, 0) != 2) give_up("memfd_create");
    return fd;
  }
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* ---- event channels ---- */

void *xenevtchn_open(void *logger, unsigned flags) {
  (void)logger, (void)flags;
  return &domains;
}

void *xenevtchn_fdopen(void *logger, int fd, unsigned flags) {
  (void)logger, (void)fd, (void)flags;
  return &domains;
}

int xenevtchn_fd(void *channels) {
  (void)channels;
  return port_event;
}

static void set_pending(uint32_t port) {
  if (port == 0 || is_pending[port]) return;
  is_pending[port] = true;
  if (is_masked[port]) return;
  queue[queue_length++] = port;
  signal_event(port_event);
}

static int bind_port(struct domain *domain) {
  uint32_t port = 1;
  while (port < MAX_PORTS && (bound[port] != NULL || port == exception_port)) port++;
  if (port == MAX_PORTS) give_up("no free port");
  bound[port] = domain;
  is_pending[port] = is_masked[port] = false;
  return (int)port;
}

int xenevtchn_bind_interdomain(void *channels, uint32_t domid, uint32_t remote_port) {
  (void)channels, (void)remote_port;
  pthread_mutex_lock(&lock);
  struct domain *domain = find_domain(domid);
  int port = -1;
  if (domain == NULL) {
    errno = ESRCH;
  } else {
    port = bind_port(domain);
    domain->port = (uint32_t)port;
    /* A notification may have been lost before: the new end is pending from the start. */
    set_pending(domain->port);
  }
  pthread_mutex_unlock(&lock);
  return port;
}

int xenevtchn_bind_virq(void *channels, unsigned virq) {
  (void)channels, (void)virq;
  pthread_mutex_lock(&lock);
  exception_port = (uint32_t)bind_port(NULL);
  pthread_mutex_unlock(&lock);
  return (int)exception_port;
}

int xenevtchn_unbind(void *channels, uint32_t port) {
  (void)channels;
  pthread_mutex_lock(&lock);
  if (bound[port] != NULL && bound[port]->port == port) bound[port]->port = 0;
  bound[port] = NULL;
  is_pending[port] = false;
  unsigned kept = 0;
  for (unsigned i = 0; i < queue_length; i++)
    if (queue[i] != port) queue[kept++] = queue[i];
  queue_length = kept;
  if (kept == 0) drain_event(port_event);
  pthread_mutex_unlock(&lock);
  return 0;
}

int xenevtchn_notify(void *channels, uint32_t port) {
  (void)channels, (void)port;
  signal_event(guest_event);
  return 0;
}

int xenevtchn_pending(void *channels) {
  (void)channels;
  pthread_mutex_lock(&lock);
  int port = -1;
  if (queue_length > 0) {
    port = (int)queue[0];
    queue_length--;
    memmove(queue, queue + 1, queue_length * sizeof queue[0]);
    is_masked[port] = true;
    is_pending[port] = false;
  }
  if (queue_length == 0) drain_event(port_event);
  pthread_mutex_unlock(&lock);
  if (port < 0) errno = EAGAIN;
  return port;
}

int xenevtchn_unmask(void *channels, uint32_t port) {
  (void)channels;
  pthread_mutex_lock(&lock);
  is_masked[port] = false;
  if (is_pending[port]) {
    is_pending[port] = false;
    set_pending(port);
  }
  pthread_mutex_unlock(&lock);
  return 0;
}

void notify_xenstored(struct domain *domain) {
  pthread_mutex_lock(&lock);
  set_pending(domain->port);
  pthread_mutex_unlock(&lock);
}

void raise_domain_exception(void) {
  pthread_mutex_lock(&lock);
  set_pending(exception_port);
  pthread_mutex_unlock(&lock);
}

int guest_event_fd(void) { return guest_event; }
