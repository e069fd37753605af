import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { buildFrame } from "../../src/testing/build-frame.ts";
import { RouterWorld } from "../../src/zone/world/router-world.ts";
import type { World } from "../../src/zone/world/world.ts";
import { Kernel, missingForKernel } from "./kernel.ts";
import { comparableWorld, type InputFrame } from "./world.ts";

const CASES = Math.ceil(Number(process.env["ORACLE_CASES"] ?? 400) / 16);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);

const LEFT = { mac: "02:00:00:00:00:01", far: "02:00:00:00:01:02", host: "10.1.0.2" };
const RIGHT = { mac: "02:00:00:00:00:02", far: "02:00:00:00:02:02", host: "10.2.0.2" };
const WORLD: World = {
  interfaces: {
    e0: { mac: LEFT.mac, addresses: ["10.1.0.1/24"], neighbors: { [LEFT.host]: LEFT.far } },
    e1: { mac: RIGHT.mac, addresses: ["10.2.0.1/24"], neighbors: { [RIGHT.host]: RIGHT.far } },
  },
  iptables: "*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n",
};

const prefix = "net.netfilter.nf_conntrack_";
const timeout = fc.integer({ min: 5, max: 10_000 });
const flag = fc.constantFrom(0, 1);
const settings = fc
  .record(
    {
      acct: flag,
      checksum: flag,
      tcp_loose: flag,
      tcp_be_liberal: flag,
      tcp_max_retrans: fc.constantFrom(0, 1, 3),
      tcp_ignore_invalid_rst: flag,
      generic_timeout: timeout,
      icmp_timeout: timeout,
      udp_timeout: timeout,
      udp_timeout_stream: timeout,
      tcp_timeout_syn_sent: timeout,
      tcp_timeout_syn_recv: timeout,
      tcp_timeout_established: timeout,
      tcp_timeout_fin_wait: timeout,
      tcp_timeout_close_wait: timeout,
      tcp_timeout_last_ack: timeout,
      tcp_timeout_time_wait: timeout,
      tcp_timeout_close: timeout,
      tcp_timeout_max_retrans: timeout,
      tcp_timeout_unacknowledged: timeout,
    },
    { requiredKeys: [] },
  )
  .map((own) => Object.fromEntries(Object.entries(own).map(([key, at]) => [prefix + key, at])));

/** A frame of one of some connections between both hosts, either way. */
const frame = fc
  .record({
    isAnswer: fc.boolean(),
    port: fc.constantFrom(4000, 4001),
    flags: fc.constantFrom("S", "S.", ".", ".", "P.", "F.", "F.", "R", "R."),
    seq: fc.nat({ max: 2 }),
    ack: fc.nat({ max: 2 }),
    protocol: fc.constantFrom("tcp", "tcp", "tcp", "udp", "echo"),
    isSpoiled: fc.constantFrom(false, false, false, true),
  })
  .map(({ isAnswer, port, flags, seq, ack, protocol, isSpoiled }): InputFrame => {
    const [from, to] = isAnswer ? [RIGHT, LEFT] : [LEFT, RIGHT];
    const ports = isAnswer ? { srcPort: 80, dstPort: port } : { srcPort: port, dstPort: 80 };
    const ends = { from: from.far, to: from.mac, src: from.host, dst: to.host };
    let octets = buildFrame({ ...ends, echo: { id: port, sequence: 1 } });
    if (protocol === "tcp") octets = buildFrame({ ...ends, tcp: { ...ports, flags, seq, ack } });
    if (protocol === "udp") octets = buildFrame({ ...ends, udp: ports });
    const sum = { tcp: 50, udp: 40, echo: 36 }[protocol];
    if (isSpoiled && sum !== undefined) octets[sum] = (octets[sum] ?? 0) ^ 0x55;
    return {
      at: 0,
      interface: isAnswer ? "e1" : "e0",
      octets: Buffer.from(octets).toString("hex"),
    };
  });

/** What is left of a time begins with the tick after: both look well after it. */
const COMMANDS = [
  ["sleep", "0.03"],
  ["conntrack", "-L"],
];

/** The lines of `conntrack -L` in order. */
const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .toSorted();

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`settings of connection tracking${skipped}`, () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.open();
  });
  afterAll(() => kernel.close());

  it(
    "leave the kernel and the emulated router with the same connections",
    async () => {
      const frames = fc.array(frame, { minLength: 1, maxLength: 16, size: "max" });
      await fc.assert(
        fc.asyncProperty(frames, settings, async (all, sysctl) => {
          const world = comparableWorld({ ...WORLD, sysctl });
          const { shown } = await kernel.play(world, all, 0, COMMANDS);
          const twin = new RouterWorld(world, { traceLimit: 0 });
          for (const { interface: name, octets } of all) {
            twin.receive(name, Buffer.from(octets, "hex"), 0);
          }
          twin.expire(SECOND / 2);
          expect(linesOf(twin.connections())).toEqual(linesOf(shown[1] ?? ""));
        }),
        { numRuns: CASES, seed: SEED },
      );
    },
    60_000 + CASES * 500,
  );
});
