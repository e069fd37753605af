import { expect, it } from "vitest";
import {
  type DomainConfig,
  DomainTable,
  ShutdownReason,
} from "../../../src/xen/hypervisor/domain-table.ts";
import { DOMID_FIRST_RESERVED } from "../../../src/xen/hypervisor/domain-memory.ts";
import { M1_SMALL_KIB } from "../../../src/xen/hypervisor/host-memory.ts";

const config: DomainConfig = {
  name: "dom_32504936",
  uuid: "3c3b0d2e-5e5c-4c57-9d3f-0a7b1c2d3e4f",
  memoryKib: 1,
  vcpus: 1,
  weight: 256,
  cap: 0,
  onPoweroff: "destroy",
  onReboot: "restart",
  onCrash: "rename-restart",
};
const GIB = 1024 * 1024;

it("counts domids up to 32,751, then again from 1, past those in use", () => {
  const table = new DomainTable({ totalKib: 100_000, dom0Kib: 1 });
  const kept = table.create({ ...config, name: "kept" }, 0);
  expect(kept.domid).toBe(1);
  let last = 1;
  for (let count = 2; count < DOMID_FIRST_RESERVED; count += 1) {
    last = table.create(config, 0).domid;
    expect(table.destroy(last)).toBe(true);
  }
  expect(last).toBe(32_751);
  expect(table.create(config, 0).domid).toBe(2);
});

it("holds eight m1.small beside Dom0's gigabyte in 16 GiB, and no ninth", () => {
  const table = new DomainTable({ totalKib: 16 * GIB, dom0Kib: GIB });
  const launch = (name: string): number =>
    table.create({ ...config, name, memoryKib: M1_SMALL_KIB }, 0).domid;
  const count = Math.floor((15 * GIB) / M1_SMALL_KIB);
  for (let index = 0; index < count; index += 1) launch(`dom_${index}`);
  expect(count).toBe(8);
  expect(() => launch("dom_9")).toThrow("KiB that are free");
  expect(table.find(9)).toBeNull();
  table.destroy(3);
  expect(launch("dom_9")).toBe(9);
});

it("keeps a zombie and its memory while its pages are mapped", () => {
  let isMapped = true;
  const gone: number[] = [];
  const table = new DomainTable({
    totalKib: 100,
    dom0Kib: 10,
    isReferenced: () => isMapped,
    onGone: (domid) => gone.push(domid),
  });
  const { domid } = table.create({ ...config, memoryKib: 50 }, 0);
  expect(table.destroy(domid)).toBe(false);
  expect(table.find(domid)?.isDying).toBe(true);
  expect(table.findByName(config.name)).toBeNull();
  expect(table.memory.freeKib).toBe(40);
  expect(() => table.unpause(domid)).toThrow("a living domain");
  isMapped = false;
  expect(table.reap(domid)).toBe(true);
  expect([gone, table.memory.freeKib, table.size]).toEqual([[domid], 90, 0]);
});

it("says what is to be done after a shutdown, once", () => {
  const table = new DomainTable({ totalKib: 100, dom0Kib: 10 });
  const { domid } = table.create(config, 0);
  expect(table.shutdown(domid, ShutdownReason.Suspend)).toBeNull();
  table.resume(domid);
  expect(table.shutdown(domid, ShutdownReason.Crash)).toBe("rename-restart");
  expect(table.shutdown(domid, ShutdownReason.Poweroff)).toBeNull();
  expect(table.find(domid)?.shutdown).toBe(ShutdownReason.Crash);
});

it("refuses options outside their range", () => {
  const table = new DomainTable({ totalKib: 100, dom0Kib: 10 });
  const refused = (change: Partial<DomainConfig>, what: string): void =>
    expect(() => table.create({ ...config, ...change }, 0)).toThrow(what);
  refused({ vcpus: 0 }, "vcpus");
  refused({ vcpus: 33 }, "vcpus");
  refused({ weight: 0 }, "weight");
  refused({ cap: 101 }, "cap");
  refused({ memoryKib: 0 }, "memoryKib");
  expect(() => table.create(config, 0, 32_752)).toThrow("domid");
  expect(() => new DomainTable({ totalKib: 10, dom0Kib: 11 })).toThrow("dom0Kib");
  expect(table.memory.freeKib).toBe(90);
});
