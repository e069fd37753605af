/**
 * The order of a dict of CPython 2: xend writes its keys to the store in it, and the store lists
 * them so ever after (CPython 2.4 Objects/stringobject.c and dictobject.c; words of 32 and 64 bits
 * place the keys of xend alike).
 * @module
 */

const SMALLEST = 8;
const PERTURB_SHIFT = 5;
const MULTIPLIER = 1_000_003;

const emptySlots = (size: number): (string | null)[] => Array.from({ length: size }, () => null);

/** A dict's keys, in the places of its table. */
class KeyTable {
  #slots: (string | null)[] = emptySlots(SMALLEST);
  #used = 0;

  get keys(): string[] {
    return this.#slots.filter((key) => key !== null);
  }

  set(key: string): void {
    if (!place(this.#slots, key)) return;
    this.#used += 1;
    if (this.#used * 3 >= this.#slots.length * 2) this.#resize(this.#used * 4);
  }

  /** `update()`: the keys come in the other dict's order. */
  update(keys: readonly string[]): void {
    const total = this.#used + keys.length;
    if (total * 3 >= this.#slots.length * 2) this.#resize(total * 2);
    for (const key of keys) this.set(key);
  }

  #resize(wanted: number): void {
    let size = SMALLEST;
    while (size <= wanted) size *= 2;
    const slots = emptySlots(size);
    for (const key of this.keys) place(slots, key);
    this.#slots = slots;
  }
}

/**
 * The keys of a dict in its own order.
 * @param set keys as they were set one by one.
 * @param updates dicts that it was then updated with, each as its keys were set.
 */
export function dictOrder(set: readonly string[], ...updates: readonly string[][]): string[] {
  const table = new KeyTable();
  for (const key of set) table.set(key);
  for (const keys of updates) table.update(dictOrder(keys));
  return table.keys;
}

/** @returns false if the key is there. */
function place(slots: (string | null)[], key: string): boolean {
  const mask = slots.length - 1;
  let perturb = hash(key);
  let at = perturb & mask;
  for (;;) {
    const held = slots[at & mask] ?? null;
    if (held === key) return false;
    if (held === null) {
      slots[at & mask] = key;
      return true;
    }
    at = (Math.imul(at, 5) + perturb + 1) >>> 0;
    perturb >>>= PERTURB_SHIFT;
  }
}

/** `hash()` of a string of one octet a character, in a word of 32 bits. */
function hash(text: string): number {
  if (text === "") return 0;
  let value = (text.charCodeAt(0) << 7) >>> 0;
  for (let at = 0; at < text.length; at += 1) {
    value = (Math.imul(MULTIPLIER, value) ^ text.charCodeAt(at)) >>> 0;
  }
  value = (value ^ text.length) >>> 0;
  return value === 0xffff_ffff ? 0xffff_fffe : value;
}
