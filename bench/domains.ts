/** Domains: creation to Connected, a thousand on one host, a write to their store. @module */
import type { Domain } from "../src/zone/domain.ts";
import { Zone } from "../src/zone/zone.ts";
import type { ZoneHost } from "../src/zone/zone-host.ts";

const DOMAINS = 1000;
const WRITES = 20_000;

/** Lines of a table, with its heading. */
export function domainFigures(): string {
  const zone = new Zone({ seed: 1, packetSlots: 2048, traceLimit: 0 });
  const host = zone.addHost();
  const single = best(20, () => host.destroy(launch(host)));
  const full = best(20, () => host.destroy(host.launch({ guest: "external" })));
  const idle = best(5, () => writes(host)) / WRITES;
  globalThis.gc?.();
  const before = process.memoryUsage();
  const start = process.hrtime.bigint();
  const virtual = zone.now;
  const domains = Array.from({ length: DOMAINS }, () => launch(host));
  const spent = Number(process.hrtime.bigint() - start);
  globalThis.gc?.();
  const after = process.memoryUsage();
  const busy = best(5, () => writes(host)) / WRITES;
  const row = (what: string, figure: string): string => `| ${what} | ${figure} |`;
  const lines = [
    "| domains, each with a vif | |",
    "| --- | --- |",
    row("creation to Connected and destruction, alone", `${(single / 1e6).toFixed(2)} ms`),
    row("the same with three disks", `${(full / 1e6).toFixed(2)} ms`),
    row("the same in virtual time", `${zone.now - virtual} us`),
    row(
      `creation to Connected, ${DOMAINS} on one host`,
      `${(spent / DOMAINS / 1e6).toFixed(2)} ms each`,
    ),
    row("heap of each", `${Math.round((after.heapUsed - before.heapUsed) / DOMAINS / 1024)} KiB`),
    row("resident of each", `${Math.round((after.rss - before.rss) / DOMAINS / 1024)} KiB`),
    row("a write to the store, no domain there", `${Math.round(idle)} ns`),
    row(`a write to the store, ${DOMAINS} domains there`, `${Math.round(busy)} ns`),
  ];
  for (const domain of domains) host.destroy(domain);
  return `${lines.join("\n")}\n`;
}

/** A thousand with disks would take more event channels than Dom0 has. */
const launch = (host: ZoneHost): Domain =>
  host.launch({ guest: "external", hasInstanceStore: false });

/** Writes by a client of the socket to a node that nobody watches. */
function writes({ xenstore }: ZoneHost): void {
  const session = xenstore.connect();
  if (session === null) throw new Error("the store takes a client");
  const values = [new Uint8Array([0x30]), new Uint8Array([0x31])] as const;
  for (let count = 0; count < WRITES; count += 1) {
    session.write("/tool/bench", values[count & 1] ?? values[0]);
  }
  session.rm("/tool/bench");
  session.close();
}

function best(rounds: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const start = process.hrtime.bigint();
    work();
    least = Math.min(least, Number(process.hrtime.bigint() - start));
  }
  return least;
}
