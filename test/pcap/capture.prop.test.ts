import fc from "fast-check";
import { expect, it } from "vitest";
import { Capture } from "../../src/pcap/capture.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { DEFAULT_EPOCH_NS } from "../../src/pcap/pcapng-writer.ts";
import { instantOf } from "../../src/pcap/record.ts";
import { macOf } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { CaptureModel, type Seen } from "./capture-model.ts";
import { Collector } from "./collect.ts";

const FATES = ["delivered", "consumed", "dropped", "discarded"] as const;
const NAMES = ["vif1.0", "vif2.0", "peth0"];

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("receive" as const),
      device: fc.nat(2),
      length: fc.nat(90),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("transmit" as const),
      device: fc.nat(2),
      packet: fc.nat(9),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("route" as const),
      device: fc.nat(2),
      packet: fc.nat(9),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("derive" as const),
      packet: fc.nat(9),
      length: fc.nat(90),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      packet: fc.nat(9),
      fate: fc.constantFrom(...FATES),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), time: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("flush" as const) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** Devices that keep every packet, a capture of some of them, and the model beside it. */
class Bench {
  readonly #collector = new Collector();
  readonly #pool = new PacketPool({ slots: 64, largeSlots: 0 });
  readonly #model = new CaptureModel();
  readonly #capture: Capture;
  readonly #devices: readonly Device[];
  readonly #recorded: readonly string[];
  readonly #held: Packet[] = [];
  #now = 0;
  #octet = 0;

  constructor(recorded: readonly string[]) {
    this.#recorded = recorded;
    this.#capture = new Capture({
      sink: this.#collector.sink,
      devices: recorded,
      chunkOctets: 1024,
    });
    this.#pool.observe(this.#capture);
    this.#devices = NAMES.map((name, index) => new Device({ name, mac: macOf(index) }));
    for (const device of this.#devices) {
      device.attachStack({ receive: (_, packet) => void this.#held.push(packet) });
      device.attachCarrier({ carry: () => {} });
    }
  }

  run(step: Operation): void {
    if (step.do === "wait") this.#now += step.time;
    else if (step.do === "receive") this.#receive(step.device, step.length);
    else if (step.do === "flush") {
      this.#capture.flush();
      this.#model.flush();
    } else if (this.#held.length > 0) {
      this.#handle(step, step.packet % this.#held.length);
    }
  }

  check(): void {
    this.#capture.close(this.#now);
    const { records } = readCapture(this.#collector.bytes);
    const found = records.map((record) => ({
      device: record.interface.name,
      direction: record.direction,
      at: instantOf(record, DEFAULT_EPOCH_NS),
      id: Number(record.packetId),
      octets: [...record.octets],
      comment: record.comment,
      verdict: record.verdict,
    }));
    const expected = this.#model.frames.map(({ slot, ...frame }) => ({
      ...frame,
      slot,
      verdict: frame.comment === null ? null : { judge: "tc", action: 2n },
    }));
    expect(expected).toMatchObject(found);
  }

  #receive(index: number, length: number): void {
    const packet = this.#pool.allocate(length);
    const device = this.#devices[index];
    if (packet === null || device === undefined) return;
    this.#octet = (this.#octet + 1) & 255;
    this.#pool.bytes.fill(this.#octet, packet.frame, packet.end);
    this.#see(device, "inbound", packet);
    device.receive(packet, this.#now);
  }

  #handle(step: Extract<Operation, { packet: number }>, place: number): void {
    const packet = this.#held[place];
    if (packet === undefined) return;
    if (step.do === "end") {
      this.#held.splice(place, 1);
      const device = packet.output ?? packet.input;
      const way = packet.output === null ? "inbound" : "outbound";
      const late = device === null ? null : this.#frame(device, way, packet);
      this.#model.end(late, step.fate, { id: packet.id, slot: packet.slot, at: this.#now });
      this.#pool.end(packet, step.fate, `test/${step.fate}`, this.#now);
    } else if (step.do === "derive") {
      const derived = this.#pool.derive(packet, step.length);
      if (derived === null) return;
      this.#pool.bytes.fill(0xdd, derived.frame, derived.end);
      this.#held.push(derived);
    } else {
      const device = this.#devices[step.device];
      if (device === undefined) return;
      // The header that is rewritten in place must not reach back into what was recorded.
      if (packet.length > 0) this.#pool.bytes[packet.frame] = 0xff;
      if (step.do === "route") packet.output = device;
      else {
        this.#see(device, "outbound", packet);
        device.transmit(packet, this.#now);
      }
    }
  }

  #frame(
    device: Device,
    direction: Seen["direction"],
    packet: Packet,
  ): Omit<Seen, "comment"> | null {
    if (!this.#recorded.includes(device.name)) return null;
    const { id, slot } = packet;
    return {
      device: device.name,
      direction,
      at: this.#now,
      id,
      slot,
      octets: [...packet.octets()],
    };
  }

  #see(device: Device, direction: Seen["direction"], packet: Packet): void {
    const frame = this.#frame(device, direction, packet);
    if (frame !== null) this.#model.see(frame);
  }
}

it("holds what a naive list of all frames and ends holds", () => {
  const check = (recorded: readonly string[], steps: readonly Operation[]): void => {
    const bench = new Bench(recorded);
    for (const step of steps) bench.run(step);
    bench.check();
  };
  const recorded = fc.subarray(NAMES, { minLength: 1 });
  const steps = fc.array(operation, { minLength: 20, maxLength: 120 });
  fc.assert(fc.property(recorded, steps, check));
});
