/** How many use a grant, and how: four counts in one word (Xen: `GNTPIN_*`). @module */
import { GrantMap } from "./grant-operations.ts";

/** A pin word counts four kinds of users, 128 of each. */
const PIN_HOST_WRITE = 1;
const PIN_HOST_READ = 1 << 8;
const PIN_DEVICE_WRITE = 1 << 16;
const PIN_DEVICE_READ = 1 << 24;
/** The counts of those who write. */
export const PIN_WRITES = 0xff00ff;
/** Set in a count that can take no more. */
export const PIN_FULL = 0x80808080 | 0;

/** What one mapping with `flags` adds to a pin word. */
export function pinOf(flags: number): number {
  const isReadonly = (flags & GrantMap.readonly) !== 0;
  let pin = 0;
  if ((flags & GrantMap.host) !== 0) pin += isReadonly ? PIN_HOST_READ : PIN_HOST_WRITE;
  if ((flags & GrantMap.device) !== 0) pin += isReadonly ? PIN_DEVICE_READ : PIN_DEVICE_WRITE;
  return pin;
}
