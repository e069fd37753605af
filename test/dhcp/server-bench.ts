/** A server on a vif, and clients that speak to it. */
import { SECOND } from "../../src/base/time.ts";
import type { DhcpAnswer } from "../../src/dhcp/dhcpd-engine.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import type { DhcpReply } from "../../src/dhcp/dhcpd-reply.ts";
import { DhcpdSetup } from "../../src/dhcp/dhcpd-setup.ts";
import {
  chaddrOf,
  decodeMessage,
  DHCP_LENGTH,
  dhcpCodec,
  type DhcpHeader,
  type DhcpMessage,
  encodeMessage,
} from "../../src/dhcp/message.ts";
import { packOptions, type RawOption } from "../../src/dhcp/options.ts";
import { DhcpServer, type DhcpServerOptions } from "../../src/dhcp/server.ts";
import { ipv4Of, parseIpv4, parseMac } from "../../src/wire/addr.ts";

/** The server's own address, on the /32 of its vif. */
export const SERVER = parseIpv4("10.254.168.2");
export const A5_11 = "12:31:39:00:a5:11";
export const A5_12 = "12:31:39:00:a5:12";
export const FIXED = parseIpv4("10.254.170.223");

/** Two instances with fixed addresses, and a pool of two. */
export const CONF = `authoritative; default-lease-time 600; max-lease-time 7200; ping-check off;
  server-identifier 169.254.1.0;
  shared-network vifs {
    subnet 10.254.168.0 netmask 255.255.255.0 { }
    subnet 10.254.170.0 netmask 255.255.254.0 {
      option routers 10.254.170.1; option domain-name-servers 172.16.0.23;
      range dynamic-bootp 10.254.170.10 10.254.170.11;
    }
  }
  subnet 10.253.0.0 netmask 255.255.0.0 { }
  host dom_1 { hardware ethernet ${A5_11}; fixed-address 10.254.170.223;
    option host-name "domU-12-31-39-00-A5-11"; }`;

/** What a client's message says; zeros for the rest. */
export interface Words extends Partial<DhcpHeader> {
  readonly mac?: string;
  /** A message type; none is BOOTP with a cookie. */
  readonly type?: number;
  readonly options?: readonly RawOption[];
}

/** A client's message, and whence it comes. */
export interface Said extends Words {
  /** IP source address. */
  readonly from?: number;
}

/** What the server said. */
export interface Heard extends DhcpAnswer {
  readonly reply: DhcpReply | null;
  /** @throws {Error} if there is no answer. */
  readonly message: DhcpMessage;
}

const BLANK = dhcpCodec.decode(new Uint8Array(DHCP_LENGTH));

/** The octets of a client's message. */
export function octetsOf({ mac = A5_11, type, options = [], ...header }: Words): Uint8Array {
  const typed: RawOption[] = type === undefined ? [] : [[53, Uint8Array.of(type)]];
  return encodeMessage(
    { ...BLANK, op: 1, htype: 1, hlen: 6, xid: 7, chaddr: chaddrOf(parseMac(mac)), ...header },
    packOptions([...typed, ...options], { main: 1200 }),
  );
}

/** One server with one vif. */
export class Bench {
  readonly server: DhcpServer;
  now = 0;

  constructor(text = CONF, options: DhcpServerOptions = {}) {
    this.server = new DhcpServer({ startTime: 0, ...options });
    this.restart(text);
  }

  restart(text: string): void {
    const vif = { name: "vif1.0", mac: parseMac("fe:ff:ff:ff:ff:ff"), addresses: [SERVER] };
    this.server.restart(this.now, new DhcpdSetup(parseDhcpdConf(text), [vif]));
  }

  /** Let so many seconds pass. */
  wait(seconds: number): void {
    this.now += seconds * SECOND;
    this.server.expire(this.now);
  }

  hear({ from = 0, ...words }: Said): Heard {
    const input = { device: "vif1.0", octets: octetsOf(words), source: ipv4Of(from) };
    const answer = this.server.receive(input, this.now);
    return {
      ...answer,
      get message(): DhcpMessage {
        const message = decodeMessage(answer.reply?.payload ?? new Uint8Array(0));
        if (typeof message === "string") throw new Error(`no answer: ${answer.reason}`);
        return message;
      },
    };
  }
}
