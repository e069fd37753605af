import { once } from "node:events";
import { connect, createServer, Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type DirectReading,
  DirectWriter,
  readDirectly,
  readStream,
} from "../../src/backend/direct-socket.ts";
import { newFolder } from "./folder.ts";

const READ_AT_ONCE = 65_536;

/** Octets that came. */
class Heard {
  #octets = Buffer.alloc(0);

  get length(): number {
    return this.#octets.length;
  }

  add(octets: Uint8Array): void {
    this.#octets = Buffer.concat([this.#octets, octets]);
  }

  are(octets: Uint8Array): boolean {
    return Buffer.compare(this.#octets, octets) === 0;
  }
}

/** A connection, read in one of the ways; what came, and the peer. */
async function open(read: typeof readDirectly, take: DirectReading["take"] = () => true) {
  const path = join(newFolder(), "s.sock");
  const buffer = new Uint8Array(READ_AT_ONCE);
  const came = new Heard();
  const onOctets = (socket: Socket, length: number): boolean => {
    came.add(buffer.subarray(0, length));
    return take(socket, length);
  };
  const server = createServer({ pauseOnConnect: true });
  const accepted = once(server, "connection") as Promise<[Socket]>;
  server.listen(path);
  const peer = connect(path);
  peer.on("error", () => {});
  const socket = read((await accepted)[0], { buffer, take: onOctets });
  socket.on("error", () => {});
  onTestFinished(() => {
    peer.destroy();
    socket.destroy();
    server.close();
  });
  return { peer, socket, came };
}

const octets = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7) % 251);

describe.each([
  ["past the stream", readDirectly],
  ["through the stream", readStream],
])("a connection that is read %s", (_, read) => {
  it("brings all octets in their order", async () => {
    const { peer, came } = await open(read);
    const sent = octets(300_000);
    peer.write(sent.subarray(0, 1));
    await expect.poll(() => came.length).toBe(1);
    peer.write(sent.subarray(1));
    await expect.poll(() => came.length).toBe(sent.length);
    expect(came.are(sent)).toBe(true);
  });

  it("rests when it is told to, and goes on without a loss", async () => {
    const { peer, socket, came } = await open(read, () => false);
    const sent = octets(200_000);
    peer.write(sent);
    for (let length = 0; length < sent.length; length = came.length) {
      await expect.poll(() => came.length).toBeGreaterThan(length);
      const held = came.length;
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(came.length).toBe(held);
      socket.resume();
    }
    expect(came.are(sent)).toBe(true);
  });

  it("is over when the peer has hung up", async () => {
    const { peer, socket, came } = await open(read);
    peer.end(octets(10));
    await once(socket, "close");
    expect(came.are(octets(10))).toBe(true);
  });

  it("can be written to, by the writer and by its stream", async () => {
    const { peer, socket } = await open(read);
    const writer = new DirectWriter(socket);
    expect(writer.write(octets(100), 60)).toBe(60);
    socket.write(octets(100).subarray(60));
    const heard = new Heard();
    peer.on("data", (chunk) => heard.add(chunk)).resume();
    await expect.poll(() => heard.length).toBe(100);
    expect(heard.are(octets(100))).toBe(true);
  });
});

describe("a direct socket", () => {
  it("is found in this Node", async () => {
    let taken: Socket | null = null;
    const { socket } = await open((accepted, reading) => {
      taken = accepted;
      return readDirectly(accepted, reading);
    });
    expect(socket).not.toBe(taken);
    expect(new DirectWriter(socket).write(octets(1), 1)).toBe(1);
  });

  it("is the accepted one where there is no handle", () => {
    const bare = new Socket();
    const reading = { buffer: new Uint8Array(READ_AT_ONCE), take: () => true };
    expect(readDirectly(bare, reading)).toBe(bare);
    expect(new DirectWriter(bare).write(octets(1), 1)).toBe(0);
    bare.destroy();
  });
});

describe("a direct writer", () => {
  it("writes what there is room for, and nothing past what waits in the stream", async () => {
    const { peer, socket } = await open(readDirectly);
    peer.pause();
    const writer = new DirectWriter(socket);
    const sent = octets(1 << 20);
    let taken = writer.write(sent, sent.length);
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(sent.length);
    // The system may have room for a little more.
    for (let more = -1; more !== 0; taken += more) {
      more = writer.write(sent.subarray(taken), sent.length - taken);
    }
    socket.write(sent.subarray(taken));
    expect(writer.write(sent, 1)).toBe(0);
    const heard = new Heard();
    peer.on("data", (chunk) => heard.add(chunk)).resume();
    await expect.poll(() => heard.length).toBe(sent.length);
    expect(heard.are(sent)).toBe(true);
    await expect.poll(() => writer.write(sent, 1)).toBe(1);
  });

  it("writes nothing to a socket that is over, whose number may be another's", async () => {
    const { socket } = await open(readDirectly);
    const writer = new DirectWriter(socket);
    socket.destroy();
    expect(writer.write(octets(1), 1)).toBe(0);
  });

  it("leaves it to the stream to say that the peer is gone", async () => {
    const { peer, socket } = await open(readDirectly, () => false);
    const writer = new DirectWriter(socket);
    peer.destroy();
    await once(peer, "close");
    expect(writer.write(octets(1), 1)).toBe(0);
    const failed = once(socket, "error");
    socket.write(octets(1));
    expect((await failed)[0]).toMatchObject({ code: "EPIPE" });
  });
});
