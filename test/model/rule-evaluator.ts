/**
 * Rules as one would write them down without haste: lists of questions, chains that call one
 * another. The model of src/filter.
 */

/** What one question says of a packet; "malformed" ends it. */
export type Answer = "yes" | "no" | "malformed";

/** Asks one thing of packets `F`. */
export interface Question<F> {
  /** As a rule of `iptables-save` has it. */
  readonly text: string;
  /** Begin to ask; what comes back may count. */
  start(): (facts: F) => Answer;
}

export type Deed<F> =
  | {
      readonly kind: "verdict";
      readonly text: string;
      readonly verdict: "accept" | "drop" | "return";
    }
  | { readonly kind: "jump" | "goto"; readonly text: string; readonly chain: string }
  | { readonly kind: "do"; readonly text: string; change(facts: F): void };

export interface ModelRule<F> {
  readonly questions: readonly Question<F>[];
  readonly deed: Deed<F> | null;
}

export interface ModelChain<F> {
  readonly name: string;
  /** `null` for a chain that is not built in. */
  readonly policy: "ACCEPT" | "DROP" | null;
  readonly rules: readonly ModelRule<F>[];
}

/** The text of a rule after `-A CHAIN`. */
function textOf<F>({ questions, deed }: ModelRule<F>): string {
  return [...questions.map(({ text }) => text), ...(deed === null ? [] : [deed.text])].join(" ");
}

/** What `iptables-restore` reads. */
export function tableText<F>(table: string, chains: readonly ModelChain<F>[]): string {
  return [
    `*${table}`,
    ...chains.map(({ name, policy }) => `:${name} ${policy ?? "-"} [0:0]`),
    ...chains.flatMap(({ name, rules }) =>
      rules.map((rule) => `-A ${name} ${textOf(rule)}`.trimEnd()),
    ),
    "COMMIT",
    "",
  ].join("\n");
}

interface Counted<F> {
  readonly ask: readonly ((facts: F) => Answer)[];
  readonly deed: Deed<F> | null;
  packets: number;
  octets: number;
}

/** Packets, octets. */
export type Count = readonly [number, number];

type End = "accept" | "drop" | "return" | "malformed";

/** Chains that count. */
export class RuleEvaluator<F> {
  readonly #chains: ReadonlyMap<string, readonly Counted<F>[]>;
  readonly #policies: ReadonlyMap<string, { policy: "ACCEPT" | "DROP"; count: [number, number] }>;

  constructor(chains: readonly ModelChain<F>[]) {
    this.#chains = new Map(
      chains.map(({ name, rules }) => [
        name,
        rules.map(({ questions, deed }) => ({
          ask: questions.map((question) => question.start()),
          deed,
          packets: 0,
          octets: 0,
        })),
      ]),
    );
    this.#policies = new Map(
      chains.flatMap(({ name, policy }) =>
        policy === null ? [] : [[name, { policy, count: [0, 0] }]],
      ),
    );
  }

  /** @returns why the packet was dropped, or "accept". */
  judge(chain: string, facts: F, octets: number): "accept" | "rule" | "policy" | "malformed" {
    const end = this.#run(chain, facts, octets);
    if (end === "malformed" || end === "accept") return end;
    if (end === "drop") return "rule";
    const own = this.#policies.get(chain);
    if (own === undefined) throw new Error(`${chain} has no policy`);
    own.count[0] += 1;
    own.count[1] += octets;
    return own.policy === "ACCEPT" ? "accept" : "policy";
  }

  /** The counters of a chain's rules. */
  counts(chain: string): Count[] {
    return (this.#chains.get(chain) ?? []).map(({ packets, octets }) => [packets, octets]);
  }

  policyCount(chain: string): Count {
    return this.#policies.get(chain)?.count ?? [0, 0];
  }

  #run(chain: string, facts: F, octets: number): End {
    for (const rule of this.#chains.get(chain) ?? []) {
      const answer = rule.ask.reduce<Answer>(
        (before, ask) => (before === "yes" ? ask(facts) : before),
        "yes",
      );
      if (answer === "malformed") return "malformed";
      if (answer === "no") continue;
      rule.packets += 1;
      rule.octets += octets;
      const { deed } = rule;
      if (deed?.kind === "verdict") return deed.verdict;
      if (deed?.kind === "do") deed.change(facts);
      if (deed?.kind === "goto") return this.#run(deed.chain, facts, octets);
      if (deed?.kind === "jump") {
        const end = this.#run(deed.chain, facts, octets);
        if (end !== "return") return end;
      }
    }
    return "return";
  }
}
