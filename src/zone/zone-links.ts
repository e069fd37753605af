/** The links of a zone, by what hangs on them. @module */
import { OptionError } from "../base/errors.ts";
import type { FaultOptions } from "../sim/faults.ts";
import type { Lanes } from "../sim/lane.ts";
import { Link, type WayOptions } from "../sim/link.ts";
import type { Device } from "../wire/device.ts";

interface Known {
  readonly link: Link;
  /** Links that the name had before: a domain has another one after each restart. */
  readonly before: number;
  /** What was set last; `undefined` if only the way said something. */
  faults?: FaultOptions | null;
}

/** Links, each by the name of a domain, a host (its uplink) or an internet host. */
export class ZoneLinks {
  readonly #lanes: Lanes;
  readonly #seed: number;
  readonly #known = new Map<string, Known>();

  /** @param seed of the links' chance. */
  constructor(lanes: Lanes, seed: number) {
    this.#lanes = lanes;
    this.#seed = seed;
  }

  /** Join two devices. Faults that were set on the name's last link are those of this one. */
  connect(left: Device, right: Device, way: WayOptions, name: string): void {
    const last = this.#known.get(name);
    const before = last === undefined ? 0 : last.before + 1;
    const stream = before === 0 ? name : `${name}/${before}`;
    const lanes = this.#lanes;
    const link = new Link({ lanes, left, right, toRight: way, name: stream, seed: this.#seed });
    this.#known.set(name, { link, before });
    if (last?.faults !== undefined) this.setFaults(name, last.faults);
  }

  /** Both ways, from now on; `null` for nothing. @throws {OptionError} if the name is not known. */
  setFaults(name: string, faults: FaultOptions | null): void {
    const known = this.#known.get(name);
    if (known === undefined) {
      throw new OptionError("name", name, [...this.#known.keys()].join(", "));
    }
    const { toRight, toLeft } = known.link;
    toRight.setFaults(faults);
    toLeft.setFaults(faults);
    known.faults = faults;
  }

  /** The name is nobody's any more. */
  delete(name: string): void {
    this.#known.delete(name);
  }
}
