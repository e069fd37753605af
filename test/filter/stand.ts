/** A rule set with every service at hand, for tests. */
import { Prng } from "../../src/base/prng.ts";
import { type Connections, Existence } from "../../src/l3/connections.ts";
import { RuleSet } from "../../src/filter/rule-set.ts";
import { completeServices, type PacketCopy, type RuleServices } from "../../src/filter/services.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";

/** What a rule set told or asked its services. */
export interface Heard {
  readonly rejected: string[];
  readonly logged: { level: number; line: string }[];
  readonly copied: (PacketCopy & { octets: number })[];
}

const FIRST = parseIpv4("10.0.0.1");
const SECOND = parseIpv4("10.0.0.2");

/** One connection, of which every packet finds another status, mark and time that is left. */
const readFacts: Connections["read"] = ({ flow, id }, _now, facts) => {
  facts.protocol = 6;
  facts.status = id;
  facts.secondsLeft = id;
  facts.original.source = FIRST;
  facts.original.sourcePort = 80;
  facts.reply.source = SECOND;
  return flow >= 0;
};

/** Services that answer, and what they heard. */
export function newServices(): { services: RuleServices; heard: Heard } {
  const heard: Heard = { rejected: [], logged: [], copied: [] };
  const services = completeServices({
    chance: new Prng(1),
    addressTypes: { typeOf: (address) => (address === parseIpv4("10.0.0.1") ? 2 : 1) },
    interfaceAddresses: {
      first: ({ name }) => (name === "vif1.0" ? parseIpv4("10.254.168.2") : null),
      select: ({ name }) => (name === "peth0" ? parseIpv4("216.182.232.10") : null),
    },
    pathMtu: null,
    rejecter: { reject: (_packet, how) => void heard.rejected.push(how) },
    connections: {
      limit: 100,
      read: readFacts,
      markOf: ({ flow, id }) => (flow < 0 ? -1 : id),
      setMark: () => undefined,
      identify: () => false,
      existence: () => Existence.None,
    },
    packetLog: {
      copy: (how, _packet, octets) => void heard.copied.push({ ...how, octets }),
    },
    log: { log: (level, line) => void heard.logged.push({ level, line }) },
  });
  return { services, heard };
}

/** A rule set whose services answer, and what they heard; `own` services take their place. */
export function newRuleSet(own: Partial<RuleServices> = {}): { rules: RuleSet; heard: Heard } {
  const { services, heard } = newServices();
  return { rules: new RuleSet({ ...services, ...own }), heard };
}
