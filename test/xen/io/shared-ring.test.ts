import { describe, expect, it } from "vitest";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import {
  BackRing,
  FrontRing,
  initializeRing,
  ringEntries,
} from "../../../src/xen/io/shared-ring.ts";

describe("ringEntries", () => {
  it.each([
    ["blkif of x86_64", 112, 32],
    ["blkif of x86_32", 108, 32],
    ["netif tx", 12, 256],
    ["netif rx", 8, 256],
  ])("gives %s entries of %i octets %i places", (_, octets, entries) => {
    expect(ringEntries(octets)).toBe(entries);
  });
});

describe.each([
  ["plain", false],
  ["shared", true],
])("a ring in %s memory", (_, isShared) => {
  function ring(entryOctets = 12) {
    const memory = new DomainMemory({ domid: 1, pages: 4, isShared });
    memory.allocate();
    const gfn = memory.allocate();
    memory.bytes.fill(0xaa, gfn * 4096, gfn * 4096 + 4096);
    initializeRing(memory, gfn);
    const front = new FrontRing({ memory, gfn, entryOctets });
    const back = new BackRing({ memory, gfn, entryOctets });
    return { memory, gfn, front, back };
  }

  it("starts with producers 0, events 1 and an empty header", () => {
    const { memory } = ring();
    const header = new Uint8Array(64);
    header[4] = 1;
    header[12] = 1;
    expect(memory.bytes.slice(4096, 4160)).toEqual(header);
    expect(memory.bytes[4160]).toBe(0xaa);
  });

  it("has its words where ring.h puts them", () => {
    const { memory, front, back } = ring();
    expect(front.reserve()).toBe(4096 + 64);
    expect(front.reserve()).toBe(4096 + 64 + 12);
    expect(front.push()).toBe(true);
    expect(memory.view.getUint32(4096, true)).toBe(2);
    expect(back.unconsumed).toBe(2);
    back.take();
    back.take();
    expect(back.finalCheck()).toBe(false);
    expect(memory.view.getUint32(4100, true)).toBe(3);
    expect(back.reserve()).toBe(4096 + 64);
    expect(back.push()).toBe(true);
    expect(memory.view.getUint32(4104, true)).toBe(1);
    front.take();
    expect(front.finalCheck()).toBe(false);
    expect(memory.view.getUint32(4108, true)).toBe(2);
  });

  it("asks for no event that nobody waits for", () => {
    const { front, back } = ring();
    front.reserve();
    expect(front.push()).toBe(true);
    front.reserve();
    expect(front.push()).toBe(false);
    back.take();
    back.take();
    expect(back.finalCheck()).toBe(false);
    front.reserve();
    expect(front.push()).toBe(true);
    expect(back.finalCheck()).toBe(true);
  });

  it("tells a claim of more requests than it holds, and hands out no more", () => {
    const { memory, back } = ring();
    memory.view.setUint32(4096, 256, true);
    expect(back.isOverrun).toBe(false);
    expect(back.unconsumed).toBe(256);
    memory.view.setUint32(4096, 257, true);
    expect(back.isOverrun).toBe(true);
    expect(back.unconsumed).toBe(256);
    memory.view.setUint32(4096, 0xffff_ffff, true);
    expect(back.isOverrun).toBe(true);
    expect(back.unconsumed).toBe(256);
  });

  it("goes on where 32 bits end", () => {
    const { memory, gfn } = ring();
    const start = 0xffff_fffe;
    for (const word of [0, 8]) memory.view.setUint32(4096 + word, start, true);
    for (const word of [4, 12]) memory.view.setUint32(4096 + word, start + 1, true);
    const front = new FrontRing({ memory, gfn, entryOctets: 12, start });
    const back = new BackRing({ memory, gfn, entryOctets: 12, start });
    const places = [254, 255, 0, 1].map((place) => 4096 + 64 + 12 * place);
    expect(places.map(() => front.reserve())).toEqual(places);
    expect(front.free).toBe(252);
    expect(front.push()).toBe(true);
    expect(memory.view.getUint32(4096, true)).toBe(2);
    expect(back.unconsumed).toBe(4);
    expect(places.map(() => back.take())).toEqual(places);
    places.forEach(() => back.reserve());
    expect(back.push()).toBe(true);
    expect(front.unconsumed).toBe(4);
    expect(places.map(() => front.take())).toEqual(places);
    expect(front.free).toBe(256);
  });
});
