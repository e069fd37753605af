/** A rule about frames made ready: its tests as numbers, its matches bound. @module */
import type { Device } from "../../wire/device.ts";
import type { Packet } from "../../wire/packet.ts";
import type { FrameContext } from "../../l2/bridge-hooks.ts";
import { ETHERNET } from "../../l2/ethernet.ts";
import { asksForDevice, type DeviceTest } from "../rule.ts";
import type { Counters } from "../step.ts";
import { MacTest } from "./addresses.ts";
import type { EtherTypeTest, FrameListener, FrameMatcher, FrameServices } from "./frame-match.ts";
import { formatFrameRule, type FrameRule, type MacAddressTest } from "./frame-rule.ts";
import type { FrameChain, FrameLink } from "./frame-chain.ts";
import { type FrameAction, FrameVerdict } from "./frame-target.ts";

/** Types are numbers from here on; smaller ones are lengths. */
const SMALLEST_TYPE = 0x0600;

/** Asks for the name of a device (`ebt_dev_check`); no device has no name. */
class NameTest {
  readonly #name: string;
  readonly #isPrefix: boolean;
  readonly #isInverted: boolean;

  constructor({ name, isInverted }: DeviceTest) {
    this.#isPrefix = name.endsWith("+");
    this.#name = this.#isPrefix ? name.slice(0, -1) : name;
    this.#isInverted = isInverted;
  }

  matches(device: Device | null): boolean {
    if (device === null) return this.#isInverted;
    const { name } = device;
    const isSame = this.#isPrefix ? name.startsWith(this.#name) : name === this.#name;
    return isSame !== this.#isInverted;
  }
}

/** One place on a frame's way through a chain, with its counters. */
export class FrameStep {
  readonly rule: FrameRule;
  /** Where it stands. */
  readonly home: FrameChain;
  /** Where it leads; `null` if it does not jump. */
  readonly chain: FrameChain | null;
  /** What it does if it neither acts nor jumps. */
  readonly verdict: FrameVerdict;
  readonly action: FrameAction | null;
  /** The only port by which frames can have come in; `null` if there may be more. */
  readonly onlyInput: string | null;
  /** Where a frame goes that does not match, or that nothing happens to; its chain sets it. */
  next: FrameLink | null = null;
  packets = 0;
  octets = 0;
  /** -1 is any, -2 a length. */
  readonly #type: number;
  readonly #isNotType: boolean;
  readonly #source: MacTest | null;
  readonly #destination: MacTest | null;
  readonly #input: NameTest | null;
  readonly #logicalInput: NameTest | null;
  readonly #output: NameTest | null;
  readonly #logicalOutput: NameTest | null;
  readonly #matchers: readonly FrameMatcher[];
  readonly #listeners: readonly FrameListener[];
  #text: string | null = null;

  /** @param chain where `rule` jumps to; `null` if it does not. */
  constructor(
    rule: FrameRule,
    home: FrameChain,
    chain: FrameChain | null,
    services: FrameServices,
  ) {
    const { protocol, extras, target, input } = rule;
    const isOnly = input !== null && !input.isInverted && !input.name.endsWith("+");
    this.rule = rule;
    this.home = home;
    this.onlyInput = isOnly ? input.name : null;
    this.chain = chain;
    this.verdict = target.kind === "verdict" ? target.verdict : FrameVerdict.Continue;
    this.action = target.kind === "extension" ? target.action : null;
    this.#type = typeOf(protocol);
    this.#isNotType = protocol?.isInverted ?? false;
    this.#source = macTest(rule.source);
    this.#destination = macTest(rule.destination);
    this.#input = nameTest(input);
    this.#logicalInput = nameTest(rule.logicalInput);
    this.#output = nameTest(rule.output);
    this.#logicalOutput = nameTest(rule.logicalOutput);
    this.#matchers = extras.flatMap((one) => (one.kind === "match" ? [one.bind(services)] : []));
    this.#listeners = extras.flatMap((one) => (one.kind === "watcher" ? [one.bind(services)] : []));
  }

  /** The rule as {@link formatFrameRule} prints it. */
  get text(): string {
    this.#text ??= formatFrameRule({ ...this.rule, target: this.#target });
    return this.#text;
  }

  /** The chain that it leads to is called otherwise from now on. */
  forgetText(): void {
    this.#text = null;
  }

  setCounters({ packets, octets }: Counters): void {
    this.packets = packets;
    this.octets = octets;
  }

  /** True if `packet` is what the rule asks for. */
  matches(packet: Packet, context: FrameContext): boolean {
    const { view } = packet.pool;
    const { frame } = packet;
    if (this.#type !== ANY_TYPE) {
      const type = ETHERNET.type.get(view, frame);
      const isType = this.#type === LENGTH ? type < SMALLEST_TYPE : type === this.#type;
      if (isType === this.#isNotType) return false;
    }
    const { input, output, bridge } = context;
    return (
      (this.#source === null || this.#source.matches(view, frame + ETHERNET.src.offset)) &&
      (this.#destination === null ||
        this.#destination.matches(view, frame + ETHERNET.dst.offset)) &&
      (this.#input === null || this.#input.matches(input)) &&
      (this.#output === null || this.#output.matches(output)) &&
      (this.#logicalInput === null || this.#logicalInput.matches(input && bridge)) &&
      (this.#logicalOutput === null || this.#logicalOutput.matches(output && bridge)) &&
      this.#ask(packet, context)
    );
  }

  /** Tell the watchers of a frame that matches. */
  tell(packet: Packet, context: FrameContext): void {
    for (const listener of this.#listeners) listener.hear(packet, context);
  }

  #ask(packet: Packet, context: FrameContext): boolean {
    for (const matcher of this.#matchers) if (!matcher.matches(packet, context)) return false;
    return true;
  }

  get #target(): FrameRule["target"] {
    return this.chain === null ? this.rule.target : { kind: "jump", chain: this.chain.name };
  }
}

const ANY_TYPE = -1;
const LENGTH = -2;

function typeOf(protocol: EtherTypeTest | null): number {
  return protocol === null ? ANY_TYPE : (protocol.type ?? LENGTH);
}

const macTest = (asked: MacAddressTest | null): MacTest | null =>
  asked === null ? null : new MacTest(asked, asked.isInverted);

const nameTest = (asked: DeviceTest | null): NameTest | null =>
  asksForDevice(asked) ? new NameTest(asked) : null;
