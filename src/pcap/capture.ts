/** Records what crosses devices, and why frames came to nothing, as pcapng. @module */
import { OptionError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { type Ipv4Addr, isGroupMac, MAC_BROADCAST, type Prefix } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Fate, Observer, Packet, Reason } from "../wire/packet.ts";
import { ETHERNET, ETHERNET_LENGTH } from "../l2/ethernet.ts";
import { ANNOTATABLE_FRAMES, PcapngWriter, type PcapngWriterOptions } from "./pcapng-writer.ts";
import { FrameDirection, Reception, TcAction, type Verdict } from "./record.ts";

/** Where the capture goes, and what is in it. */
export interface CaptureOptions extends PcapngWriterOptions {
  /** Names of the devices to record; `null`, the default, records all. */
  readonly devices?: readonly string[] | null;
  /** More on why `packet` ended with `reason`, for people; `null` for nothing to add. */
  readonly words?: ((packet: Packet, reason: Reason) => string | null) | null;
}

/** What a capture says of a device beyond what the device knows itself. */
export interface CapturedDevice {
  /** Unique in the capture; the device's own name, which many hosts share. */
  readonly name?: string;
  /** For people; the device's own description. */
  readonly description?: string;
  readonly addresses?: readonly Prefix[];
}

/** What Linux's traffic control would have done to get rid of the frame. */
const SHOT: Verdict = { judge: "tc", action: TcAction.Shot };
const NOT_RECORDED = -1;

/**
 * Sees the frames of a {@link PacketPool} and writes those of the chosen devices: what a device
 * receives as inbound, what it transmits as outbound, all under the packet's id.
 *
 * A packet that is dropped or discarded is marked where it was recorded last, if that was in the
 * same instant and no more than 15 frames ago: an ICMP error about it may already follow. If
 * it ends later, or was not recorded, its octets of that moment are recorded with the mark on its
 * way out (`output`) or else where it came in. The mark is a verdict and a comment such as
 * `dropped: filter/rule`. Packets that are delivered or consumed get no mark.
 */
export class Capture implements Observer {
  readonly #writer: PcapngWriter;
  readonly #devices: ReadonlySet<string> | null;
  readonly #words: ((packet: Packet, reason: Reason) => string | null) | null;
  /** Interface of each known device; {@link NOT_RECORDED} for those not chosen. */
  readonly #interfaces = new Map<Device, number>();
  /** By interface: when its capture began, and what it saw. */
  readonly #starts: Instant[] = [];
  readonly #counts: number[] = [];
  /** Of the last frames, by number modulo the length: which packet it was, in which slot, when. */
  readonly #ids = new Float64Array(ANNOTATABLE_FRAMES);
  readonly #slots = new Float64Array(ANNOTATABLE_FRAMES);
  readonly #instants = new Float64Array(ANNOTATABLE_FRAMES);
  #frames = 0;
  #isOpen = true;

  /** @throws {OptionError} if an option is out of range. */
  constructor({ devices = null, words = null, ...options }: CaptureOptions) {
    this.#writer = new PcapngWriter(options);
    this.#devices = devices === null ? null : new Set(devices);
    this.#words = words;
  }

  /**
   * Describe `device` before its first frame. A device that was not added is described by its own
   * name when its first frame comes.
   * @throws {OptionError} if the device is known already.
   */
  add(device: Device, now: Instant, captured: CapturedDevice = {}): void {
    if (this.#interfaces.has(device)) {
      throw new OptionError("device", device.name, "a device that the capture does not know yet");
    }
    this.#describe(device, now, captured);
  }

  /**
   * Say how `address` is called, from here on in the file.
   * @throws {RangeFault} if a name is empty, has a NUL, or is too long.
   */
  name(address: Ipv4Addr, ...names: readonly string[]): void {
    this.#writer.addNames(address, names);
  }

  received(device: Device, packet: Packet, now: Instant): void {
    const id = this.#interfaceOf(device, now);
    if (id === NOT_RECORDED) return;
    this.#count(id);
    this.#record(id, packet, FrameDirection.Inbound | receptionOf(device, packet), now);
  }

  transmitted(device: Device, packet: Packet, now: Instant): void {
    const id = this.#interfaceOf(device, now);
    if (id === NOT_RECORDED) return;
    this.#count(id);
    this.#record(id, packet, FrameDirection.Outbound, now);
  }

  ended(packet: Packet, fate: Fate, reason: Reason, now: Instant): void {
    if (!this.#isOpen || (fate !== "dropped" && fate !== "discarded")) return;
    const words = this.#words === null ? null : this.#words(packet, reason);
    const comment = words === null ? `${fate}: ${reason}` : `${fate}: ${reason} (${words})`;
    const frame = this.#find(packet, now);
    if (frame !== null && this.#writer.annotate(frame, SHOT, comment)) return;
    const device = packet.output ?? packet.input;
    if (device === null) return;
    const id = this.#interfaceOf(device, now);
    if (id === NOT_RECORDED) return;
    const flags =
      packet.output === null
        ? FrameDirection.Inbound | receptionOf(device, packet)
        : FrameDirection.Outbound;
    this.#writer.annotate(this.#record(id, packet, flags, now), SHOT, comment);
  }

  /** Steps are for `explain`; a capture has frames. */
  step(): void {}

  /** Give the sink all that was recorded so far. Frames recorded before are not marked any more. */
  flush(): void {
    this.#writer.flush();
  }

  /** Write each interface's statistics and give the sink the rest; what follows is not recorded. */
  close(now: Instant): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const [id, start] of this.#starts.entries()) {
      // Every frame that crosses a device is seen: the capture cannot lose one.
      const received = this.#counts[id] ?? 0;
      this.#writer.writeStatistics(id, now, { start, end: now, received, dropped: 0 });
    }
    this.#writer.close();
  }

  #interfaceOf(device: Device, now: Instant): number {
    if (!this.#isOpen) return NOT_RECORDED;
    return this.#interfaces.get(device) ?? this.#describe(device, now, {});
  }

  #describe(device: Device, now: Instant, captured: CapturedDevice): number {
    const { name = device.name, description = device.description, addresses = [] } = captured;
    let id = NOT_RECORDED;
    if (this.#devices === null || this.#devices.has(name)) {
      id = this.#writer.addInterface({ name, description, mac: device.mac, addresses });
      this.#starts.push(now);
      this.#counts.push(0);
    }
    this.#interfaces.set(device, id);
    return id;
  }

  #count(id: number): void {
    this.#counts[id] = (this.#counts[id] ?? 0) + 1;
  }

  #record(id: number, packet: Packet, flags: number, now: Instant): number {
    const { view } = packet.pool;
    const frame = this.#writer.writeFrame(
      id,
      now,
      view,
      packet.frame,
      packet.end,
      flags,
      packet.id,
    );
    const place = frame % ANNOTATABLE_FRAMES;
    this.#ids[place] = packet.id;
    this.#slots[place] = packet.slot;
    this.#instants[place] = now;
    this.#frames = frame + 1;
    return frame;
  }

  /**
   * The last frame of `packet` that was recorded at `now`. Fragments share an id, so the slot has
   * to agree too.
   */
  #find(packet: Packet, now: Instant): number | null {
    const oldest = Math.max(0, this.#frames - ANNOTATABLE_FRAMES);
    for (let frame = this.#frames - 1; frame >= oldest; frame -= 1) {
      const place = frame % ANNOTATABLE_FRAMES;
      if (this.#instants[place] !== now) return null;
      if (this.#ids[place] === packet.id && this.#slots[place] === packet.slot) return frame;
    }
    return null;
  }
}

function receptionOf(device: Device, packet: Packet): number {
  if (packet.end - packet.frame < ETHERNET_LENGTH) return Reception.Unspecified;
  const target = ETHERNET.dst.get(packet.pool.view, packet.frame);
  // A vif of EC2 takes frames to its own address, though that is a group address.
  if (target === device.mac) return Reception.Unicast;
  if (target === MAC_BROADCAST) return Reception.Broadcast;
  return isGroupMac(target) ? Reception.Multicast : Reception.Promiscuous;
}
