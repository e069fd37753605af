import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { encodeFrame, FrameDecoder } from "../../src/backend/frame-stream.ts";
import { type Jack, openPlug, type Plug } from "../../src/backend/plug.ts";
import { newFolder } from "./folder.ts";

/** A vif without a host: notes what was sent, and gives what a test gives it. */
class FakeVif implements Jack {
  readonly name = "vif3.0";
  readonly sent: Uint8Array[] = [];
  receiver: ((frame: Uint8Array) => void) | null = null;

  transmit(frame: Uint8Array): boolean {
    if (frame.length > 1514) return false;
    this.sent.push(frame.slice());
    return true;
  }

  together(work: () => void): void {
    work();
  }

  onReceive(receiver: ((frame: Uint8Array) => void) | null): void {
    this.receiver = receiver;
  }
}

interface Setup {
  readonly vif: FakeVif;
  readonly path: string;
  readonly plug: Plug;
  /** The messages of the log, with their reasons. */
  readonly lines: string[];
}

async function newPlug(): Promise<Setup> {
  const vif = new FakeVif();
  const path = join(newFolder(), "vif3.0.sock");
  const lines: string[] = [];
  const log = pino(
    { level: "info" },
    {
      write: (line) => {
        const { msg, reason = "" } = JSON.parse(line) as { msg: string; reason?: string };
        lines.push(reason === "" ? msg : `${msg} (${reason})`);
      },
    },
  );
  const plug = await openPlug(`unix:${path}`, { jack: vif, log });
  onTestFinished(() => plug.close());
  return { vif, path, plug, lines };
}

/** A program at the other end. */
async function newPeer(path: string): Promise<{ socket: Socket; frames: Uint8Array[] }> {
  const socket = connect(path);
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  const frames: Uint8Array[] = [];
  const decoder = new FrameDecoder((frame) => frames.push(frame.slice()));
  socket.on("data", (chunk) => void decoder.push(new Uint8Array(chunk)));
  await once(socket, "connect");
  return { socket, frames };
}

const frame = (fill: number, length = 60): Uint8Array => new Uint8Array(length).fill(fill);

/** Wait until the plug's peer hears what the vif gets. */
const plugged = async (vif: FakeVif): Promise<void> =>
  expect.poll(() => vif.receiver !== null).toBe(true);

describe("a stream plug", () => {
  it("carries frames both ways", async () => {
    const { vif, path, plug } = await newPlug();
    expect(plug.address).toBe(`unix:${path}`);
    const { socket, frames } = await newPeer(path);
    await plugged(vif);
    socket.write(encodeFrame(frame(1)));
    socket.write(encodeFrame(frame(2, 1515)));
    socket.write(encodeFrame(frame(3)));
    vif.receiver?.(frame(4));
    vif.receiver?.(frame(5, 1514));
    await expect.poll(() => vif.sent.length).toBe(2);
    await expect.poll(() => frames.length).toBe(2);
    expect(vif.sent).toEqual([frame(1), frame(3)]);
    expect(frames).toEqual([frame(4), frame(5, 1514)]);
    expect(plug.counters).toEqual({ sent: 2, refused: 1, received: 2, dropped: 0 });
  });

  it("has one peer at a time, and takes the next when that one has gone", async () => {
    const { vif, path, lines } = await newPlug();
    const first = await newPeer(path);
    await plugged(vif);
    const second = await newPeer(path);
    await once(second.socket, "close");
    expect(lines).toContain("a second peer was turned away: the vif has one plug");
    first.socket.write(encodeFrame(frame(1)));
    await expect.poll(() => vif.sent.length).toBe(1);
    first.socket.end();
    await expect.poll(() => vif.receiver).toBe(null);
    const third = await newPeer(path);
    await plugged(vif);
    vif.receiver?.(frame(2));
    await expect.poll(() => third.frames).toEqual([frame(2)]);
  });

  it.each([
    [0, "a length of nothing"],
    [13, "less than an Ethernet header"],
    [65_554, "more than any packet"],
    [0xffff_ffff, "all ones"],
  ])("disconnects whoever announces %d octets: %s", async (length) => {
    const { vif, path, lines } = await newPlug();
    const { socket } = await newPeer(path);
    await plugged(vif);
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(length);
    socket.write(Buffer.concat([encodeFrame(frame(1)), prefix, encodeFrame(frame(2))]));
    await once(socket, "close");
    expect(vif.sent).toEqual([frame(1)]);
    const reason = `${length} octets are no frame`;
    expect(lines).toContain(`a peer was disconnected: it does not speak the framing (${reason})`);
    await newPeer(path);
    await plugged(vif);
  });

  it("forgets half a frame with the peer that sent it", async () => {
    const { vif, path } = await newPlug();
    const { socket } = await newPeer(path);
    socket.write(encodeFrame(frame(1)).subarray(0, 33));
    socket.end();
    await once(socket, "close");
    const next = await newPeer(path);
    await plugged(vif);
    next.socket.write(encodeFrame(frame(2)));
    await expect.poll(() => vif.sent).toEqual([frame(2)]);
  });

  it("drops the newest frames of a peer that never reads, and holds a bounded number", async () => {
    const { vif, path, plug } = await newPlug();
    const slow = connect(path);
    onTestFinished(() => void slow.destroy());
    slow.pause();
    await plugged(vif);
    for (let count = 0; count < 20_000; count += 1) {
      vif.receiver?.(frame(count % 251, 1514));
      if (count % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const { received, dropped } = plug.counters;
    expect(received + dropped).toBe(20_000);
    expect(received).toBeGreaterThan(600);
    expect(received).toBeLessThan(2000);
    // Whoever begins to read gets the oldest, whole and in order.
    const frames: Uint8Array[] = [];
    const decoder = new FrameDecoder((one) => frames.push(one.slice()));
    slow.on("data", (chunk) => expect(decoder.push(chunk)).toBe(null));
    slow.resume();
    await expect.poll(() => frames.length).toBe(received);
    expect(frames.every((one, index) => one[0] === index % 251)).toBe(true);
  });

  it("stands a storm of peers that come, send nonsense and go", async () => {
    const { vif, path } = await newPlug();
    const storm = Array.from({ length: 300 }, async (_, index) => {
      const socket = connect(path);
      socket.on("error", () => {});
      const closed = new Promise((resolve) => socket.on("close", resolve));
      socket.end(Buffer.alloc(index % 7, index));
      await closed;
    });
    await Promise.all(storm);
    await expect.poll(() => vif.receiver).toBe(null);
    const { socket } = await newPeer(path);
    await plugged(vif);
    socket.write(encodeFrame(frame(9)));
    await expect.poll(() => vif.sent.at(-1)).toEqual(frame(9));
  });

  it("disconnects its peer when it is pulled out, and leaves nothing", async () => {
    const { vif, path, plug } = await newPlug();
    const { socket } = await newPeer(path);
    await plugged(vif);
    const closed = once(socket, "close");
    await plug.close();
    await closed;
    expect(existsSync(path)).toBe(false);
    await expect.poll(() => vif.receiver).toBe(null);
  });

  it("is the one kind of plug: other schemes are refused", async () => {
    const log = pino({ enabled: false });
    for (const address of ["tcp:127.0.0.1:1", "vif3.sock", "", "constructor:x"]) {
      await expect(openPlug(address, { jack: new FakeVif(), log })).rejects.toThrow(
        `address: expected one of unix:..., got ${JSON.stringify(address)}`,
      );
    }
  });
});
