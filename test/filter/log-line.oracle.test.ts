import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Hook, Hooks } from "../../src/l3/hooks.ts";
import { IPV4_MIN_LENGTH, ipv4Codec, Protocol } from "../../src/l3/ipv4.ts";
import { formatMac, ipv4Of, MAC_ZERO } from "../../src/wire/addr.ts";
import { Cast, PacketPool } from "../../src/wire/packet.ts";
import {
  buildFrame,
  DEVICES,
  deviceOf,
  type FrameParts,
  frameParts,
  isClassic,
  packetOf,
} from "./facts.ts";
import { isKernelLogReadable, KernelRules, missingForRules } from "./kernel-rules.ts";
import { newRuleSet } from "./stand.ts";

const NEAR = "vif1.0";
const MAC = DEVICES.get(NEAR)?.mac ?? MAC_ZERO;
const missing =
  missingForRules() ?? (isKernelLogReadable() ? null : "the kernel does not log here");
/** Lines of others in the same log do not begin so. */
const PREFIX = `test${process.pid}-`;
const FLAGS = ["--log-tcp-sequence", "--log-tcp-options", "--log-ip-options", "--log-macdecode"];

/** What happens to packets before they are logged, so that the log tells of it. */
const changes = fc.subarray([
  "-A PREROUTING -j MARK --set-mark 0x2a",
  "-A PREROUTING -p tcp --tcp-flags SYN SYN -j TCPMSS --set-mss 1000",
]);

/** An ICMP error that quotes another packet, or the beginning of one. */
const icmpError: fc.Arbitrary<FrameParts> = fc
  .record({
    outer: frameParts,
    inner: frameParts,
    type: fc.constantFrom(0, 3, 4, 5, 8, 11, 12, 13, 17),
    code: fc.constantFrom(0, 4),
    rest: fc.nat(0xffff_ffff),
    length: fc.nat(60),
  })
  .map(({ outer, inner, type, code, rest, length }) => {
    const word = [24, 16, 8, 0].map((shift) => (rest >>> shift) & 255);
    const { src, dst, tos, ttl, flagsFragment, protocol, transport } = inner;
    const header = ipv4Codec.encode({
      versionIhl: 0x45,
      totalLength: IPV4_MIN_LENGTH + transport.length,
      id: 7,
      checksum: 0,
      ...{ tos, ttl, flagsFragment, protocol },
      src: ipv4Of(src),
      dst: ipv4Of(dst),
    });
    const quoted = [...header, ...transport].slice(0, length);
    const message = Uint8Array.from([type, code, 0, 0, ...word, ...quoted]);
    return { ...outer, protocol: Protocol.Icmp, transport: message };
  });

describe.skipIf(missing !== null)(`Lines of the log (${missing ?? "here"})`, () => {
  const pool = new PacketPool({ slots: 8, largeSlots: 0 });
  let kernel: KernelRules;

  beforeAll(() => {
    kernel = new KernelRules({ name: NEAR, mac: formatMac(MAC) });
  });

  afterAll(() => kernel.close());

  it("are the kernel's own", { timeout: 60_000 }, async () => {
    const parts = fc.oneof(frameParts, icmpError).filter(isClassic);
    const sent = fc.array(parts, { minLength: 10, maxLength: 30, size: "max" });
    await fc.assert(
      fc.asyncProperty(sent, fc.subarray(FLAGS), changes, async (frames, flags, before) => {
        const log = `-A PREROUTING -j LOG --log-prefix ${PREFIX} ${flags.join(" ")}`;
        const text = ["*raw", ...before, log, "COMMIT", ""].join("\n");
        const { rules, heard } = newRuleSet();
        rules.restore(text);
        const hooks = new Hooks();
        rules.attach(hooks);
        for (const one of frames) {
          const place = { input: NEAR, output: null, cast: Cast.Host, flowState: 0, mark: 0 };
          const packet = packetOf(pool, one, place, MAC);
          const passed = hooks.pass(Hook.Prerouting, packet, deviceOf(NEAR), null, 0);
          if (passed !== null) pool.end(passed, "consumed", "test/passed", 0);
        }
        const { logged } = await kernel.judge({
          table: "raw",
          text,
          chains: ["PREROUTING", "OUTPUT"],
          logPrefix: PREFIX,
          frames: frames.map((one) => Buffer.from(buildFrame(one, MAC)).toString("hex")),
        });
        expect(heard.logged.map(({ line }) => line)).toEqual(logged);
      }),
      { numRuns: 8 },
    );
  });
});
