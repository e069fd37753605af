import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DOMID_SELF } from "../../src/xen/hypervisor/domain-memory.ts";
import { BlockOp } from "../../src/xen/io/blkif.ts";
import { type BlockBehaviour, BLOCKS_2618, BLOCKS_6 } from "../../src/xen/io/block-behaviour.ts";
import { expectOctets } from "../support/octets.ts";
import {
  type BlockDomain,
  type BlockHost,
  blockHost,
  type ConnectedDisk,
  connectedDisk,
} from "./io/block-stand.ts";

const VICTIM = 1;
const HOSTILE = [2, 3] as const;
const SECTORS = 64;

/** Dom0, a domain that minds its own business, and two that do not. */
class World {
  readonly host: BlockHost = blockHost(64);
  readonly victim: BlockDomain;
  readonly disk: ConnectedDisk;
  readonly #hostile = new Map<number, BlockDomain>();
  readonly #disks = new Map<number, ConnectedDisk>();
  readonly #written = new Uint8Array(SECTORS * 512);
  #steps = 0;

  constructor(behaviour: BlockBehaviour) {
    this.victim = this.host.domain(VICTIM);
    /** As receive buffers do: granted to Dom0, and not mapped. */
    const buffers = [40, 41].map((gfn) => this.victim.grants.grant(0, gfn, false));
    expect(buffers).toEqual([8, 9]);
    this.disk = connectedDisk(this.host, this.victim, { behaviour, sectors: SECTORS });
    for (const domid of HOSTILE) {
      const domain = this.host.domain(domid);
      this.#hostile.set(domid, domain);
      this.#disks.set(domid, connectedDisk(this.host, domain, { behaviour, sectors: SECTORS }));
    }
  }

  /** The victim writes, and reads all that it wrote so far. */
  work(): void {
    this.#steps += 1;
    const sector = (this.#steps * 13) % (SECTORS - 9);
    const octets = new Uint8Array(4608).fill(this.#steps & 0xff);
    this.#written.set(octets, sector * 512);
    expect(this.disk.ask(BlockOp.write, sector, octets)).toBe(0);
    expectOctets(this.disk.read(0, SECTORS * 512), this.#written);
  }

  /** A hostile domain does whatever the numbers say. */
  act({ by, kind, numbers }: Act): void {
    const { events } = this.host;
    const actor = this.#hostile.get(by);
    const disk = this.#disks.get(by);
    if (actor === undefined || disk === undefined) return;
    const { memory, table } = actor;
    const [a = 0, b = 0, c = 0, d = 0] = numbers;
    switch (kind) {
      case "write":
        memory.view.setUint32(((a % 9) * 4096 + (b % 4093)) >>> 0, c, true);
        return;
      case "write header":
        memory.view.setUint32(5 * 4096 + (b % 4) * 4, c, true);
        return;
      case "write request":
        memory.bytes.set([d % 5, 1 + (d % 11)], 5 * 4096 + 64 + (a % 32) * 112);
        memory.view.setUint32(5 * 4096 + 64 + (a % 32) * 112 + 24 + (b % 11) * 8, c, true);
        return;
      case "ask":
        disk.ask(d % 5, a % (2 * SECTORS), new Uint8Array(512 * (1 + (b % 88))));
        return;
      case "notify":
        disk.port.notify(a);
        disk.back.expire(a + 1000);
        return;
      case "map":
        table.map(a % 4, b, c % 8);
        return;
      case "unmap":
        table.unmap(a);
        return;
      case "copy":
        table.copy({
          source: end(a, b, c, d),
          target: end(b, c, d, a),
          length: (a + d) % 4097,
        });
        return;
      case "setup table":
        table.setup(a % 40);
        return;
      default:
        this.#event(by, kind, a, b);
        events.unmask(by, c % 200, 0);
    }
  }

  #event(by: number, kind: string, a: number, b: number): void {
    const { events } = this.host;
    switch (kind) {
      case "allocate":
        events.allocUnbound(a % 4, b % 4, by);
        return;
      case "bind":
        events.bindInterdomain(by, a % 4, b % 16);
        return;
      case "close":
        events.close(by, a % 16);
        return;
      case "send":
        events.send(by, a % 16, 0);
        return;
      case "reset":
        events.reset(a % 4, by);
        return;
      case "interrupt":
        events.bindVirq(by, a % 30, b % 2);
        return;
      case "die":
        this.#die(by);
    }
  }

  #die(by: number): void {
    this.#disks.get(by)?.back.disconnect();
    this.host.events.destroy(by);
    this.host.tables.destroy(by);
  }

  /** What must be as if the hostile domains had done nothing. */
  untouched(): readonly Uint8Array[] {
    const { dom0, events } = this.host;
    const whole = new Uint8Array(SECTORS * 512);
    this.disk.disk.read(0, whole);
    const page = events.sharedInfo(0)?.gfn ?? 0;
    const rest = dom0.memory.bytes.slice();
    rest.fill(0, page * 4096, (page + 1) * 4096);
    return [this.victim.memory.bytes, whole, rest];
  }

  ports(): unknown {
    return Array.from({ length: 16 }, (_, port) => this.host.events.status(VICTIM, port, 0));
  }

  /** True if a handle of a hostile domain leads to the memory of Dom0 or of the victim. */
  isBreached(): boolean {
    const foreign = [this.victim.memory, this.host.dom0.memory];
    return HOSTILE.some((domid) => {
      const table = this.#hostile.get(domid)?.table;
      const refs = Array.from({ length: 40 }, (_, ref) => ref);
      return refs.some((number) => {
        const memory = table?.memoryOf(number) ?? null;
        const isOpen = [false, true].some(
          (isWrite) => this.victim.table.frameFor(number, domid, isWrite) >= 0,
        );
        return isOpen || (memory !== null && foreign.includes(memory));
      });
    });
  }
}

const end = (domid: number, kind: number, frame: number, offset: number) => ({
  domid: domid % 5 === 4 ? DOMID_SELF : domid % 5,
  isReference: kind % 2 === 0,
  frame: frame % 80,
  offset: offset % 4097,
});

interface Act {
  readonly by: number;
  readonly kind: string;
  readonly numbers: readonly number[];
}

const KINDS = [
  ...["write", "write", "write header", "write header", "write request", "write request"],
  ...["ask", "notify", "notify", "map", "map", "unmap", "copy", "copy", "setup table"],
  ...["allocate", "bind", "close", "send", "send", "reset", "interrupt"],
];
const number = fc.oneof(
  { weight: 6, arbitrary: fc.nat(40) },
  fc.nat(5000),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);
const act: fc.Arbitrary<Act> = fc.record({
  by: fc.constantFrom(...HOSTILE),
  kind: fc.oneof({ weight: 80, arbitrary: fc.constantFrom(...KINDS) }, fc.constant("die")),
  numbers: fc.array(number, { minLength: 4, maxLength: 4 }),
});

describe("two hostile domains beside one that minds its own business", () => {
  it.each([
    ["ec2-2010", BLOCKS_2618],
    ["linux", BLOCKS_6],
  ])("reach neither its memory, ports and disk nor Dom0's, %s", (_, behaviour) => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 90, size: "max" }), (acts) => {
        const world = new World(behaviour);
        const alone = new World(behaviour);
        acts.forEach((one, index) => {
          world.act(one);
          expect(world.isBreached()).toBe(false);
          if (index % 4 !== 0) return;
          world.work();
          alone.work();
        });
        const expected = alone.untouched();
        world.untouched().forEach((octets, index) => {
          expectOctets(octets, expected[index] ?? new Uint8Array(0));
        });
        expect(world.ports()).toEqual(alone.ports());
      }),
      { numRuns: 60 },
    );
  });
});
