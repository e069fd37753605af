/*
 * What the stand-ins for the hypervisor (machine.c), the main loop (loop.c) and the driver of the
 * clients (driver.c) share.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* xs_wire.h: two rings of 1,024 octets and their free-running indices in one page. */
enum {
  PAGE_OCTETS = 4096,
  RING_OCTETS = 1024,
  REQ_CONS = 2048,
  REQ_PROD = 2052,
  RSP_CONS = 2056,
  RSP_PROD = 2060,
  LAST_WORD = 2076,
};

struct domain {
  bool exists;
  bool is_dying;
  bool is_shut_down;
  uint32_t reason;
  uint32_t id;
  /* The ring page; outlives its domain, for xenstored may still map it. */
  uint8_t *page;
  /* xenstored's end of the event channel; 0 while it is not bound. */
  uint32_t port;
};

/* The domain `id`; NULL if there is none. Domain 0 is always there. */
struct domain *find_domain(uint32_t id);

/* A domain with a zeroed ring page. @returns false if it exists or the table is full. */
bool create_domain(uint32_t id);

/* The domain has notified xenstored over its event channel. */
void notify_xenstored(struct domain *domain);

/* VIRQ_DOM_EXC: some domain's state has changed. */
void raise_domain_exception(void);

/*
 * Wait until xenstored has done all there was to do and sleeps. @returns the milliseconds that it
 * sleeps at most; none if it waits for something to come.
 */
int wait_until_idle(void);

/* That time is over; then as wait_until_idle(). */
int let_time_pass(void);

/* Readable when xenstored has notified a guest. */
int guest_event_fd(void);

/* Start the thread that drives the guests and obeys `control`; ends the process with it. */
void start_driver(int control, const char *folder);

/* An eventfd: make it readable, make it unreadable. */
void signal_event(int fd);
void drain_event(int fd);

/* Ours is the fault, not xenstored's: say so and end. */
void give_up(const char *what) __attribute__((noreturn));

#endif
