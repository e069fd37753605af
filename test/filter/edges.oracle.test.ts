import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import type { TableName } from "../../src/filter/placement.ts";
import { edgeRule, type EdgeRule } from "./edge-texts.ts";
import { KernelRules, missingForRules } from "./kernel-rules.ts";
import { reachTable } from "./reach-texts.ts";
import { builtInChains } from "./rule-texts.ts";
import { newRuleSet } from "./stand.ts";

const missing = missingForRules();
const numRuns = Number(process.env["EDGE_ORACLE_RUNS"] ?? 400);

/** What `iptables` takes, and is refused here: docs/rules.md says so of each. */
const REFUSED: readonly (readonly [table: TableName, rule: string])[] = [
  ...(
    [
      "-m owner --uid-owner 0 -j ACCEPT",
      "-m string --string x --algo bm",
      "-m time --timestart 10:00",
      "-m u32 --u32 0=0",
      "-m quota --quota 5",
      "-m policy --dir in --pol none",
      "-m helper --helper ftp",
      "-p sctp --dport 80",
      "-p dccp --dport 80",
      "-p esp -m esp --espspi 5",
      "-j QUEUE",
      "-j NFQUEUE",
      "-j AUDIT --type accept",
      "-j NFLOG --nflog-range 64",
      "-s localhost -j ACCEPT",
      "-s 010.1.2.3",
      "-p tcp --dport http",
      "-p tcp --dport 0x50",
      "-p tcp -m multiport --dports http",
      "-p tcp ! --sport 0:65535",
      "-p tcp --tcp-flags NONE SYN",
      "-p tcp --tcp-flags SYN,, SYN",
      "-p udp --sport 5:1",
      "-p udp --sport 65536",
      "-m conntrack --ctorigsrcport 65536",
      "-m conntrack --ctorigsrc 1.2.3.4/33",
      "-m conntrack --ctorigsrc 1.2.3.4/255.0.255.0",
      "-m conntrack --ctorigsrc 10/8",
      "-m iprange --src-range 1.1-1.2",
      "-m hashlimit --hashlimit-name h --hashlimit-upto 15b/s",
      "-m hashlimit --hashlimit-name h --hashlimit-upto 5/s --hashlimit-rate-interval 10",
      "-m hashlimit --hashlimit-name h --hashlimit-upto 1gb/s",
      "-m connlimit --connlimit-upto 5 --connlimit-mask 33",
      "-m recent --rcheck --seconds 4294967295",
      "-m recent --set --rsource --rdest",
      "-m recent --set --mask 24",
      "-m statistic --mode random --probability 0x1p-1",
      "-m limit --limit 1.5/s",
      "! -i +",
      "-i eth/0",
      '-j REJECT --reject-with ""',
    ] as const
  ).map((rule) => ["filter", rule] as const),
  ["mangle", "-j CONNMARK --set-mark 1 --mask 2"],
  ["mangle", "-j CONNMARK --save-mark --left-shift-mark 1 --right-shift-mark 1"],
  ["mangle", "-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu --set-mss 1400"],
  ["nat", "-j SNAT --to-source 1.2.3.9-1.2.3.4"],
  ["nat", "-p tcp -j DNAT --to-destination 1.2.3.4:80-90/1000"],
  ["nat", "-j NETMAP --to 10.0.0.0/33"],
  ["nat", "-j NETMAP --to 10.0.0.0/255.0.255.0"],
  ["nat", "-j NETMAP --to 10/8"],
  ["raw", "-j CT"],
  ["raw", "-j CT --zone 1"],
];

/** Lines behind two rules, of which one command is asked. */
const COMMANDS = [
  ...["-I INPUT -s 1.1.1.1", "-I INPUT 3 -s 1.1.1.1", "-I INPUT 4 -s 1.1.1.1", "-I INPUT 0x2"],
  ...["-I INPUT 0 -s 1.1.1.1", "-R INPUT 2 -s 1.1.1.1", "-R INPUT -s 1.1.1.1", "-R INPUT 3"],
  ...["-R INPUT 1 -s 1.1.1.1,2.2.2.2", "-D INPUT 2", "-D INPUT 3", "-D INPUT 0", "-D INPUT"],
  ...["-D INPUT -s 8.8.8.8", "-D INPUT -s 7.7.7.7", "-D INPUT -c 1 2 -s 8.8.8.8"],
  ...["-D INPUT -s 8.8.8.8,9.9.9.9", "-C INPUT -s 8.8.8.8", "-C INPUT -s 7.7.7.7"],
  ...["-C INPUT -c 1 2 -s 8.8.8.8", "[1:2] -D INPUT -s 8.8.8.8", "-F", "-F own", "-F no"],
  ...["-F INPUT x", "-Z INPUT 5", "-X", "-X own", "-X INPUT", "-X no", "-E own new"],
  ...["-E own INPUT", "-E INPUT x", "-E own", "-P INPUT DROP", "-P INPUT drop", "-P own DROP"],
  ...["-P INPUT", "-N own", "-N ACCEPT", "-N LOG", "-N -x", "-N !x", "-N a", "-A", "-A INPUT x"],
  ...["--append INPUT -s 1.1.1.1", "--check INPUT -s 1.1.1.1", "INPUT -s 1.1.1.1", "-A no"],
  ...["-A INPUT -t nat", "-A INPUT -c 1,2 -s 1.1.1.1", "-A INPUT -c 1 -s 1.1.1.1", "-A INPUT -6"],
  ...["[1:2] -A INPUT -c 3 4", "[1:2]-A INPUT", " -A INPUT -s 1.1.1.1", "\t-A INPUT"],
  ...["-A INPUT # x", " # x", "-A INPUT  -s\t1.1.1.1   -j   ACCEPT  ", '-A "INPUT" -j "DROP"'],
  ...['-A INPUT -m comment --comment "a"b', "-A INPUT !-s 1.1.1.1", "COMMIT ", " COMMIT"],
  ...[":own - [0:0]", ":x - [0:0]", ":x ACCEPT [0:0]", ":INPUT DROP [1:2]", ":INPUT DROP"],
  ...[":INPUT drop [0:0]", ":INPUT", ": x - [0:0]", ":x\t-\t[0:0]", "*nat"],
  ...["x".repeat(28), "x".repeat(29), "x.y", "é", "x/y", "[x]", "a'b", "ACCEPT", "RETURN"].map(
    (name) => `:${name} - [0:0]`,
  ),
  ...[1023, 1024].map((length) => `-A INPUT -m comment --comment ${"x".repeat(length)}`),
  ...[62, 63].map((count) => `-A INPUT ${" -m comment --comment x".repeat(count)}`),
  ...[10_239, 10_240].map((length) => "-A INPUT -s 1.1.1.1".padEnd(length)),
];

describe.skipIf(missing !== null)(`Rules at the edges (${missing ?? "here"})`, () => {
  let kernel: KernelRules;

  beforeAll(() => {
    kernel = new KernelRules({ name: "vif1.0", mac: "02:00:00:00:00:01" });
  });

  afterAll(() => kernel.close());

  const askKernel = ({ table, text }: EdgeRule): Promise<string | null> =>
    kernel
      .judge({ table, text, chains: builtInChains(table), frames: [], logPrefix: "" })
      .then(({ saved }) => saved)
      .catch(() => null);

  it.each([
    ["of every option", edgeRule],
    ["of where chains lead", reachTable],
  ])(
    "%s are taken, refused and printed alike",
    { timeout: 60_000 + 40 * numRuns },
    async (_, any) => {
      await fc.assert(
        fc.asyncProperty(any, async (rule) => {
          expect(restore(rule)).toBe(await askKernel(rule));
        }),
        { numRuns },
      );
    },
  );

  it.each(COMMANDS)("are changed alike: %j", async (line) => {
    const before = ":own - [0:0]\n-A INPUT -s 8.8.8.8\n-A INPUT -s 9.9.9.9";
    const rule = { table: "filter", text: `*filter\n${before}\n${line}\nCOMMIT\n` } as const;
    expect(restore(rule)).toBe(await askKernel(rule));
  });

  it.each(REFUSED)("are refused though iptables takes them: %s %s", async (table, words) => {
    const rule = { table, text: `*${table}\n:own - [0:0]\n-A own ${words}\nCOMMIT\n` };
    expect(await askKernel(rule)).not.toBeNull();
    expect(restore(rule)).toBeNull();
  });
});

/** What is printed; `null` if it is refused. */
function restore({ text }: EdgeRule): string | null {
  const { rules } = newRuleSet();
  try {
    rules.restore(text, { keepsCounters: true });
    return rules.save();
  } catch (error) {
    if (error instanceof ParseError) return null;
    throw error;
  }
}
