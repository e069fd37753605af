/**
 * Several hostile domains at once: whatever they do to the store, their grants, event channels and
 * rings, none reads or writes another's nodes, frames or disks.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryDisk } from "../../../src/storage/block-device.ts";
import {
  DOMID_SELF,
  FRAME_OCTETS,
  FRAME_SHIFT,
} from "../../../src/xen/hypervisor/domain-memory.ts";
import { GrantMap } from "../../../src/xen/hypervisor/grant-operations.ts";
import type { DomainIo } from "../../../src/xen/hypervisor/hypervisor.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import { XEND_3_1, XL_4_17 } from "../../../src/xen/toolstack/toolstack-profile.ts";
import type { ToolstackProfile } from "../../../src/xen/toolstack/toolstack-profile.ts";
import { GuestVbdRings, HostVbdRings } from "../../../src/xen/toolstack/vbd-rings.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { EC2_NIC, World } from "./host-world.ts";

const DOMAINS = 3;
const KEYS = ["a", "b", "c"];
const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: unknown): string | null =>
  value instanceof Uint8Array ? new TextDecoder().decode(value) : null;
const pattern = (domid: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + domid * 31) & 0xff);

/** What each domain wrote of its own, and whom it let read it: "domid/key". */
interface Model {
  readonly values: Map<string, string>;
  readonly readers: Map<string, number>;
}

interface Domain {
  readonly domid: number;
  readonly io: DomainIo;
  readonly session: StoreSession;
  /** A frame that it granted to nobody, and one that it granted to Dom0. */
  readonly secrets: readonly number[];
  readonly refs: readonly number[];
  readonly disk: MemoryDisk;
}

/** Three domains, each with a disk behind real rings. */
class Real {
  readonly world: World;
  readonly domains: readonly Domain[];
  readonly #noted = new Map<number, readonly Uint8Array[]>();

  constructor(profile: ToolstackProfile) {
    const world: World = new World(profile, {
      vbdPorts: {
        connect: (...args) => rings.connect(...args),
        disconnect: (domid, devid) => rings.disconnect(domid, devid),
      },
    });
    const rings = new HostVbdRings(world.hypervisor, profile === XEND_3_1 ? BLOCKS_2618 : BLOCKS_6);
    this.world = world;
    this.domains = Array.from({ length: DOMAINS }, (_, index) => {
      const disk = new MemoryDisk({ sectors: 64 });
      const path = `/dev/disk${index}`;
      world.host.devices.add(path, { node: path, major: 0xfd, minor: index + 20, disk });
      const { domid, io } = world.host.create(
        {
          name: `dom_${index}`,
          nics: [EC2_NIC],
          disks: [{ dev: "sda1", type: "phy", params: path, mode: "w" }],
          pages: 48,
          guest: (own) => ({
            ...world.guest(own),
            vbd: new GuestVbdRings(own, world.hypervisor, profile.vbdProtocol, rings),
          }),
        },
        0,
      );
      const session = world.host.store.sessionOf(domid);
      if (session === null) throw new Error("a domain is introduced");
      disk.write(0, pattern(domid, 64 * 512));
      const secrets = [io.memory.allocate(), io.memory.allocate()];
      for (const gfn of secrets) {
        io.memory.bytes.set(pattern(domid, FRAME_OCTETS), gfn << FRAME_SHIFT);
      }
      const refs = [io.grants.grant(0, secrets[1] ?? 0, true)];
      session.write("data/secret", octets(`secret of ${domid}`));
      return { domid, io, session, secrets, refs, disk };
    });
    for (const domain of this.domains) this.note(domain);
  }

  of(index: number): Domain {
    const domain = this.domains[index % DOMAINS];
    if (domain === undefined) throw new Error("there are three");
    return domain;
  }

  /** Note what is a domain's own: only itself may have changed it. */
  note({ domid, io, secrets, disk }: Domain): void {
    const frames = secrets.map((gfn) => {
      const at = gfn << FRAME_SHIFT;
      return io.memory.bytes.slice(at, at + FRAME_OCTETS);
    });
    const sectors = new Uint8Array(64 * 512);
    disk.read(0, sectors);
    this.#noted.set(domid, [...frames, sectors]);
  }

  /** What is a domain's own is as it was, whoever else did anything. */
  check(by: Domain): void {
    for (const domain of this.domains) {
      if (domain === by) continue;
      const before = this.#noted.get(domain.domid) ?? [];
      this.note(domain);
      const after = this.#noted.get(domain.domid) ?? [];
      expect(before.every((one, at) => isSame(one, after[at]))).toBe(true);
      expect(text(domain.session.read("data/secret"))).toBe(`secret of ${domain.domid}`);
    }
    this.note(by);
  }
}

const isSame = (one: Uint8Array, other: Uint8Array | undefined): boolean =>
  other !== undefined &&
  one.length === other.length &&
  one.every((octet, at) => octet === other[at]);

/** True if the domain's own table, whatever it wrote there, lets `by` use the reference. */
function isGranted({ io }: Domain, ref: number, by: number): boolean {
  const gfn = io.table.frames[ref >>> 9] ?? 0;
  const word = io.memory.words[(gfn << 10) + ((ref & 511) << 1)] ?? 0;
  return (word & 3) === 1 && word >>> 16 === by;
}

class Attack implements fc.Command<Model, Real> {
  readonly #name: string;
  readonly #by: number;
  readonly #act: (model: Model, real: Real, by: Domain) => void;

  constructor(name: string, by: number, act: (model: Model, real: Real, by: Domain) => void) {
    this.#name = name;
    this.#by = by;
    this.#act = act;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const by = real.of(this.#by);
    this.#act(model, real, by);
    real.world.host.settle(0);
    real.check(by);
  }

  toString(): string {
    return `${this.#by} ${this.#name}`;
  }
}

const who = fc.nat({ max: DOMAINS - 1 });
const pair = fc.record({ by: who, step: fc.integer({ min: 1, max: DOMAINS - 1 }) }).map((one) => ({
  by: one.by,
  other: (one.by + one.step) % DOMAINS,
}));
const key = fc.constantFrom(...KEYS);
const target = fc.constantFrom(
  (domid: number) => `/local/domain/${domid}/data/secret`,
  (domid: number) => `/local/domain/${domid}/data`,
  (domid: number) => `/local/domain/${domid}/device/vbd/2049/ring-ref`,
  (domid: number) => `/local/domain/${domid}/device/vif/0/state`,
  (domid: number) => `/local/domain/${domid}/name`,
  (domid: number) => `/local/domain/0/backend/vbd/${domid}/2049/params`,
  (domid: number) => `/local/domain/0/backend/vif/${domid}/0/state`,
  (domid: number) => `/local/domain/${domid}`,
);

/** The store: its own nodes are its own, unless it shares them. */
const storeCommands: fc.Arbitrary<Attack>[] = [
  fc.record({ by: who, key, value: fc.stringMatching(/^[a-z]{0,6}$/) }).map(
    ({ by, key: name, value }) =>
      new Attack(`writes ${name}=${value}`, by, (model, _real, { domid, session }) => {
        expect(session.write(`data/${name}`, octets(value))).toBeNull();
        model.values.set(`${domid}/${name}`, value);
      }),
  ),
  fc.record({ pair, key }).map(
    ({ pair: { by, other }, key: name }) =>
      new Attack(`lets ${other} read ${name}`, by, (model, real, { domid, session }) => {
        const reader = real.of(other).domid;
        const done = session.setPermissions(`data/${name}`, [`n${domid}`, `r${reader}`]);
        const exists = model.values.has(`${domid}/${name}`);
        expect(done === null).toBe(exists);
        if (exists) model.readers.set(`${domid}/${name}`, reader);
      }),
  ),
  fc.record({ pair, key }).map(
    ({ pair: { by, other }, key: name }) =>
      new Attack(`reads ${name} of ${other}`, by, (model, real, { domid, session }) => {
        const owner = real.of(other).domid;
        const answer = session.read(`/local/domain/${owner}/data/${name}`);
        const isReader = model.readers.get(`${owner}/${name}`) === domid;
        const expected = isReader ? (model.values.get(`${owner}/${name}`) ?? null) : null;
        expect(text(answer)).toBe(expected);
      }),
  ),
  fc.record({ pair, target, isInside: fc.boolean() }).map(
    ({ pair: { by, other }, target: path, isInside }) =>
      new Attack(`attacks ${path(other + 1)}`, by, (_model, real, { domid, session }) => {
        const victim = path(real.of(other).domid);
        const started = isInside ? session.start() : 0;
        const id = typeof started === "string" ? 0 : started;
        expect(text(session.read(victim, id))).toBeNull();
        expect(session.write(victim, octets("mine"), id)).not.toBeNull();
        expect(session.mkdir(`${victim}/mine`, id)).not.toBeNull();
        expect(session.rm(victim, id)).not.toBeNull();
        expect(session.setPermissions(victim, [`b${domid}`], id)).not.toBeNull();
        if (id !== 0) session.end(id, true);
      }),
  ),
  fc.record({ by: who, state: fc.integer({ min: -1, max: 9 }), ref: fc.nat({ max: 600 }) }).map(
    ({ by, state, ref }) =>
      new Attack(`says ring ${ref} state ${state}`, by, (_model, _real, { session }) => {
        for (const device of ["vbd/2049", "vif/0"]) {
          for (const name of ["ring-ref", "tx-ring-ref", "rx-ring-ref", "event-channel"]) {
            session.write(`device/${device}/${name}`, octets(String(ref)));
          }
          session.write(`device/${device}/state`, octets(String(state)));
        }
      }),
  ),
];

/** Grants, events and rings. */
const hypervisorCommands: fc.Arbitrary<Attack>[] = [
  fc.record({ pair, ref: fc.nat({ max: 40 }), isReadonly: fc.boolean() }).map(
    ({ pair: { by, other }, ref, isReadonly }) =>
      new Attack(`maps ${ref} of ${other}`, by, (_model, real, { domid, io }) => {
        const victim = real.of(other);
        const flags = GrantMap.host | (isReadonly ? GrantMap.readonly : 0);
        for (const one of [ref, ...victim.refs]) {
          if (isGranted(victim, one, domid)) continue;
          expect(io.table.map(victim.domid, one, flags)).toBeLessThan(0);
          expect(victim.io.table.frameFor(one, domid, !isReadonly)).toBeLessThan(0);
        }
      }),
  ),
  fc.record({ pair, frame: fc.nat({ max: 47 }), ref: fc.nat({ max: 40 }) }).map(
    ({ pair: { by, other }, frame, ref }) =>
      new Attack(`copies ${ref} of ${other}`, by, (_model, real, { domid, io }) => {
        const victim = real.of(other);
        if (isGranted(victim, ref, domid)) return;
        const own = { domid: DOMID_SELF, isReference: false, frame, offset: 0 };
        const theirs = { domid: victim.domid, isReference: true, frame: ref, offset: 0 };
        expect(io.table.copy({ source: theirs, target: own, length: 64 })).toBeLessThan(0);
        expect(io.table.copy({ source: own, target: theirs, length: 64 })).toBeLessThan(0);
      }),
  ),
  fc.record({ pair, port: fc.nat({ max: 20 }) }).map(
    ({ pair: { by, other }, port }) =>
      new Attack(`binds port ${port} of ${other}`, by, (_model, real, { domid }) => {
        const { events } = real.world.hypervisor;
        const { domid: victim } = real.of(other);
        expect(events.bindInterdomain(domid, victim, port)).toBeLessThan(0);
        expect(events.status(victim, port, domid)).toBeLessThan(0);
        expect(events.reset(victim, domid)).toBeLessThan(0);
        expect(events.allocUnbound(victim, domid, domid)).toBeLessThan(0);
        events.send(domid, port, 0);
      }),
  ),
  fc.record({ by: who, at: fc.nat(), words: fc.array(fc.integer(), { maxLength: 40 }) }).map(
    ({ by, at, words }) =>
      new Attack(`scribbles ${words.length} words`, by, (_model, real, { domid, io }) => {
        const { memory } = io;
        for (const [index, word] of words.entries()) {
          memory.words[(at + index) % memory.words.length] = word;
        }
        for (let port = 1; port < 10; port += 1) real.world.hypervisor.events.send(domid, port, 0);
      }),
  ),
  fc.record({ by: who, gfn: fc.nat({ max: 47 }), requests: fc.nat({ max: 2 ** 32 - 1 }) }).map(
    ({ by, gfn, requests }) =>
      new Attack(`claims ${requests} requests`, by, (_model, real, { domid, io }) => {
        io.memory.words[gfn << 10] = requests;
        for (let port = 1; port < 10; port += 1) real.world.hypervisor.events.send(domid, port, 0);
      }),
  ),
];

describe.each([XEND_3_1, XL_4_17])("$name", (profile) => {
  it("keeps hostile domains apart, whatever they do", () => {
    const commands = fc.commands([...storeCommands, ...hypervisorCommands], {
      maxCommands: 60,
      size: "max",
    });
    fc.assert(
      fc.property(commands, (steps) => {
        const setup = (): { model: Model; real: Real } => ({
          model: { values: new Map(), readers: new Map() },
          real: new Real(profile),
        });
        fc.modelRun(setup, steps);
      }),
      { numRuns: 40 },
    );
  });
});
