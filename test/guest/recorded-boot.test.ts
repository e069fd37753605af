import { describe, expect, it } from "vitest";
import { DHCLIENT_4_4_3, UDHCPC_1_35 } from "../../src/dhcp/client-style.ts";
import { DHCP } from "../../src/dhcp/message.ts";
import { formatIpv4, macOf, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { hexOf } from "./net.ts";
import { Recording, Twin, withoutId } from "./twin.ts";

const PAYLOAD = 42;
const VIF = parseMac("fe:ff:ff:ff:ff:ff");

const xidOf = (recording: Recording, number: number): number =>
  DHCP.xid.get(viewOf(recording.frame(number).octets), PAYLOAD);

/** The recorded domU's twin, its `xid`s known. */
function twinOf(recording: Recording, client: typeof UDHCPC_1_35, xids: readonly number[]): Twin {
  const view = viewOf(recording.frame(1).octets);
  const mac = macOf(view.getUint16(6) * 2 ** 32 + view.getUint32(8));
  const text = mac.toString(16).padStart(12, "0").match(/../g)?.join(":") ?? "";
  const twin = new Twin({ recording, mac: text, address: null, gateway: "0.0.0.0", client });
  // The second draw is how early the lease is renewed.
  const [first = 0, ...later] = xids;
  twin.chance.know(2 ** 32, [first, 0, ...later]);
  return twin;
}

const frames = (recording: Recording, numbers: readonly number[]): string[] =>
  numbers.map((number) => hexOf(recording.frame(number).octets));

describe("the twin of a recorded domU boots octet for octet", () => {
  it.each([
    ["dhclient on Linux", "linux-kernel/domu-3.pcap", DHCLIENT_4_4_3, "10.254.170.223/23"],
    ["udhcpc on Linux", "linux-kernel/domu-4.pcap", UDHCPC_1_35, "10.254.170.222/23"],
    ["dhclient in a PV domU", "real-xen/dhcp-d1-eth0.pcap", DHCLIENT_4_4_3, "10.251.34.5/23"],
  ])("as %s", (_, file, client, address) => {
    const recording = new Recording(file);
    const twin = twinOf(recording, client, [xidOf(recording, 1)]);
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

  it("and releases its lease by the kernel's socket, as the PV domU did", () => {
    const recording = new Recording("real-xen/dhcp-d1-eth0.pcap");
    const twin = twinOf(recording, DHCLIENT_4_4_3, [xidOf(recording, 1), xidOf(recording, 7)]);
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
    const released = frames(recording, [7]).map((hex) => withoutId(hex, own));
    expect(twin.take().map((hex) => withoutId(hex, own))).toEqual(released);
    expect(guest.host.configuration).toBeNull();
  });
});
