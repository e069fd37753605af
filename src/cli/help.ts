/** What the help pages of `dom0` say besides the options. @module */
import { wrap } from "./layout.ts";

/** Of most commands. */
const EXIT_CODES =
  "Exit codes: 0 done, 1 an expectation failed, 2 wrong usage or input, 130 interrupted.";

/** What a help page has besides the options: paragraphs are wrapped, examples stay as they are. */
export interface Help {
  readonly paragraphs: readonly string[];
  readonly examples: readonly string[];
  readonly last?: string;
}

/** `dom0` itself. */
export const PROGRAM_HELP: Help = {
  paragraphs: [],
  examples: [
    "dom0 demo                             the built-in host of February 2010",
    "dom0 demo --pcapng - | wireshark -k -i -",
    "dom0 run scenario.yaml --pcapng run.pcapng",
    "dom0 serve                            the same host in real time, for QEMU and others",
    "dom0 explain scenario.yaml --dropped  why packets were dropped",
    "dom0 router world.yaml --in in.pcapng --out out.pcapng",
    "dom0 schema > scenario.schema.json    for your editor",
  ],
  last: EXIT_CODES,
};

/** `dom0 demo`. */
export const DEMO_HELP: Help = {
  paragraphs: [
    "Two domUs of one EC2-Classic host boot over DHCP, ping each other and the outside, trace " +
      "the route through Dom0, and are reached from outside through NAT; a spoofer and a rogue " +
      "DHCP server are stopped. It is the scenario examples/seed-host.yaml.",
  ],
  examples: [
    "dom0 demo",
    "dom0 demo --pcapng /tmp/demo.pcapng --state",
    "dom0 demo --pcapng - | tshark -r -",
  ],
  last: EXIT_CODES,
};

/** `dom0 run`. */
export const RUN_HELP: Help = {
  paragraphs: [
    "A scenario names hosts with their domUs, security groups, internet hosts, and steps: what " +
      "happens when, and what must come of it. `dom0 schema` prints its JSON Schema. A step that " +
      "the end of the run came before does not fail; the run says so. With `--pcapng -`, all " +
      "that is told goes to standard error.",
    'With --json, each line is an object. Its key "event" says what it tells: start, domain, ' +
      "life, lease, step, reply, ping, traceroute, udp, send, drop, judgement, settled, end, " +
      'capture, state. "at" is in microseconds since the start. The same seed gives the same ' +
      "lines and the same capture.",
  ],
  examples: [
    "dom0 run scenario.yaml",
    "dom0 run scenario.yaml --seed 8 --until 30s --pcapng run.pcapng",
    "dom0 run scenario.yaml --json | jq 'select(.event == \"drop\")'",
  ],
  last: EXIT_CODES,
};

/** `dom0 serve`. */
export const SERVE_HELP: Help = {
  paragraphs: [
    "Time is real until Ctrl-C. The first line, once everything can be reached, names every " +
      "socket. A domU with `guest: external` has its vif on a unix socket, in the framing of " +
      "QEMU's `-netdev stream`: where `vif: { listen: unix:PATH }` says, else in the folder. " +
      "Sockets are for you alone, and gone at the end; those of a run that was killed are taken " +
      "over. The demo's hosts come without its steps.",
    'With --json, the first line is an object with the key "ready"; the next ones are as those ' +
      "of dom0 run.",
  ],
  examples: [
    "dom0 serve",
    "dom0 serve scenario.yaml --state /tmp/zone --json",
    "dom0 serve --pcapng - | wireshark -k -i -",
    "qemu-system-x86_64 -netdev stream,id=n0,addr.type=unix,addr.path=PATH \\",
    "  -device virtio-net-pci,netdev=n0,mac=12:31:39:00:a5:0d",
  ],
  last: "Exit codes: 0 ended as asked, 1 an expectation failed, 2 wrong usage or input.",
};

/** `dom0 explain`. */
export const EXPLAIN_HELP: Help = {
  paragraphs: ["Packets have numbers; stories, and captures as packet id, show them."],
  examples: [
    "dom0 explain --dropped                of the built-in demo",
    "dom0 explain scenario.yaml --packet 118",
  ],
  last: EXIT_CODES,
};

/** `dom0 router`. */
export const ROUTER_HELP: Help = {
  paragraphs: [
    "A world names interfaces with their addresses, routes in the words of ip route, settings by " +
      "their sysctl names, and rules as iptables-save prints them. `dom0 schema world` prints " +
      "its JSON Schema. The capture's interface names say where each frame comes in, at its own " +
      "time; frames that it marks as outbound are passed over. Written are all frames that came " +
      "in and all that the router sent, with why the others did not leave. With `--out -`, all " +
      "that is told goes to standard error.",
    'With --json, each line is an object. Its key "event" says what it tells: log, packet, end, ' +
      "capture, state. The same seed gives the same capture.",
  ],
  examples: [
    "dom0 router world.yaml --in in.pcapng --out out.pcapng",
    "dom0 router world.yaml --rules /etc/iptables/rules.v4 --in in.pcapng --explain --state",
    "dumpcap -i eth0 -w - | dom0 router world.yaml --in - --out - | tshark -r -",
  ],
  last: EXIT_CODES,
};

/** `dom0 xenstore`. */
export const XENSTORE_HELP: Help = {
  paragraphs: [
    "On a XenStore of dom0 serve, or any other; xenstore-utils work on the same socket, with " +
      "XENSTORED_PATH. Options come before the keys.",
  ],
  examples: [
    "export XENSTORED_PATH=/tmp/zone/xenstore.sock",
    "dom0 xenstore ls -f /local/domain",
    "dom0 xenstore read /local/domain/3/name",
    "dom0 xenstore watch -n 2 /local/domain/0/backend/vif",
  ],
  last: "Exit codes: 0 done, 1 refused by the store, or no, 2 wrong usage, or no store there.",
};

/** `dom0 domains`. */
export const DOMAINS_HELP: Help = {
  paragraphs: [
    "A line is a time and a domain's name, or an instance id, which is the same number: they " +
      "rise by one counter in each region. Whether every number is used is measured, not " +
      "assumed. What follows # is a comment.",
  ],
  examples: [
    'echo "2010-01-31T09:30:00Z dom_32422936" > samples.txt',
    'echo "2010-02-01T09:30:00Z i-00b6bc68" >> samples.txt',
    "dom0 domains samples.txt",
  ],
};

/** A help page's text behind its options, for a terminal of `width` columns. */
export function helpText({ paragraphs, examples, last }: Help, width: number): string {
  return [
    ...paragraphs.map((paragraph) => wrap(paragraph, width).join("\n")),
    ["Examples:", ...examples.map((example) => `  ${example}`)].join("\n"),
    ...(last === undefined ? [] : [wrap(last, width).join("\n")]),
  ]
    .map((part) => `\n${part}`)
    .join("\n");
}
