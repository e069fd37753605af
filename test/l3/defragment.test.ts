import { expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { Defragmenter } from "../../src/l3/defragment.ts";
import { Hook, Verdict } from "../../src/l3/hooks.ts";
import { isFragment } from "../../src/l3/ipv4.ts";
import { EC2_2010, LINUX } from "../../src/xen/profile.ts";
import { pattern, frameOf, packetOf } from "../oracle/world-octets.ts";
import { Bench } from "./bench.ts";

const MORE = 0x2000;

/** A router between two networks that tracks connections, and so puts packets together. */
function setup(
  mtu: number,
  onWhole: (packet: Packet) => void,
  protocol = 17,
  { router: behaviour } = LINUX,
) {
  const bench = new Bench(behaviour);
  const left = bench.addDevice("e0", ["10.1.2.1/24"], { mac: "02:00:00:00:00:00" });
  const right = bench.addDevice("e1", ["10.2.2.1/24"], { mac: "02:00:00:00:00:01", mtu });
  bench.know(left, "10.1.2.2", "12:31:39:00:00:02");
  bench.know(right, "10.2.2.2", "12:31:39:00:01:02");
  const defragmenter = new Defragmenter(bench.router, behaviour.reassembly);
  bench.router.hooks.register(Hook.Prerouting, 0, {
    name: "look",
    onHook: (packet) => {
      onWhole(packet);
      return Verdict.Accept;
    },
  });
  const piece = (at: number, length: number, hasMore: boolean): Uint8Array => {
    const payload = pattern(600, 1).slice(at, at + length);
    const octets = packetOf({
      src: "10.1.2.2",
      dst: "10.2.2.2",
      tos: 0,
      id: 9,
      flagsFragment: (hasMore ? MORE : 0) | (at / 8),
      ttl: 64,
      protocol,
      options: new Uint8Array(0),
      payload,
    });
    return frameOf("02:00:00:00:00:00", "12:31:39:00:00:02", 0x0800, octets);
  };
  const receive = (...[at, length, hasMore]: Parameters<typeof piece>) =>
    bench.receive(left, piece(at, length, hasMore));
  return { bench, defragmenter, receive };
}

it("shows filters whole packets, and sends them on in pieces no larger than they came", () => {
  const seen: boolean[] = [];
  const { bench, receive } = setup(1500, (packet) => {
    seen.push(isFragment(packet.pool.view, packet.network));
  });
  expect(receive(0, 400, true)).toEqual([]);
  const sent = receive(400, 200, false);
  expect(seen).toEqual([false]);
  expect(sent.map(({ octets }) => octets.length)).toEqual([14 + 20 + 400, 14 + 20 + 200]);
  expect(bench.pool.live).toBe(0);
});

it("sends them on in the very pieces that came, whatever else would be fewer", () => {
  const { receive } = setup(1500, () => {});
  receive(576, 24, false);
  receive(0, 8, true);
  receive(8, 400, true);
  const sent = receive(408, 168, true);
  expect(sent.map(({ octets }) => octets.length)).toEqual(
    [8, 400, 168, 24].map((length) => 14 + 20 + length),
  );
});

it("draws TCP's header into the first piece, and cuts anew; 2.6.18 sends what fits whole", () => {
  const lengthsOf = (profile: typeof LINUX): number[] => {
    const { receive } = setup(1500, () => {}, 6, profile);
    receive(0, 16, true);
    return receive(16, 32, false).map(({ octets }) => octets.length - 14 - 20);
  };
  expect(lengthsOf(LINUX)).toEqual([32, 16]);
  expect(lengthsOf(EC2_2010)).toEqual([48]);
});

it("sends them on in smaller pieces where the next link is narrower", () => {
  const { receive } = setup(300, () => {});
  receive(400, 200, false);
  const sent = receive(0, 400, true);
  expect(sent.map(({ octets }) => octets.length)).toEqual([14 + 300, 14 + 300, 14 + 20 + 40]);
});

it("lets what never becomes whole vanish, without a word to its sender", () => {
  const { bench, defragmenter, receive } = setup(1500, () => {});
  receive(0, 400, true);
  expect(defragmenter.nextDeadline()).toBeGreaterThan(29 * SECOND);
  defragmenter.expire(31 * SECOND);
  expect(bench.sent).toEqual([]);
  expect(bench.pool.ends.get("reassembly/timeout")).toBe(1);
  expect(bench.pool.live).toBe(0);
});
