import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { NEVER, SECOND } from "../../src/base/time.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { ISC_3_0_5, ISC_4_4_3 } from "../../src/dhcp/dhcpd-profile.ts";
import { DhcpdSetup } from "../../src/dhcp/dhcpd-setup.ts";
import { BROADCAST_FLAG, DhcpType } from "../../src/dhcp/message.ts";
import { findOption, Option, type RawOption, rawOption } from "../../src/dhcp/options.ts";
import { DhcpServer } from "../../src/dhcp/server.ts";
import {
  formatIpv4,
  IPV4_BROADCAST,
  MAC_BROADCAST,
  parseIpv4,
  parseMac,
} from "../../src/wire/addr.ts";
import { A5_11, A5_12, Bench, CONF, FIXED, type Heard, octetsOf, SERVER } from "./server-bench.ts";

const { Discover, Request, Decline, Release, Inform } = DhcpType;
const asked = (address: string) => rawOption(Option.RequestedAddress, parseIpv4(address));
const typeOf = ({ message }: Heard): number | null =>
  findOption(message.options, Option.MessageType);
const textOf = ({ message }: Heard): string | null => findOption(message.options, Option.Message);
const yours = ({ message }: Heard): string => formatIpv4(message.yiaddr);

describe.each([
  ["3.0.5", ISC_3_0_5],
  ["4.4.3", ISC_4_4_3],
] as const)("dhcpd %s", (version, profile) => {
  const bench = (text = CONF): Bench => new Bench(text, { profile });

  it("offers a host its fixed address in a frame of its own", () => {
    const offer = bench().hear({ type: Discover });
    expect([typeOf(offer), yours(offer), offer.reason]).toEqual([
      2,
      "10.254.170.223",
      "dhcp/offer",
    ]);
    expect(offer.reply).toMatchObject({
      transport: "raw",
      device: "vif1.0",
      source: parseIpv4("169.254.1.0"),
      destination: FIXED,
      sourcePort: 67,
      destinationPort: 68,
      destinationMac: parseMac(A5_11),
      ttl: version === "3.0.5" ? 16 : 128,
      tos: 0x10,
      id: 0,
    });
    expect(findOption(offer.message.options, Option.HostName)).toBe("domU-12-31-39-00-A5-11");
    expect(offer.reply?.payload.length).toBeGreaterThanOrEqual(300);
  });

  it("broadcasts to who cannot hear otherwise", () => {
    const offer = bench().hear({ type: Discover, flags: BROADCAST_FLAG });
    expect(offer.reply).toMatchObject({
      destination: IPV4_BROADCAST,
      destinationMac: MAC_BROADCAST,
    });
    expect(offer.message.flags).toBe(BROADCAST_FLAG);
  });

  it("gives what it offered: SELECTING", () => {
    const server = rawOption(Option.ServerIdentifier, parseIpv4("169.254.1.0"));
    const ack = bench().hear({ type: Request, options: [server, asked("10.254.170.223")] });
    expect([typeOf(ack), yours(ack), ack.reply?.transport]).toEqual([5, "10.254.170.223", "raw"]);
  });

  it("confirms an address that a client remembers: INIT-REBOOT", () => {
    const ack = bench().hear({ type: Request, options: [asked("10.254.170.223")] });
    expect([typeOf(ack), ack.reply?.transport]).toEqual([5, "raw"]);
  });

  it.each([
    ["RENEWING", FIXED],
    ["REBINDING", FIXED],
  ])("prolongs a lease through the host's own stack: %s", (_, from) => {
    const ack = bench().hear({ type: Request, ciaddr: FIXED, from });
    expect(typeOf(ack)).toBe(5);
    expect(ack.reply).toMatchObject({
      transport: "socket",
      destination: FIXED,
      destinationPort: 68,
    });
    expect(ack.message.ciaddr).toBe(FIXED);
  });

  it.each([
    ["another's", "10.254.170.222", "requested address is incorrect"],
    ["one of another network", "10.253.0.9", "requested address not available"],
  ])("says no to an address that is %s", (_, address, text) => {
    const nak = bench().hear({ type: Request, options: [asked(address)] });
    expect([typeOf(nak), yours(nak), nak.reason]).toEqual([6, "0.0.0.0", "dhcp/nak"]);
    expect(nak.reply).toMatchObject({ transport: "raw", destination: IPV4_BROADCAST });
    expect(nak.message.flags).toBe(BROADCAST_FLAG);
    expect(nak.message.siaddr).toBe(version === "3.0.5" ? SERVER : 0);
    const name = version === "3.0.5" ? SERVER : parseIpv4("169.254.1.0");
    expect(findOption(nak.message.options, Option.ServerIdentifier)).toBe(name);
    expect(textOf(nak) ?? "").toBe(text);
  });

  it("says nothing of addresses that it does not know for sure", () => {
    const quiet = bench(CONF.replace("authoritative;", ""));
    const answer = quiet.hear({ type: Request, options: [asked("192.0.2.1")] });
    expect([answer.reply, answer.reason]).toEqual([null, "dhcp/not-authoritative"]);
  });

  it("gives the addresses of a pool one by one, and none twice", () => {
    const pool = bench();
    const one = pool.hear({ type: Discover, mac: A5_12 });
    const other = pool.hear({ type: Discover, mac: "02:00:00:00:00:03" });
    const none = pool.hear({ type: Discover, mac: "02:00:00:00:00:04" });
    expect(new Set([yours(one), yours(other)])).toEqual(
      new Set(["10.254.170.10", "10.254.170.11"]),
    );
    expect([none.reply, none.reason]).toEqual([null, "dhcp/no-free-lease"]);
    expect(yours(pool.hear({ type: Discover, mac: A5_12 }))).toBe(yours(one));
  });

  it("gives a client its old address again, and others what has ended", () => {
    const pool = bench();
    const first = yours(pool.hear({ type: Discover, mac: A5_12 }));
    pool.hear({ type: Request, mac: A5_12, options: [asked(first)] });
    pool.wait(599);
    expect([...pool.server.leases()].filter(({ state }) => state === "active")).toHaveLength(1);
    pool.wait(1);
    expect([...pool.server.leases()].filter(({ state }) => state === "active")).toHaveLength(0);
    expect(yours(pool.hear({ type: Discover, mac: A5_12 }))).toBe(first);
  });

  it("lets a client have as long a lease as it asks for, within limits", () => {
    const seconds = (wanted: number): number | null => {
      const time = rawOption(Option.LeaseTime, wanted);
      const { message } = bench().hear({ type: Discover, mac: A5_12, options: [time] });
      return findOption(message.options, Option.LeaseTime);
    };
    expect([seconds(1000), seconds(1), seconds(100_000)]).toEqual([1000, 300, 7200]);
  });

  it("takes a lease back", () => {
    const pool = bench();
    const address = parseIpv4(yours(pool.hear({ type: Discover, mac: A5_12 })));
    pool.hear({
      type: Request,
      mac: A5_12,
      options: [rawOption(Option.RequestedAddress, address)],
    });
    const stranger = pool.hear({ type: Release, mac: "02:00:00:00:00:03", ciaddr: address });
    expect(stranger.reason).toBe("dhcp/unknown-lease");
    const released = pool.hear({ type: Release, mac: A5_12, ciaddr: address });
    expect([released.reply, released.reason]).toEqual([null, "dhcp/released"]);
    expect([...pool.server.leases()].every(({ state }) => state === "free")).toBe(true);
  });

  it("offers no address that somebody else uses", () => {
    const pool = bench();
    const bad = yours(pool.hear({ type: Discover, mac: A5_12 }));
    expect(pool.hear({ type: Decline, mac: A5_12, options: [asked(bad)] }).reason).toBe(
      "dhcp/declined",
    );
    expect(yours(pool.hear({ type: Discover, mac: A5_12 }))).not.toBe(bad);
  });

  it("tells who has an address already what else there is to know", () => {
    const told = bench().hear({ type: Inform, ciaddr: FIXED });
    expect([typeOf(told), yours(told)]).toEqual([5, "0.0.0.0"]);
    expect(told.reply).toMatchObject({ transport: "socket", destination: FIXED });
    expect(findOption(told.message.options, Option.LeaseTime)).toBeNull();
    expect(findOption(told.message.options, Option.Routers)).toEqual([parseIpv4("10.254.170.1")]);
    const named = findOption(told.message.options, Option.HostName);
    expect(named).toBe(version === "3.0.5" ? null : "domU-12-31-39-00-A5-11");
  });

  it("answers BOOTP clients that have a fixed address, and those of a pool", () => {
    const fixed = bench().hear({});
    expect([yours(fixed), fixed.reason]).toEqual(["10.254.170.223", "dhcp/bootp"]);
    expect(fixed.message.siaddr).toBe(SERVER);
    expect(typeOf(fixed)).toBeNull();
    expect(yours(bench().hear({ mac: A5_12 }))).toMatch(/^10\.254\.170\.1[01]$/);
  });

  it("answers a relay agent where it is", () => {
    const agent = parseIpv4("10.254.170.1");
    const offer = bench().hear({ type: Discover, giaddr: agent });
    expect(offer.reply).toMatchObject({
      transport: "socket",
      destination: agent,
      destinationPort: 67,
    });
    expect(bench().hear({ type: Discover, giaddr: parseIpv4("192.0.2.1") }).reason).toBe(
      "dhcp/unknown-network",
    );
  });

  it.each([
    ["no DHCP at all", new Uint8Array(10), "dhcp/truncated"],
    ["an option that runs past the end", Uint8Array.of(12, 99), "dhcp/options"],
    ["an answer of another server", Uint8Array.of(53, 1, 2, 255), "dhcp/type"],
  ])("drops %s", (_, octets, reason) => {
    const whole = octetsOf({});
    whole.fill(0, 240);
    if (octets.length < 10) whole.set(octets, 240);
    const input = { device: "vif1.0", octets: octets.length < 10 ? whole : octets, source: SERVER };
    expect(bench().server.receive(input, 0)).toEqual({ reply: null, reason, ping: null });
  });
});

describe("What only 4.4.3 does", () => {
  const bench = (text = CONF): Bench => new Bench(text, { profile: ISC_4_4_3 });

  it("puts the mask before the routers, though the client asks otherwise", () => {
    const list = rawOption(Option.ParameterRequestList, [3, 1]);
    const order = (profile: typeof ISC_4_4_3): number[] => {
      const { message } = new Bench(CONF, { profile }).hear({ type: Discover, options: [list] });
      return [...message.options.keys()];
    };
    expect(order(ISC_4_4_3)).toEqual([53, 54, 51, 1, 3]);
    expect(order(ISC_3_0_5)).toEqual([53, 54, 51, 3, 1]);
  });

  it("gives a relay agent its sub-options back once, and only one of the empty ones", () => {
    const agent = Uint8Array.of(1, 2, 7, 8, 2, 0, 19, 0, 1, 1, 9);
    const back = (profile: typeof ISC_4_4_3): readonly number[] => {
      const { message } = new Bench(CONF, { profile }).hear({
        type: Discover,
        giaddr: parseIpv4("10.254.170.1"),
        options: [[Option.RelayAgent.code, agent]],
      });
      return [...(message.options.get(Option.RelayAgent.code) ?? [])];
    };
    expect(back(ISC_4_4_3)).toEqual([1, 2, 7, 8, 19, 0]);
    expect(back(ISC_3_0_5)).toEqual([...agent]);
  });

  it("adds the mask that nobody asked for only while its list of options has room", () => {
    const masked = (length: number): boolean => {
      const list: RawOption = [
        Option.ParameterRequestList.code,
        new Uint8Array(length).fill(Option.Routers.code),
      ];
      const { message } = bench().hear({ type: Discover, options: [list] });
      return message.options.has(Option.SubnetMask.code);
    };
    const first = ISC_4_4_3.first.length;
    expect([masked(1), masked(299 - first), masked(300 - first)]).toEqual([true, true, false]);
  });

  it("repeats the old times of a young lease", () => {
    const young = bench();
    const first = yours(young.hear({ type: Discover, mac: A5_12 }));
    const options = [asked(first)];
    young.hear({ type: Request, mac: A5_12, options });
    const left = (): number | null => {
      const { message } = young.hear({ type: Request, mac: A5_12, options });
      return findOption(message.options, Option.LeaseTime);
    };
    young.wait(150);
    expect(left()).toBe(450);
    young.wait(1);
    expect(left()).toBe(600);
  });

  it("pings an address before it offers it, and abandons one that answers", () => {
    const text = CONF.replace("ping-check off;", "");
    const sent: number[] = [];
    const careful = new Bench(text, {
      profile: ISC_4_4_3,
      transmit: ({ payload }) => sent.push(payload.length),
    });
    const first = careful.hear({ type: Discover, mac: A5_12 });
    expect([first.reply, first.reason]).toEqual([null, "dhcp/ping"]);
    expect(careful.hear({ type: Discover, mac: A5_12 }).reason).toBe("dhcp/busy");
    expect(careful.server.nextDeadline()).toBe(SECOND);
    careful.wait(1);
    expect(sent).toEqual([300]);
    const other = careful.hear({ type: Discover, mac: "02:00:00:00:00:03" });
    expect(other.ping).not.toBe(first.ping);
    if (other.ping !== null) careful.server.echoed(other.ping, careful.now);
    careful.wait(1);
    expect(sent).toHaveLength(1);
    const states = [...careful.server.leases()].map(({ state }) => state);
    expect(states).toContain("abandoned");
  });
});

describe("A server", () => {
  const vif = (name: string, ...addresses: string[]) => ({
    name,
    mac: parseMac("fe:ff:ff:ff:ff:ff"),
    addresses: addresses.map(parseIpv4),
  });
  const conf = parseDhcpdConf(CONF);
  const discover = { octets: octetsOf({ type: Discover }), source: parseIpv4("0.0.0.0") };

  it("hears nothing before its start, while it starts, and after its stop", () => {
    const server = new DhcpServer({ startTime: 2 * SECOND });
    const ask = (now: number): string =>
      server.receive({ device: "vif1.0", ...discover }, now).reason;
    expect([ask(0), server.isRunning, server.nextDeadline()]).toEqual([
      "dhcp/not-running",
      false,
      NEVER,
    ]);
    const setup = new DhcpdSetup(conf, [vif("vif1.0", "10.254.168.2")]);
    expect(server.restart(SECOND, setup)).toBe(3 * SECOND);
    expect([ask(SECOND), ask(3 * SECOND - 1), ask(3 * SECOND)]).toEqual([
      "dhcp/not-running",
      "dhcp/not-running",
      "dhcp/offer",
    ]);
    server.stop();
    expect([ask(4 * SECOND), server.isRunning]).toEqual(["dhcp/not-running", false]);
  });

  it("hears only the vifs of its command line that have a subnet", () => {
    const server = new DhcpServer({ startTime: 0 });
    const setup = new DhcpdSetup(conf, [
      vif("vif1.0", "10.254.168.2"),
      vif("vif2.0", "192.0.2.1"),
      vif("vif3.0"),
    ]);
    expect([setup.listening, setup.ignored]).toEqual([["vif1.0"], ["vif2.0", "vif3.0"]]);
    server.restart(0, setup);
    const ask = (device: string): string => server.receive({ device, ...discover }, 0).reason;
    expect(["vif1.0", "vif2.0", "vif3.0", "vif4.0"].map(ask)).toEqual([
      "dhcp/offer",
      "dhcp/not-listening",
      "dhcp/not-listening",
      "dhcp/not-listening",
    ]);
    setup.removeInterface("vif1.0");
    expect(server.restart(0, setup)).toBe(NEVER);
    expect(server.isRunning).toBe(false);
  });

  it("keeps leases over a start, and answers each vif on its own", () => {
    const bench = new Bench();
    const first = yours(bench.hear({ type: Discover, mac: A5_12 }));
    bench.hear({ type: Request, mac: A5_12, options: [asked(first)] });
    bench.restart(CONF);
    expect([...bench.server.leases()].filter(({ state }) => state === "active")).toHaveLength(1);
    expect(yours(bench.hear({ type: Discover, mac: A5_12 }))).toBe(first);
    bench.restart(CONF.replace("range dynamic-bootp 10.254.170.10 10.254.170.11;", ""));
    expect([...bench.server.leases()]).toEqual([]);
  });

  it("is on one network with each vif", () => {
    expect(() => new DhcpdSetup(conf, [vif("vif1.0", "10.254.168.2", "10.253.0.1")])).toThrow(
      OptionError,
    );
    expect(() => new DhcpServer({ startTime: -1 })).toThrow(OptionError);
  });
});
