import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RealTime } from "../../src/backend/real-time.ts";
import { type Instant, parseDuration, SECOND } from "../../src/base/time.ts";
import { buildFrame } from "../../src/testing/build-frame.ts";
import { formatIpv4, formatMac, parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { Zone } from "../../src/zone/zone.ts";
import { FakeClock } from "./fake-clock.ts";

/** When a frame comes from outside, whole microseconds after the one before, and which it is. */
interface Input {
  readonly after: number;
  readonly id: number;
}

/** A host with a simulated domU, a vif for frames from outside, and their capture. */
function newZone(seed: number) {
  const zone = new Zone({ seed, traceLimit: 0 });
  const chunks: Uint8Array[] = [];
  zone.capture.writeTo((chunk) => chunks.push(chunk.slice()));
  zone.setSecurityGroup("open", [{ protocol: "icmp", source: parsePrefix("0.0.0.0/0") }]);
  const host = zone.addHost();
  host.launch({ securityGroups: ["open"] });
  const outside = host.launch({ guest: "external" });
  zone.addInternetHost({ name: "www", address: parseIpv4("93.184.216.34") });
  const { external, mac, privateAddress } = outside;
  if (external === null) throw new Error("no vif");
  const frameOf = ({ id }: Input): Uint8Array =>
    buildFrame({
      from: formatMac(mac),
      to: "ef:ff:ff:ff:ff:ff",
      src: formatIpv4(privateAddress),
      dst: "93.184.216.34",
      id,
      echo: { id, sequence: 1 },
    });
  const octets = (): string => {
    zone.close();
    return Buffer.concat(chunks).toString("hex");
  };
  return { zone, octets, send: (input: Input) => external.transmit(frameOf(input)) };
}

const END = 4 * SECOND;

/** The capture of a run in virtual time. */
async function virtually(seed: number, inputs: readonly Input[]): Promise<string> {
  const { zone, octets, send } = newZone(seed);
  let at: Instant = 0;
  for (const input of inputs) {
    at += input.after;
    zone.scheduler.runUntil(at);
    send(input);
  }
  await zone.run({ until: END });
  return octets();
}

/** The capture of a run by a clock that wakes people as late as `delays` says. */
function really(seed: number, inputs: readonly Input[], delays: readonly number[]): string {
  const { zone, octets, send } = newZone(seed);
  const clock = new FakeClock();
  const realTime = new RealTime({
    scheduler: zone.scheduler,
    clock,
    onError: (error) => {
      throw error;
    },
  });
  const start = clock.time;
  realTime.start();
  let wakes = 0;
  /** Let the clock run until `until`. */
  const pass = (until: Instant): void => {
    for (;;) {
      const at = clock.soonest + (delays[wakes % delays.length] ?? 0);
      if (at > start + until) break;
      clock.moveTo(at);
      wakes += 1;
    }
    clock.time = Math.max(clock.time, start + until);
  };
  let at: Instant = 0;
  for (const input of inputs) {
    at += input.after;
    pass(at);
    realTime.enter(() => void send(input));
  }
  pass(END);
  realTime.enter(() => {});
  realTime.stop();
  return octets();
}

describe("real time", () => {
  it("gives the capture of virtual time for frames at the same instants", async () => {
    const input = fc.record({
      after: fc.integer({ min: 0, max: parseDuration("300ms") }),
      id: fc.integer({ min: 1, max: 65_535 }),
    });
    const delays = fc.array(
      fc.oneof(fc.constant(0), fc.integer({ min: 0, max: parseDuration("80ms") })),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1000),
        fc.array(input, { maxLength: 10 }),
        delays,
        async (seed, inputs, late) => {
          expect(really(seed, inputs, late)).toBe(await virtually(seed, inputs));
        },
      ),
      { numRuns: 25 },
    );
  });
});
