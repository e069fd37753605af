/**
 * The FIFO shape of event channels as it lies in a domain's memory (Xen: `public/event_channel.h`,
 * since 4.4): one word for each port, and for each processor a block with 16 queues' heads.
 * @module
 */

/** Bits of an event word; what is below {@link EventWord.link} names the next port of the queue. */
export const EventWord = {
  pending: 1 << 31,
  masked: 1 << 30,
  linked: 1 << 29,
  /** Xen is about to write the link: the kernel is not to unmask meanwhile. */
  busy: 1 << 28,
  /** `EVTCHN_FIFO_LINK_MASK`. */
  link: (1 << 17) - 1,
} as const;

/** `struct evtchn_fifo_control_block`: octets of it, and words of its fields from its start. */
export const ControlBlock = { octets: 72, readyWord: 0, headWord: 2 } as const;

/** Ports that a link can name. */
export const FIFO_PORTS = EventWord.link + 1;
/** Ports of one page of the event array. */
export const PAGE_PORTS = 1024;
/** Pages that an event array may have. */
export const ARRAY_PAGES = FIFO_PORTS / PAGE_PORTS;
/** Queues of a processor: priority 0 is handled first. */
export const QUEUES = 16;
/** What a port has that nobody gave a priority. */
export const DEFAULT_PRIORITY = 7;
