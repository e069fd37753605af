/**
 * What a scenario file may say. The published JSON Schema is made of this declaration.
 * @module
 */
import { z } from "zod";
import { PublishedSchema } from "../published.ts";
import {
  domainName,
  duration,
  frame,
  frameRules,
  interfaceAddress,
  interval,
  ipv4,
  line,
  listOf,
  mac,
  name,
  oneOf,
  only,
  plugAddress,
  prefix,
  probability,
  reason,
  stationMac,
  vifRate,
  whole,
  words,
} from "./leaf.ts";

const groups = listOf(name).meta({
  description: "Groups whose permissions apply; fixed at launch. The default: [default].",
});

const FAULTS = {
  loss: probability.optional(),
  corruption: probability.optional().meta({ description: "That a bit is flipped." }),
  duplication: probability.optional(),
  reordering: probability.optional(),
  holdBack: duration.optional().meta({ description: "The longest wait of a reordered frame." }),
};

const link = z
  .strictObject({
    delay: duration.optional().meta({ description: "Time under way." }),
    bitsPerSecond: whole(1, 1e12).optional().meta({ description: "Left out: no bound." }),
    ...FAULTS,
  })
  .meta({ id: "Link", description: "A link, both ways, and what goes wrong on it." });

const volume = z
  .strictObject({
    device: z
      .string()
      .regex(/^sd[f-p]$/)
      .meta({ description: "What the domU calls it: sdf to sdp." }),
    path: z
      .string()
      .regex(/^\/dev\/gnbd\d{1,4}$/)
      .meta({ description: "What Dom0 imported it as: /dev/gnbd89." }),
    gib: whole(1, 1024).meta({ description: "Its size in GiB." }),
  })
  .meta({ id: "Volume", description: "A network block device of Dom0, on a domain." });

/** What is done when a domain has shut down. */
const action = oneOf([
  ...(["destroy", "restart", "preserve", "rename-restart"] as const),
  ...(["coredump-destroy", "coredump-restart"] as const),
]);

const DOMAIN = {
  name: domainName.optional().meta({ description: "Left out: the zone's next number." }),
  domid: whole(1, 32_751).optional().meta({ description: "Xen's number on the host." }),
  mac: stationMac.optional().meta({ description: "Left out: the address plan's." }),
  privateAddress: interfaceAddress
    .optional()
    .meta({ description: "Left out: the plan's next. A prefix length must agree with the plan." }),
  publicAddress: z
    .union([ipv4, z.null()])
    .optional()
    .meta({ description: "Mapped 1:1 by NAT. Left out: the plan's next; null: none." }),
  securityGroups: groups.optional(),
  guest: oneOf(["simulated", "external"])
    .optional()
    .meta({ description: "simulated boots a domU; external leaves the vif to raw frames." }),
  link: link.optional().meta({ description: "Between the domU and Dom0." }),
  rate: vifRate
    .optional()
    .meta({ description: "What the domU may send through its vif. Left out: no limit." }),
  onReboot: action.optional().meta({ description: "After a reboot. Left out: restart." }),
  onCrash: action
    .optional()
    .meta({ description: "After a crash. Left out: ec2-2010 restarts, linux destroys." }),
  instanceStore: z
    .boolean({ error: only("true or false") })
    .optional()
    .meta({ description: "Disks of the host; true. A domain with disks stays on its host." }),
  volumes: z
    .array(volume)
    .optional()
    .meta({ description: "EBS volumes, attached when the domain runs." }),
  vif: z
    .strictObject({ listen: plugAddress })
    .optional()
    .meta({ description: "Where `dom0 serve` lets programs reach the vif of an external domU." }),
};

/** A domain of a host. */
const domain = z.strictObject(DOMAIN);

const host = z.strictObject({
  name: name.optional().meta({ description: "Left out: host-a, host-b and so on." }),
  privateAddress: ipv4
    .optional()
    .meta({ description: "Dom0's private address, the first hop of a domU's traceroute." }),
  externalAddress: interfaceAddress
    .optional()
    .meta({ description: "Dom0's external address, the second hop." }),
  link: link.optional().meta({ description: "Between the host and the fabric." }),
  ebtables: frameRules
    .optional()
    .meta({ description: "Each vif is then the one port of a bridge. Left out: no bridges." }),
  domains: z.array(domain).optional(),
});

const ports = z
  .union([
    whole(0, 65_535),
    z
      .string()
      .regex(/^\d{1,5}(-\d{1,5})?$/, { error: "expected a port or a range such as 8000-8080" }),
  ])
  .meta({ description: "A port, or a range such as 8000-8080. Left out: all." });

/** What may come in: from a block by protocol, or everything from a group's members. */
const permission = z
  .strictObject({
    protocol: oneOf(["tcp", "udp", "icmp"]).optional(),
    ports: ports.optional(),
    type: whole(-1, 254).optional().meta({ description: "ICMP type; -1, the default, for any." }),
    code: whole(-1, 255).optional().meta({ description: "ICMP code; -1, the default, for any." }),
    source: z.union([prefix, z.strictObject({ group: name })]),
  })
  .meta({ id: "Permission", description: "From a block by protocol, or from a group's members." });

const internetHost = z.strictObject({
  name,
  address: ipv4,
  serves: listOf(oneOf(["echo"]))
    .optional()
    .meta({ description: "Services: UDP echo on port 7." }),
  link: link.optional().meta({ description: "Between the internet host and the fabric." }),
});

const end = name.meta({ description: "A name of the scenario, or an IPv4 address." });

const ping = z.strictObject({
  from: name,
  to: end,
  count: whole(1, 65_535).default(3),
  size: whole(0, 65_507).default(56).meta({ description: "Octets of data." }),
  interval: interval.optional().meta({ description: "Between requests; a second." }),
});

const traceroute = z.strictObject({
  from: name,
  to: end,
  method: oneOf(["udp", "icmp"]).default("udp"),
});

const udp = z.strictObject({
  from: name,
  to: end,
  port: whole(1, 65_535).default(7),
  payload: words.default("dom0").meta({ description: "Text, sent as UTF-8." }),
});

const send = z.strictObject({ from: domainName, frame });

/** The actions of a step, by key. */
export const ACTIONS = {
  ping: ping.meta({ description: "ICMP echo, as iputils' ping sends it." }),
  traceroute: traceroute.meta({ description: "As Butskoy's traceroute." }),
  udp: udp.meta({ description: "One UDP datagram; port 7 of simulated machines echoes." }),
  send: send.meta({ description: "A raw frame out of a domU, external or simulated." }),
  launch: z
    .strictObject({ host: name, ...DOMAIN })
    .meta({ description: "Start a domain on a host." }),
  shutdown: domainName.meta({ description: "Stop a domain; its vif goes offline." }),
  reboot: domainName.meta({ description: "Ask a domain's guest to reboot (xm reboot)." }),
  crash: domainName.meta({ description: "Let a domain's guest crash." }),
  pause: domainName.meta({ description: "Hold a domain: nothing of its guest runs." }),
  unpause: domainName.meta({ description: "Let a held domain go on." }),
  save: domainName.meta({ description: "Make an image of a domain, and no domain (xm save)." }),
  restore: z.union([domainName, z.strictObject({ domain: domainName, host: name })]).meta({
    description: "Let a saved domain go on (xm restore), where it was saved or on another host.",
  }),
  associate: z
    .strictObject({ domain: domainName, address: ipv4 })
    .meta({ description: "Map a public address to a domain, instead of its own." }),
  disassociate: domainName.meta({ description: "Take a domain's public address away." }),
  securityGroup: z
    .strictObject({ name, permissions: z.array(permission) })
    .meta({ description: "Replace a group's permissions; running domains feel it at once." }),
  faults: z
    .strictObject({ of: name, ...FAULTS })
    .meta({ description: "What goes wrong on a machine's link from now on; alone, nothing." }),
};

const expectation = z
  .strictObject({
    replies: whole(0, 65_535)
      .optional()
      .meta({ description: "Answers to a ping, or echoes of a datagram." }),
    hops: z
      .array(z.union([ipv4, z.literal("*")]))
      .optional()
      .meta({ description: "Who answers a traceroute's first hops, in order; * for nobody." }),
    received: whole(0, 65_535)
      .optional()
      .meta({ description: "Packets of the step that reached another machine." }),
    dropped: reason
      .optional()
      .meta({ description: "Why at least one packet of the step came to nothing." }),
    state: oneOf(["running", "paused", "shutdown", "restarting", "saved", "gone"])
      .optional()
      .meta({ description: "How the step's domain stands then." }),
    domid: whole(1, 32_751)
      .optional()
      .meta({ description: "Xen's number of the step's domain then." }),
  })
  .meta({ id: "Expectation" });

const kinds = Object.keys(ACTIONS);

const step = z
  .strictObject({
    at: duration.meta({ description: "When, since the start of the run." }),
    says: line.optional().meta({ description: "A heading for people." }),
    ping: ACTIONS.ping.optional(),
    traceroute: ACTIONS.traceroute.optional(),
    udp: ACTIONS.udp.optional(),
    send: ACTIONS.send.optional(),
    launch: ACTIONS.launch.optional(),
    shutdown: ACTIONS.shutdown.optional(),
    reboot: ACTIONS.reboot.optional(),
    crash: ACTIONS.crash.optional(),
    pause: ACTIONS.pause.optional(),
    unpause: ACTIONS.unpause.optional(),
    save: ACTIONS.save.optional(),
    restore: ACTIONS.restore.optional(),
    associate: ACTIONS.associate.optional(),
    disassociate: ACTIONS.disassociate.optional(),
    securityGroup: ACTIONS.securityGroup.optional(),
    faults: ACTIONS.faults.optional(),
    expect: expectation.optional(),
  })
  .meta({
    id: "Step",
    description: "One action at one time, and what must come of it.",
    oneOf: kinds.map((kind) => ({ required: [kind] })),
  });

/** A scenario file. */
export const SCENARIO = z
  .strictObject({
    title: line.optional(),
    seed: whole(0, Number.MAX_SAFE_INTEGER).default(1).meta({ description: "Of all chance." }),
    profile: oneOf(["ec2-2010", "linux"]).default("ec2-2010"),
    vifMac: mac.optional().meta({ description: "Dom0's end of every vif; the profile's." }),
    until: duration.optional().meta({ description: "When the run ends; when all steps are done." }),
    hosts: z.array(host).min(1, { error: "expected at least one host" }),
    securityGroups: z.record(name, z.array(permission)).optional(),
    internet: z.array(internetHost).optional(),
    steps: z.array(step).optional(),
  })
  .meta({
    title: "dom0 scenario",
    description: "A zone of hosts with their domUs, and what happens to it.",
  });

/** A scenario as read: addresses are numbers, durations microseconds, frames octets. */
export type Scenario = z.output<typeof SCENARIO>;

/** Its JSON Schema, `schema/scenario.json`. */
export const PUBLISHED_SCENARIO = new PublishedSchema(SCENARIO);
