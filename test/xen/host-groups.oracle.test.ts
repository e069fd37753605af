import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import { formatIpv4, formatMac, parsePrefix } from "../../src/wire/addr.ts";
import type { Permission } from "../../src/xen/permission.ts";
import { LINUX } from "../../src/xen/profile.ts";
import type { Vif } from "../../src/xen/vif.ts";
import { missingForRules } from "../filter/kernel-rules.ts";
import { HelperProcess, withoutComments } from "../oracle/helper-process.ts";
import { OUTSIDE } from "../support/hosts.ts";
import {
  addressOf,
  DOM0,
  frameOf,
  GATEWAY,
  GATEWAY_MAC,
  GroupBench,
  type Sent,
  UPLINK_MAC,
} from "./group-bench.ts";

const missing = missingForRules();
const UPLINK = "peth0";
const DOMIDS = [1, 2, 3];
const GROUPS: Readonly<Record<number, readonly string[]>> = {
  1: ["default", "web"],
  2: ["default"],
  3: ["web"],
};

const port = fc.constantFrom(7, 80);
const permission: fc.Arbitrary<Permission> = fc.oneof(
  fc.record({
    protocol: fc.constantFrom("tcp", "udp"),
    source: fc.constantFrom("0.0.0.0/0", "10.254.170.2/31").map(parsePrefix),
    ports: fc.tuple(port, port).map((ends) => ({
      lower: Math.min(...ends),
      upper: Math.max(...ends),
    })),
  }),
  fc.record({
    protocol: fc.constant("icmp"),
    source: fc.constant(parsePrefix("0.0.0.0/0")),
    icmp: fc.record({ type: fc.constantFrom(8, 13), code: fc.constantFrom(-1, 0) }),
  }),
  fc.record({ group: fc.constantFrom("default", "web") }),
);

/** A packet from outside or another domU to a domU, or the answer to it. */
const packet = fc
  .record({
    domid: fc.constantFrom(...DOMIDS),
    peer: fc.constantFrom(OUTSIDE, ...DOMIDS.map(addressOf)),
    isAnswer: fc.boolean(),
    protocol: fc.constantFrom(Protocol.Tcp, Protocol.Udp, Protocol.Icmp, 47),
    port,
    peerPort: fc.constantFrom(40_000, 40_001),
    flags: fc.constantFrom(TcpFlag.Syn, TcpFlag.Syn | TcpFlag.Ack, TcpFlag.Ack),
    query: fc.constantFrom(8, 13),
  })
  .filter(({ domid, peer }) => peer !== addressOf(domid));
const phase = fc.record({
  web: fc.uniqueArray(permission, { maxLength: 4, selector: (one) => JSON.stringify(one) }),
  usual: fc.uniqueArray(permission, { maxLength: 2, selector: (one) => JSON.stringify(one) }),
  packets: fc.array(packet, { maxLength: 30, size: "max" }),
});
type Shot = typeof packet extends fc.Arbitrary<infer P> ? P : never;

/** Where a packet comes in, and what it is. */
function sentOf(shot: Shot): { domid: number | null; sent: Sent } {
  const { domid, peer, isAnswer, protocol, peerPort, flags, query } = shot;
  const own = addressOf(domid);
  const from = DOMIDS.find((other) => addressOf(other) === peer) ?? null;
  if (isAnswer) {
    const ports = { sourcePort: shot.port, port: peerPort };
    const type = query === 8 ? 0 : 14;
    return {
      domid,
      sent: { source: own, target: peer, protocol, ...ports, type, id: peerPort, flags },
    };
  }
  const ports = { sourcePort: peerPort, port: shot.port };
  const sent = { source: peer, target: own, protocol, ...ports, type: query, id: peerPort, flags };
  return { domid: from, sent };
}

const save = (bench: GroupBench): string => {
  const text = bench.dom0.firewall.rules.save({ hasCounters: true });
  return text.slice(text.indexOf("*filter\n"));
};

/** How many packets came to rules that read so. */
function countOf(texts: readonly string[], rule: string): number {
  const counts = texts.flatMap((text) => [
    ...text.matchAll(new RegExp(`^\\[(\\d+):\\d+\\] .*${rule}`, "gm")),
  ]);
  return counts.reduce((sum, [, packets]) => sum + Number(packets), 0);
}

describe.skipIf(missing !== null)(`Security groups in a kernel (${missing ?? "here"})`, () => {
  let helper: HelperProcess;

  beforeAll(() => {
    helper = new HelperProcess(new URL("group_kernel.py", import.meta.url));
  });

  afterAll(() => helper.close());

  /** The table after each phase as the kernel's `iptables-save -c` prints it. */
  async function ask(request: object): Promise<string[]> {
    const { saved } = await helper.ask<{ saved: string[] }>(request);
    return saved.map(withoutComments);
  }

  it("count at each rule what the kernel counts, while permissions change", async () => {
    const texts: string[] = [];
    await fc.assert(
      fc.asyncProperty(fc.array(phase, { minLength: 1, maxLength: 3 }), async (phases) => {
        const bench = new GroupBench({ profile: LINUX });
        bench.groups.create("web");
        const vifs = new Map<number, Vif>();
        for (const domid of DOMIDS) vifs.set(domid, bench.launch(domid, GROUPS[domid]));
        const played = phases.map(({ web, usual, packets }) => {
          bench.groups.define("web", web);
          bench.groups.define("default", usual);
          bench.dom0.firewall.rules.table("filter").zero();
          const text = save(bench);
          const frames = packets.map((shot): [string, string] => {
            const { domid, sent } = sentOf(shot);
            const vif = domid === null ? undefined : vifs.get(domid);
            const device = vif?.device ?? bench.dom0.uplink;
            bench.pass(device, sent);
            return [device.name, Buffer.from(frameOf(device.mac, sent)).toString("hex")];
          });
          return { text, frames, saved: save(bench) };
        });
        const main = formatIpv4(DOM0);
        const saved = await ask({
          devices: {
            [UPLINK]: formatMac(UPLINK_MAC),
            ...Object.fromEntries(DOMIDS.map((id) => [`vif${id}.0`, formatMac(LINUX.vifMac)])),
          },
          ip: [
            `addr add 216.182.232.10/20 dev ${UPLINK}`,
            `neigh add ${formatIpv4(GATEWAY)} lladdr ${formatMac(GATEWAY_MAC)} dev ${UPLINK}`,
            `route add default via ${formatIpv4(GATEWAY)}`,
            ...[...vifs.values()].flatMap(({ name, mac, domid }) => [
              `addr add ${main}/32 dev ${name}`,
              `neigh add ${formatIpv4(addressOf(domid))} lladdr ${formatMac(mac)} dev ${name}`,
              `route add ${formatIpv4(addressOf(domid))} dev ${name} src ${main}`,
            ]),
          ],
          phases: played,
        });
        expect(saved).toEqual(played.map((one) => one.saved));
        texts.push(...saved);
      }),
      { numRuns: 12 },
    );
    expect(countOf(texts, "-A FORWARD -m state")).toBeGreaterThan(0);
    expect(countOf(texts, 'no permission of [^"]*" -j DROP')).toBeGreaterThan(0);
    expect(countOf(texts, "-A sg-web .* -j ACCEPT")).toBeGreaterThan(0);
    expect(countOf(texts, "-A of-")).toBeGreaterThan(0);
  }, 60_000);
});
