/** Processor time of a zone's domains: accounts of what they did. */
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { BlockOp } from "../../src/xen/io/blkif.ts";
import type { CpuPrices } from "../../src/zone/cpu-work.ts";
import { Zone } from "../../src/zone/zone.ts";
import type { ZoneHost } from "../../src/zone/zone-host.ts";
import { EVERYWHERE, OUTSIDE } from "../support/hosts.ts";

/** "Time(s)" of `xl list` by name. */
const timesOf = (host: ZoneHost): Map<string, number> =>
  new Map(
    host
      .listText()
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => [line.split(/\s/)[0] ?? "", Number(/([\d.]+)$/.exec(line)?.[1])]),
  );

const FREE: CpuPrices = { boot: 0, guestFrame: 0, dom0Frame: 0, octet: 0, request: 0 };

function zoneOf(profile: "ec2-2010" | "linux", cpuPrices: Partial<CpuPrices>) {
  const zone = new Zone({ seed: 5, profile });
  zone.setSecurityGroup("open", [{ source: EVERYWHERE, protocol: "icmp" }]);
  const host = zone.addHost({ cpuPrices });
  zone.addInternetHost({ name: "www.example.com", address: OUTSIDE });
  const domain = host.launch({ securityGroups: ["open"] });
  return { zone, host, domain };
}

describe.each(["ec2-2010", "linux"] as const)("processor time of %s", (profile) => {
  it("is what boots, frames, octets and requests cost, in the guest and in Dom0", async () => {
    const prices = { boot: 2 * SECOND, guestFrame: 100_000, dom0Frame: 50_000 };
    const { zone, host, domain } = zoneOf(profile, { ...FREE, ...prices, request: 300_000 });
    await zone.run({ until: "20s" });
    domain.guest?.host.ping({ target: OUTSIDE, count: 5 }, zone.now);
    await zone.run({ until: "60s" });
    const disk = host.diskOf(domain, "sda1");
    const completion = { completed: (): void => undefined };
    const octets = new Uint8Array(512);
    disk?.front?.submit({ operation: BlockOp.write, sector: 1, octets, completion }, zone.now);
    await zone.run({ until: "100s" });
    const { rxFrames, txFrames } = domain.backend.device;
    const frames = rxFrames + txFrames;
    expect(frames).toBeGreaterThan(12);
    const times = timesOf(host);
    // The list shows tenths of a second.
    const isShown = (name: string, time: number): void =>
      expect(Math.abs((times.get(name) ?? 0) - time), name).toBeLessThan(0.051);
    isShown(domain.name, 2 + frames * 0.1 + 0.3);
    isShown("Domain-0", frames * 0.05 + 0.3);
    host.shutdown(domain, "reboot");
    await zone.run({ until: "102s" });
    // Another domain, whose time begins anew; Dom0's goes on.
    const again = timesOf(host);
    expect(again.get(domain.name)).toBeLessThanOrEqual(2.5);
    expect(again.get("Domain-0")).toBeGreaterThanOrEqual(times.get("Domain-0") ?? 0);
  });

  it("changes no frame, whatever it costs and however often it is looked at", async () => {
    const play = async (prices: Partial<CpuPrices>, looks: number): Promise<string> => {
      const { zone, host, domain } = zoneOf(profile, prices);
      const chunks: Uint8Array[] = [];
      zone.capture.writeTo((chunk) => chunks.push(chunk.slice()));
      for (let look = 0; look < looks; look += 1) {
        zone.at(1 + look * 700_001, () => host.listText());
      }
      zone.at("20s", (now) => domain.guest?.host.ping({ target: OUTSIDE, count: 4 }, now));
      zone.at("22s", () => host.shutdown(domain, "reboot"));
      await zone.run({ until: "50s" });
      zone.close();
      return chunks.map((chunk) => new TextDecoder("latin1").decode(chunk)).join("");
    };
    const usual = await play({}, 0);
    expect((await play(FREE, 30)) === usual).toBe(true);
    expect((await play({ guestFrame: 900_000, boot: 40 * SECOND }, 60)) === usual).toBe(true);
  });
});
