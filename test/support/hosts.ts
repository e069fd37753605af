/** A zone with the seed document's host, for tests of the whole. */
import { Prng } from "../../src/base/prng.ts";
import { type Ipv4Addr, parseIpv4, parseMac, parsePrefix } from "../../src/wire/addr.ts";
import type { Domain } from "../../src/zone/domain.ts";
import type { ZoneHost } from "../../src/zone/zone-host.ts";
import type { Host } from "../../src/guest/host.ts";
import { Zone } from "../../src/zone/zone.ts";
import type { ZoneOptions } from "../../src/zone/zone-options.ts";

export const EVERYWHERE = parsePrefix("0.0.0.0/0");
export const OUTSIDE = parseIpv4("93.184.216.34");
export const FIRST = { mac: parseMac("12:31:39:00:A5:11"), address: parseIpv4("10.254.170.223") };
export const SECOND = { mac: parseMac("12:31:39:00:A5:12"), address: parseIpv4("10.254.170.222") };
export const FIRST_PUBLIC = parseIpv4("75.101.160.7");
export const SECOND_PUBLIC = parseIpv4("75.101.160.8");

/** What {@link seedZone} makes. */
export interface SeedZone {
  readonly zone: Zone;
  readonly host: ZoneHost;
  readonly outside: Host;
  readonly first: Domain;
  readonly second: Domain;
}

/** Two simulated domUs in group "open", and a host outside; all booted after ten seconds. */
export function seedZone(options: ZoneOptions = {}): SeedZone {
  const zone = new Zone({ seed: 7, ...options });
  zone.setSecurityGroup("open", [
    { protocol: "icmp", source: EVERYWHERE },
    { protocol: "udp", source: EVERYWHERE, ports: { lower: 7, upper: 7 } },
  ]);
  const host = zone.addHost();
  const outside = zone.addInternetHost({ name: "www.example.com", address: OUTSIDE });
  const launch = (domid: number, { mac, address }: typeof FIRST, publicAddress: Ipv4Addr): Domain =>
    host.launch({ domid, mac, privateAddress: address, publicAddress, securityGroups: ["open"] });
  const first = launch(3, FIRST, FIRST_PUBLIC);
  const second = launch(4, SECOND, SECOND_PUBLIC);
  return { zone, host, outside, first, second };
}

/** Run a ping to its end. @returns how many replies it got. */
export async function repliesOf(
  zone: Zone,
  from: Host,
  target: Ipv4Addr,
  count = 3,
): Promise<number> {
  const ping = from.ping({ target, count }, zone.now);
  await zone.run({ until: zone.now + 15_000_000 });
  return ping.received;
}

/** A seeded generator for tests that need one. */
export const chance = (seed = 1): Prng => new Prng(seed, "test");
