/** The families of matches, watchers and targets about frames: one line each. @module */
import type { FrameMatchKind } from "./frame-match.ts";
import type { FrameTargetKind } from "./frame-target.ts";
import { among } from "./matches/among.ts";
import { arp } from "./matches/arp.ts";
import { ip } from "./matches/ip.ts";
import { limit } from "./matches/limit.ts";
import { log } from "./matches/log.ts";
import { mark } from "./matches/mark.ts";
import { pkttype } from "./matches/pkttype.ts";
import { vlan } from "./matches/vlan.ts";
import { arpreply } from "./targets/arpreply.ts";
import { mark as markTarget } from "./targets/mark.ts";
import { dnat, redirect, snat } from "./targets/nat.ts";

/** Families whose options need no word before them. */
export const FRAME_MATCHES: readonly FrameMatchKind[] = [
  among,
  arp,
  ip,
  limit,
  log,
  mark,
  pkttype,
  vlan,
];

const TARGETS: readonly FrameTargetKind[] = [arpreply, dnat, markTarget, redirect, snat];

/** The family that `-j name` loads, or `null` if there is none of that name. */
export const findFrameTarget = (name: string): FrameTargetKind | null =>
  TARGETS.find((kind) => kind.name === name) ?? null;
