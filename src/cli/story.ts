/** Tells a run to people: who is there, what happened, what came to nothing. @module */
import { lifeWords } from "./scenario/life-step.ts";
import { plural } from "./scenario/words.ts";
import type { EventOf, RunEvent } from "./scenario/events.ts";
import {
  type Column,
  formatCount,
  formatInstant,
  formatSeconds,
  formatSpan,
  indented,
  table,
} from "./layout.ts";
import type { Output, Tone } from "./output.ts";

/** Where the text of a step begins, behind its time. */
const INDENT = 14;
/** In the order in which they are told. */
const FATES = ["delivered", "consumed", "dropped", "discarded"] as const;
/** Places that are told by name at most. */
const MOST_PLACES = 4;

interface Line {
  /** `null` to show no time. */
  readonly at: number | null;
  readonly tone: Tone | null;
  readonly text: string;
}

interface Block {
  readonly says: string | null;
  readonly lines: Line[];
}

/** Packets that came to nothing for one reason. */
interface Loss {
  readonly first: EventOf<"drop">;
  readonly places: Set<string>;
  count: number;
}

/** One story on one output. */
export class Story {
  readonly #out: Output;
  readonly #domains: EventOf<"domain">[] = [];
  readonly #blocks = new Map<number, Block>();
  readonly #losses = new Map<string, Loss>();
  /** What addresses are called. */
  readonly #names = new Map<string, string>();
  #hasTable = false;
  #isInSteps = false;
  readonly #isRepeatable: boolean;

  /** @param isRepeatable the run can be played again, and its packets be asked for. */
  constructor(out: Output, { isRepeatable = true } = {}) {
    this.#out = out;
    this.#isRepeatable = isRepeatable;
  }

  tell(event: RunEvent): void {
    if (event.event !== "domain" && event.event !== "start") this.#showDomains();
    switch (event.event) {
      case "start":
        this.#start(event);
        break;
      case "domain":
        this.#domain(event);
        break;
      case "lease":
        this.#lease(event);
        break;
      case "life":
        this.#life(event);
        break;
      case "drop":
        this.#drop(event);
        break;
      case "settled":
        this.#showBlock(event.step);
        break;
      case "end":
        this.#end(event);
        break;
      case "reply":
        break;
      default:
        this.#step(event);
    }
  }

  #start({ title, scenario, seed, profile, hosts, fabric, internet }: EventOf<"start">): void {
    const out = this.#out;
    out.line(out.paint("heading", title ?? scenario));
    out.line(out.paint("faint", `seed ${seed}, profile ${profile}, in virtual time`));
    const columns = ["host", "Dom0, private", "Dom0, external"].map((name) => ({ title: name }));
    const rows = hosts.map(({ name, privateAddress, externalAddress }) => {
      this.#names.set(privateAddress, `Dom0 of ${name}, private`);
      this.#names.set(externalAddress, `Dom0 of ${name}, external`);
      return [name, privateAddress, externalAddress];
    });
    out.line();
    this.#table(columns, rows);
    this.#names.set(fabric, "the fabric");
    for (const { name, address } of internet) this.#names.set(address, name);
    const outside = internet.map(({ name, address }) => [name, address]);
    if (outside.length > 0) out.line();
    this.#table([{ title: "internet host" }, { title: "address" }], outside);
  }

  #domain(event: EventOf<"domain">): void {
    const { name, privateAddress, publicAddress } = event;
    this.#names.set(privateAddress, name);
    if (publicAddress !== null) this.#names.set(publicAddress, name);
    if (event.step === null) this.#domains.push(event);
    else {
      const { vif, mac, step, at } = event;
      const text = `${name} has ${vif}, MAC ${mac}, private ${privateAddress}`;
      this.#add(step, at, publicAddress === null ? text : `${text}, public ${publicAddress}`);
    }
  }

  /** Once, when all domains of the start are known. */
  #showDomains(): void {
    if (this.#hasTable) return;
    this.#hasTable = true;
    if (this.#domains.length > 0) this.#out.line();
    const titles = ["domain", "vif", "MAC", "private", "public", "groups"];
    const rows = this.#domains.map((domain) => {
      const { name, vif, mac, privateAddress, publicAddress, securityGroups } = domain;
      return [name, vif, mac, privateAddress, publicAddress ?? "-", securityGroups.join(", ")];
    });
    this.#table(
      titles.map((title) => ({ title })),
      rows,
    );
    for (const { name, guest } of this.#domains) {
      if (guest === "external") this.#out.line(`${name} is external: it sends raw frames alone.`);
    }
  }

  #lease({ at, domain, address, server, seconds }: EventOf<"lease">): void {
    if (!this.#isInSteps) {
      this.#isInSteps = true;
      this.#heading("DHCP");
    }
    const time = seconds === null ? "for ever" : `for ${formatSeconds(seconds)}`;
    const from = server === null ? "" : ` from ${server}`;
    const text = `${domain} leases ${address}${from} ${time}`;
    this.#line({ at, tone: null, text }, formatInstant(at));
  }

  #life(event: EventOf<"life">): void {
    const { at, step } = event;
    const text = lifeWords(event);
    if (text === null) return;
    if (step === null) this.#line({ at, tone: null, text }, formatInstant(at));
    else this.#add(step, at, text);
  }

  #drop(event: EventOf<"drop">): void {
    const { fate, reason, device, step, packet, at } = event;
    const key = `${fate} ${reason}`;
    const loss = this.#losses.get(key) ?? { first: event, places: new Set(), count: 0 };
    this.#losses.set(key, loss);
    loss.count += 1;
    if (device !== null) loss.places.add(device);
    if (step === null || fate !== "dropped") return;
    const where = device === null ? "" : ` at ${device}`;
    this.#add(step, at, `packet ${packet} dropped${where}: ${reason}`, "warning");
  }

  /** What happens within a step: told when the step is settled. */
  #step(event: EventOf<"step" | "ping" | "traceroute" | "udp" | "send" | "judgement">): void {
    switch (event.event) {
      case "step":
        this.#blocks.set(event.step, { says: event.says, lines: [] });
        this.#add(event.step, event.at, event.words);
        break;
      case "ping":
        this.#ping(event);
        break;
      case "traceroute":
        this.#traceroute(event);
        break;
      case "udp": {
        const { received, replies } = event;
        const came = received === 0 ? "did not arrive" : "arrived";
        const answers = `${replies} ${replies === 1 ? "reply" : "replies"}`;
        this.#add(event.step, event.at, `the datagram ${came}, ${answers}`);
        break;
      }
      case "send": {
        const what = event.packet === null ? "the vif did not take it" : `packet ${event.packet}`;
        this.#add(event.step, event.at, `${what}: ${withoutMacs(event.summary)}`);
        break;
      }
      case "judgement":
        this.#judge(event);
    }
  }

  #ping(event: EventOf<"ping">): void {
    const { step, at, target, transmitted, received, errors, ttl, minRttUs, maxRttUs } = event;
    const words = [`${received} of ${transmitted} replies from ${target}`];
    if (errors > 0) words.push(`${errors} ${plural(errors, "error")}`);
    if (ttl !== null) words.push(`TTL ${ttl}`);
    if (minRttUs !== null && maxRttUs !== null) {
      const [least, most] = [formatSpan(minRttUs), formatSpan(maxRttUs)];
      words.push(`round trip ${least === most ? least : `${least} to ${most}`}`);
    }
    this.#add(step, at, words.join(", "));
  }

  #traceroute({ step, at, hops }: EventOf<"traceroute">): void {
    const rows = hops.map(({ ttl, answers }) => {
      const heard = answers.filter((answer) => answer !== null);
      const [first] = heard;
      if (first === undefined) return [String(ttl), "*", "", ""];
      const spans = heard.map(({ rttUs }) => formatSpan(rttUs));
      const name = this.#names.get(first.address) ?? "";
      return [String(ttl), first.address, [...new Set(spans)].join(", "), name];
    });
    const titles = [{ title: "hop", isNumber: true }, { title: "address" }, { title: "after" }];
    const lines = table([...titles, { title: "who" }], rows, { width: this.#out.width - INDENT });
    for (const line of lines) this.#add(step, at, line);
  }

  #judge({ step, line, key, expected, actual, holds }: EventOf<"judgement">): void {
    const lines = this.#blocks.get(step)?.lines ?? [];
    const wanted = `${key} ${showValue(expected)}`;
    const before = lines.at(-1);
    if (!holds) {
      const text = `FAILED (line ${line}): expected ${wanted}, got ${showValue(actual)}`;
      lines.push({ at: null, tone: "bad", text });
    } else if (before?.tone === "good") {
      lines.splice(-1, 1, { ...before, text: `${before.text}, ${wanted}` });
    } else lines.push({ at: null, tone: "good", text: `as expected: ${wanted}` });
  }

  #add(step: number, at: number | null, text: string, tone: Tone | null = null): void {
    this.#blocks.get(step)?.lines.push({ at, tone, text });
  }

  #showBlock(step: number): void {
    const block = this.#blocks.get(step);
    if (block === undefined) return;
    this.#blocks.delete(step);
    this.#isInSteps = true;
    if (block.says !== null) this.#heading(block.says);
    let before = "";
    for (const line of block.lines) {
      const time = line.at === null ? "" : formatInstant(line.at);
      this.#line(line, time === before ? "" : time);
      before = time;
    }
  }

  #end(event: EventOf<"end">): void {
    for (const step of this.#blocks.keys()) this.#showBlock(step);
    const out = this.#out;
    this.#showLosses();
    const totals = new Map<string, number>();
    for (const { fate, count } of event.ends) totals.set(fate, (totals.get(fate) ?? 0) + count);
    const ended = FATES.flatMap((fate) => {
      const count = totals.get(fate) ?? 0;
      return count === 0 ? [] : [`${formatCount(count)} ${fate}`];
    });
    const packets = `${formatCount(event.packets)} ${plural(event.packets, "packet")}`;
    out.line();
    const live = event.live === 0 ? [] : [`${formatCount(event.live)} still under way`];
    const fates = [...ended, ...live].join(", ");
    out.line(`${packets} until ${formatInstant(event.at)}: ${fates}.`);
    this.#verdict(event);
  }

  #verdict({ held, failed, unreached, isInterrupted }: EventOf<"end">): void {
    const out = this.#out;
    const total = held + failed;
    if (isInterrupted) out.line(out.paint("warning", "Interrupted: the run ends here."));
    if (unreached > 0) {
      const steps = `${unreached} ${plural(unreached, "step")}`;
      out.line(out.paint("warning", `The end of the run came before ${steps} ended.`));
    }
    const expectations = plural(total, "expectation");
    if (failed > 0) out.line(out.paint("bad", `${failed} of ${total} ${expectations} failed.`));
    else if (total === 1) out.line(out.paint("good", "The expectation holds."));
    else if (total > 1) out.line(out.paint("good", `All ${total} expectations hold.`));
  }

  #showLosses(): void {
    const losses = [...this.#losses.values()].sort((left, right) => left.first.at - right.first.at);
    if (losses.length === 0) return;
    this.#heading("What came to nothing, and why");
    const columns = [
      { title: "packets", isNumber: true },
      { title: "reason" },
      { title: "the first one" },
      { title: "where" },
    ];
    const rows = losses.map(({ first, places, count }) => {
      const { packet, at, reason } = first;
      return [formatCount(count), reason, `${packet}, at ${formatInstant(at)}`, listOf(places)];
    });
    this.#table(columns, rows);
    if (!this.#isRepeatable) return;
    const hint = "`dom0 explain` tells the way of each, step by step.";
    this.#out.line(this.#out.paint("faint", hint));
  }

  #table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    const out = this.#out;
    const [title, ...lines] = table(columns, rows, { width: out.width });
    if (title === undefined) return;
    out.line(out.paint("faint", title));
    for (const line of lines) out.line(line);
  }

  #heading(text: string): void {
    this.#out.line();
    this.#out.line(this.#out.paint("heading", text));
  }

  #line({ tone, text }: Line, time: string): void {
    const out = this.#out;
    const lines = indented(text, INDENT, out.width);
    for (const [index, line] of lines.entries()) {
      const words = line.slice(INDENT);
      const before = (index === 0 ? time : "").padStart(INDENT - 2);
      out.line(`${out.paint("faint", before)}  ${tone === null ? words : out.paint(tone, words)}`);
    }
  }
}

/** "vif3.0, vif4.0", the first ones by name. */
function listOf(places: ReadonlySet<string>): string {
  if (places.size === 0) return "-";
  const named = [...places].slice(0, MOST_PLACES);
  const rest = places.size - named.length;
  return `${named.join(", ")}${rest === 0 ? "" : ` and ${rest} more`}`;
}

/** 3, "anti-spoof/dhcp-server", 10.0.0.1 10.0.0.2, nothing. */
function showValue(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  return value.length === 0 ? "nothing" : value.join(" ");
}

/** A summary without the Ethernet addresses, where what follows says enough. */
function withoutMacs(summary: string): string {
  return summary.replace(/^[0-9a-f:]{17} > [0-9a-f:]{17}: (?=\d|ARP)/, "");
}
