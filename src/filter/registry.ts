/** The families of matches and targets: one line each. @module */
import type { MatchKind } from "./match.ts";
import { STANDARD_TARGETS, type TargetKind } from "./target.ts";
import { addrtype } from "./matches/addrtype.ts";
import { comment } from "./matches/comment.ts";
import { connlimit } from "./matches/connlimit.ts";
import { connmark } from "./matches/connmark.ts";
import { conntrack, state } from "./matches/conntrack.ts";
import { dscp } from "./matches/dscp.ts";
import { hashlimit } from "./matches/hashlimit.ts";
import { icmp } from "./matches/icmp.ts";
import { iprange } from "./matches/iprange.ts";
import { length } from "./matches/length.ts";
import { limit } from "./matches/limit.ts";
import { mac } from "./matches/mac.ts";
import { mark } from "./matches/mark.ts";
import { multiport } from "./matches/multiport.ts";
import { physdev } from "./matches/physdev.ts";
import { pkttype } from "./matches/pkttype.ts";
import { recent } from "./matches/recent.ts";
import { statistic } from "./matches/statistic.ts";
import { tcp } from "./matches/tcp.ts";
import { tos } from "./matches/tos.ts";
import { ttl } from "./matches/ttl.ts";
import { udp } from "./matches/udp.ts";
import { CONNMARK } from "./targets/connmark.ts";
import { LOG } from "./targets/log.ts";
import { MARK } from "./targets/mark.ts";
import { DNAT, SNAT } from "./targets/nat.ts";
import { NFLOG } from "./targets/nflog.ts";
import { NETMAP } from "./targets/netmap.ts";
import { CT, NOTRACK } from "./targets/notrack.ts";
import { MASQUERADE, REDIRECT } from "./targets/own-address.ts";
import { REJECT } from "./targets/reject.ts";
import { DSCP, TOS } from "./targets/service.ts";
import { TCPMSS } from "./targets/tcpmss.ts";
import { TRACE } from "./targets/trace.ts";
import { TTL } from "./targets/ttl.ts";

/** Every family of matches, by name. */
export const MATCHES: readonly MatchKind[] = [
  addrtype,
  comment,
  connlimit,
  connmark,
  conntrack,
  dscp,
  hashlimit,
  icmp,
  iprange,
  length,
  limit,
  mac,
  mark,
  multiport,
  physdev,
  pkttype,
  recent,
  state,
  statistic,
  tcp,
  tos,
  ttl,
  udp,
];

/** Every family of targets, by name. */
export const TARGETS: readonly TargetKind[] = [
  CONNMARK,
  CT,
  DNAT,
  DSCP,
  LOG,
  MARK,
  MASQUERADE,
  NETMAP,
  NFLOG,
  NOTRACK,
  REDIRECT,
  REJECT,
  SNAT,
  TCPMSS,
  TOS,
  TRACE,
  TTL,
];

const matchesByName = new Map(MATCHES.map((kind) => [kind.name, kind]));
const targetsByName = new Map(TARGETS.map((kind) => [kind.name, kind]));

/** The family that `-m name` loads, or `null` if it is not supported. */
export const findMatchKind = (name: string): MatchKind | null => matchesByName.get(name) ?? null;

/** The family that `-p` loads for the options of a protocol, or `null` if there is none. */
export const findProtocolKind = (protocol: number): MatchKind | null =>
  MATCHES.find((kind) => kind.protocol === protocol) ?? null;

/** The family that `-j name` loads, or `null` if there is none of that name. */
export const findTargetKind = (name: string): TargetKind | null => targetsByName.get(name) ?? null;

/** True for a word that `-j` takes for a target, so that no chain can be called so. */
export const isTargetName = (name: string): boolean =>
  targetsByName.has(name) || STANDARD_TARGETS.some((one) => one === name);
