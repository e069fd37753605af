import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import { MINUTE, SECOND } from "../../src/base/time.ts";
import { FLOWS_6 } from "../../src/nat/behaviour.ts";
import { EndpointNat } from "../../src/nat/endpoint-nat.ts";
import { type Ends, icmpError, query, read, turned, udp } from "./packets.ts";
import { DEPENDENCES, discoverFiltering, discoverMapping, Peers } from "./peers.ts";
import { Stand } from "./stand.ts";

const A = "10.0.0.1:4000";
const B = "10.0.0.2:4000";
const REMOTE = "8.8.8.8:53";
const portOf = (endpoint: string | null): number => Number(endpoint?.split(":")[1]);

describe("RFC 4787 section 4.1, REQ-1: mappings", () => {
  it("are endpoint-independent where that is chosen: one outer endpoint for every peer", () => {
    const peers = new Peers();
    const seen = ["8.8.8.8:53", "8.8.8.8:54", "9.9.9.9:53"].map((peer) => peers.send(A, peer));
    expect(seen).toEqual(["192.0.2.1:4000", "192.0.2.1:4000", "192.0.2.1:4000"]);
    expect(peers.nat.mappings(0)).toHaveLength(1);
  });

  it("depend on the peer's address, or on its port too, where that is chosen", () => {
    const seen = (["address-dependent", "address-and-port-dependent"] as const).map((mapping) => {
      const peers = new Peers({ mapping });
      return ["8.8.8.8:53", "8.8.8.8:54", "9.9.9.9:53", "8.8.8.8:53"].map((peer) =>
        portOf(peers.send(A, peer)),
      );
    });
    expect(seen).toEqual([
      [4000, 4000, 4002, 4000],
      [4000, 4002, 4004, 4000],
    ]);
  });
});

describe("RFC 4787 section 4.1, REQ-2: pools of addresses", () => {
  const addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
  const hosts = [A, "10.0.0.1:4001", B, "10.0.0.1:4002"];
  const seenOf = (peers: Peers): string[] =>
    hosts.map((host) => peers.send(host, REMOTE)?.split(":")[0] ?? "");

  it("are paired: an inner host keeps its outer address", () => {
    expect(seenOf(new Peers({ addresses }))).toEqual([
      "192.0.2.1",
      "192.0.2.1",
      "192.0.2.2",
      "192.0.2.1",
    ]);
  });

  it("are arbitrary where that is chosen", () => {
    expect(seenOf(new Peers({ addresses, pooling: "arbitrary" }))).toEqual([
      "192.0.2.1",
      "192.0.2.2",
      "192.0.2.3",
      "192.0.2.1",
    ]);
  });
});

describe("RFC 4787 section 4.2.1, REQ-3: ports", () => {
  it("are nobody else's: two hosts with one port get two", () => {
    const peers = new Peers();
    expect([peers.send(A, REMOTE), peers.send(B, REMOTE)]).toEqual([
      "192.0.2.1:4000",
      "192.0.2.1:4002",
    ]);
    expect(peers.call("9.9.9.9:9", "192.0.2.1:4002")).toBe(B);
  });

  it("are not those by which the peer talks to the router itself", () => {
    const peers = new Peers();
    expect(peers.call(REMOTE, "192.0.2.1:4000")).toBe("192.0.2.1:4000");
    expect(peers.send(A, REMOTE)).toBe("192.0.2.1:4002");
    expect(peers.send(B, "9.9.9.9:9")).toBe("192.0.2.1:4000");
  });

  it("stay on their side of 1,024, and are never 0", () => {
    for (const ports of ["preserved", "random"] as const) {
      const peers = new Peers({ ports });
      for (let host = 1; host <= 100; host += 1) {
        expect(portOf(peers.send(`10.0.0.${host}:1023`, REMOTE))).toBeLessThan(1024);
        expect(portOf(peers.send(`10.0.0.${host}:1022`, REMOTE))).toBeGreaterThan(0);
        expect(portOf(peers.send(`10.0.0.${host}:1024`, REMOTE))).toBeGreaterThanOrEqual(1024);
        expect(portOf(peers.send(`10.0.0.${host}:65535`, REMOTE))).toBeGreaterThanOrEqual(1024);
      }
    }
  });

  it("are overloaded where that is chosen: two hosts share one, a peer hears one", () => {
    const peers = new Peers({ ports: "overloaded", filtering: "address-dependent" });
    expect(peers.send(A, "8.8.8.8:53")).toBe("192.0.2.1:4000");
    expect(peers.send(B, "9.9.9.9:53")).toBe("192.0.2.1:4000");
    expect(peers.call("8.8.8.8:7", "192.0.2.1:4000")).toBe(A);
    expect(peers.call("9.9.9.9:7", "192.0.2.1:4000")).toBe(B);
    expect(peers.send(B, "8.8.8.8:53")).toBeNull();
    expect(peers.reason).toBe("conntrack/clash");
  });

  it("run out: then nothing is sent", () => {
    const peers = new Peers();
    let sent = 0;
    while (peers.send(`10.1.${sent >> 8}.${sent & 255}:7`, REMOTE) !== null) sent += 1;
    expect(sent).toBe(1023);
    expect(peers.reason).toBe("nat/no-port");
    expect(peers.send("10.2.0.1:1024", REMOTE)).toBe("192.0.2.1:1024");
  });
});

describe("RFC 4787 section 4.2.2, REQ-4: the parity of ports", () => {
  it("is kept while there is a port that has it", () => {
    const peers = new Peers({ ports: "random" });
    for (let host = 1; host <= 511; host += 1) {
      const inner = `10.0.${host >> 8}.${host & 255}:5`;
      expect(portOf(peers.send(inner, REMOTE)) % 2).toBe(1);
    }
    expect(portOf(peers.send("10.3.0.1:5", REMOTE)) % 2).toBe(1);
    expect(portOf(peers.send("10.3.0.2:5", REMOTE)) % 2).toBe(0);
  });

  it("is not kept where that is chosen", () => {
    const peers = new Peers({ keepsParity: false });
    peers.send(A, REMOTE);
    expect(peers.send(B, REMOTE)).toBe("192.0.2.1:4001");
  });
});

describe("RFC 4787 section 4.3, REQ-5: mappings without packets", () => {
  it("live five minutes, and no longer", () => {
    const peers = new Peers();
    peers.send(A, REMOTE);
    peers.wait(5 * MINUTE - 1);
    expect(peers.call("9.9.9.9:9", "192.0.2.1:4000")).toBe(A);
    peers.wait(1);
    expect(peers.call("9.9.9.8:9", "192.0.2.1:4000")).toBeNull();
    expect(peers.reason).toBe("nat/filtered");
    expect(peers.nat.mappings(peers.stand.now)).toEqual([]);
  });

  it("live as long as is chosen, though connection tracking remembers longer", () => {
    const peers = new Peers({ timeout: 20 * SECOND });
    peers.send(A, REMOTE);
    peers.wait(20 * SECOND);
    expect(peers.call(REMOTE, "192.0.2.1:4000")).toBeNull();
    expect(peers.send(B, "9.9.9.9:9")).toBe("192.0.2.1:4000");
    expect(peers.call(REMOTE, "192.0.2.1:4000")).toBeNull();
    expect(peers.reason).toBe("nat/expired");
    expect(peers.send(A, REMOTE)).toBe("192.0.2.1:4002");
  });

  it("are refused a life of no time", () => {
    const { conntrack, outside } = new Stand({ behaviour: FLOWS_6 });
    const chance = new Prng(1);
    const behaviour = { mapping: "address-dependent", filtering: "address-dependent" } as const;
    const make = (timeout: number): EndpointNat =>
      new EndpointNat({ conntrack, device: outside, addresses: [], timeout, chance, ...behaviour });
    expect(() => make(0)).toThrow(OptionError);
    expect(() => make(1)).toThrow(OptionError);
  });
});

describe("RFC 4787 section 4.3, REQ-6: mappings live on", () => {
  const hours = (peers: Peers, step: () => unknown): void => {
    for (let minute = 0; minute < 60; minute += 1) {
      peers.wait(MINUTE);
      step();
    }
  };

  it("with every packet that goes out", () => {
    const peers = new Peers();
    peers.send(A, REMOTE);
    hours(peers, () => peers.send(A, "9.9.9.9:9"));
    expect(peers.call("7.7.7.7:7", "192.0.2.1:4000")).toBe(A);
  });

  it("not with packets that come in, unless that is chosen", () => {
    const heard = [false, true].map((refreshesInbound) => {
      const peers = new Peers({ refreshesInbound });
      peers.send(A, REMOTE);
      hours(peers, () => peers.call(REMOTE, "192.0.2.1:4000"));
      return peers.call(REMOTE, "192.0.2.1:4000");
    });
    expect(heard).toEqual([null, A]);
  });
});

describe("RFC 4787 section 4.4, REQ-7: outer hosts with the numbers of inner ones", () => {
  it("are reached as any other: what leaves is told by its device, not by its address", () => {
    const peers = new Peers();
    expect(peers.send(A, B)).toBe("192.0.2.1:4000");
    expect(peers.call(B, "192.0.2.1:4000")).toBe(A);
  });
});

describe("RFC 4787 section 5, REQ-8: filters", () => {
  const heard = (filtering: (typeof DEPENDENCES)[number]): (string | null)[] => {
    const peers = new Peers({ filtering });
    peers.send(A, REMOTE);
    const callers = [REMOTE, "8.8.8.8:54", "9.9.9.9:53"];
    return callers.map((peer) => peers.call(peer, "192.0.2.1:4000"));
  };

  it("let in everybody, those sent to, or those sent to from the very port", () => {
    expect(DEPENDENCES.map(heard)).toEqual([
      [A, A, A],
      [A, A, null],
      [A, null, null],
    ]);
  });

  it("let an answer out by the endpoint that was called", () => {
    const peers = new Peers({ mapping: "address-and-port-dependent" });
    peers.send(A, REMOTE);
    peers.call("9.9.9.9:9", "192.0.2.1:4000");
    expect(peers.send(A, "9.9.9.9:9")).toBe("192.0.2.1:4000");
  });
});

describe("RFC 4787 section 6, REQ-9: hairpins", () => {
  it("let inner hosts hear each other from outer endpoints", () => {
    for (const filtering of DEPENDENCES) {
      const peers = new Peers({ filtering });
      peers.send(A, REMOTE);
      peers.send(B, REMOTE);
      const first = peers.hairpin(A, "192.0.2.1:4002");
      expect(first).toEqual(filtering === "endpoint-independent" ? [B, "192.0.2.1:4000"] : null);
      // The first packet opened the sender's own filter.
      expect(peers.hairpin(B, "192.0.2.1:4000")).toEqual([A, "192.0.2.1:4002"]);
      expect(peers.hairpin(A, "192.0.2.1:4002")).toEqual([B, "192.0.2.1:4000"]);
    }
  });

  it("are refused where that is chosen", () => {
    const peers = new Peers({ hairpins: false });
    peers.send(B, REMOTE);
    expect(peers.hairpin(A, "192.0.2.1:4000")).toBeNull();
    expect(peers.reason).toBe("nat/hairpin");
  });
});

describe("RFC 4787 section 7, REQ-10: addresses in the data", () => {
  it("are left as they are", () => {
    const { stand } = new Peers();
    const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 5060, dstPort: 5060 };
    const data = new TextEncoder().encode("INVITE sip:10.0.0.1 PORT 10,0,0,1,19,136");
    expect(read(stand.forward(udp(ends, data)).octets ?? udp(ends)).data).toEqual(data);
  });
});

describe("RFC 4787 section 8, REQ-11: behaviour", () => {
  it("is the same for those whose port was taken", () => {
    for (const mapping of DEPENDENCES) {
      for (const filtering of DEPENDENCES) {
        const peers = new Peers({ mapping, filtering });
        for (let host = 3; host < 9; host += 1) {
          for (const port of [4000, 5000]) peers.send(`10.0.0.${host}:${port}`, REMOTE);
        }
        for (const own of ["10.0.0.1", "10.0.0.2"]) {
          expect(discoverMapping(peers, `${own}:4000`)).toBe(mapping);
          expect(discoverFiltering(peers, `${own}:5000`)).toBe(filtering);
        }
      }
    }
  });
});

describe("RFC 4787 section 9, REQ-12: ICMP", () => {
  it("ends no mapping, and errors reach the inner host from wherever they come", () => {
    const peers = new Peers({ filtering: "address-and-port-dependent" });
    const { stand } = peers;
    const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
    const sent = stand.forward(udp(ends)).octets ?? udp(ends);
    for (const type of [3, 4, 11, 12]) {
      const { octets } = stand.answer(icmpError("203.0.113.77", "192.0.2.1", sent, type));
      expect(read(octets ?? sent).dst).toBe("10.0.0.1");
    }
    stand.answer(query({ ...turned(ends), dst: "192.0.2.1" }));
    expect(peers.call(REMOTE, "192.0.2.1:4000")).toBe(A);
  });
});

describe("A program that asks a server about its translation (RFC 5780 section 4)", () => {
  it.each(DEPENDENCES.flatMap((mapping) => DEPENDENCES.map((filtering) => [mapping, filtering])))(
    "finds the mapping %s, the filter %s",
    (mapping = "endpoint-independent", filtering = "endpoint-independent") => {
      for (const ports of ["preserved", "random"] as const) {
        const peers = new Peers({ mapping, filtering, ports });
        expect(discoverMapping(peers, A)).toBe(mapping);
        expect(discoverFiltering(peers, "10.0.0.1:5000")).toBe(filtering);
      }
    },
  );
});
