import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { parseAddressWords, parseRouteWords } from "../../src/l3/ip-words.ts";
import { RouteKind } from "../../src/l3/route-table.ts";
import { formatIpv4, parseIpv4 } from "../../src/wire/addr.ts";

/** The word that `work` refuses. */
function refused(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    if (error instanceof ParseError) return error.value;
    throw error;
  }
  return null;
}

describe("the words of ip addr add", () => {
  it.each([
    ["10.1.2.3/24", null],
    ["10.1.2.3/24 brd +", "10.1.2.255"],
    ["10.1.2.3/24 broadcast -", "10.1.2.0"],
    ["10.1.2.3/16 brd 10.255.255.255", "10.255.255.255"],
    ["10.1.2.3/32  scope global", null],
  ])("%s", (words, broadcast) => {
    const read = parseAddressWords(words);
    expect(formatIpv4(read.address)).toBe("10.1.2.3");
    expect(read.broadcast).toBe(broadcast === null ? null : parseIpv4(broadcast));
  });

  it.each([
    ["", ""],
    ["10.1.2.3/33", "10.1.2.3/33"],
    ["10.1.2.3/24 brd", "brd"],
    ["10.1.2.3/24 peer 10.1.2.4", "peer"],
    ["10.1.2.3/24 scope host", "host"],
    ["10.1.2/24", "10.1.2"],
  ])("refuse %j", (words, word) => {
    expect(refused(() => parseAddressWords(words))).toBe(word);
  });
});

describe("the words of ip route add", () => {
  it("give a route whatever their order", () => {
    const words = "192.0.2.0/24 metric 5 dev e0 mtu lock 1400 src 10.0.0.1 via 10.0.0.2 onlink";
    expect(parseRouteWords(words)).toEqual({
      kind: RouteKind.Unicast,
      prefix: { address: parseIpv4("192.0.2.0"), length: 24 },
      dev: "e0",
      gateway: parseIpv4("10.0.0.2"),
      source: parseIpv4("10.0.0.1"),
      metric: 5,
      mtu: 1400,
      isMtuLocked: true,
      isOnLink: true,
    });
  });

  it.each([
    ["default via 10.0.0.1", { kind: RouteKind.Unicast, dev: null, isOnLink: false }],
    ["10.1.2.3 dev e0 scope global proto static", { scope: "global", origin: "static" }],
    ["unreachable 10.0.0.0/8 metric 9", { kind: RouteKind.Unreachable, metric: 9 }],
    ["prohibit 10.0.0.0/8", { kind: RouteKind.Prohibit }],
    ["blackhole default", { kind: RouteKind.Blackhole }],
    ["unicast 10.0.0.0/8 dev e1 mtu 900", { mtu: 900, isMtuLocked: false }],
  ])("%s", (words, expected) => {
    expect(parseRouteWords(words)).toMatchObject(expected);
  });

  it.each([
    ["", ""],
    ["10.0.0.1/8 dev e0", "10.0.0.1/8"],
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["10.0.0.0/8 via", "via"],
    ["10.0.0.0/8 via e0", "e0"],
    ["10.0.0.0/8 dev e0 metric -1", "-1"],
    ["10.0.0.0/8 dev e0 mtu lock", "lock"],
    ["10.0.0.0/8 dev e0 table 7", "table"],
    ["10.0.0.0/8 dev e0 scope site", "site"],
    ["default via 10.0.0.1 onlink", "onlink"],
    ["10.0.0.0/8 dev e0 onlink", "onlink"],
    ["local 10.0.0.1", "local"],
    ["blackhole 10.0.0.0/8 dev e0", "blackhole 10.0.0.0/8 dev e0"],
  ])("refuse %j", (words, word) => {
    expect(refused(() => parseRouteWords(words))).toBe(word);
  });
});
