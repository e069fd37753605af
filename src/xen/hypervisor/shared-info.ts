/**
 * The page that a domain shares with Xen, as far as events go (Xen: `public/xen.h`,
 * `struct shared_info` and `struct vcpu_info`), in both shapes.
 * @module
 */
import { type DomainMemory, FRAME_SHIFT, FRAME_WORD_SHIFT } from "./domain-memory.ts";

/** Processors that have their place in the page (`MAX_VIRT_CPUS`). */
export const MAX_VCPUS = 32;
/** Octets of `struct vcpu_info`, and of each of its fields that events use. */
export const VcpuInfo = { octets: 64, upcallPending: 0, upcallMask: 1 } as const;

const PENDING_OCTET = 2048;

/** Bits and flags of one domain's page. */
export class SharedInfo {
  readonly memory: DomainMemory;
  readonly gfn: number;
  /** Ports that have bits: 4,096 in the 64-bit page, 1,024 in the 32-bit one. */
  readonly ports: number;
  /** Ports that share a bit of a processor's selector: 64 or 32. */
  readonly selectorShift: 6 | 5;
  /** Words of the memory at which the pending and the mask bits start. */
  readonly pendingWord: number;
  readonly maskWord: number;
  /** Word of the first processor's selector. */
  readonly selectorWord: number;

  constructor(memory: DomainMemory, gfn: number, is32Bit = false) {
    this.memory = memory;
    this.gfn = gfn;
    this.ports = is32Bit ? 1024 : 4096;
    this.selectorShift = is32Bit ? 5 : 6;
    this.pendingWord = (gfn << FRAME_WORD_SHIFT) + PENDING_OCTET / 4;
    this.maskWord = this.pendingWord + this.ports / 32;
    this.selectorWord = (gfn << FRAME_WORD_SHIFT) + (is32Bit ? 1 : 2);
  }

  /** Mask every port, as a kernel does before it knows any. */
  maskAll(): void {
    this.memory.words.fill(-1, this.maskWord, this.maskWord + this.ports / 32);
  }

  /** Set bit `bit` of the bits that start at `first`. @returns true if it was set before. */
  testAndSet(first: number, bit: number): boolean {
    const { words, isShared } = this.memory;
    const at = first + (bit >>> 5);
    const mask = 1 << (bit & 31);
    if (isShared) return (Atomics.or(words, at, mask) & mask) !== 0;
    const old = words[at] ?? 0;
    words[at] = old | mask;
    return (old & mask) !== 0;
  }

  /** As {@link testAndSet}, cleared. */
  testAndClear(first: number, bit: number): boolean {
    const { words, isShared } = this.memory;
    const at = first + (bit >>> 5);
    const mask = 1 << (bit & 31);
    if (isShared) return (Atomics.and(words, at, ~mask) & mask) !== 0;
    const old = words[at] ?? 0;
    words[at] = old & ~mask;
    return (old & mask) !== 0;
  }

  test(first: number, bit: number): boolean {
    return (this.wordAt(first + (bit >>> 5)) & (1 << (bit & 31))) !== 0;
  }

  wordAt(at: number): number {
    const { words, isShared } = this.memory;
    return isShared ? Atomics.load(words, at) : (words[at] ?? 0);
  }

  /** Put `value` into a word. @returns what it was. */
  exchangeWord(at: number, value: number): number {
    const { words, isShared } = this.memory;
    if (isShared) return Atomics.exchange(words, at, value);
    const old = words[at] ?? 0;
    words[at] = value;
    return old;
  }

  /** Word of the selector of `vcpu`. */
  selectorOf(vcpu: number): number {
    return this.selectorWord + vcpu * (VcpuInfo.octets / 4);
  }

  /** Set or clear `evtchn_upcall_pending` of `vcpu`. @returns what it was. */
  exchangeUpcall(vcpu: number, isPending: boolean): boolean {
    const { bytes, isShared } = this.memory;
    const at = (this.gfn << FRAME_SHIFT) + vcpu * VcpuInfo.octets + VcpuInfo.upcallPending;
    const value = isPending ? 1 : 0;
    if (isShared) return Atomics.exchange(bytes, at, value) !== 0;
    const old = bytes[at];
    bytes[at] = value;
    return old !== 0;
  }

  /** `evtchn_upcall_pending` of `vcpu`. */
  isUpcallPending(vcpu: number): boolean {
    const { bytes } = this.memory;
    return bytes[(this.gfn << FRAME_SHIFT) + vcpu * VcpuInfo.octets + VcpuInfo.upcallPending] !== 0;
  }

  /** `evtchn_upcall_mask` of `vcpu`: its kernel has interrupts off. */
  isUpcallMasked(vcpu: number): boolean {
    const { bytes } = this.memory;
    return bytes[(this.gfn << FRAME_SHIFT) + vcpu * VcpuInfo.octets + VcpuInfo.upcallMask] !== 0;
  }

  /** The pending, unmasked bits of 32 ports from `word` * 32 on. */
  activeOf(word: number): number {
    return this.wordAt(this.pendingWord + word) & ~this.wordAt(this.maskWord + word);
  }
}
