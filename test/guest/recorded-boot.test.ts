import { describe, expect, it } from "vitest";
import { DHCLIENT_4_4_3, UDHCPC_1_35 } from "../../src/dhcp/client-style.ts";
import { DHCP } from "../../src/dhcp/message.ts";
import { Option, rawOption } from "../../src/dhcp/options.ts";
import type { GuestOptions } from "../../src/guest/guest.ts";
import { IPV4 } from "../../src/l3/ipv4.ts";
import { sealUdp } from "../../src/l4/udp.ts";
import { formatIpv4, macOf, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { hexOf } from "./net.ts";
import { Recording, Twin, withoutId } from "./twin.ts";

const PAYLOAD = 42;
const VIF = parseMac("fe:ff:ff:ff:ff:ff");

/** dhclient.conf of Debian, on a machine called "vm". */
const DEBIAN: Partial<GuestOptions> = {
  client: DHCLIENT_4_4_3,
  parameters: [1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42],
  clientOptions: [rawOption(Option.HostName, "vm")],
};
/** Without a dhclient.conf. */
const PLAIN: Partial<GuestOptions> = { client: DHCLIENT_4_4_3 };
const UDHCPC: Partial<GuestOptions> = { client: UDHCPC_1_35 };

const xidOf = (recording: Recording, number: number): number =>
  DHCP.xid.get(viewOf(recording.frame(number).octets), PAYLOAD);

/** The recorded domU's twin, its `xid`s known. */
function twinOf(
  recording: Recording,
  options: Partial<GuestOptions>,
  xids: readonly number[],
): Twin {
  const view = viewOf(recording.frame(1).octets);
  const mac = macOf(view.getUint16(6) * 2 ** 32 + view.getUint32(8));
  const text = mac.toString(16).padStart(12, "0").match(/../g)?.join(":") ?? "";
  const twin = new Twin({ recording, mac: text, address: null, gateway: "0.0.0.0", options });
  // The second draw is how early the lease is renewed.
  const [first = 0, ...later] = xids;
  twin.chance.know(2 ** 32, [first, 0, ...later]);
  return twin;
}

const frames = (recording: Recording, numbers: readonly number[]): string[] =>
  numbers.map((number) => hexOf(recording.frame(number).octets));

describe("the twin of a recorded domU boots octet for octet", () => {
  it.each([
    ["dhclient on Linux", "linux-kernel/domu-3.pcap", DEBIAN, "10.254.170.223/23"],
    ["udhcpc on Linux", "linux-kernel/domu-4.pcap", UDHCPC, "10.254.170.222/23"],
    ["dhclient in a PV domU", "real-xen/dhcp-d1-eth0.pcap", PLAIN, "10.251.34.5/23"],
  ])("as %s", (_, file, options, address) => {
    const recording = new Recording(file);
    const twin = twinOf(recording, options, [xidOf(recording, 1)]);
    const { guest } = twin;
    guest.start(0);
    expect(twin.take()).toEqual(frames(recording, [1]));
    twin.receive([2]);
    // The reply came before dhclient had a turn: the stack knew no such address yet.
    expect(twin.take()).toEqual([]);
    guest.expire(recording.frame(3).at);
    expect(twin.take()).toEqual(frames(recording, [3]));
    twin.receive([4]);
    guest.expire(recording.frame(4).at);
    expect(twin.take()).toEqual([]);
    const { configuration } = guest.host;
    const own = configuration === null ? "" : formatIpv4(configuration.address);
    expect(`${own}/${configuration?.length}`).toBe(address);
    expect(twin.live).toBe(0);
  });

  it("and releases its lease by the kernel's socket, its checksum whole", () => {
    const recording = new Recording("real-xen/dhcp-d1-eth0.pcap");
    const twin = twinOf(recording, PLAIN, [xidOf(recording, 1), xidOf(recording, 7)]);
    const { guest } = twin;
    guest.start(0);
    for (const number of [2, 4]) {
      twin.receive([number]);
      guest.expire(recording.frame(number).at);
    }
    twin.take();
    twin.knows("10.251.34.1", VIF);
    guest.shutDown(recording.frame(7).at);
    const own = parseIpv4("10.251.34.5");
    const released = recording.frame(7).octets;
    const view = viewOf(released);
    // The PV domU left the sum to Dom0, which finishes it.
    sealUdp(view, 34, released.length, own, IPV4.dst.get(view, 14));
    const [sent = "", ...more] = twin.take();
    expect(withoutId(sent, own)).toBe(withoutId(hexOf(released), own));
    expect(more).toEqual([]);
    expect(guest.host.configuration).toBeNull();
  });
});
