import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { ISC_4_4_3 } from "../../src/dhcp/dhcpd-profile.ts";
import { DhcpdSetup } from "../../src/dhcp/dhcpd-setup.ts";
import { DhcpServer } from "../../src/dhcp/server.ts";
import { formatIpv4, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { type Datagram, datagramOf, frameOf } from "../dhcp/frames.ts";
import { Questioner } from "./dhcp-questions.ts";
import { askDhcpd, missingForDhcpd } from "./dhcpd.ts";
import { DHCPD_WORLDS, FENCE, SERVER } from "./dhcpd-worlds.ts";

const VIF_MAC = parseMac("fe:ff:ff:ff:ff:ff");
const missing = missingForDhcpd();
/** More cases, or others: `DHCPD_CASES=5000 DHCPD_SEED=7`. */
const cases = Number(process.env["DHCPD_CASES"] ?? 250);
const seed = Number(process.env["DHCPD_SEED"] ?? 1);

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

/** An answer as the wire shows it: whole if dhcpd framed it, else without the kernel's headers. */
function wordsOf(frame: Uint8Array): string {
  const datagram = datagramOf(frame);
  if (datagram === null) return hex(frame);
  const { destination, destinationPort, payload } = datagram;
  const isRaw = frame[15] === 0x10;
  return isRaw ? hex(frame) : `${formatIpv4(destination)}:${destinationPort} ${hex(payload)}`;
}

/** Where the kernel sends nothing that the cable could show. */
function isSendable(address: number): boolean {
  const first = address >>> 24;
  return address !== parseIpv4(SERVER) && first !== 0 && first !== 127 && first < 224;
}

/** Our answer to a question at a time, as the wire would show it. */
function ask(server: DhcpServer, { payload: octets, source }: Datagram, seconds: number): string[] {
  const { reply } = server.receive({ device: "vif3.0", octets, source }, seconds * SECOND);
  if (reply === null) return [];
  if (reply.transport === "raw") return [hex(frameOf(reply.payload, reply, VIF_MAC))];
  if (!isSendable(reply.destination)) return [];
  return [`${formatIpv4(reply.destination)}:${reply.destinationPort} ${hex(reply.payload)}`];
}

describe.skipIf(missing !== null)(
  `ISC dhcpd 4.4.3${missing === null ? "" : ` (${missing})`}`,
  () => {
    it.each(DHCPD_WORLDS)("answers every message as ours does: $name", ({ name, conf, world }) => {
      const questioner = new Questioner(seed, name, world);
      const frames = Array.from({ length: cases }, () => questioner.frame());
      const theirs = askDhcpd(conf, SERVER, FENCE, frames);
      const epoch = theirs[0]?.sentAt ?? 0;
      const server = new DhcpServer({ profile: ISC_4_4_3, startTime: 0, epoch });
      const addresses = [parseIpv4(SERVER)];
      const vif = { name: "vif3.0", mac: VIF_MAC, addresses };
      server.restart(0, new DhcpdSetup(parseDhcpdConf(conf), [vif]));
      const fence = datagramOf(FENCE);
      if (fence === null) throw new Error("the fence is a datagram");
      expect(ask(server, fence, 0)).toHaveLength(1);
      frames.forEach((frame, index) => {
        const { sentAt = 0, frames: back = [] } = theirs[index] ?? {};
        const question = datagramOf(frame);
        if (question === null) throw new Error("a question is a datagram");
        server.expire((sentAt - epoch) * SECOND);
        const ours = ask(server, question, sentAt - epoch);
        ask(server, fence, sentAt - epoch);
        const about = `case ${index} of seed ${seed}: ${hex(question.payload)}`;
        expect(ours, about).toEqual(back.map(wordsOf));
      });
    });
  },
);
