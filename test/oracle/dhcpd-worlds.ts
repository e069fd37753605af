/** Configurations for the comparison with ISC dhcpd, and what to ask of each. */
import { chaddrOf, dhcpCodec, encodeMessage } from "../../src/dhcp/message.ts";
import { packOptions } from "../../src/dhcp/options.ts";
import { IPV4_BROADCAST, ipv4Of, MAC_BROADCAST, parseMac } from "../../src/wire/addr.ts";
import { frameOf } from "../dhcp/frames.ts";
import type { QuestionWorld } from "./dhcp-questions.ts";

/** One configuration. */
export interface DhcpdWorld {
  readonly name: string;
  readonly conf: string;
  readonly world: QuestionWorld;
}

/** The server's address. */
export const SERVER = "10.254.168.2";
const FENCE_MAC = "02:00:00:00:00:fe";
const FENCE_HOST = `host fence { hardware ethernet ${FENCE_MAC}; fixed-address 10.254.168.254; }`;

const fenceHeader = dhcpCodec.decode(new Uint8Array(dhcpCodec.length));
/** A DISCOVER that each of the configurations answers. */
export const FENCE = frameOf(
  encodeMessage(
    { ...fenceHeader, op: 1, htype: 1, hlen: 6, secs: 9, chaddr: chaddrOf(parseMac(FENCE_MAC)) },
    packOptions([[53, Uint8Array.of(1)]]),
  ),
  {
    source: ipv4Of(0),
    destination: IPV4_BROADCAST,
    sourcePort: 68,
    destinationPort: 67,
    destinationMac: MAC_BROADCAST,
    ttl: 64,
    tos: 0,
    id: 0,
  },
  parseMac("12:31:39:00:a5:11"),
);

const text = (letters: string): Uint8Array => Uint8Array.from(letters, (one) => one.charCodeAt(0));

const INSTANCES = `
host dom_1 { hardware ethernet 12:31:39:00:a5:11; fixed-address 10.254.170.223;
  option host-name "domU-12-31-39-00-A5-11"; }
host dom_2 { hardware ethernet 12:31:39:00:a5:12; fixed-address 10.254.170.222;
  option host-name "domU-12-31-39-00-A5-12"; option interface-mtu 1400; }
host by_id { option dhcp-client-identifier "by-id"; fixed-address 10.254.170.221; }
host far { hardware ethernet 12:31:39:00:a5:13; fixed-address 10.253.0.9, 10.254.170.9; }
host bare { hardware ethernet 12:31:39:00:a5:14; option domain-name "bare.example"; }`;

const NETWORK = `shared-network vifs {
  subnet 10.254.168.0 netmask 255.255.255.0 { }
  subnet 10.254.170.0 netmask 255.255.254.0 {
    option routers 10.254.170.1; option broadcast-address 10.254.171.255;
    option domain-name "compute-1.internal"; option domain-name-servers 172.16.0.23, 172.16.0.24;
  }
}
subnet 10.253.0.0 netmask 255.255.0.0 { option routers 10.253.0.1; }`;

const WORLD: QuestionWorld = {
  macs: [
    "12:31:39:00:a5:11",
    "12:31:39:00:a5:12",
    "12:31:39:00:a5:13",
    "12:31:39:00:a5:14",
    "0a:00:00:00:00:01",
    "0a:00:00:00:00:02",
    "0a:00:00:00:00:03",
  ],
  addresses: [
    "10.254.170.223",
    "10.254.170.223",
    "10.254.170.222",
    "10.254.170.221",
    "10.254.170.9",
    "10.253.0.9",
    "10.254.170.10",
    "10.254.170.11",
    "10.254.170.12",
    "10.254.170.13",
    "10.254.168.77",
    "192.0.2.1",
  ],
  clientIds: [text("by-id"), text("other"), text("by-idx")],
  servers: [SERVER, "169.254.1.0", "10.10.10.10"],
};

/** The configurations. */
export const DHCPD_WORLDS: readonly DhcpdWorld[] = [
  {
    name: "fixed addresses, as on EC2",
    conf: `authoritative; default-lease-time 86400; max-lease-time 86400;
      server-identifier 169.254.1.0; ${NETWORK} ${INSTANCES} ${FENCE_HOST}`,
    world: WORLD,
  },
  {
    name: "fixed addresses, many options, names, not authoritative",
    conf: `option rfc3442-classless-static-routes code 121 = array of integer 8;
      option long code 224 = text;
      filename "boot/vmlinuz"; next-server 10.254.168.3; use-host-decl-names on;
      option domain-search "compute-1.internal", "internal", "eu.compute-1.internal";
      option long "${"long ".repeat(70)}"; option dhcp-renewal-time 3600;
      option dhcp-rebinding-time 5400;
      option rfc3442-classless-static-routes 24, 10, 254, 168, 10, 254, 170, 1, 0, 10, 254, 170, 1;
      option ntp-servers 172.16.0.23; option time-offset -3600; option ip-forwarding false;
      option static-routes 10.0.0.0 10.254.170.1, 10.1.0.0 10.254.170.1;
      option vendor-encapsulated-options 01:02:03; option netbios-name-servers 10.0.0.1, 10.0.0.2;
      ${NETWORK} group { option domain-name "group.example"; ${INSTANCES} } ${FENCE_HOST}`,
    world: WORLD,
  },
  {
    name: "more options than fit, server name, always broadcast",
    conf: `authoritative; server-name "boot.example"; always-broadcast on; echo-client-id true;
      always-reply-rfc1048 true; option option-a code 230 = text; option option-b code 231 = text;
      option option-c code 232 = string; option dhcp-max-message-size 600;
      option option-a "${"a".repeat(150)}"; option option-b "${"b".repeat(130)}";
      option option-c "${"c".repeat(200)}"; option root-path "/export/root";
      ${NETWORK} ${INSTANCES} ${FENCE_HOST}`,
    world: WORLD,
  },
  {
    name: "pools",
    conf: `authoritative; ping-check off; default-lease-time 600; max-lease-time 7200;
      shared-network vifs {
        subnet 10.254.168.0 netmask 255.255.255.0 { option routers 10.254.168.1; }
        subnet 10.254.170.0 netmask 255.255.254.0 {
          option routers 10.254.170.1; range 10.254.170.10 10.254.170.12;
          pool { deny unknown-clients; range 10.254.170.13; min-lease-time 900;
                 option domain-name "pool.example"; }
        }
      }
      subnet 10.253.0.0 netmask 255.255.0.0 { range dynamic-bootp 10.253.0.20 10.253.0.21; }
      ${INSTANCES} ${FENCE_HOST}`,
    world: WORLD,
  },
  {
    name: "denials",
    conf: `deny unknown-clients; deny bootp; ping-check off; min-secs 3; one-lease-per-client true;
      authoritative; ignore declines; ${NETWORK.replace(
        "option routers 10.254.170.1;",
        "option routers 10.254.170.1; range dynamic-bootp 10.254.170.10 10.254.170.13;",
      )} ${INSTANCES}
      host fence { hardware ethernet ${FENCE_MAC}; fixed-address 10.254.168.254; }`,
    world: WORLD,
  },
  {
    name: "pools, other flags",
    conf: `authoritative; ping-check off; default-lease-time 100; max-lease-time 4294967295;
      min-lease-time 5; dynamic-bootp-lease-length 1000; dhcp-cache-threshold 1;
      use-lease-addr-for-default-route true; deny duplicates; one-lease-per-client on;
      subnet 10.254.168.0 netmask 255.255.252.0 {
        range dynamic-bootp 10.254.170.10 10.254.170.11;
        pool { range 10.254.170.12 10.254.170.13; allow known-clients; deny dynamic bootp clients;
               ignore-client-uids true; option domain-name "pool.example"; }
      }
      ${INSTANCES} ${FENCE_HOST}`,
    world: WORLD,
  },
];
