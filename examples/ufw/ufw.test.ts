/** The rules of Debian's ufw under test: what it lets in, refuses, limits, routes and logs. */
import { beforeEach, describe, expect, it } from "vitest";
import { RouterWorld, SECOND } from "dom0";
import { Station } from "../station.ts";
import { INNER_MAC, OUTER_MAC, UFW_MACHINE } from "./world.ts";

const MACHINE = "203.0.113.10";
const CLIENT = "192.0.2.5";

let world: RouterWorld;
let log: string[];
let client: Station;
let denied: Station;
let inner: Station;

beforeEach(() => {
  log = [];
  world = new RouterWorld(UFW_MACHINE, { log: { log: (_, line) => void log.push(line) } });
  const outer = { link: "eth0", router: OUTER_MAC, mac: "02:00:00:00:00:99" };
  client = new Station(world, { ...outer, address: CLIENT });
  denied = new Station(world, { ...outer, address: "198.51.100.7" });
  inner = new Station(world, {
    link: "eth1",
    router: INNER_MAC,
    mac: "02:00:00:00:01:02",
    address: "10.1.0.2",
  });
});

/** No program listens on the machine: what the rules let in, its TCP refuses with a reset. */
const LET_IN = "tcp/refused";

describe("ufw limit 22/tcp", () => {
  it("lets ssh in", () => {
    expect(client.tcp(MACHINE, 22)).toBe(LET_IN);
    expect(client.hears()).toEqual([`${MACHINE}:22 > ${CLIENT}:40000 R.`]);
  });

  it("refuses the sixth connection of 30 seconds, and logs it", () => {
    for (let second = 0; second < 5; second += 1) {
      expect(client.tcp(MACHINE, 22, { srcPort: 40_000 + second, at: second * SECOND })).toBe(
        LET_IN,
      );
    }
    client.hears();
    expect(client.tcp(MACHINE, 22, { srcPort: 40_005, at: 5 * SECOND })).toBe("filter/rejected");
    expect(client.hears()).toEqual([`${MACHINE} > ${CLIENT} ICMP unreachable port about`]);
    expect(log).toEqual([expect.stringContaining("[UFW LIMIT BLOCK] IN=eth0 OUT= ") as string]);
  });

  it("lets the client in again when it has been quiet for 30 seconds", () => {
    for (let index = 0; index < 6; index += 1) {
      client.tcp(MACHINE, 22, { srcPort: 40_000 + index, at: index * SECOND });
    }
    expect(client.tcp(MACHINE, 22, { srcPort: 40_006, at: 36 * SECOND })).toBe(LET_IN);
  });

  it("counts each address for itself", () => {
    for (let index = 0; index < 6; index += 1) client.tcp(MACHINE, 22, { srcPort: 41_000 + index });
    expect(inner.tcp("10.1.0.1", 22)).toBe(LET_IN);
  });
});

describe("ufw allow and deny", () => {
  it("let port 80 in from everywhere but from whom they deny", () => {
    expect(client.tcp(MACHINE, 80)).toBe(LET_IN);
    expect(denied.tcp(MACHINE, 80)).toBe("filter/dropped");
  });

  it("let the machine's own network ask for names, and nobody else", () => {
    expect(inner.udp("10.1.0.1", 53)).toBe("udp/port-unreachable");
    expect(client.udp(MACHINE, 53)).toBe("filter/policy");
  });

  it("drop what nothing names, and log it, ten times at once and then three times a minute", () => {
    for (let index = 0; index < 15; index += 1) {
      expect(client.tcp(MACHINE, 3000 + index)).toBe("filter/policy");
    }
    expect(client.hears()).toEqual([]);
    expect(log).toHaveLength(10);
    expect(log[0]).toContain("[UFW BLOCK] IN=eth0 OUT= ");
    client.tcp(MACHINE, 3015, { at: 20 * SECOND });
    expect(log).toHaveLength(11);
  });
});

describe("ufw reject 113/tcp", () => {
  it("answers with a reset, so that the caller need not wait", () => {
    expect(client.tcp(MACHINE, 113)).toBe("filter/rejected");
    expect(client.hears()).toEqual([`${MACHINE}:113 > ${CLIENT}:40000 R.`]);
  });
});

describe("ufw's own rules", () => {
  it("let the machine be pinged", () => {
    client.ping(MACHINE);
    expect(client.hears()).toEqual([`${MACHINE} > ${CLIENT} ICMP echo reply id`]);
  });

  it("drop segments of no connection that were not expected", () => {
    expect(client.tcp(MACHINE, 80, { flags: "SF" })).toBe("filter/dropped");
  });

  it("drop, without a log, what Windows machines tell everybody", () => {
    expect(client.udp(MACHINE, 137, 137)).toBe("filter/dropped");
    expect(log).toEqual([]);
  });
});

describe("ufw route allow", () => {
  it("lets the network out, and the answers back in", () => {
    expect(inner.tcp(CLIENT, 443)).toBe("world/sent");
    expect(client.hears()).toEqual([`10.1.0.2:40000 > ${CLIENT}:443 S`]);
    expect(client.tcp("10.1.0.2", 40_000, { srcPort: 443, flags: "S.", ack: 1 })).toBe(
      "world/sent",
    );
    expect(inner.hears()).toEqual([`${CLIENT}:443 > 10.1.0.2:40000 S.`]);
  });

  it("lets nobody in", () => {
    expect(client.tcp("10.1.0.2", 443)).toBe("filter/policy");
    expect(inner.hears()).toEqual([]);
  });
});
