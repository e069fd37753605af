/** What code allocates once the compiler has come to it. @module */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/**
 * Rounds at most. Until the compiler, in a thread of its own, has come to what is played, a packet
 * costs more; on a busy machine that takes it many rounds.
 */
const ROUNDS = 60;

/** How much is played. */
export interface Measured {
  /** Plays so many packets. */
  readonly play: (count: number) => void;
  /** Of a round. */
  readonly packets: number;
  /** Octets a packet with which no more rounds are needed. */
  readonly enough: number;
}

/** @returns the octets that a packet costs in the best round. */
export function octetsAPacket({ play, packets, enough }: Measured): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS && best >= enough; round += 1) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    play(packets);
    best = Math.min(best, (process.memoryUsage().heapUsed - before) / packets);
  }
  return best;
}
