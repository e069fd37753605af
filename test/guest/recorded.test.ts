import { describe, expect, it } from "vitest";
import type { Ping, PingEvent, PingOptions } from "../../src/guest/ping.ts";
import { ICMP } from "../../src/l3/icmp.ts";
import { IPV4 } from "../../src/l3/ipv4.ts";
import { UDP } from "../../src/l4/udp.ts";
import { formatIpv4, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { hexOf } from "./net.ts";
import { Recording, Twin, withoutId } from "./twin.ts";

const IP = 14;
const TRANSPORT = 34;
const OWN = parseIpv4("10.254.170.223");
const VIF = parseMac("fe:ff:ff:ff:ff:ff");
const DOMU_3 = new Recording("linux-kernel/domu-3.pcap");

const twinOfDomU3 = (): Twin =>
  new Twin({
    recording: DOMU_3,
    mac: "12:31:39:00:a5:11",
    address: "10.254.170.223",
    gateway: "10.254.170.1",
  });

/** Recorded frames as text, the identifications that the kernel drew left out. */
const recorded = (numbers: readonly number[]): string[] =>
  numbers.map((number) => withoutId(hexOf(DOMU_3.frame(number).octets), OWN));
const sentBy = (twin: Twin): string[] => twin.take().map((hex) => withoutId(hex, OWN));
const range = (first: number, last: number, step = 1): number[] =>
  Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + step * index);
const viewOfFrame = (number: number): DataView => viewOf(DOMU_3.frame(number).octets);

/** Run the recorded `ping` whose first request was frame `first`. */
function ping(twin: Twin, first: number, options: Partial<PingOptions> = {}): Ping {
  const view = viewOfFrame(first);
  const target = IPV4.dst.get(view, IP);
  const id = ICMP.id.get(view, TRANSPORT);
  const at = DOMU_3.pinged(first);
  const run = twin.host.ping({ target, id, ...options }, at);
  twin.host.expire(at);
  return run;
}

/** Let the clock of a running tool stand where it stood when frame `number` was made. */
const pingAgain = (twin: Twin, number: number): void => twin.host.expire(DOMU_3.pinged(number));

describe("the twin of a recorded domU pings as iputils did", () => {
  it("a gateway that exists nowhere: ARP, then requests that nobody answers", () => {
    const twin = twinOfDomU3();
    const events: PingEvent[] = [];
    const onEvent = (event: PingEvent): void => {
      events.push(event);
    };
    const run = ping(twin, 7, { count: 2, timeout: 1_000_000, onEvent });
    expect(sentBy(twin)).toEqual(recorded([5]));
    twin.receive([6]);
    pingAgain(twin, 8);
    expect(sentBy(twin)).toEqual(recorded([7, 8]));
    twin.host.expire(DOMU_3.pinged(8) + 1_000_000);
    expect([run.isDone, run.transmitted, run.received, events]).toEqual([true, 2, 0, []]);
  });

  it("Dom0, a neighbor through proxy ARP, and the outside, with the recorded times", () => {
    const twin = twinOfDomU3();
    twin.knows("10.254.170.1", VIF);
    twin.knows("10.254.168.2", VIF);
    const rtts: (number | null)[] = [];
    const onEvent = (event: PingEvent): void => {
      if (event.kind === "reply") rtts.push(event.rtt);
    };
    ping(twin, 9, { count: 2, onEvent });
    twin.receive([10]);
    pingAgain(twin, 11);
    twin.receive([12]);
    ping(twin, 15, { count: 3, onEvent });
    twin.receive([14, 16]);
    pingAgain(twin, 17);
    twin.receive([18]);
    pingAgain(twin, 19);
    twin.receive([20]);
    ping(twin, 21, { count: 3, onEvent });
    twin.receive([22]);
    pingAgain(twin, 23);
    twin.receive([24]);
    pingAgain(twin, 25);
    twin.receive([26]);
    expect(sentBy(twin)).toEqual(recorded([9, 11, 13, 15, 17, 19, 21, 23, 25]));
    const took = [9, 11, 15, 17, 19, 21, 23, 25].map(
      (number) => DOMU_3.frame(number + 1).at - DOMU_3.pinged(number),
    );
    expect(rtts).toEqual(took);
    expect(twin.host.toolCount).toBe(0);
  });

  it("with 4,000 octets in three fragments, answered in three, and full frames with DF", () => {
    const twin = twinOfDomU3();
    twin.knows("10.254.170.1", VIF);
    twin.knows("10.254.170.222", VIF);
    const lengths: number[] = [];
    const onEvent = (event: PingEvent): void => {
      if (event.kind === "reply") lengths.push(event.length);
    };
    ping(twin, 33, { count: 2, size: 4000, onEvent });
    twin.receive([36, 37, 38]);
    pingAgain(twin, 39);
    twin.receive([42, 43, 44]);
    ping(twin, 45, { count: 1, size: 1472, mtuDiscovery: "do", onEvent });
    twin.receive([46]);
    expect(sentBy(twin)).toEqual(recorded([33, 34, 35, 39, 40, 41, 45]));
    expect(lengths).toEqual([4008, 4008, 1480]);
    expect(twin.live).toBe(0);
  });

  it("and answers the pings and the ARP requests of others", () => {
    const twin = twinOfDomU3();
    twin.knows("10.254.170.1", VIF);
    twin.receive([27, 29, 31]);
    expect(sentBy(twin)).toEqual(recorded([28, 30, 32]));
  });
});

describe("the twin of a recorded domU traces routes as traceroute did", () => {
  const text = (twin: Twin): string[] => twin.take();
  const exact = (numbers: readonly number[]): string[] =>
    numbers.map((number) => hexOf(DOMU_3.frame(number).octets));

  /** Let the ports and identifications be those of the recorded probes. */
  function knowDraws(twin: Twin, probes: readonly number[]): void {
    const ports = probes.map((number) => UDP.srcPort.get(viewOfFrame(number), TRANSPORT) - 32_768);
    twin.chance.know(60_999 - 32_768 + 1, ports);
    const ids = probes.map((number) => IPV4.id.get(viewOfFrame(number), IP));
    twin.chance.know(0x1_0000, ids);
  }

  it.each([
    ["the outside", [...range(47, 61, 2), ...range(62, 69)], [48, 50, 52, 54, 56, 58, 60]],
    [
      "a neighbor",
      [...range(104, 118, 2), ...range(119, 126)],
      [105, 107, 109, 111, 113, 115, 117],
    ],
  ])("by UDP to %s: sixteen probes at once, octet for octet", (_, probes, answers) => {
    const twin = twinOfDomU3();
    const [first = 0] = probes;
    const target = IPV4.dst.get(viewOfFrame(first), IP);
    twin.knows("10.254.170.1", VIF);
    twin.knows("10.254.170.222", VIF);
    knowDraws(twin, probes);
    const { at } = DOMU_3.frame(first);
    const run = twin.host.traceroute({ target, probesPerHop: 1 }, at);
    twin.host.expire(at);
    expect(text(twin)).toEqual(exact(probes));
    // The program was busy sending: it reads all answers in one go.
    const later = DOMU_3.frame(probes.at(-1) ?? 0).at;
    twin.receive(answers, later);
    twin.host.expire(later);
    expect(text(twin)).toEqual([]);
    expect([run.isDone, run.isReached]).toEqual([true, true]);
    const hops = run.hops.map(({ ttl, answers: [answer] }) => {
      const address = formatIpv4(answer?.address ?? parseIpv4("0.0.0.0"));
      return [ttl, address, answer?.type, answer?.code, answer?.ttl, answer?.mark];
    });
    const isNeighbor = target === parseIpv4("10.254.170.222");
    const end = isNeighbor ? "10.254.170.222" : "93.184.216.34";
    expect(hops).toEqual([
      [1, "10.254.168.2", 11, 0, 64, ""],
      [2, end, 3, 3, 63, ""],
    ]);
    // What is open still: the echo service and the DHCP client.
    expect([twin.host.udp.size, twin.host.toolCount, twin.live]).toEqual([2, 0, 0]);
  });

  it("by ICMP: one answer a round, so that the first answer lets a seventeenth probe go", () => {
    const twin = twinOfDomU3();
    twin.knows("10.254.170.1", VIF);
    const view = viewOfFrame(70);
    twin.chance.know(0x1_0000, [ICMP.id.get(view, TRANSPORT), IPV4.id.get(view, IP)]);
    const { at } = DOMU_3.frame(70);
    const target = parseIpv4("93.184.216.34");
    const run = twin.host.traceroute({ target, method: "icmp", probesPerHop: 1 }, at);
    twin.host.expire(at);
    expect(text(twin)).toEqual(exact([70, ...range(72, 100, 2)]));
    const later = DOMU_3.frame(102).at;
    twin.receive(range(71, 101, 2), later);
    twin.host.expire(later);
    expect(text(twin)).toEqual(exact([102]));
    expect(twin.host.nextDeadline()).toBe(later);
    twin.host.expire(later);
    expect([run.isDone, run.isReached, run.hops.length]).toEqual([true, true, 2]);
    expect(text(twin)).toEqual([]);
  });

  it("and answers probes for closed ports as the recorded neighbor did, six at once", () => {
    const recording = new Recording("linux-kernel/domu-4.pcap");
    const twin = new Twin({
      recording,
      mac: "12:31:39:00:a5:12",
      address: "10.254.170.222",
      gateway: "10.254.170.1",
    });
    const own = parseIpv4("10.254.170.222");
    twin.knows("10.254.170.223", VIF);
    twin.receive([...range(17, 29, 2), ...range(30, 37)]);
    const sent = twin.take().map((hex) => withoutId(hex, own));
    const answers = range(18, 28, 2).map((number) => hexOf(recording.frame(number).octets));
    expect(sent).toEqual(answers.map((hex) => withoutId(hex, own)));
  });
});
