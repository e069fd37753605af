/** Steps in words, for the story and for programs that show it. @module */
import { formatIpv4 } from "../../wire/addr.ts";
import type { FaultOptions } from "../../sim/faults.ts";
import type { Action } from "./plan.ts";

/** What an action does, as the end of a sentence that begins with the time. */
export function wordsOf(action: Action): string {
  switch (action.kind) {
    case "ping":
      return `${action.from} pings ${action.to}`;
    case "traceroute": {
      const method = action.method === "icmp" ? " by ICMP" : "";
      return `${action.from} traces the route to ${action.to}${method}`;
    }
    case "udp":
      return `${action.from} sends a datagram to port ${action.port} of ${action.to}`;
    case "send":
      return `${action.from} sends a raw frame of ${action.frame.length} octets`;
    case "launch":
      return `${action.domain.name ?? "a domain"} is launched on ${action.host}`;
    case "shutdown":
      return `${action.domain} is shut down`;
    case "reboot":
      return `${action.domain} is asked to reboot`;
    case "crash":
      return `${action.domain} crashes`;
    case "pause":
      return `${action.domain} is held`;
    case "unpause":
      return `${action.domain} goes on`;
    case "save":
      return `${action.domain} is saved`;
    case "restore":
      return `${action.domain} is restored${action.host === undefined ? "" : ` on ${action.host}`}`;
    case "associate":
      return `${action.domain} gets the public address ${formatIpv4(action.address)}`;
    case "disassociate":
      return `${action.domain} loses its public address`;
    case "faults":
      return `the link of ${action.of} ${faultWords(action.faults)}`;
    case "securityGroup": {
      const { length } = action.permissions;
      return `security group ${action.name} has ${length} ${plural(length, "permission")} now`;
    }
  }
}

/** "loses 10 %, reorders 5 % of its frames, flips 0.1 % of its bits", or "is sound". */
function faultWords(faults: FaultOptions | null): string {
  const { loss = 0, duplication = 0, reordering = 0, corruption = 0 } = faults ?? {};
  const frames = [
    ["loses", loss],
    ["duplicates", duplication],
    ["reorders", reordering],
  ] as const;
  const verbs = frames.flatMap(([verb, share]) => (share > 0 ? [`${verb} ${percent(share)}`] : []));
  const words = verbs.length === 0 ? [] : [`${verbs.join(", ")} of its frames`];
  if (corruption > 0) words.push(`flips ${percent(corruption)} of its bits`);
  return words.length === 0 ? "is sound" : words.join(", ");
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** `word`, or with an s unless `count` is one. */
export const plural = (count: number, word: string): string => (count === 1 ? word : `${word}s`);
