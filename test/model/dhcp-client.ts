/**
 * Figure 5 of RFC 2131 section 4.4 as it is drawn: a state, an alarm clock for each reason to wake
 * up, and an arrow for each alarm and each message. Writes down what a client says and tells.
 * @module
 */

const SECOND = 1e6;

/** What a server's ACK gives, in seconds; `t1` in microseconds, as the client drew it. */
export interface ModelGrant {
  readonly address: number;
  readonly seconds: number;
  readonly t1: number;
  readonly t2Seconds: number | null;
}

type Alarm = "expiry" | "t2" | "t1" | "retry";
/** Which of two alarms of one instant counts. */
const ORDER: readonly Alarm[] = ["expiry", "t2", "t1", "retry"];

/** The naive reference of `DhcpClient` with fuzz of zero and numbers drawn one after the other. */
export class DhcpClientModel {
  now = 0;
  state = "stopped";
  readonly log: string[] = [];
  lease: { address: number; t1: number; t2: number; expiry: number } | null = null;
  xid = 0;
  /** Numbers drawn so far, for `xid` and for T1. */
  drawn = 0;
  #alarms = new Map<Alarm, number>();
  #hint: number | null = null;
  #offered: number | null = null;
  #began = 0;
  #asked = 0;
  #sent = 0;
  #refusals = 0;

  start(previous: { address: number; expiry: number } | null): void {
    this.#hint = previous?.address ?? null;
    if (previous !== null && previous.expiry > this.now) {
      this.#begin("rebooting");
      this.#offered = previous.address;
      this.#asked = this.now;
      this.#request();
    } else {
      this.#init(0);
    }
    this.advance(0);
  }

  /** Let `span` microseconds pass, alarm by alarm. */
  advance(span: number): void {
    const end = this.now + span;
    for (;;) {
      // An answer may come so late that an alarm is past when it is set.
      const due = [...this.#alarms].map(([name, at]) => ({ name, at: Math.max(at, this.now) }));
      due.sort((a, b) => a.at - b.at || ORDER.indexOf(a.name) - ORDER.indexOf(b.name));
      const [first] = due;
      if (first === undefined || first.at > end) break;
      this.now = first.at;
      this.#alarms.delete(first.name);
      this.#ring(first.name);
    }
    this.now = end;
  }

  offer(address: number): boolean {
    if (this.state !== "selecting") return false;
    this.#offered = address;
    this.state = "requesting";
    this.#sent = 0;
    this.#asked = this.now;
    this.#request();
    return true;
  }

  ack(grant: ModelGrant): boolean {
    if (!this.#awaitsAck()) return false;
    this.drawn += 1;
    const expiry = this.#asked + grant.seconds * SECOND;
    if (expiry <= this.now) return false;
    const { seconds, t2Seconds } = grant;
    const isSound = t2Seconds !== null && t2Seconds < seconds;
    const t2 = (isSound ? t2Seconds : (seconds * 7) / 8) * SECOND;
    this.#tell(`${this.lease === null ? "bound" : "renewed"} ${grant.address}`);
    this.lease = { address: grant.address, t1: grant.t1, t2: this.#asked + t2, expiry };
    this.#hint = grant.address;
    this.#refusals = 0;
    this.state = "bound";
    this.#alarms = new Map([
      ["t1", this.lease.t1],
      ["t2", this.lease.t2],
      ["expiry", expiry],
    ]);
    this.advance(0);
    return true;
  }

  nak(): boolean {
    if (!this.#awaitsAck()) return false;
    this.#tell(`naked ${this.lease?.address ?? "nothing"}`);
    this.#forget();
    this.#refusals += 1;
    this.#init(this.#refusals === 1 ? 0 : wait(this.#refusals - 2));
    this.advance(0);
    return true;
  }

  decline(): void {
    this.#say("decline", `for ${this.lease?.address}`, 0);
    this.#forget();
    this.#refusals += 1;
    const pause = this.#refusals === 1 ? 0 : wait(this.#refusals - 2);
    this.#init(Math.max(pause, 10 * SECOND));
  }

  release(): void {
    const { lease } = this;
    this.state = "stopped";
    this.#alarms.clear();
    if (lease === null) return;
    this.lease = null;
    this.#say("release", `from ${lease.address}`, 0, this.drawn++);
  }

  #ring(alarm: Alarm): void {
    if (alarm === "expiry") {
      this.#tell(`expired ${this.lease?.address}`);
      this.lease = null;
      this.#init(0);
    } else if (alarm === "t1" || alarm === "t2") {
      if (this.state === "bound") this.#began = this.now;
      this.state = alarm === "t1" ? "renewing" : "rebinding";
      this.#alarms.delete("t1");
      this.#renew();
    } else if (this.lease !== null) {
      this.#renew();
    } else if (this.state === "init") {
      this.#begin("selecting");
      this.#discover();
    } else if (this.state === "selecting") {
      this.#discover();
    } else if (this.#sent < 4) {
      this.#request();
    } else {
      this.#init(0);
    }
  }

  #init(pause: number): void {
    this.state = "init";
    this.#alarms = new Map([["retry", this.now + pause]]);
  }

  #begin(state: string): void {
    this.state = state;
    this.xid = this.drawn++;
    this.#began = this.now;
    this.#sent = 0;
  }

  #discover(): void {
    this.#retryLater();
    this.#say("discover", `for ${this.#hint ?? "any"}`, this.#seconds());
  }

  #request(): void {
    this.#retryLater();
    // The time since the first DISCOVER, as the last one told it.
    const seconds = this.state === "requesting" ? this.#lastSeconds : this.#seconds();
    this.#say("request", `for ${this.#offered}`, seconds);
  }

  #renew(): void {
    const { lease } = this;
    if (lease === null) return;
    const end = this.state === "renewing" ? lease.t2 : lease.expiry;
    const retry = this.now + Math.max((end - this.now) / 2, 60 * SECOND);
    if (retry < end) this.#alarms.set("retry", Math.ceil(retry));
    else this.#alarms.delete("retry");
    this.#asked = this.now;
    const how = this.state === "renewing" ? "by socket" : "to all";
    this.#say("request", `from ${lease.address} ${how}`, this.#seconds());
  }

  #retryLater(): void {
    this.#alarms = new Map([["retry", this.now + wait(this.#sent)]]);
    this.#sent += 1;
  }

  #forget(): void {
    this.lease = null;
    this.#hint = null;
  }

  #awaitsAck(): boolean {
    return ["requesting", "rebooting", "renewing", "rebinding"].includes(this.state);
  }

  #lastSeconds = 0;

  #seconds(): number {
    return Math.floor((this.now - this.#began) / SECOND);
  }

  #say(type: string, what: string, seconds: number, xid = this.xid): void {
    if (type === "discover") this.#lastSeconds = seconds;
    this.log.push(`${this.now} ${type} ${what}, number ${xid}, ${seconds} s`);
  }

  #tell(what: string): void {
    this.log.push(`${this.now} ${what}`);
  }
}

/** Four seconds, doubled up to 64, less the one second that a fuzz of zero takes away. */
function wait(doublings: number): number {
  return Math.min(4 * 2 ** doublings, 64) * SECOND - SECOND;
}
