/**
 * What leads packets of known ways through two routers of a host in one go: in by a lane of the
 * first, over the cable between them, out by a lane of the second.
 * @module
 */
import type { PacketPool } from "../wire/packet.ts";
import type { FlowTracker } from "../wire/path-notes.ts";
import type { EthernetTemplate } from "../l2/ethernet.ts";
import type { Crossing } from "./crossing.ts";
import type { FlowCache } from "./flow-cache.ts";
import type { Lane } from "./flow-path.ts";

/** A lane of one router and one of the next. */
export class Passage {
  declare readonly first: Lane;
  declare readonly crossing: Crossing;
  /** What frames on the cable begin with. */
  declare readonly header: EthernetTemplate;
  declare readonly second: Lane;
  /** The known ways of the second router. */
  declare readonly paths: FlowCache;
  /** Connection tracking of the second router, or of any if that has none. */
  declare readonly tracker: FlowTracker;
  /** Largest packet in octets that both take. */
  declare readonly mtu: number;
  readonly #epoch: number = 0;

  constructor(first: Lane, crossing: Crossing, second: Lane, tracker: FlowTracker) {
    this.first = first;
    this.crossing = crossing;
    this.header = first.neighbor.header;
    this.second = second;
    this.paths = crossing.via.paths;
    this.tracker = tracker;
    this.mtu = Math.min(first.mtu, second.mtu);
    this.#epoch = this.paths.epoch;
  }

  /** True if the second router's known ways are those of which this is one. */
  get isCurrent(): boolean {
    return this.paths.epoch === this.#epoch && this.first.neighbor.header === this.header;
  }

  /** True if packets of `pool` may pass, as far as the flow does not decide. */
  isOpen(pool: PacketPool): boolean {
    return (
      this.crossing.isClear(pool) &&
      this.isCurrent &&
      this.paths.isEnabled &&
      !this.second.via.judgesPackets &&
      this.second.neighbor.isReady
    );
  }
}
