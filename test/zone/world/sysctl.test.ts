import { describe, expect, it } from "vitest";
import { ParseError } from "../../../src/base/errors.ts";
import { DAY, MILLISECOND, MINUTE, SECOND } from "../../../src/base/time.ts";
import { EC2_2010, LINUX, type Profile } from "../../../src/xen/profile.ts";
import { Sysctls, sysctlNames } from "../../../src/zone/world/sysctl.ts";

/** The settings after `lines`, such as "net.ipv4.ip_forward = 0", were written. */
function written(lines: readonly string[], profile: Profile = LINUX): Sysctls {
  const sysctls = new Sysctls(profile, ["e0", "e1.5"]);
  for (const line of lines) {
    const [name = "", value = ""] = line.split(" = ");
    sysctls.set(name, value);
  }
  return sysctls;
}

const conf = (words: string): string => `net.ipv4.conf.${words}`;

describe("settings of interfaces", () => {
  const settings = (lines: readonly string[], profile: Profile = LINUX) =>
    written(lines.map(conf), profile).settingsOf("e0");

  it("begin as Linux's, with forwarding on", () => {
    expect(settings([])).toEqual({
      isForwarding: true,
      hasProxyArp: false,
      mediumId: 0,
      rpFilter: 0,
      sendsRedirects: true,
      acceptsLocal: false,
      routesLocalnet: false,
      arpIgnore: 0,
      arpAnnounce: 0,
      hasArpFilter: false,
      hasProxyArpPvlan: false,
    });
  });

  it("are the larger of those of all and their own, for ARP", () => {
    const joined = settings(["all.arp_ignore = 1", "e0.arp_announce = 2", "e0.arp_ignore = 2"]);
    expect([joined.arpIgnore, joined.arpAnnounce]).toEqual([2, 2]);
    expect(settings(["all.arp_filter = 1", "e0.arp_filter = 0"]).hasArpFilter).toBe(true);
  });

  it.each([
    [["e0.rp_filter = 1"], 1],
    [["all.rp_filter = 2", "e0.rp_filter = 1"], 2],
    [["default.rp_filter = 1"], 1],
    [["e0.rp_filter = 0", "default.rp_filter = 1"], 0],
    [["e1.5.rp_filter = 1"], 0],
  ])("%j: the larger rp_filter counts", (lines, mode) => {
    expect(settings(lines).rpFilter).toBe(mode);
  });

  it.each([
    [["e0.rp_filter = 1"], 0],
    [["all.rp_filter = 1"], 0],
    [["all.rp_filter = 1", "e0.rp_filter = 2"], 1],
  ])("%j: before 2.6.31 both had to be on", (lines, mode) => {
    expect(settings(lines, EC2_2010).rpFilter).toBe(mode);
  });

  it("are on if those of all are, for proxy ARP and redirects", () => {
    expect(settings(["all.proxy_arp = 1"]).hasProxyArp).toBe(true);
    expect(settings(["e0.proxy_arp = 1"]).hasProxyArp).toBe(true);
    expect(settings(["e0.send_redirects = 0"]).sendsRedirects).toBe(true);
    expect(settings(["all.send_redirects = 0"]).sendsRedirects).toBe(true);
    expect(settings(["all.send_redirects = 0", "e0.send_redirects = 0"]).sendsRedirects).toBe(
      false,
    );
  });

  it("forward as the last one says who writes for all", () => {
    expect(settings(["e0.forwarding = 0"]).isForwarding).toBe(false);
    expect(settings(["e0.forwarding = 0", "all.forwarding = 1"]).isForwarding).toBe(true);
    expect(settings(["default.forwarding = 0"]).isForwarding).toBe(true);
    const off = written(["net.ipv4.ip_forward = 0", conf("e0.forwarding = 1")]);
    expect(off.settingsOf("e0").isForwarding).toBe(true);
    expect(off.settingsOf("e1.5").isForwarding).toBe(false);
  });

  it("may be those of an interface whose name has a full stop", () => {
    expect(written([conf("e1.5.medium_id = -1")]).settingsOf("e1.5").mediumId).toBe(-1);
  });
});

describe("settings of the router", () => {
  it("are the profile's where nothing is written", () => {
    expect(written([]).profile).toEqual(LINUX);
    expect(written([], EC2_2010).profile).toEqual(EC2_2010);
  });

  it("reach the stack", () => {
    const { stack } = written([
      "net.ipv4.ip_default_ttl = 32",
      "net.ipv4.icmp_ratelimit = 250",
      "net.ipv4.icmp_ratemask = 1",
      "net.ipv4.icmp_echo_ignore_all = 1",
      "net.ipv4.icmp_echo_ignore_broadcasts = 0",
      "net.ipv4.ipfrag_time = 5",
    ]);
    expect(stack).toEqual({
      ttl: 32,
      icmpInterval: 250 * MILLISECOND,
      icmpLimitedTypes: 1,
      ignoresEcho: true,
      ignoresBroadcastEcho: false,
      reassemblyTime: 5 * SECOND,
    });
  });

  it("reach neighbors, fragments and the limit of all ICMP", () => {
    const { router } = written([
      "net.ipv4.neigh.default.unres_qlen = 7",
      "net.ipv4.neigh.default.proxy_delay = 5",
      "net.ipv4.neigh.default.gc_thresh1 = 3",
      "net.ipv4.ipfrag_high_thresh = 9000",
      "net.ipv4.icmp_msgs_per_sec = 11",
      "net.ipv4.icmp_msgs_burst = 12",
    ]).profile;
    expect(router.neighbor).toMatchObject({ queueLimit: 7, collectsAbove: 3 });
    expect(router.arp.proxyDelay).toBe(50 * MILLISECOND);
    expect(router.reassembly.memoryLimit).toBe(9000);
    expect(router.icmpGlobalLimit).toEqual({ perSecond: 11, burst: 12 });
  });

  it("reach connection tracking", () => {
    const lines = [
      "max = 100",
      "acct = 1",
      "checksum = 0",
      "tcp_loose = 0",
      "tcp_be_liberal = 1",
      "tcp_max_retrans = 5",
      "tcp_ignore_invalid_rst = 1",
      "udp_timeout = 10",
      "udp_timeout_stream = 180",
      "icmp_timeout = 20",
      "generic_timeout = 30",
      "tcp_timeout_established = 7200",
      "tcp_timeout_max_retrans = 40",
    ].map((line) => `net.netfilter.nf_conntrack_${line}`);
    const { conntrack } = written(lines).profile.flows;
    expect(conntrack).toMatchObject({
      limit: 100,
      countsTraffic: true,
      verifiesChecksums: false,
      tcpLoose: 0,
      isTcpLiberal: true,
      tcpMaxRepeats: 5,
      ignoresInvalidReset: true,
    });
    expect(conntrack.timeouts).toMatchObject({
      udp: 10 * SECOND,
      udpStream: 3 * MINUTE,
      icmp: 20 * SECOND,
      generic: 30 * SECOND,
    });
    const { tcp } = conntrack.timeouts;
    expect(tcp).toMatchObject({ established: DAY / 12, repeated: 40 * SECOND });
    expect(tcp.synSent).toBe(LINUX.flows.conntrack.timeouts.tcp.synSent);
  });
});

describe("a setting is refused", () => {
  it.each([
    ["net.ipv4.tcp_syncookies = 1", "is not emulated"],
    ["net.ipv4.conf.e0.tag = 1", "is not emulated"],
    ["net.ipv4.conf.e9.rp_filter = 1", 'there is no interface "e9"'],
    ["net.ipv4.conf.e0.rp_filter = 3", "expected 0 to 2, got 3"],
    ["net.ipv4.ip_default_ttl = many", "expected 1 to 255, got many"],
    ["net.ipv4.ip_default_ttl = ", "expected 1 to 255, got "],
    [conf("all.accept_redirects = 1"), "expected 0, which is all that is emulated, got 1"],
    [conf("all.accept_source_route = 1"), "expected 0, which is all that is emulated, got 1"],
  ])("%s", (line, message) => {
    const [name = ""] = line.split(" = ");
    expect(() => written([line])).toThrow(new ParseError("sysctl", name, message));
  });

  it("but an interface may say that it takes source routes, for all do not", () => {
    expect(() => written([conf("e0.accept_source_route = 1")])).not.toThrow();
  });

  it("by no name that is among those that there are", () => {
    for (const name of sysctlNames(["e0", "e1.5"])) {
      const values = ["1", "0"].map((value) => `${name} = ${value}`);
      expect(
        values.some((line) => isTaken(line)),
        name,
      ).toBe(true);
    }
  });
});

function isTaken(line: string): boolean {
  try {
    written([line]);
    return true;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return false;
  }
}
