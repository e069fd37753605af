import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  type BlockLine,
  blockListText,
  domainListText,
  type DomainLine,
  type NetworkLine,
  networkListText,
} from "../../../src/xen/toolstack/xl-text.ts";

/** What a real xl printed, by command. */
const RECORDED = new Map(
  readFileSync(join(import.meta.dirname, "../../../captures/real-xen/xl-lists.txt"), "utf8")
    .split("##### ")
    .slice(1)
    .map((part): [string, string] => {
      const end = part.indexOf("\n");
      return [part.slice(0, end), part.slice(end + 1)];
    }),
);

const line = (change: Partial<DomainLine>): DomainLine => ({
  name: "dom_32504936",
  domid: 171,
  memoryKib: 1740 * 1024,
  vcpus: 1,
  isRunning: false,
  isBlocked: false,
  isPaused: false,
  isShutdown: false,
  isCrashed: false,
  isDying: false,
  cpuTime: 0,
  ...change,
});
const nic = (domid: number): NetworkLine => ({
  devid: 0,
  backendId: 0,
  mac: `12:31:3b:00:00:0${domid + 4}`,
  state: 4,
  eventChannel: null,
  txRingRef: 520,
  rxRingRef: 521,
  backendPath: `/local/domain/0/backend/vif/${domid}/0`,
});
const disk = (domid: number, index: number): BlockLine => ({
  devid: 2049 + index,
  backendId: 0,
  domid,
  state: 4,
  eventChannel: 10 + index,
  ringRef: 522 + index,
  backendPath: `/local/domain/0/backend/vbd/${domid}/${2049 + index}`,
});

it("prints what a real xl printed", () => {
  const memoryKib = 256 * 1024;
  const lines = [
    line({
      name: "Domain-0",
      domid: 0,
      memoryKib: 1024 * 1024,
      isRunning: true,
      cpuTime: 138_812_345,
    }),
    line({ name: "d1", domid: 1, memoryKib, isBlocked: true, cpuTime: 12_600_000 }),
    line({ name: "d2", domid: 2, memoryKib, isBlocked: true, cpuTime: 9_070_000 }),
  ];
  expect(domainListText("xl", lines)).toBe(RECORDED.get("xl list"));
  for (const domid of [1, 2]) {
    expect(networkListText("xl", [nic(domid)])).toBe(RECORDED.get(`xl network-list d${domid}`));
    const disks = [0, 1, 2].map((index) => disk(domid, index));
    expect(blockListText("xl", disks)).toBe(RECORDED.get(`xl block-list d${domid}`));
  }
});

it("prints xm's columns", () => {
  const lines = [line({ isPaused: true }), line({ isShutdown: true, isCrashed: true, domid: 9 })];
  expect(domainListText("xm", lines)).toBe(
    [
      "Name                                      ID   Mem VCPUs      State   Time(s)",
      "dom_32504936                             171  1740     1     --p---      0.0",
      "dom_32504936                               9  1740     1     ---sc-      0.0",
      "",
    ].join("\n"),
  );
  expect(networkListText("xm", [{ ...nic(1), eventChannel: 9 }])).toBe(
    [
      "Idx BE     MAC Addr.     handle state evt-ch tx-/rx-ring-ref BE-path",
      "0   0  12:31:3b:00:00:05    0     4      9     520  /521     ".concat(
        "/local/domain/0/backend/vif/1/0  ",
      ),
      "",
    ].join("\n"),
  );
  expect(blockListText("xm", [disk(1, 0)])).toBe(
    [
      "Vdev  BE handle state evt-ch ring-ref BE-path",
      "2049    0    0     4      10     522   /local/domain/0/backend/vbd/1/2049  ",
      "",
    ].join("\n"),
  );
});

it("prints -1 for what a guest has not written, and no heading of xm for no device", () => {
  const bare = { ...nic(1), state: 1, txRingRef: null, rxRingRef: null };
  expect(networkListText("xl", [bare]).split("\n")[1]).toBe(
    "0   0  12:31:3b:00:00:05     0     1     -1    -1/-1          /local/domain/0/backend/vif/1/0",
  );
  expect(networkListText("xm", [])).toBe("");
  expect(blockListText("xm", [])).toBe("");
  expect(networkListText("xl", []).split("\n")).toHaveLength(2);
  expect(blockListText("xl", []).split("\n")).toHaveLength(2);
});
