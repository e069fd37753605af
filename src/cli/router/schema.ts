/** What a world file may say. The published JSON Schema is made of this declaration. @module */
import { z } from "zod";
import type { World } from "../../zone/world/world.ts";
import { PublishedSchema } from "../published.ts";
import { only, oneOf, whole } from "../scenario/leaf.ts";

/** Words that the router reads itself: it knows where in them something is wrong. */
const text = (what: string): z.ZodString => z.string({ error: only(what) });

const mac = text("a MAC address such as 12:31:39:00:A5:11").meta({
  id: "MacAddress",
  description: "A MAC address: six octets of two hexadecimal digits.",
  examples: ["12:31:39:00:A5:11"],
  pattern: "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$",
});

const address = text("an address such as 10.254.168.2/32").meta({
  id: "AddressWords",
  description: "What stands after `ip addr add`, without its device.",
  examples: ["10.254.168.2/32", "10.1.0.1/24 brd +"],
});

const route = text("a route such as default via 216.182.232.1").meta({
  id: "RouteWords",
  description: "What stands after `ip route add`.",
  examples: [
    "default via 216.182.232.1",
    "10.254.170.223/32 dev vif1.0 src 10.254.168.2",
    "192.0.2.0/24 via 10.1.0.9 dev eth1 metric 5 mtu lock 1400 onlink",
    "unreachable 10.0.0.0/8",
  ],
});

const device = z
  .strictObject({
    mac,
    mtu: whole(68, 65_535).exactOptional().meta({ description: "In octets; 1500." }),
    addresses: z.array(address).exactOptional(),
    proxyArp: z
      .boolean({ error: only("true or false") })
      .exactOptional()
      .meta({ description: "Answer ARP for addresses behind other interfaces; false." }),
    neighbors: z
      .record(z.string(), mac)
      .exactOptional()
      .meta({ description: "Permanent neighbors: IPv4 address to MAC address." }),
  })
  .meta({ id: "Interface", description: "A device; its link's other end plays all neighbors." });

const rules = text("rules as iptables-save prints them").meta({
  description: "Rules as iptables-restore reads them.",
  examples: ["*filter\n:FORWARD DROP [0:0]\n-A FORWARD -i eth0 -j ACCEPT\nCOMMIT\n"],
});

const frameRules = text("rules as ebtables-save prints them").meta({
  description: "Tables filter and nat: each interface is then the one port of a bridge.",
  examples: ["*filter\n:INPUT ACCEPT\n-A INPUT -i eth0 -p IPv6 -j DROP\n"],
});

/** A world file. */
export const WORLD = z
  .strictObject({
    profile: oneOf(["ec2-2010", "linux"])
      .exactOptional()
      .meta({ description: "Which kernel the router is; linux, a current one." }),
    interfaces: z
      .record(z.string(), device)
      .meta({ description: "By name, as the interfaces of the capture that comes in." }),
    routes: z.array(route).exactOptional(),
    sysctl: z
      .record(
        z.string(),
        z.union([z.number({ error: only("a number") }), z.string({ error: only("a number") })]),
      )
      .exactOptional()
      .meta({ description: "Linux's names to values. Forwarding is on before the first." }),
    iptables: rules.exactOptional(),
    ebtables: frameRules.exactOptional(),
  })
  .meta({
    title: "dom0 world",
    description: "A router alone, for dom0 router.",
  }) satisfies z.ZodType<World>;

/** Its JSON Schema, `schema/world.json`. */
export const PUBLISHED_WORLD = new PublishedSchema(WORLD);
