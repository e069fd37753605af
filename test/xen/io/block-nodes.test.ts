import { describe, expect, it } from "vitest";
import { BLOCK_ABI_32, BLOCK_ABI_64 } from "../../../src/xen/io/blkif.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import { frontendNodes, readBackend, readFrontend } from "../../../src/xen/io/block-nodes.ts";
import { blockHost, diskOf } from "./block-stand.ts";

const reader =
  (nodes: Readonly<Record<string, string>>) =>
  (key: string): string | null =>
    nodes[key] ?? null;

const front = (nodes: Readonly<Record<string, string>>) =>
  readFrontend(reader({ "ring-ref": "8", "event-channel": "13", ...nodes }), BLOCKS_2618);

describe("nodes of a virtual disk", () => {
  it("are read by the back end as the front end writes them", () => {
    for (const abi of [BLOCK_ABI_64, BLOCK_ABI_32]) {
      const ring = { ringRef: 8, port: 13, abi };
      const nodes = frontendNodes(ring);
      expect(nodes).toEqual([
        ["ring-ref", "8"],
        ["event-channel", "13"],
        ["protocol", abi === BLOCK_ABI_64 ? "x86_64-abi" : "x86_32-abi"],
      ]);
      expect(readFrontend(reader(Object.fromEntries(nodes)), BLOCKS_6)).toEqual(ring);
    }
  });

  it("name the back end's own shape when they name none", () => {
    expect(front({})).toEqual({ ringRef: 8, port: 13, abi: BLOCK_ABI_64 });
    expect(front({ protocol: " \n" })).toEqual({ ringRef: 8, port: 13, abi: BLOCK_ABI_64 });
  });

  it("are scanned as sscanf does", () => {
    expect(front({ "ring-ref": " 9x", "event-channel": "+4 5" })).toMatchObject({
      ringRef: 9,
      port: 4,
    });
    expect(front({ "ring-ref": "-1" })).toMatchObject({ ringRef: 0xffff_ffff });
    expect(front({ "ring-ref": "4294967304" })).toMatchObject({ ringRef: 8 });
    expect(front({ "ring-ref": "9".repeat(3000) })).toMatchObject({ port: 13 });
  });

  it.each([
    [{ "ring-ref": "" }, "reading ring-ref and event-channel"],
    [{ "event-channel": "x1" }, "reading ring-ref and event-channel"],
    [{ protocol: "ia64-abi" }, "unknown fe protocol ia64-abi"],
    [{ protocol: "x".repeat(80) }, `unknown fe protocol ${"x".repeat(63)}`],
  ])("that cannot be used are told in words: %o", (nodes, words) => {
    expect(front(nodes)).toBe(words);
  });

  it.each([
    [
      "ec2-2010",
      BLOCKS_2618,
      [
        ["sectors", "20971520"],
        ["info", "0"],
        ["sector-size", "512"],
      ],
    ],
    [
      "linux",
      BLOCKS_6,
      [
        ["feature-flush-cache", "1"],
        ["feature-barrier", "1"],
        ["sectors", "20971520"],
        ["info", "0"],
        ["sector-size", "512"],
        ["physical-sector-size", "512"],
      ],
    ],
  ])("of a back end of %s stand in its order", (_, behaviour, nodes) => {
    const host = blockHost(64);
    const { back } = diskOf(host, host.domain(1), { behaviour, sectors: 20_971_520 });
    expect(back.nodes()).toEqual(nodes);
    expect(readBackend(reader(Object.fromEntries(back.nodes())))).toEqual({
      sectors: 20_971_520,
      sectorOctets: 512,
      isReadonly: false,
      hasBarrier: behaviour.hasBarrier,
      hasFlush: behaviour.hasFlush,
    });
  });

  it("say that a disk may only be read", () => {
    const host = blockHost(64);
    const { back } = diskOf(host, host.domain(1), { isReadonly: true });
    expect(back.nodes()).toContainEqual(["info", "4"]);
    expect(readBackend(reader(Object.fromEntries(back.nodes())))?.isReadonly).toBe(true);
  });

  it("are not enough while one is missing", () => {
    expect(readBackend(reader({ sectors: "1", info: "0" }))).toBe(null);
    expect(readBackend(reader({ sectors: "1", "sector-size": "512" }))).toBe(null);
    expect(readBackend(reader({ info: "1", "sector-size": "512" }))).toBe(null);
  });
});
