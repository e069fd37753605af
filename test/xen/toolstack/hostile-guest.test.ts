/** A guest that lies in its own nodes ends its own devices, and nothing else. */
import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/base/time.ts";
import { XEND_3_1, XL_4_17 } from "../../../src/xen/toolstack/toolstack-profile.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { dump, EBS, EC2_DISKS, EC2_NIC, World } from "./host-world.ts";

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What the liar's session is used for. */
class Liar {
  readonly session: StoreSession;
  readonly world: World;
  readonly domid: number;

  constructor(world: World, domid: number) {
    const session = world.host.store.sessionOf(domid);
    if (session === null) throw new Error("the liar is introduced");
    this.session = session;
    this.world = world;
    this.domid = domid;
  }

  /** Write nodes of a device in one transaction, then let everybody act on it. */
  write(device: string, nodes: Readonly<Record<string, string>>): void {
    const transaction = this.session.start();
    if (typeof transaction === "string") throw new Error(transaction);
    for (const [key, value] of Object.entries(nodes)) {
      this.session.write(`device/${device}/${key}`, octets(value), transaction);
    }
    this.session.end(transaction, true);
    this.world.host.settle(2 * SECOND);
  }

  /** A granted page and a port that Dom0 may bind. */
  honestRing(): { ref: string; port: string } {
    const { io } = this.world.host.find(this.domid) ?? {};
    if (io === undefined) throw new Error("the liar lives");
    const ref = io.grants.grant(0, io.memory.allocate(), false);
    return {
      ref: String(ref),
      port: String(this.world.hypervisor.events.allocUnbound(this.domid, 0)),
    };
  }
}

const DISK = "vbd/2128";
const LIES: readonly (readonly [string, (liar: Liar) => void])[] = [
  ["a ring that it did not grant", (liar) => disk(liar, { "ring-ref": "4000" })],
  ["a reference beyond its table", (liar) => disk(liar, { "ring-ref": "99999999" })],
  ["a negative reference", (liar) => disk(liar, { "ring-ref": "-1" })],
  ["a reference that is no number", (liar) => disk(liar, { "ring-ref": "\0 %s%n" })],
  ["an event channel that is not open", (liar) => disk(liar, { "event-channel": "900" })],
  ["its store's own event channel", (liar) => disk(liar, { "event-channel": "1" })],
  ["a port out of range", (liar) => disk(liar, { "event-channel": "4294967295" })],
  ["a protocol that nobody speaks", (liar) => disk(liar, { protocol: "x".repeat(1900) })],
  ["no ring at all", (liar) => liar.write(DISK, { state: "3" })],
  ["a state that there is not", (liar) => liar.write(DISK, { state: "99" })],
  ["a state of reconfiguring", (liar) => liar.write(DISK, { state: "7" })],
  ["a state that is no number", (liar) => liar.write(DISK, { state: "connected" })],
  ["an empty state", (liar) => liar.write(DISK, { state: "" })],
  ["the back end's own state", (liar) => liar.write(DISK, { state: "2" })],
  ["an end before the beginning", (liar) => liar.write(DISK, { state: "6" })],
  [
    "another domain's back end as its own",
    (liar) => {
      liar.write(DISK, { backend: "/local/domain/0/backend/vbd/2/2049" });
      liar.write("vif/0", { backend: "/local/domain/0/backend/vif/2/0" });
      disk(liar, {});
    },
  ],
  [
    "states in every order",
    (liar) => {
      for (const state of ["4", "5", "1", "3", "6", "1", "4", "5", "4", "1", "6", "4"]) {
        liar.write(DISK, { state });
        liar.write("vif/0", { state });
      }
    },
  ],
  [
    "no directory any more",
    (liar) => {
      liar.session.rm(`device/${DISK}`);
      liar.session.rm("device/vif/0");
      liar.world.host.settle(2 * SECOND);
    },
  ],
  [
    "a vif with the rings of nobody",
    (liar) =>
      liar.write("vif/0", {
        "tx-ring-ref": "77",
        "rx-ring-ref": "78",
        "event-channel": "3",
        "request-rx-copy": "1",
        state: "4",
      }),
  ],
  ["a vif without rings", (liar) => liar.write("vif/0", { state: "4" })],
  [
    "a vif that flips pages",
    (liar) => {
      const { ref, port } = liar.honestRing();
      liar.write("vif/0", {
        "tx-ring-ref": ref,
        "rx-ring-ref": ref,
        "event-channel": port,
        "request-rx-copy": "0",
        state: "4",
      });
    },
  ],
  [
    "ten thousand changes at once",
    (liar) => {
      for (let count = 0; count < 10_000; count += 1) {
        liar.session.write(`device/${DISK}/state`, octets(String(count % 8)));
      }
      liar.world.host.settle(2 * SECOND);
    },
  ],
  [
    "as many nodes as it may have",
    (liar) => {
      for (let count = 0; count < 2000; count += 1) {
        liar.session.write(`device/${DISK}/n${count}`, octets("x"));
        liar.session.write(`device/vbd/${count}/state`, octets("1"));
      }
      liar.world.host.settle(2 * SECOND);
    },
  ],
];

function disk(liar: Liar, lie: Readonly<Record<string, string>>): void {
  const { ref, port } = liar.honestRing();
  const honest = { "ring-ref": ref, "event-channel": port, protocol: "x86_64-abi" };
  liar.write(DISK, { ...honest, ...lie, state: "3" });
}

describe.each([XEND_3_1, XL_4_17])("$name", (profile) => {
  it.each(LIES)("%s harms nobody", (_name, lie) => {
    const world = new World(profile);
    const { host } = world;
    const before = host.create({ name: "before", guest: world.guest, pages: 64 }, 0);
    host.destroy(before.domid, 0);
    const [tree, rest] = [dump(host), world.leftovers];
    const honest = host.create(
      { name: "honest", disks: EC2_DISKS, nics: [EC2_NIC], guest: world.guest, pages: 64 },
      0,
    );
    const nodes = (): string[] =>
      dump(host).filter((line) => /^\/local\/domain\/(0\/backend\/\w+\/)?2[/ ]/.test(line));
    const rings = world.connected;
    const own = nodes();
    const { domid } = host.create(
      { name: "liar", disks: [EBS], nics: [EC2_NIC], guest: null, pages: 64 },
      0,
    );
    lie(new Liar(world, domid));
    expect(nodes()).toEqual(own);
    expect(world.connected.filter((ring) => ring.includes("2."))).toEqual(rings);
    expect(world.connected.filter((ring) => ring.includes(`${domid}.`)).length).toBeLessThan(2);
    host.detach(domid, { type: "vif", devid: 0 }, 3 * SECOND);
    host.destroy(domid, 3 * SECOND);
    expect(nodes()).toEqual(own);
    host.destroy(honest.domid, 3 * SECOND);
    while (host.nextDeadline() < 1000 * SECOND) host.expire(host.nextDeadline());
    expect(dump(host)).toEqual(tree);
    expect(world.leftovers).toEqual(rest);
  });
});
