/** A machine behind Debian's ufw, which lets a network of its own out. @module */
import { readFileSync } from "node:fs";
import type { World } from "dom0";

/** The MAC addresses of the machine's interfaces. */
export const OUTER_MAC = "02:00:00:00:00:01";
/** On eth1. */
export const INNER_MAC = "02:00:00:00:00:02";

/** eth0 leads outside, eth1 to the network 10.1.0.0/24. */
export const UFW_MACHINE: World = {
  interfaces: {
    eth0: {
      mac: OUTER_MAC,
      addresses: ["203.0.113.10/24 brd +"],
      neighbors: { "203.0.113.1": "02:00:00:00:00:99" },
    },
    eth1: {
      mac: INNER_MAC,
      addresses: ["10.1.0.1/24 brd +"],
      neighbors: { "10.1.0.2": "02:00:00:00:01:02" },
    },
  },
  routes: ["default via 203.0.113.1"],
  // As ufw sets them in /etc/ufw/sysctl.conf.
  sysctl: {
    "net.ipv4.conf.all.accept_redirects": 0,
    "net.ipv4.conf.default.accept_redirects": 0,
    "net.ipv4.icmp_echo_ignore_broadcasts": 1,
    "net.ipv4.icmp_ignore_bogus_error_responses": 1,
    "net.ipv4.icmp_echo_ignore_all": 0,
    "net.ipv4.conf.all.log_martians": 0,
    "net.ipv4.conf.default.log_martians": 0,
  },
  iptables: readFileSync(new URL("rules.v4", import.meta.url), "utf8"),
};
