import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONTAINER_HOST, HOST_MAC } from "../../examples/container-host/world.ts";
import { INNER_MAC, OUTER_MAC, UFW_MACHINE } from "../../examples/ufw/world.ts";
import { buildFrame, type FrameWords } from "../../src/testing/build-frame.ts";
import { RouterWorld } from "../../src/zone/world/router-world.ts";
import type { World } from "../../src/zone/world/world.ts";
import { withoutComments } from "./helper-process.ts";
import { Kernel, missingForKernel } from "./kernel.ts";
import { emulate, record } from "./world-case.ts";
import { comparable } from "./world-compare.ts";
import type { InputFrame } from "./world.ts";

const CASES = Math.ceil(Number(process.env["ORACLE_CASES"] ?? 400) / 8);
const CONTAINER_FOLDER = new URL("../../examples/container-host/", import.meta.url);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);

/** A machine on a link of an example's world. */
interface Party {
  readonly link: string;
  readonly router: string;
  readonly mac: string;
  readonly address: string;
}

/** Who may talk to whom: one opens, and the other may answer to where it was heard from. */
interface Talk {
  readonly from: Party;
  readonly dst: string;
  readonly dstPort: number;
  readonly by: Party;
  readonly byPort: number;
  readonly heardFrom: string;
}

const on = (link: string, router: string, mac: string, address: string): Party => ({
  link,
  router,
  mac,
  address,
});

const GATEWAY = "02:00:00:00:00:99";
const HOST = "192.0.2.10";
const BRIDGE = "br-7f3c2a1b9d4e";
const client = on("eth0", HOST_MAC, GATEWAY, "203.0.113.5");
const banned = on("eth0", HOST_MAC, GATEWAY, "198.51.100.7");
const web = on("docker0", HOST_MAC, "02:42:ac:11:00:02", "172.17.0.2");
const sibling = on("docker0", HOST_MAC, "02:42:ac:11:00:03", "172.17.0.3");
const api = on(BRIDGE, HOST_MAC, "02:42:ac:12:00:02", "172.18.0.2");

const talk = (
  from: Party,
  [dst, dstPort]: readonly [string, number],
  by: Party,
  byPort: number,
  heardFrom: string,
): Talk => ({ from, dst, dstPort, by, byPort, heardFrom });

const CONTAINER_TALKS: readonly Talk[] = [
  talk(client, [HOST, 8080], web, 80, client.address),
  talk(client, [HOST, 9000], api, 9000, client.address),
  talk(client, [web.address, 22], web, 22, client.address),
  talk(client, [HOST, 22], client, 22, client.address),
  talk(banned, [HOST, 8080], web, 80, banned.address),
  talk(web, [client.address, 443], client, 443, HOST),
  talk(api, [client.address, 443], client, 443, HOST),
  talk(web, [HOST, 8080], web, 80, "172.17.0.1"),
  talk(sibling, [HOST, 8080], web, 80, sibling.address),
  talk(web, [HOST, 9000], api, 9000, web.address),
  talk(web, [api.address, 9000], api, 9000, web.address),
  talk(api, ["172.18.0.1", 80], web, 80, api.address),
];

const MACHINE = "203.0.113.10";
const caller = on("eth0", OUTER_MAC, GATEWAY, "192.0.2.5");
const denied = on("eth0", OUTER_MAC, GATEWAY, "198.51.100.7");
const inner = on("eth1", INNER_MAC, "02:00:00:00:01:02", "10.1.0.2");

const UFW_TALKS: readonly Talk[] = [
  ...[22, 53, 80, 113, 137, 3000].map((port) =>
    talk(caller, [MACHINE, port], caller, 443, MACHINE),
  ),
  talk(denied, [MACHINE, 80], denied, 80, MACHINE),
  talk(inner, ["10.1.0.1", 53], inner, 80, "10.1.0.1"),
  talk(inner, ["10.1.0.1", 22], inner, 80, "10.1.0.1"),
  talk(inner, [caller.address, 443], caller, 443, inner.address),
  talk(caller, [inner.address, 443], inner, 443, caller.address),
];

/** Ports that no two connections of a run share: no translation has to choose one. */
const portOf = (index: number, which: number): number => 40_000 + index * 100 + which;

/** What one frame of a run is. */
const turn = fc.record({
  index: fc.nat({ max: 255 }),
  which: fc.nat({ max: 2 }),
  isAnswer: fc.boolean(),
  flags: fc.constantFrom<string[]>("S", "S", "S", "S.", ".", ".", "P.", "F.", "R", "R.", "SF", ""),
  seq: fc.nat({ max: 3 }),
  ack: fc.nat({ max: 3 }),
  protocol: fc.constantFrom("tcp", "tcp", "tcp", "tcp", "udp", "echo"),
  length: fc.constantFrom(0, 0, 4, 1400),
});
type Turn = typeof turn extends fc.Arbitrary<infer T> ? T : never;

/**
 * Frames of the talks: answered, gone on with or spoiled in any order, but opened first. An answer
 * to nothing would be a connection of its own, in the way of the one that comes later.
 */
function frames(talks: readonly Talk[]): fc.Arbitrary<InputFrame[]> {
  return fc.array(turn, { minLength: 1, maxLength: 40, size: "max" }).map((turns) => {
    const opened = new Set<string>();
    return turns.flatMap((one) => {
      const index = one.index % talks.length;
      const key = `${index} ${one.which} ${one.protocol}`;
      const isFirst = !opened.has(key);
      opened.add(key);
      const found = talks[index];
      // Of UDP and ICMP, these rules lead nobody to an answerer.
      const next = { ...one, index, isAnswer: one.isAnswer && one.protocol === "tcp" };
      const first = { ...next, isAnswer: false, flags: "S" };
      return found === undefined ? [] : [frameOf(found, isFirst ? first : next)];
    });
  });
}

function frameOf({ from, dst, dstPort, by, byPort, heardFrom }: Talk, one: Turn): InputFrame {
  const { index, which, isAnswer, flags, seq, ack, protocol, length } = one;
  const own = portOf(index, which);
  const sender = isAnswer ? by : from;
  const ports = isAnswer ? { srcPort: byPort, dstPort: own } : { srcPort: own, dstPort };
  const envelope = {
    from: sender.mac,
    to: sender.router,
    src: sender.address,
    dst: isAnswer ? heardFrom : dst,
    data: new Uint8Array(length),
  };
  let words: FrameWords = { ...envelope, echo: { id: own, sequence: which } };
  if (protocol === "tcp") words = { ...envelope, tcp: { ...ports, flags, seq, ack } };
  if (protocol === "udp") words = { ...envelope, udp: ports };
  const octets = Buffer.from(buildFrame(words)).toString("hex");
  return { at: 0, interface: sender.link, octets };
}

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`the examples' rules${skipped}`, () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.open();
  });
  afterAll(() => kernel.close());

  it.each<[string, World, readonly Talk[]]>([
    ["a container host", CONTAINER_HOST, CONTAINER_TALKS],
    ["ufw", UFW_MACHINE, UFW_TALKS],
  ])(
    "of %s do in the emulated router what they do in the kernel",
    async (_, world, talks) => {
      await fc.assert(
        fc.asyncProperty(frames(talks), async (all) => {
          const recording = await record(kernel, { world, frames: all });
          const emulated = comparable(world, emulate(recording));
          expect(emulated).toEqual(comparable(world, recording.sent));
        }),
        { numRuns: CASES, seed: SEED },
      );
    },
    60_000 + CASES * 500,
  );

  it("of a container host are what its commands make here", () => {
    const folder = mkdtempSync(join(tmpdir(), "dom0-rules-"));
    try {
      const script = fileURLToPath(new URL("make-rules.sh", CONTAINER_FOLDER));
      const made = spawnSync("unshare", ["--net", "sh", script], { cwd: folder, encoding: "utf8" });
      expect(made.stderr).toBe("");
      const [fresh, kept] = [join(folder, "rules.v4"), new URL("rules.v4", CONTAINER_FOLDER)].map(
        (file) => withoutComments(readFileSync(file, "utf8")),
      );
      expect(fresh).toBe(kept);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    ["a container host", CONTAINER_HOST],
    ["ufw", UFW_MACHINE],
  ])("of %s are printed as they were saved", (_, { iptables = "" }) => {
    const world = new RouterWorld({ interfaces: {}, routes: [], iptables });
    const tables = (text: string): string[] =>
      withoutComments(text)
        .split(/(?=^\*)/m)
        .toSorted();
    expect(tables(world.firewall.rules.save())).toEqual(tables(iptables));
  });
});
