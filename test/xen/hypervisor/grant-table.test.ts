import { describe, expect, it } from "vitest";
import { DOMID_SELF, DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { GrantMap, GrantStatus } from "../../../src/xen/hypervisor/grant-operations.ts";
import { GrantTables } from "../../../src/xen/hypervisor/grant-table.ts";
import { GuestGrants } from "../../../src/xen/hypervisor/guest-grants.ts";

const READ = GrantMap.host | GrantMap.readonly;
const WRITE = GrantMap.host;

/** Dom0, and domUs 1 and 2, each with its table and what its kernel knows of it. */
function host(isShared = false) {
  const tables = new GrantTables();
  const domain = (domid: number) => {
    const memory = new DomainMemory({ domid, pages: 64, isShared });
    const table = tables.create(memory);
    return { memory, table, grants: new GuestGrants(memory, table.frames) };
  };
  return { tables, dom0: domain(0), one: domain(1), two: domain(2) };
}

describe.each([
  ["plain", false],
  ["shared", true],
])("a grant table in %s memory", (_, isShared) => {
  it("has entries of flags, domid and frame, eight octets each", () => {
    const { one } = host(isShared);
    const [first = -1] = one.table.frames;
    expect(one.grants.grant(0, 0x21, false)).toBe(8);
    expect(one.grants.grant(0x1234, 0x22, true)).toBe(9);
    one.grants.grantAt(512, 7, 0x23, true);
    const at = first * 4096 + 8 * 8;
    expect([...one.memory.bytes.subarray(at, at + 16)]).toEqual([
      ...[1, 0, 0, 0, 0x21, 0, 0, 0],
      ...[5, 0, 0x34, 0x12, 0x22, 0, 0, 0],
    ]);
    const second = (one.table.frames[1] ?? -1) * 4096;
    expect([...one.memory.bytes.subarray(second, second + 8)]).toEqual([5, 0, 7, 0, 0x23, 0, 0, 0]);
  });

  it("shows reading and writing while somebody maps, and revokes only then not", () => {
    const { dom0, one } = host(isShared);
    const ref = one.grants.grant(0, 40, false);
    const at = (one.table.frames[0] ?? -1) * 4096 + ref * 8;
    const reader = dom0.table.map(1, ref, READ);
    expect(one.memory.bytes[at]).toBe(1 | 8);
    const writer = dom0.table.map(1, ref, WRITE);
    expect(one.memory.bytes[at]).toBe(1 | 8 | 16);
    expect([dom0.table.frameOf(reader), dom0.table.frameOf(writer)]).toEqual([40, 40]);
    expect(dom0.table.memoryOf(writer)).toBe(one.memory);
    expect(one.grants.revoke(ref)).toBe(false);
    expect(dom0.table.unmap(writer)).toBe(GrantStatus.okay);
    expect(one.memory.bytes[at]).toBe(1 | 8);
    expect([one.grants.isMapped(ref), one.grants.revoke(ref)]).toEqual([true, false]);
    expect(dom0.table.unmap(reader)).toBe(GrantStatus.okay);
    expect(one.memory.bytes[at]).toBe(1);
    expect([one.grants.isMapped(ref), one.grants.revoke(ref)]).toEqual([false, true]);
    expect(one.memory.bytes[at]).toBe(0);
    expect(dom0.table.map(1, ref, READ)).toBe(GrantStatus.generalError);
    expect(dom0.table.unmap(reader)).toBe(GrantStatus.badHandle);
    expect([dom0.table.frameOf(reader), dom0.table.memoryOf(reader)]).toEqual([-1, null]);
  });

  it("keeps the frame that was mapped, whatever the guest writes meanwhile", () => {
    const { dom0, one } = host(isShared);
    const ref = one.grants.grant(0, 40, false);
    const handle = dom0.table.map(1, ref, WRITE);
    one.grants.grantAt(ref, 2, 41, true);
    expect(dom0.table.frameOf(handle)).toBe(40);
    expect(one.table.frameFor(ref, 0, true)).toBe(40);
    const again = dom0.table.map(1, ref, READ);
    expect(dom0.table.frameOf(again)).toBe(40);
    dom0.table.unmap(handle);
    dom0.table.unmap(again);
    expect(one.table.frameFor(ref, 0, false)).toBe(GrantStatus.generalError);
    expect(one.table.frameFor(ref, 2, false)).toBe(41);
  });

  it("copies between frames, and says why not", () => {
    const { dom0, one } = host(isShared);
    const ref = one.grants.grant(0, 40, true);
    one.memory.bytes.set([1, 2, 3, 4], 40 * 4096 + 4092);
    const copy = (source: object, target: object, length: number): number =>
      dom0.table.copy({
        source: { domid: 1, isReference: true, frame: ref, offset: 4092, ...source },
        target: { domid: DOMID_SELF, isReference: false, frame: 9, offset: 0, ...target },
        length,
      });
    expect(copy({}, {}, 4)).toBe(GrantStatus.okay);
    expect([...dom0.memory.bytes.subarray(9 * 4096, 9 * 4096 + 4)]).toEqual([1, 2, 3, 4]);
    expect(copy({}, {}, 5)).toBe(GrantStatus.badCopyArgument);
    expect(copy({}, { offset: 4093 }, 4)).toBe(GrantStatus.badCopyArgument);
    expect(copy({ isReference: false }, {}, 4)).toBe(GrantStatus.permissionDenied);
    expect(copy({}, { domid: 1 }, 4)).toBe(GrantStatus.permissionDenied);
    expect(copy({ domid: 7 }, {}, 4)).toBe(GrantStatus.badDomain);
    expect(copy({ frame: 2048 }, {}, 4)).toBe(GrantStatus.badReference);
    expect(copy({}, { domid: 1, isReference: true, frame: ref }, 4)).toBe(GrantStatus.generalError);
    expect(copy({}, { frame: 64 }, 4)).toBe(GrantStatus.generalError);
    expect(one.grants.revoke(ref)).toBe(true);
  });
});

describe("GrantTable", () => {
  it("answers each wrong map with Xen's status", () => {
    const { dom0, one, two } = host();
    const ref = one.grants.grant(0, 40, true);
    expect(dom0.table.map(1, ref, GrantMap.readonly)).toBe(GrantStatus.badReference);
    expect(dom0.table.map(9, ref, READ)).toBe(GrantStatus.badDomain);
    expect(dom0.table.map(1, 4 * 512, READ)).toBe(GrantStatus.badReference);
    expect(dom0.table.map(1, 0xffff_ffff, READ)).toBe(GrantStatus.badReference);
    expect(dom0.table.map(1, ref + 1, READ)).toBe(GrantStatus.generalError);
    expect(two.table.map(1, ref, READ)).toBe(GrantStatus.generalError);
    expect(dom0.table.map(1, ref, WRITE)).toBe(GrantStatus.generalError);
    expect(one.grants.isMapped(ref)).toBe(false);
    expect(dom0.table.unmap(0)).toBe(GrantStatus.badHandle);
    expect(dom0.table.unmap(-1)).toBe(GrantStatus.badHandle);
    const outside = one.grants.grant(0, 64, false);
    expect(dom0.table.map(1, outside, READ)).toBe(GrantStatus.generalError);
    expect(one.table.frameFor(outside, 0, false)).toBe(GrantStatus.generalError);
    one.memory.words[(one.table.frames[0] ?? 0) * 1024 + 20] = 2;
    expect(dom0.table.map(1, 10, READ)).toBe(GrantStatus.generalError);
    expect(dom0.table.transfer()).toBe(GrantStatus.badPage);
    expect(dom0.table.mappings).toBe(0);
  });

  it("counts at most 128 users of a kind", () => {
    const { dom0, one } = host();
    const ref = one.grants.grant(0, 40, false);
    const handles = Array.from({ length: 128 }, () => dom0.table.map(1, ref, READ));
    expect(handles.every((handle) => handle >= 0)).toBe(true);
    expect(dom0.table.map(1, ref, READ)).toBe(GrantStatus.generalError);
    for (const handle of handles) expect(dom0.table.unmap(handle)).toBe(GrantStatus.okay);
    expect(one.grants.revoke(ref)).toBe(true);
  });

  it("unmaps for the processor and for devices apart", () => {
    const { dom0, one } = host();
    const ref = one.grants.grant(0, 40, false);
    const handle = dom0.table.map(1, ref, GrantMap.host | GrantMap.device);
    expect(dom0.table.unmap(handle, GrantMap.host)).toBe(GrantStatus.okay);
    expect(one.grants.isMapped(ref)).toBe(true);
    expect(dom0.table.unmap(handle, GrantMap.device)).toBe(GrantStatus.okay);
    expect(one.grants.isMapped(ref)).toBe(false);
    expect(dom0.table.unmap(handle)).toBe(GrantStatus.badHandle);
  });

  it("runs out of handles", () => {
    const tables = new GrantTables({ maxFrames: 4 });
    const one = new DomainMemory({ domid: 1, pages: 8 });
    const table = tables.create(one);
    const dom0 = tables.create(new DomainMemory({ domid: 0, pages: 8 }));
    const grants = new GuestGrants(one, table.frames);
    for (let count = 0; count < 4 * 8 * 512; count += 1) {
      expect(
        dom0.map(1, count % 128 === 0 ? grants.grant(0, 5, true) : 8 + (count >> 7), READ),
      ).toBe(count);
    }
    expect(dom0.map(1, grants.grant(0, 5, true), READ)).toBe(GrantStatus.noDeviceSpace);
    dom0.unmap(77);
    expect(dom0.map(1, 8 + 128, READ)).toBe(77);
  });

  it("grows to its bound and tells its size", () => {
    const { one } = host();
    expect(one.table.querySize()).toEqual({ frames: 4, maxFrames: 32 });
    expect(one.grants.available).toBe(4 * 512 - 8);
    expect(one.table.setup(5)).toBe(GrantStatus.okay);
    one.grants.extend(one.table.frames);
    expect(one.grants.available).toBe(5 * 512 - 8);
    expect(one.table.setup(33)).toBe(GrantStatus.generalError);
    expect(one.table.setup(2)).toBe(GrantStatus.okay);
    expect(one.table.querySize().frames).toBe(5);
    one.grants.grantAt(5 * 512 - 1, 0, 50, false);
    expect(one.table.frameFor(5 * 512 - 1, 0, true)).toBe(50);
  });

  it("grants by references from 8 on, and -1 when all are taken", () => {
    const { one } = host();
    const refs = Array.from({ length: 4 * 512 - 8 }, () => one.grants.grant(0, 1, true));
    expect([refs[0], refs.at(-1)]).toEqual([8, 2047]);
    expect(one.grants.grant(0, 1, true)).toBe(-1);
    expect(one.grants.revoke(100)).toBe(true);
    expect(one.grants.grant(0, 1, true)).toBe(100);
  });

  it("releases what a dead domain mapped, and leaves what others map of it", () => {
    const { tables, dom0, one, two } = host();
    const held = one.grants.grant(0, 40, false);
    const handle = dom0.table.map(1, held, WRITE);
    const given = two.grants.grant(1, 20, false);
    one.table.map(2, given, WRITE);
    expect(two.grants.isMapped(given)).toBe(true);
    tables.destroy(1);
    expect(two.grants.isMapped(given)).toBe(false);
    expect(dom0.table.map(1, held, READ)).toBe(GrantStatus.badDomain);
    expect([dom0.table.frameOf(handle), dom0.table.memoryOf(handle)]).toEqual([40, one.memory]);
    expect([tables.isReferenced(1), tables.isReferenced(2)]).toEqual([true, false]);
    expect(dom0.table.unmap(handle)).toBe(GrantStatus.okay);
    expect(tables.isReferenced(1)).toBe(false);
    expect(dom0.table.mappings).toBe(0);
  });
});
