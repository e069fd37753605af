import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { UdpSocket } from "../../src/l4/udp-layer.ts";
import type { Host } from "../../src/guest/host.ts";
import { ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { UdpTableModel } from "../model/udp-table.ts";
import { Step } from "../support/step.ts";
import { Net } from "../guest/net.ts";

const PEER = parseIpv4("10.0.0.2");
const BROADCAST = parseIpv4("10.0.0.255");
/** Addresses of the host under test: all, the first, the second. */
const ADDRESSES = [ipv4Of(0), parseIpv4("10.0.0.1"), parseIpv4("10.0.0.3")];

/** The real table, driven over a link by the steps that the model takes. */
class Real {
  readonly net = new Net();
  readonly #host: Host;
  readonly #sender: UdpSocket;
  readonly #open: UdpSocket[] = [];
  readonly #heard: number[] = [];
  #names = 0;

  constructor() {
    this.#host = this.net.host("host", "10.0.0.1/24", null, { echoPorts: [] });
    const { addressing } = this.#host.router;
    const [, via] = [...addressing.interfaces.values()];
    if (via !== undefined) addressing.addAddress(via, parseIpv4("10.0.0.3"), 24, BROADCAST);
    const peer = this.net.host("peer", "10.0.0.2/24");
    this.net.join(this.#host.device, peer.device);
    this.#sender = peer.udp.bind(0, null);
  }

  get sockets(): readonly { readonly port: number; readonly address: number }[] {
    return this.#open;
  }

  bind(port: number, address: number): number | null {
    const name = this.#names;
    try {
      const receiver = (): void => {
        this.#heard.push(name);
      };
      this.#open.push(this.#host.udp.bind(port, receiver, ipv4Of(address)));
    } catch {
      return null;
    }
    this.#names += 1;
    return name;
  }

  close(index: number): void {
    if (this.#open.length > 0) this.#open.splice(index % this.#open.length, 1)[0]?.close();
  }

  receive(port: number, address: number, isToAll: boolean): number[] {
    this.#heard.length = 0;
    const dst = isToAll ? BROADCAST : ipv4Of(address);
    expect(this.#sender.send(new Uint8Array(3), dst, port, this.net.now)).toBeNull();
    this.net.run(10_000);
    return [...this.#heard];
  }

  get size(): number {
    return this.#host.udp.size;
  }
}

type Subject = UdpTableModel | Real;

const look = ({ sockets }: Subject): unknown => sockets.map(({ port, address }) => [port, address]);
const step = (name: string, act: (subject: Subject) => unknown): Step<UdpTableModel, Real> =>
  new Step(name, act, look);

const port = fc.integer({ min: 5000, max: 5002 });
const address = fc.constantFrom(...ADDRESSES);
const own = fc.constantFrom(...ADDRESSES.slice(1));
const steps = [
  fc.tuple(port, address).map(([p, a]) => step(`bind ${p} ${a}`, (one) => one.bind(p, a))),
  fc.nat(9).map((index) => step(`close ${index}`, (one) => one.close(index))),
  fc.tuple(port, own).map(([p, a]) => step(`to ${p} ${a}`, (one) => one.receive(p, a, false))),
  port.map((p) => step(`to all ${p}`, (one) => one.receive(p, BROADCAST, true))),
];

describe("UDP", () => {
  it("gives each datagram to the sockets that a plain list gives it to", () => {
    fc.assert(
      fc.property(fc.commands(steps, { maxCommands: 20 }), (commands) => {
        const real = new Real();
        fc.modelRun(() => ({ model: new UdpTableModel(), real }), commands);
        expect(real.size).toBe(real.sockets.length);
        expect(real.net.pool.live).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it("takes any octets for a datagram without a throw, and ends each packet once", () => {
    const octets = fc.uint8Array({ maxLength: 40, size: "max" });
    const net = new Net();
    const host = net.host("host", "10.0.0.1/24");
    host.router.neighbors.addPermanent(host.device, PEER, net.nextMac(), 0);
    let delivered = 0;
    host.udp.bind(5000, () => {
      delivered += 1;
    });
    fc.assert(
      fc.property(octets, fc.boolean(), fc.nat(12), (payload, isOpen, said) => {
        const frame = new Uint8Array(34 + payload.length);
        frame.set(payload, 34);
        // Ports, length and checksum that may pass, in half of the runs.
        if (isOpen && payload.length >= 8) frame.set([0x13, 0x88, 0, said, 0, 0], 36);
        const packet = net.pool.copyIn(frame);
        if (packet === null) throw new RangeError("the pool is exhausted");
        packet.network = packet.frame + 14;
        packet.transport = packet.frame + 34;
        host.udp.deliver(packet, net.now);
        expect(net.pool.live).toBe(0);
        expect(packet.isLive).toBe(false);
      }),
      { numRuns: 500 },
    );
    expect(delivered).toBeGreaterThan(0);
  });
});
