/** One TCP connection through a stand. @module */
import { FlowState } from "../../src/l3/flow-state.ts";
import type { ConntrackBehaviour, FlowBehaviour } from "../../src/nat/behaviour.ts";
import { type Ends, type SegmentOptions, tcp, turned } from "./packets.ts";
import { type Passage, Stand } from "./stand.ts";

const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 80 };

/** A connection whose client counts from 100 and whose server counts from 500. */
export class Talk {
  readonly stand: Stand;

  constructor(behaviour: FlowBehaviour, conntrack: Partial<ConntrackBehaviour> = {}) {
    this.stand = new Stand({ behaviour, conntrack });
  }

  /** @returns the state of the client's segment. */
  client(flags: string, seq: number, ack = 0, more: Partial<SegmentOptions> = {}): number {
    return this.stand.forward(tcp(ends, { flags, seq, ack, ...more })).state;
  }

  /** @returns the state of the server's segment. */
  server(flags: string, seq: number, ack = 0, more: Partial<SegmentOptions> = {}): number {
    return this.passServer(flags, seq, ack, more).state;
  }

  passServer(flags: string, seq: number, ack = 0, more: Partial<SegmentOptions> = {}): Passage {
    return this.stand.answer(tcp(turned(ends), { flags, seq, ack, ...more }));
  }

  /** State, seconds to live and assurance of the only entry; "none" without one. */
  get entry(): string {
    const [entry] = this.stand.conntrack.entries(this.stand.now);
    if (entry === undefined) return "none";
    const words = [entry.tcpState, Math.floor(entry.timeout / 1_000_000)];
    return [...words, ...(entry.isAssured ? ["ASSURED"] : [])].join(" ");
  }

  /** The entry before and after each of `segments`, none of which may be invalid. */
  course(segments: readonly (() => number)[]): string[] {
    const before = this.entry;
    const after = segments.map((send) => (send() === FlowState.Invalid ? "invalid" : this.entry));
    return [before, ...after];
  }

  /** The handshake, with the options of both SYNs; the second as the first. */
  open(options: Uint8Array[] = []): void {
    const [first = new Uint8Array(), second = first] = options;
    this.client("S", 100, 0, { options: first });
    this.server("SA", 500, 101, { options: second });
    this.client("A", 101, 501);
  }
}
