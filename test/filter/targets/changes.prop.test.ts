import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hook, Verdict } from "../../../src/l3/hooks.ts";
import { checkIpv4, IPV4 } from "../../../src/l3/ipv4.ts";
import { checkTcpChecksum, sealTcp, TCP, tcpHeaderLengthOf } from "../../../src/l4/tcp.ts";
import { type Packet, PacketPool } from "../../../src/wire/packet.ts";
import { circumstances, frameParts, packetOf } from "../facts.ts";
import { newRuleSet } from "../stand.ts";

const pool = new PacketPool({ slots: 4, largeSlots: 0 });

/** What becomes of `packet` by the rules of mangle FORWARD. */
function forward(commands: readonly string[], packet: Packet): Verdict {
  const { rules } = newRuleSet();
  for (const command of commands) rules.command(`-t mangle -A FORWARD ${command}`);
  const context = { hook: Hook.Forward, packet, input: null, output: null, now: 0 };
  return rules.table("mangle").onHook(packet, { ...context, reason: "test/none", detail: "" });
}

const NOTHING: number[] = [1, 1, 1];
const optionLists = fc.array(
  fc.constantFrom(
    [2, 4, 5, 0xb4],
    [2, 4, 1, 0],
    [1, 1, 1, 1],
    [3, 3, 7, 1],
    [4, 2, 1, 1],
    [8, 0, 1, 1],
  ),
  { maxLength: 10 },
);
const syn = fc.record({
  options: optionLists.map((list) => list.flat()),
  data: fc.oneof(fc.constant([]), fc.constant([1, 2, 3])),
  flags: fc.constantFrom(2, 0x12, 0x10),
});

/** The size that the first sound MSS option says; `null` for none. */
function mssOf(packet: Packet): number | null {
  const { view } = packet.pool;
  const end = packet.transport + tcpHeaderLengthOf(view, packet.transport);
  for (let at = packet.transport + 20; at + 4 <= end;) {
    const [kind, length] = [view.getUint8(at), view.getUint8(at + 1)];
    if (kind === 2 && length === 4) return view.getUint16(at + 2);
    at += kind < 2 ? 1 : length || 1;
  }
  return null;
}

describe("Targets that change packets", () => {
  const changes = fc.constantFrom(
    ...["TTL --ttl-set 9", "TTL --ttl-dec 200", "TTL --ttl-inc 255", "DSCP --set-dscp 46"],
    ...["TOS --set-tos 0x10/0x3f", "TOS --xor-tos 0xff", "TOS --and-tos 0x0f", "MARK --set-mark 7"],
  );

  it("leave a sound IP header", () => {
    fc.assert(
      fc.property(frameParts, circumstances, fc.array(changes), (parts, place, targets) => {
        const packet = packetOf(pool, parts, place);
        const commands = targets.map((target) => `-j ${target}`);
        expect(forward(commands, packet)).toBe(Verdict.Accept);
        expect(checkIpv4(pool.view, packet.network, packet.end)).toBeNull();
        pool.end(packet, "consumed", "test/done", 0);
      }),
    );
  });

  it("lower the segment size of a SYN or add one, with sound checksums", () => {
    fc.assert(
      fc.property(
        frameParts,
        circumstances,
        syn,
        fc.constantFrom(100, 1000, 1400, null),
        (...all) => {
          const [parts, place, { options, data, flags }, size] = all;
          const header = [0x9c, 0x40, 0, 80, ...Array.from({ length: 8 }, () => 0)];
          const offset = (20 + options.length) << 2;
          const transport = [...header, offset, flags, 0x20, 0, 0, 0, 0, 0, ...options, ...data];
          const packet = packetOf(
            pool,
            { ...parts, protocol: 6, flagsFragment: 0, transport: Uint8Array.from(transport) },
            place,
          );
          const { view } = pool;
          const [at, end] = [packet.transport, packet.end];
          const [src, dst] = [
            IPV4.src.get(view, packet.network),
            IPV4.dst.get(view, packet.network),
          ];
          sealTcp(view, at, end, src, dst);
          packet.pathMtu = 1300;
          const wanted = size ?? 1260;
          const before = mssOf(packet);
          const target = size === null ? "--clamp-mss-to-pmtu" : `--set-mss ${size}`;
          forward([`-p tcp --tcp-flags SYN SYN -j TCPMSS ${target}`], packet);
          const canGrow = data.length === 0 && options.length < 40;
          const added = canGrow ? Math.min(wanted, 536) : null;
          const lowered = before === null ? added : Math.min(before, wanted);
          expect(mssOf(packet)).toBe((flags & 2) === 0 ? before : lowered);
          const growth = (flags & 2) !== 0 && before === null && canGrow ? 4 : 0;
          expect(packet.end - end).toBe(growth);
          expect(tcpHeaderLengthOf(view, at)).toBe(20 + options.length + growth);
          expect(checkTcpChecksum(view, at, packet.end, src, dst)).toBeNull();
          expect(checkIpv4(view, packet.network, packet.end)).toBeNull();
          expect(IPV4.totalLength.get(view, packet.network)).toBe(packet.end - packet.network);
          const rest = pool.bytes.slice(at + 20 + growth, packet.end);
          expect([...rest].slice(options.length)).toEqual(data);
          expect(TCP.flags.get(view, at)).toBe(flags);
          pool.end(packet, "consumed", "test/done", 0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("drop a SYN whose header is cut short, or whose path leaves no room", () => {
    const [parts] = fc.sample(frameParts, 1);
    const [place] = fc.sample(circumstances, 1);
    if (parts === undefined || place === undefined) throw new Error("no sample");
    const header = [...Array.from({ length: 12 }, () => 0), 0x60, 2, 0, 0, 0, 0, 0, 0, ...NOTHING];
    const whole = { ...parts, protocol: 6, flagsFragment: 0, transport: Uint8Array.from(header) };
    const rule = "-p tcp --tcp-flags SYN SYN -j TCPMSS";
    const short = packetOf(pool, whole, place);
    expect(forward([`${rule} --set-mss 1000`], short)).toBe(Verdict.Drop);
    const narrow = packetOf(pool, { ...whole, transport: Uint8Array.from([...header, 1]) }, place);
    narrow.pathMtu = 40;
    expect(forward([`${rule} --clamp-mss-to-pmtu`], narrow)).toBe(Verdict.Drop);
    narrow.pathMtu = 41;
    expect(forward([`${rule} --clamp-mss-to-pmtu`], narrow)).toBe(Verdict.Accept);
    pool.end(short, "consumed", "test/done", 0);
    pool.end(narrow, "consumed", "test/done", 0);
  });
});
