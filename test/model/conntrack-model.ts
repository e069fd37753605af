/**
 * Connection tracking as one would write it on a napkin: a list of entries, searched from front to
 * back. TCP is left out: its oracle is the kernel.
 * @module
 */

/** What both know of a kernel. Times are in seconds. */
export interface ModelBehaviour {
  readonly endsAnsweredQueries: boolean;
  readonly udpStream: number;
  /** Age from which UDP is a stream; -1 for any. */
  readonly udpStreamAge: number;
}

/** A packet in words: all that tells connections apart. */
export interface ModelPacket {
  readonly protocol: "udp" | "icmp" | "other";
  readonly src: string;
  readonly dst: string;
  /** Source port; the id of an echo. */
  readonly srcPort: number;
  /** Target port; 8 for an echo, 0 for its answer. */
  readonly dstPort: number;
}

export type ModelState = "new" | "established" | "reply" | "related" | "related-reply" | "invalid";

interface Entry {
  readonly original: string;
  readonly reply: string;
  readonly protocol: ModelPacket["protocol"];
  readonly born: number;
  ends: number;
  unanswered: number;
  hasReply: boolean;
  isAssured: boolean;
}

const keyOf = ({ protocol, src, dst, srcPort, dstPort }: ModelPacket): string =>
  JSON.stringify([protocol, src, dst, srcPort, dstPort]);

/** How the answer to `packet` looks. */
export function answerOf({ protocol, src, dst, srcPort, dstPort }: ModelPacket): ModelPacket {
  if (protocol === "icmp") return { protocol, src: dst, dst: src, srcPort, dstPort: 8 - dstPort };
  return { protocol, src: dst, dst: src, srcPort: dstPort, dstPort: srcPort };
}

/** The naive reference of `Conntrack`. */
export class ConntrackModel {
  now = 0;
  #entries: Entry[] = [];
  readonly #behaviour: ModelBehaviour;

  constructor(behaviour: ModelBehaviour) {
    this.#behaviour = behaviour;
  }

  /** A packet passes, or is dropped between its coming and its leaving. */
  pass(packet: ModelPacket, isDropped: boolean): ModelState {
    const key = keyOf(packet);
    const known = this.#live().find(({ original, reply }) => original === key || reply === key);
    if (known !== undefined) return this.#follow(known, known.original === key);
    if (packet.protocol === "icmp" && packet.dstPort !== 8) return "invalid";
    if (!isDropped) {
      const reply = keyOf(answerOf(packet));
      const { protocol } = packet;
      const entry: Entry = {
        original: key,
        reply,
        protocol,
        born: this.now,
        ends: this.now + (protocol === "other" ? 600 : 30),
        unanswered: 1,
        hasReply: false,
        isAssured: false,
      };
      this.#entries.push(entry);
    }
    return "new";
  }

  /** An ICMP error that quotes `quoted` passes, back to where that came from. */
  passError(quoted: ModelPacket): ModelState {
    const key = keyOf(answerOf(quoted));
    const known = this.#live().find(({ original, reply }) => original === key || reply === key);
    if (known === undefined) return "invalid";
    return known.original === key ? "related" : "related-reply";
  }

  /** Forget the `index`th entry, counted round. */
  forget(index: number): void {
    const entries = this.#live();
    const victim = entries[index % Math.max(entries.length, 1)];
    this.#entries = entries.filter((entry) => entry !== victim);
  }

  /** Original tuple, seconds to live and flags, in the order of confirmation. */
  list(): string[] {
    return this.#live().map(({ original, ends, hasReply, isAssured }) =>
      [original, ends - this.now, hasReply, isAssured].join(" "),
    );
  }

  #live(): Entry[] {
    this.#entries = this.#entries.filter(({ ends }) => ends > this.now);
    return this.#entries;
  }

  #follow(entry: Entry, isOriginal: boolean): ModelState {
    const { endsAnsweredQueries, udpStream, udpStreamAge } = this.#behaviour;
    const state = !isOriginal ? "reply" : entry.hasReply ? "established" : "new";
    if (entry.protocol === "udp") {
      const isStream = entry.hasReply && this.now - entry.born > udpStreamAge;
      entry.ends = this.now + (isStream ? udpStream : 30);
      entry.isAssured ||= isStream;
    } else if (entry.protocol === "other") {
      entry.ends = this.now + 600;
    } else if (!endsAnsweredQueries) {
      entry.ends = this.now + 30;
    } else if (isOriginal) {
      entry.unanswered += 1;
      entry.ends = this.now + 30;
    } else {
      entry.unanswered -= 1;
      if (entry.unanswered === 0) this.#entries = this.#entries.filter((one) => one !== entry);
    }
    entry.hasReply ||= !isOriginal;
    return state;
  }
}
