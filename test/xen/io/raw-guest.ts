/** A front end that writes on the rings whatever a test tells it to. @module */
import type { TxRate } from "../../../src/xen/io/tx-credit.ts";
import type { NetfrontFeatures } from "../../../src/xen/io/netback.ts";
import {
  extraInfoCodec,
  NetifStatus,
  RX_SLOT,
  rxRequestCodec,
  rxResponseCodec,
  TX_SLOT,
  TxFlag,
  txRequestCodec,
  txResponseCodec,
} from "../../../src/xen/io/netif.ts";
import { FrontRing, initializeRing } from "../../../src/xen/io/shared-ring.ts";
import { VifPair, type VifPairOptions } from "./vif-pair.ts";

const PAGE = 4096;

type Extra = ReturnType<typeof extraInfoCodec.decode>;

/** A slot of the tx ring as a test writes it; what is left out is sound. */
export interface Slot {
  readonly octets?: Uint8Array;
  readonly gref?: number;
  readonly offset?: number;
  readonly flags?: number;
  readonly size?: number;
}

/** An rx response, its octets read out of the page. */
export interface RxAnswer {
  readonly id: number;
  readonly flags: number;
  readonly status: number;
  readonly octets: Uint8Array;
  /** The slot as it is: the second part of a large segment is none of data. */
  readonly raw: Uint8Array;
}

/** A guest's driver that nobody wrote with care. */
export class RawGuest {
  readonly pair: VifPair;
  readonly tx: FrontRing;
  readonly rx: FrontRing;
  readonly txRef: number;
  readonly rxRef: number;
  readonly port: number;
  #id = 0;
  readonly #rxPages = new Map<number, number>();

  constructor(
    options: VifPairOptions & { readonly rate?: TxRate; readonly features?: NetfrontFeatures } = {},
  ) {
    this.pair = new VifPair({ ...options, isJoined: false });
    const { domain, hypervisor, netback } = this.pair;
    const { memory, grants } = domain;
    const ringOf = (entryOctets: number): readonly [FrontRing, number] => {
      const gfn = memory.allocate();
      initializeRing(memory, gfn);
      return [new FrontRing({ memory, gfn, entryOctets }), grants.grant(0, gfn, false)];
    };
    [this.tx, this.txRef] = ringOf(TX_SLOT);
    [this.rx, this.rxRef] = ringOf(RX_SLOT);
    this.port = hypervisor.events.allocUnbound(memory.domid, 0);
    const features = options.features ?? { sg: true, gsoTcpv4: true, rxNotify: true };
    const announcement = { txRing: this.txRef, rxRing: this.rxRef, port: this.port, features };
    const failure = netback.connect(announcement, options.rate ?? null, null, 0);
    if (failure !== null) throw new Error(failure);
  }

  /** Put `slots` on the tx ring, one frame or not, and tell Dom0. @returns their ids. */
  send(...slots: readonly (Slot | Extra)[]): number[] {
    const { memory, grants } = this.pair.domain;
    const ids: number[] = [];
    for (const slot of slots) {
      const at = this.tx.reserve();
      if ("type" in slot) {
        memory.bytes.fill(0xee, at, at + TX_SLOT);
        extraInfoCodec.encodeInto(slot, memory.bytes, at);
        continue;
      }
      const { octets = new Uint8Array(60), offset = 0, flags = 0 } = slot;
      const gfn = memory.allocate();
      memory.bytes.set(octets.subarray(0, PAGE - Math.min(offset, PAGE)), gfn * PAGE + offset);
      const gref = slot.gref ?? grants.grant(0, gfn, true);
      const id = this.#id;
      this.#id = (id + 1) & 0xffff;
      ids.push(id);
      const size = slot.size ?? octets.length;
      txRequestCodec.encodeInto({ gref, offset, flags, id, size }, memory.bytes, at);
    }
    this.kick();
    return ids;
  }

  kick(): void {
    const { hypervisor, now } = this.pair;
    this.tx.push();
    hypervisor.events.send(this.pair.domain.memory.domid, this.port, now);
  }

  /** The answers that are there: id and status; extra information's are `null`. */
  answers(): ([number, number] | null)[] {
    const answers: ([number, number] | null)[] = [];
    while (this.tx.unconsumed > 0) {
      const answer = txResponseCodec.decode(this.pair.domain.memory.bytes, this.tx.take());
      const status = (answer.status << 16) >> 16;
      answers.push(status === NetifStatus.Null ? null : [answer.id, status]);
    }
    return answers;
  }

  /** Post `count` rx buffers. `gref` instead of a good one. */
  post(count: number, gref: number | null = null): void {
    const { memory, grants } = this.pair.domain;
    for (let left = count; left > 0; left -= 1) {
      const id = (this.rx.requestProducer * 3) & 0xffff;
      const gfn = memory.allocate();
      memory.bytes.fill(0xaa, gfn * PAGE, (gfn + 1) * PAGE);
      this.#rxPages.set(id, gfn);
      const request = { id, pad: 0, gref: gref ?? grants.grant(0, gfn, false) };
      rxRequestCodec.encodeInto(request, memory.bytes, this.rx.reserve());
    }
    this.rx.push();
    const { hypervisor, now } = this.pair;
    hypervisor.events.send(memory.domid, this.port, now);
  }

  /** What came on the rx ring. */
  received(): RxAnswer[] {
    const { memory } = this.pair.domain;
    const answers: RxAnswer[] = [];
    while (this.rx.unconsumed > 0) {
      const at = this.rx.take();
      const { id, flags, status } = rxResponseCodec.decode(memory.bytes, at);
      const page = (this.#rxPages.get(id) ?? 0) * PAGE;
      const signed = (status << 16) >> 16;
      const octets = memory.bytes.slice(page, page + Math.max(signed, 0));
      answers.push({ id, flags, status: signed, octets, raw: memory.bytes.slice(at, at + 8) });
    }
    return answers;
  }
}

/** Extra information of a large TCP segment, or some other. */
export const extra = (parts: Partial<Extra> = {}): Extra => ({
  type: 1,
  flags: 0,
  size: 1448,
  gsoType: 1,
  pad: 0,
  features: new Uint8Array(2),
  ...parts,
});

export const MORE: number = TxFlag.MoreData;
export const EXTRA: number = TxFlag.ExtraInfo;
