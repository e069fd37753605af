import { describe, expect, it } from "vitest";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";

describe("DomainMemory", () => {
  it("gives each frame once, of zeros, and -1 when none is left", () => {
    const memory = new DomainMemory({ domid: 3, pages: 2 });
    expect([memory.allocate(), memory.allocate(), memory.allocate()]).toEqual([0, 1, -1]);
    memory.bytes.fill(0x5a);
    memory.free(1);
    expect(memory.allocated).toBe(1);
    expect(memory.allocate()).toBe(1);
    expect(memory.bytes.subarray(4096).every((octet) => octet === 0)).toBe(true);
    expect(memory.bytes[4095]).toBe(0x5a);
  });

  it("takes back only what it gave", () => {
    const memory = new DomainMemory({ domid: 3, pages: 2 });
    memory.allocate();
    memory.free(0);
    expect(() => memory.free(0)).toThrow("an allocated frame");
    expect(() => memory.free(1)).toThrow("an allocated frame");
    expect(() => memory.free(-1)).toThrow("an allocated frame");
  });

  it("is the same memory in octets, words and a view", () => {
    const memory = new DomainMemory({ domid: 0, pages: 1, isShared: true });
    memory.view.setUint32(8, 0x0403_0201, true);
    expect([...memory.bytes.subarray(8, 12)]).toEqual([1, 2, 3, 4]);
    expect(memory.words[2]).toBe(0x0403_0201);
    expect(memory.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it("is made from another thread's buffer", () => {
    const buffer = new SharedArrayBuffer(3 * 4096);
    const memory = new DomainMemory({ domid: 1, buffer });
    expect([memory.pages, memory.isShared]).toEqual([3, true]);
    expect(() => new DomainMemory({ domid: 1, pages: 2, buffer })).toThrow("2 frames of 4096");
  });

  it.each([-1, 32_752, 1.5])("has no domid %d", (domid) => {
    expect(() => new DomainMemory({ domid })).toThrow("domid");
  });

  it.each([0, 0.5, 2 ** 18 + 1])("has no %d pages", (pages) => {
    expect(() => new DomainMemory({ domid: 1, pages })).toThrow("pages");
  });
});
