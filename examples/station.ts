/** A machine on a link of a world, for the examples: what it sends, and what it hears. @module */
import { type Instant, type RouterWorld, summaryOf } from "dom0";
import { buildFrame } from "dom0/testing";

/** Where a machine is, and who it is. */
export interface StationOptions {
  /** The router's interface at the other end of the link. */
  readonly link: string;
  /** That interface's MAC address. */
  readonly router: string;
  readonly mac: string;
  readonly address: string;
}

/** What a TCP segment says. */
export interface Segment {
  readonly srcPort?: number;
  /** "S" opens, "S." answers, "." goes on. */
  readonly flags?: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly at?: Instant;
}

/** A machine on a link of a world. */
export class Station {
  readonly #world: RouterWorld;
  readonly #options: StationOptions;

  constructor(world: RouterWorld, options: StationOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Send a TCP segment; without more words, the first of a connection. @returns how it ended. */
  tcp(dst: string, dstPort: number, { at, srcPort = 40_000, ...words }: Segment = {}): string {
    const tcp = { srcPort, dstPort, ...words };
    return this.#send(buildFrame({ ...this.#envelope(dst), tcp }), at);
  }

  /** Send a UDP datagram. @returns how it ended. */
  udp(dst: string, dstPort: number, srcPort = 40_000): string {
    const data = new Uint8Array(4);
    return this.#send(buildFrame({ ...this.#envelope(dst), udp: { srcPort, dstPort }, data }));
  }

  /** Send an ICMP echo request. @returns how it ended. */
  ping(dst: string): string {
    return this.#send(buildFrame({ ...this.#envelope(dst), echo: { id: 7, sequence: 1 } }));
  }

  /** What came over the link since it was asked last: "203.0.113.5:40000 > 10.0.0.1:80 S". */
  hears(): string[] {
    return this.#world.sent(this.#options.link).map(({ octets }) => inShort(summaryOf(octets)));
  }

  #envelope(dst: string): { from: string; to: string; src: string; dst: string } {
    const { mac: from, router: to, address: src } = this.#options;
    return { from, to, src, dst };
  }

  #send(frame: Uint8Array, at?: Instant): string {
    const id = this.#world.receive(this.#options.link, frame, at);
    return this.#world.explain(id)?.ends.at(-1)?.reason ?? "under way";
  }
}

/** The parts of a summary that tell who talks to whom about what. */
function inShort(summary: string): string {
  const [, src = "", dst = "", , body = ""] =
    /: (\S+) > (\S+) (.*?)((?:TCP|UDP|ICMP) .*)$/.exec(summary) ?? [];
  const [, srcPort, dstPort, flags = "UDP"] =
    /^(?:TCP|UDP) (\d+) > (\d+)(?: \[([^\]]*)\])?/.exec(body) ?? [];
  if (srcPort === undefined) return `${src} > ${dst} ${body.replace(/[,\d].*$/, "").trim()}`;
  return `${src}:${srcPort} > ${dst}:${dstPort} ${flags}`;
}
