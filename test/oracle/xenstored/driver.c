/*
 * The clients of one xenstored, in a thread of its process. Commands come on the control
 * connection: { u32 what, u32 who, u32 octets that follow } and those octets. Each is carried out,
 * then xenstored runs until it sleeps, then the answer is a list of what its clients received:
 * { u32 count } and count times { u32 who, u32 octets, octets }, 0xFFFFFFFF octets for a closed
 * connection. `who` is a domid, or SOCKET + n for a socket client.
 *
 * A domain also has a socket FOLDER/guest-DOMID, which is its ring as a stream, for programs that
 * look for a xenstore device.
 */
#define _GNU_SOURCE
#include "machine.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_CLIENTS = 1200, MAX_COMMAND = 1 << 22, SOCKET = 0x10000 };
enum { CONNECT = 1, CLOSE, CREATE, DESTROY, SHUTDOWN, RESUME, DYING, SEND, WAIT, PAGE, POKE, FREEZE, THAW, HUSH, HEAR };

struct client {
  bool is_used;
  /* It takes nothing. */
  bool is_frozen;
  uint32_t who;
  /* A socket client's connection, or that of a program with a guest's socket; -1 for none. */
  int fd;
  int listener;
  /* What a guest has for its ring as soon as there is room. */
  uint8_t *unsent;
  uint32_t unsent_length;
};

static struct client clients[MAX_CLIENTS];
static uint8_t command[MAX_COMMAND], *answer;
static size_t answer_length, answer_space;
static uint32_t answer_count;
static int control_fd;
static const char *run_folder;
/* Changes of domains raise no exception. */
static bool is_hushed;

/* ---- the answer ---- */

static uint8_t *extend(size_t octets) {
  if (answer_length + octets > answer_space) {
    answer_space = (answer_length + octets) * 2;
    answer = realloc(answer, answer_space);
    if (answer == NULL) give_up("realloc");
  }
  answer_length += octets;
  return answer + answer_length - octets;
}

static void report(uint32_t who, uint32_t length, const uint8_t *octets) {
  uint32_t head[] = { who, length };
  memcpy(extend(sizeof head), head, sizeof head);
  if (octets != NULL) memcpy(extend(length), octets, length);
  answer_count++;
}

static void send_answer(void) {
  memcpy(answer, &answer_count, sizeof answer_count);
  for (size_t at = 0; at < answer_length;) {
    ssize_t sent = send(control_fd, answer + at, answer_length - at, MSG_NOSIGNAL);
    if (sent <= 0) _exit(0);
    at += (size_t)sent;
  }
}

/* ---- clients ---- */

static struct client *find_client(uint32_t who) {
  for (unsigned i = 0; i < MAX_CLIENTS; i++)
    if (clients[i].is_used && clients[i].who == who) return &clients[i];
  return NULL;
}

static struct client *add_client(uint32_t who) {
  for (unsigned i = 0; i < MAX_CLIENTS; i++) {
    if (clients[i].is_used) continue;
    clients[i] = (struct client){ .is_used = true, .who = who, .fd = -1, .listener = -1 };
    return &clients[i];
  }
  give_up("too many clients");
}

static void remove_client(struct client *client) {
  if (client->fd >= 0) close(client->fd);
  if (client->listener >= 0) close(client->listener);
  free(client->unsent);
  client->is_used = false;
}

static struct sockaddr_un address_of(const char *name) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", run_folder, name);
  return address;
}

static void connect_client(uint32_t who) {
  struct client *client = add_client(who);
  struct sockaddr_un address = address_of("socket");
  client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0) give_up("connect");
}

static void add_guest(uint32_t domid) {
  if (!create_domain(domid)) return;
  struct client *client = add_client(domid);
  char name[32];
  snprintf(name, sizeof name, "guest-%u", domid);
  struct sockaddr_un address = address_of(name);
  unlink(address.sun_path);
  client->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(client->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(client->listener, 1) != 0)
    give_up(address.sun_path);
}

/* ---- rings ---- */

static uint32_t *index_at(const struct domain *domain, unsigned offset) {
  return (uint32_t *)(void *)(domain->page + offset);
}

/* @returns how many octets found a place. */
static uint32_t put_request(struct domain *domain, const uint8_t *octets, uint32_t length) {
  uint32_t *producer = index_at(domain, REQ_PROD);
  uint32_t used = *producer - __atomic_load_n(index_at(domain, REQ_CONS), __ATOMIC_ACQUIRE);
  uint32_t space = used < RING_OCTETS ? RING_OCTETS - used : 0;
  if (length > space) length = space;
  for (uint32_t i = 0; i < length; i++) domain->page[(*producer + i) % RING_OCTETS] = octets[i];
  __atomic_store_n(producer, *producer + length, __ATOMIC_RELEASE);
  if (length > 0) notify_xenstored(domain);
  return length;
}

/* @returns how many octets there were, at most RING_OCTETS. */
static uint32_t take_response(struct domain *domain, uint8_t *octets) {
  uint32_t *consumer = index_at(domain, RSP_CONS);
  uint32_t length = __atomic_load_n(index_at(domain, RSP_PROD), __ATOMIC_ACQUIRE) - *consumer;
  if (length > RING_OCTETS) return 0;
  for (uint32_t i = 0; i < length; i++)
    octets[i] = domain->page[RING_OCTETS + (*consumer + i) % RING_OCTETS];
  __atomic_store_n(consumer, *consumer + length, __ATOMIC_RELEASE);
  if (length > 0) notify_xenstored(domain);
  return length;
}

static bool is_full(uint32_t domid) {
  struct domain *domain = find_domain(domid);
  if (domain == NULL) return true;
  return *index_at(domain, REQ_PROD) - *index_at(domain, REQ_CONS) >= RING_OCTETS;
}

/* @returns whether there was room for any. */
static bool put_unsent(struct client *client) {
  struct domain *domain = find_domain(client->who);
  if (domain == NULL || client->unsent_length == 0) return false;
  uint32_t put = put_request(domain, client->unsent, client->unsent_length);
  client->unsent_length -= put;
  memmove(client->unsent, client->unsent + put, client->unsent_length);
  return put > 0;
}

/* Collect what the clients have received. @returns false if there was nothing. */
static bool collect(void) {
  static uint8_t octets[1 << 16];
  bool has_any = false;
  for (unsigned i = 0; i < MAX_CLIENTS; i++) {
    struct client *client = &clients[i];
    if (!client->is_used) continue;
    if (client->who < SOCKET) {
      has_any |= put_unsent(client);
      if (client->is_frozen) continue;
      struct domain *domain = find_domain(client->who);
      uint32_t length = domain == NULL || client->fd >= 0 ? 0 : take_response(domain, octets);
      if (length > 0) report(client->who, length, octets);
      has_any |= length > 0;
      continue;
    }
    ssize_t length = recv(client->fd, octets, sizeof octets, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN) continue;
    has_any = true;
    if (length > 0) {
      report(client->who, (uint32_t)length, octets);
    } else {
      report(client->who, UINT32_MAX, NULL);
      remove_client(client);
    }
  }
  return has_any;
}

static bool is_anybody_frozen(void) {
  for (unsigned i = 0; i < MAX_CLIENTS; i++)
    if (clients[i].is_used && clients[i].is_frozen) return true;
  return false;
}

/* A guest that takes nothing for 20 seconds is heard no more; a writer is let go on sooner. */
static void settle(void) {
  int timeout = wait_until_idle();
  for (;;) {
    if (collect()) timeout = wait_until_idle();
    else if (timeout > 0 && (timeout < 2000 || !is_anybody_frozen())) timeout = let_time_pass();
    else return;
  }
}

/* ---- commands ---- */

static void send_octets(uint32_t who, const uint8_t *octets, uint32_t length) {
  struct client *client = find_client(who);
  if (client == NULL) return;
  if (who >= SOCKET) {
    if (send(client->fd, octets, length, MSG_NOSIGNAL) < 0 && errno != EPIPE) give_up("send");
    return;
  }
  client->unsent = realloc(client->unsent, client->unsent_length + length + 1);
  if (client->unsent == NULL) give_up("realloc");
  memcpy(client->unsent + client->unsent_length, octets, length);
  client->unsent_length += length;
  put_unsent(client);
}

static void change_domain(uint32_t what, struct domain *domain, uint32_t reason) {
  if (domain == NULL || domain->id == 0) return;
  switch (what) {
    case DESTROY: {
      struct client *client = find_client(domain->id);
      if (client != NULL) remove_client(client);
      domain->exists = false;
      break;
    }
    case SHUTDOWN:
      domain->is_shut_down = true;
      domain->reason = reason;
      break;
    case RESUME:
      domain->is_shut_down = false;
      return;
    default:
      domain->is_dying = true;
  }
  if (!is_hushed) raise_domain_exception();
}

static void obey(uint32_t what, uint32_t who, const uint8_t *octets, uint32_t length) {
  struct domain *domain = find_domain(who);
  struct client *client = find_client(who);
  uint32_t word = 0;
  if (length >= sizeof word) memcpy(&word, octets, sizeof word);
  switch (what) {
    case CONNECT:
      if (client == NULL) connect_client(who);
      return;
    case CLOSE:
      if (client != NULL && who >= SOCKET) remove_client(client);
      return;
    case CREATE:
      add_guest(who);
      return;
    case FREEZE:
    case THAW:
      if (client != NULL) client->is_frozen = what == FREEZE;
      return;
    case SEND:
      send_octets(who, octets, length);
      return;
    case WAIT:
      return;
    case HUSH:
      is_hushed = true;
      return;
    case HEAR:
      is_hushed = false;
      raise_domain_exception();
      return;
    case PAGE:
      if (domain != NULL) report(who, LAST_WORD - REQ_CONS, domain->page + REQ_CONS);
      return;
    case POKE:
      /* { u32 offset } and what to write there, then a notification. */
      if (domain != NULL && word + length - sizeof word <= PAGE_OCTETS) {
        memcpy(domain->page + word, octets + sizeof word, length - sizeof word);
        notify_xenstored(domain);
      }
      return;
    default:
      change_domain(what, domain, word);
  }
}

static void read_fully(void *into, size_t octets) {
  if (octets == 0) return;
  /* The end of the control connection is the end of this xenstored. */
  if (recv(control_fd, into, octets, MSG_WAITALL) != (ssize_t)octets) _exit(0);
}

static void run_command(void) {
  uint32_t head[3];
  read_fully(head, sizeof head);
  if (head[2] > MAX_COMMAND) give_up("a long command");
  read_fully(command, head[2]);
  answer_length = answer_count = 0;
  extend(sizeof answer_count);
  obey(head[0], head[1], command, head[2]);
  settle();
  send_answer();
}

/* ---- guests' sockets ---- */

/* Between a ring and the program that has its socket. */
static void pump(struct client *client, short events) {
  struct domain *domain = find_domain(client->who);
  if (domain == NULL) return;
  uint8_t octets[RING_OCTETS];
  uint32_t length = take_response(domain, octets);
  if (length > 0) send(client->fd, octets, length, MSG_NOSIGNAL);
  if ((events & (POLLIN | POLLHUP)) == 0) return;
  uint32_t used = *index_at(domain, REQ_PROD) - *index_at(domain, REQ_CONS);
  if (used >= RING_OCTETS) return;
  ssize_t got = recv(client->fd, octets, RING_OCTETS - used, MSG_DONTWAIT);
  if (got > 0) put_request(domain, octets, (uint32_t)got);
  if (got != 0) return;
  close(client->fd);
  client->fd = -1;
}

__attribute__((noreturn)) static void *drive(void *none) {
  (void)none;
  static struct pollfd fds[MAX_CLIENTS + 2];
  static struct client *of[MAX_CLIENTS + 2];
  for (;;) {
    nfds_t count = 2;
    fds[0] = (struct pollfd){ .fd = control_fd, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = guest_event_fd(), .events = POLLIN };
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
      if (!clients[i].is_used || clients[i].listener < 0) continue;
      int fd = clients[i].fd >= 0 ? clients[i].fd : clients[i].listener;
      of[count] = &clients[i];
      fds[count++] = (struct pollfd){ .fd = fd, .events = is_full(clients[i].who) ? 0 : POLLIN };
    }
    if (ppoll(fds, count, NULL, NULL) < 0) continue;
    uint64_t events;
    if (fds[1].revents != 0 && read(fds[1].fd, &events, sizeof events) < 0) continue;
    for (nfds_t i = 2; i < count; i++) {
      if (of[i]->fd >= 0) pump(of[i], fds[i].revents);
      else if (fds[i].revents != 0) of[i]->fd = accept(of[i]->listener, NULL, NULL);
    }
    if (fds[0].revents != 0) run_command();
  }
}

void start_driver(int control, const char *folder) {
  pthread_t thread;
  control_fd = control;
  run_folder = folder;
  if (pthread_create(&thread, NULL, drive, NULL) != 0) give_up("pthread_create");
}
