import { describe, expect, it } from "vitest";
import { Hook } from "../../src/l3/hooks.ts";
import { ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { headerLengthOf } from "../../src/l3/ipv4.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { deviceOf } from "./facts.ts";
import { newRuleSet } from "./stand.ts";

const ETHERNET = "02000000010012313900a5110800";
const MAC = "MAC=02:00:00:00:01:00:12:31:39:00:a5:11:08:00 ";
const DECODED = "MACSRC=12:31:39:00:a5:11 MACDST=02:00:00:00:01:00 MACPROTO=0800 ";
const ADDRESSES = "SRC=10.254.170.223 DST=93.184.216.34 ";
const QUOTED =
  "[SRC=10.254.170.223 DST=93.184.216.34 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=4660 " +
  "PROTO=UDP SPT=12345 DPT=53 LEN=20 ] ";
const PORTS = "SPT=12345 DPT=53 LEN=20";
const TCP = "DF PROTO=TCP SPT=40000 DPT=80 ";
const INNER = "4500002812340000401100000afeaadf5db8d8223039003500140000";

/** TOS, precedence, TTL and ID of all of them. */
const REST = "TOS=0x10 PREC=0x00 TTL=64 ID=4660 ";

/** What a Linux 6.18 wrote of these packets: flags of LOG, the packet, its length, the rest. */
const RECORDED: readonly (readonly [string, string, number, string])[] = [
  [
    "",
    "451000201234400040113cd10afeaadf5db8d82230390035000c000001020304",
    32,
    "DF PROTO=UDP SPT=12345 DPT=53 LEN=12 ",
  ],
  [
    "",
    "4510001a1234400040113cd70afeaadf5db8d82230390035000c",
    26,
    "DF PROTO=UDP INCOMPLETE [6 bytes] ",
  ],
  ["", "451000181234200540115cd40afeaadf5db8d82201020304", 24, "MF FRAG:5 PROTO=UDP "],
  [
    "",
    "4510001c123480004088fc5d0afeaadf5db8d8223039003500080000",
    28,
    "CE PROTO=UDPLITE SPT=12345 DPT=53 LEN=8 ",
  ],
  [
    "--log-ip-options",
    "4610002412344000401139cb0afeaadf5db8d8220101010130390035000c000001020304",
    36,
    "DF OPT (01010101) PROTO=UDP SPT=12345 DPT=53 LEN=12 ",
  ],
  [
    "--log-tcp-sequence --log-tcp-options",
    "4510002c1234400040063cd00afeaadf5db8d8229c40005000000001000000ff60d2200000000007020405b4",
    44,
    `${TCP}SEQ=1 ACK=255 WINDOW=8192 RES=0x00 CWR ECE ACK SYN URGP=7 OPT (020405B4) `,
  ],
  [
    "--log-tcp-options",
    "4510002c1234400040063cd00afeaadf5db8d8229c40005000000001000000ff7002200000000000020405b4",
    44,
    "DF PROTO=TCP SPT=40000 DPT=80 WINDOW=8192 RES=0x00 SYN URGP=0 OPT (TRUNCATED)",
  ],
  [
    "",
    "4510001c1234400040063ce00afeaadf5db8d8229c40005000000001",
    28,
    "DF PROTO=TCP INCOMPLETE [8 bytes] ",
  ],
  [
    "",
    "4510001c1234400040013ce50afeaadf5db8d8220800000012340001",
    28,
    "DF PROTO=ICMP TYPE=8 CODE=0 ID=4660 SEQ=1 ",
  ],
  [
    "",
    "4510001a1234400040013ce70afeaadf5db8d822080000001234",
    26,
    "DF PROTO=ICMP INCOMPLETE [6 bytes] ",
  ],
  [
    "",
    `451000381234400040013cc90afeaadf5db8d8220c00000014000000${INNER}`,
    56,
    "DF PROTO=ICMP TYPE=12 CODE=0 PARAMETER=20 ",
  ],
  [
    "",
    `451000381234400040013cc90afeaadf5db8d8220304000000000578${INNER}`,
    56,
    `DF PROTO=ICMP TYPE=3 CODE=4 ${QUOTED}MTU=1400 `,
  ],
  [
    "",
    `451000381234400040013cc90afeaadf5db8d822050100000afea802${INNER}`,
    56,
    `DF PROTO=ICMP TYPE=5 CODE=1 GATEWAY=10.254.168.2 ${QUOTED}`,
  ],
  [
    "",
    `451000281234400040013cd90afeaadf5db8d8220b00000000000000${INNER.slice(0, 24)}`,
    40,
    "DF PROTO=ICMP TYPE=11 CODE=0 INCOMPLETE [20 bytes] ",
  ],
  [
    "",
    `451000321234400040013ccf0afeaadf5db8d8220303000000000000${INNER.slice(0, 44)}`,
    50,
    `DF PROTO=ICMP TYPE=3 CODE=3 ${QUOTED.replace(PORTS, "INCOMPLETE [2 bytes]")}`,
  ],
  [
    "",
    "4510001c1234400040013ce50afeaadf5db8d8220d00000000000000",
    28,
    "DF PROTO=ICMP TYPE=13 CODE=0 INCOMPLETE [8 bytes] ",
  ],
  [
    "",
    "4510001c1234400040323cb40afeaadf5db8d822deadbeef00000001",
    28,
    "DF PROTO=ESP SPI=0xdeadbeef ",
  ],
  [
    "",
    "451000201234400040333caf0afeaadf5db8d82206040000deadbeef00000001",
    32,
    "DF PROTO=AH SPI=0xdeadbeef ",
  ],
  [
    "",
    "451000181234400040323cb80afeaadf5db8d822deadbeef",
    24,
    "DF PROTO=ESP INCOMPLETE [4 bytes] ",
  ],
  ["", "4510001812344000402f3cbb0afeaadf5db8d82200000800", 24, "DF PROTO=47 "],
  [
    "--log-macdecode",
    "451000201234400040113cd10afeaadf5db8d82230390035000c000001020304",
    32,
    "DF PROTO=UDP SPT=12345 DPT=53 LEN=12 ",
  ],
];

describe("A line of the log", () => {
  it.each(RECORDED)("says what the kernel says: %s %s", (flags, octets, length, rest) => {
    const pool = new PacketPool({ slots: 1, largeSlots: 0 });
    const { rules, heard } = newRuleSet();
    rules.command(`-A INPUT -j LOG ${flags}`);
    const frame = (ETHERNET + octets).padEnd((ETHERNET_LENGTH + length) * 2, "0");
    const packet = pool.copyIn(Uint8Array.from(Buffer.from(frame, "hex")));
    if (packet === null) throw new Error("the pool is exhausted");
    packet.network = packet.frame + ETHERNET_LENGTH;
    packet.transport = packet.network + headerLengthOf(pool.view, packet.network);
    packet.end = packet.network + length;
    const input = deviceOf("vif1.0");
    const context = { hook: Hook.Input, packet, input, output: null, now: 0 };
    rules.table("filter").onHook(packet, { ...context, reason: "test/none", detail: "" });
    const start = `IN=vif1.0 OUT= ${flags === "--log-macdecode" ? DECODED : MAC}${ADDRESSES}`;
    expect(heard.logged).toEqual([{ level: 4, line: `${start}LEN=${length} ${REST}${rest}` }]);
  });
});
