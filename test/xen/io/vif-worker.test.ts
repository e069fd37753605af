import { Worker } from "node:worker_threads";
import { rolldown } from "rolldown";
import { beforeAll, describe, expect, it } from "vitest";
import { DomainThread } from "../../../src/backend/domain-thread.ts";
import { parseMac } from "../../../src/wire/addr.ts";
import { Device, PatchCable, type Stack } from "../../../src/wire/device.ts";
import { viewOf } from "../../../src/wire/field.ts";
import { type Packet, PacketPool } from "../../../src/wire/packet.ts";
import { Doorbell } from "../../../src/xen/hypervisor/doorbell.ts";
import {
  type EventBehaviour,
  EVENTS_3_1,
  EVENTS_4_17,
} from "../../../src/xen/hypervisor/event-behaviour.ts";
import { type DomainIo, Hypervisor } from "../../../src/xen/hypervisor/hypervisor.ts";
import { joinVif } from "../../../src/xen/io/join-vif.ts";
import { Netback, type NetfrontAnnouncement } from "../../../src/xen/io/netback.ts";
import { NETBACK_2618 } from "../../../src/xen/io/netif-behaviour.ts";
import { written } from "../../pcap/collect.ts";
import { EchoGuest } from "./echo-guest.ts";
import { frameOf } from "./vif-pair.ts";
import type { VifBootInfo } from "./vif-worker.ts";

const TOTAL = 300;

let program = "";

beforeAll(async () => {
  const build = await rolldown({ input: "test/xen/io/vif-worker.ts", platform: "node" });
  const { output } = await build.generate({ format: "cjs" });
  await build.close();
  program = output[0].code;
});

/** Dom0's side: sends a frame for each that it gets, and keeps both. */
class Host implements Stack {
  readonly hypervisor: Hypervisor;
  readonly pool = new PacketPool({ slots: 600 });
  readonly vif = new Device({ name: "vif1.0", mac: parseMac("fe:ff:ff:ff:ff:ff") });
  readonly netback: Netback;
  readonly domain: DomainIo;
  readonly frames: { readonly isOut: boolean; readonly octets: Uint8Array }[] = [];
  sent = 0;

  constructor(shape: EventBehaviour) {
    this.hypervisor = new Hypervisor(shape);
    this.domain = this.hypervisor.createDomain({ domid: 1, pages: 1024, isShared: true });
    const { vif, pool, hypervisor } = this;
    const behaviour = NETBACK_2618;
    this.netback = new Netback({ domid: 1, vif, pool, hypervisor, behaviour }, 0);
    new PatchCable(this.netback.device, vif);
    vif.attachStack(this);
  }

  receive(_device: Device, packet: Packet, now: number): void {
    this.frames.push({ isOut: false, octets: packet.octets().slice() });
    packet.pool.end(packet, "delivered", "test/kept", now);
    if (this.sent === TOTAL) return;
    this.sent += 1;
    const octets = frameOf(this.sent, 60 + ((this.sent * 131) % 6000));
    this.frames.push({ isOut: true, octets });
    const answer = this.pool.copyIn(octets);
    if (answer !== null) this.vif.transmit(answer, now);
  }

  get capture(): Uint8Array {
    return written((writer) => {
      writer.addInterface({ name: "vif1.0" });
      this.frames.forEach(({ octets, isOut }, index) =>
        writer.writeFrame(0, index, viewOf(octets), 0, octets.length, isOut ? 2 : 1, index),
      );
    });
  }
}

function here(shape: EventBehaviour): Host {
  const host = new Host(shape);
  const { hypervisor, netback, domain, pool } = host;
  const guest = new EchoGuest(domain.grants, pool);
  hypervisor.events.startKernel(1);
  joinVif({ hypervisor, netback, netfront: guest.netfront }, 0);
  guest.greet(0);
  expect(guest.received).toBe(TOTAL);
  return host;
}

function messageOf<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.once("message", (message: T) => resolve(message));
    worker.once("error", reject);
  });
}

async function elsewhere(shape: EventBehaviour): Promise<Host> {
  const host = new Host(shape);
  const { hypervisor, netback, domain } = host;
  const { events } = hypervisor;
  const { memory, table } = domain;
  const doorbell = new Doorbell();
  const { buffer } = memory.bytes;
  if (!(buffer instanceof SharedArrayBuffer)) throw new Error("the memory is shared");
  const kernel = events.startKernel(1);
  const port = events.allocUnbound(1, 0);
  expect(events.setUpPort(1, port, 0)).toBe(0);
  expect(kernel !== null).toBe(shape.hasFifo);
  const workerData: VifBootInfo = {
    memory: buffer,
    taken: memory.allocated,
    sharedInfo: events.sharedInfo(1)?.gfn ?? -1,
    grantFrames: table.frames,
    doorbell: doorbell.buffer,
    port,
    fifo: kernel?.frames ?? null,
    total: TOTAL,
  };
  const worker = new Worker(program, { eval: true, workerData });
  const announcement = await messageOf<NetfrontAnnouncement>(worker);
  const thread = new DomainThread({ events, domid: 1, doorbell, clock: () => 0 });
  thread.start();
  expect(netback.connect(announcement, null, null, 0)).toBeNull();
  worker.postMessage("go", []);
  const report = await messageOf<{ received: number; isLate: boolean }>(worker);
  // The last echo may be on its way still.
  for (let wait = 0; wait < 200 && host.frames.length < 2 * TOTAL + 1; wait += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  thread.stop();
  expect(report).toEqual({ received: TOTAL, isLate: false });
  return host;
}

describe("a vif whose domU runs in a worker thread", () => {
  it.each([
    ["two-level", EVENTS_3_1],
    ["FIFO", EVENTS_4_17],
  ])("shows the same capture as one of this thread, octet for octet: %s", async (_, shape) => {
    const expected = here(shape);
    const found = await elsewhere(shape);
    expect(expected.frames).toHaveLength(2 * TOTAL + 1);
    expect(Buffer.compare(found.capture, expected.capture)).toBe(0);
    expect(Buffer.compare(found.capture, here(EVENTS_3_1).capture)).toBe(0);
    expect([found.pool.live, expected.pool.live]).toEqual([0, 0]);
  });
});
