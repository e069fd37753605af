/**
 * Entries with the same source (`nf_nat_bysource` of Linux): lists through the entries that begin
 * in a table of heads, the latest first.
 * @module
 */
import { viewOf } from "../wire/field.ts";
import { FLOW as ImportedFLOW } from "./flow-record.ts";
import { TUPLE as ImportedTUPLE } from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const FLOW = ImportedFLOW;
const TUPLE = ImportedTUPLE;

/** Lists by the hash of protocol and source; entries lie in the view that is handed in. */
export class SourceLists {
  readonly #heads: DataView;

  /** @param flows the most that are expected; more make the lists longer. */
  constructor(flows: number) {
    this.#heads = viewOf(new Uint8Array(2 ** Math.ceil(Math.log2(flows)) * 4));
  }

  /** The latest entry that may have protocol and source of the tuple at `way`; 0 for none. */
  firstSame(view: DataView, way: number): number {
    return this.#heads.getUint32(this.#headOf(view, way), true);
  }

  /** Put `flow` at the head of its list. */
  link(view: DataView, flow: number): void {
    const head = this.#headOf(view, flow);
    const next = this.#heads.getUint32(head, true);
    FLOW.nextSame.set(view, flow, next);
    FLOW.previousSame.set(view, flow, 0);
    if (next !== 0) FLOW.previousSame.set(view, next, flow);
    this.#heads.setUint32(head, flow, true);
  }

  /** Take `flow` out of its list. */
  unlink(view: DataView, flow: number): void {
    const next = FLOW.nextSame.get(view, flow);
    const previous = FLOW.previousSame.get(view, flow);
    if (next !== 0) FLOW.previousSame.set(view, next, previous);
    if (previous === 0) this.#heads.setUint32(this.#headOf(view, flow), next, true);
    else FLOW.nextSame.set(view, previous, next);
  }

  #headOf(view: DataView, way: number): number {
    let hash = Math.imul(TUPLE.src.get(view, way) ^ 0x9e3779b9, 0x85ebca6b);
    hash = Math.imul((hash ^ (hash >>> 15)) + TUPLE.srcPort.get(view, way), 0xc2b2ae35);
    hash = Math.imul((hash ^ (hash >>> 13)) + TUPLE.protocol.get(view, way), 0x27d4eb2f);
    return ((hash ^ (hash >>> 16)) << 2) & (this.#heads.byteLength - 1);
  }
}
