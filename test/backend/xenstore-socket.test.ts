import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { RealTime } from "../../src/backend/real-time.ts";
import { XenstoreClient } from "../../src/backend/xenstore-client.ts";
import { openXenstoreSocket } from "../../src/backend/xenstore-socket.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import { XENSTORE_4_17 } from "../../src/xen/xenstore/behaviour.ts";
import { StoreError } from "../../src/xen/xenstore/errno.ts";
import { messageCodec, Operation } from "../../src/xen/xenstore/message.ts";
import { XenStore } from "../../src/xen/xenstore/store.ts";
import { newFolder } from "./folder.ts";

async function newStore() {
  const store = new XenStore({ behaviour: XENSTORE_4_17 });
  const realTime = new RealTime({
    scheduler: new Scheduler(),
    onError: (error) => {
      throw error;
    },
  });
  realTime.start();
  const lines: string[] = [];
  const write = (line: string): void => {
    const { msg, reason } = JSON.parse(line) as { msg: string; reason?: string };
    lines.push(`${msg}: ${reason ?? ""}`);
  };
  const path = join(newFolder(), "xs.sock");
  const log = pino({ level: "info" }, { write });
  const listener = await openXenstoreSocket({
    path,
    connect: () => store.connect(),
    realTime,
    log,
  });
  onTestFinished(async () => {
    await listener.close();
    realTime.stop();
  });
  return { store, path, lines, listener };
}

async function newClient(path: string): Promise<XenstoreClient> {
  const client = await XenstoreClient.open(path);
  onTestFinished(() => client.close());
  return client;
}

/** A program without manners. */
async function newSocket(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

function message(type: number, payload: string, length = payload.length): Buffer {
  const header = messageCodec.encode({ type, requestId: 5, transactionId: 0, length });
  return Buffer.concat([header, Buffer.from(payload, "latin1")]);
}

/** What comes until `octets` octets are there. */
async function heard(socket: Socket, octets: number): Promise<string> {
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  await expect.poll(() => text.length).toBeGreaterThanOrEqual(octets);
  return text;
}

describe("a client of XenStore's socket", () => {
  it("can do what the store can", async () => {
    const { path } = await newStore();
    const client = await newClient(path);
    await client.write("/a/b", "octets: \u0000\u00FF", 0);
    expect(await client.read("/a/b", 0)).toBe("octets: \u0000\u00FF");
    expect(await client.list("/a", 0)).toEqual(["b"]);
    expect(await client.list("/a/b", 0)).toEqual([]);
    await client.setPermissions("/a/b", ["n0", "r5"], 0);
    expect(await client.permissions("/a/b", 0)).toEqual(["n0", "r5"]);
    const transaction = await client.start();
    await client.write("/a/c", "1", transaction);
    await expect(client.read("/a/c", 0)).rejects.toThrow("read /a/c: ENOENT");
    await client.end(transaction, true);
    expect(await client.read("/a/c", 0)).toBe("1");
    await client.rm("/a", 0);
    await expect(client.list("/a", 0)).rejects.toBeInstanceOf(StoreError);
    await expect(client.write("/a", "x".repeat(4096), 0)).rejects.toThrow("E2BIG");
  });

  it("hears what others change", async () => {
    const { path } = await newStore();
    const [watcher, writer] = [await newClient(path), await newClient(path)];
    await watcher.watch("/w", "token");
    expect(await watcher.nextEvent()).toBe("/w");
    await writer.write("/w/x", "1", 0);
    await writer.rm("/w", 0);
    expect([await watcher.nextEvent(), await watcher.nextEvent()]).toEqual(["/w/x", "/w"]);
  });

  it("gets a list that does not fit into a message in parts", async () => {
    const { path } = await newStore();
    const client = await newClient(path);
    const names = Array.from({ length: 300 }, (_, index) => `${"long-name-".repeat(5)}${index}`);
    for (const name of names) await client.write(`/big/${name}`, "", 0);
    expect(await client.list("/big", 0)).toEqual(names);
  });

  it("is told when the store goes, and where there is none", async () => {
    const { path, listener } = await newStore();
    const client = await newClient(path);
    await listener.close();
    await expect(client.read("/", 0)).rejects.toThrow(`${path}: the server closed the connection`);
    await expect(client.nextEvent()).rejects.toThrow("the server closed the connection");
    await expect(XenstoreClient.open(path)).rejects.toThrow(
      `${path}: XenStore cannot be reached: no such file or folder`,
    );
  });
});

describe("XenStore's socket", () => {
  it("takes a request in single octets", async () => {
    const { path } = await newStore();
    const socket = await newSocket(path);
    socket.setNoDelay(true);
    for (const octet of message(Operation.READ, "/tool\0")) {
      socket.write(Uint8Array.of(octet));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const empty = messageCodec.encode({
      type: Operation.READ,
      requestId: 5,
      transactionId: 0,
      length: 0,
    });
    expect(await heard(socket, 16)).toBe(Buffer.from(empty).toString("latin1"));
  });

  it("answers what came before a payload that is too long, and hangs up there", async () => {
    const { path, lines } = await newStore();
    const socket = await newSocket(path);
    socket.write(
      Buffer.concat([
        message(Operation.DIRECTORY, "/\0"),
        message(Operation.READ, "", 4097),
        message(Operation.READ, "/tool\0"),
      ]),
    );
    const closed = once(socket, "close");
    expect((await heard(socket, 21)).slice(16)).toBe("tool\0");
    await closed;
    expect(lines).toContain("a client of XenStore was cut off: store/payload-too-long");
  });

  it("does not read from a client that does not read, and loses nothing", async () => {
    const { path, lines } = await newStore();
    const other = await newClient(path);
    await other.write("/v", "x".repeat(4000), 0);
    const rude = await newSocket(path);
    rude.pause();
    const flood = Buffer.concat(
      Array.from({ length: 4000 }, () => message(Operation.READ, "/v\0")),
    );
    rude.write(flood);
    await other.read("/v", 0);
    expect(lines).toEqual([]);
    // 4,000 answers of 4,016 octets.
    let octets = 0;
    rude.on("data", (chunk) => (octets += chunk.length));
    rude.resume();
    await expect.poll(() => octets, { timeout: 20_000 }).toBe(4000 * 4016);
  });

  it("cuts off a client that watches and never reads; the others go on", async () => {
    const { path, lines } = await newStore();
    const rude = await newSocket(path);
    rude.pause();
    rude.write(message(Operation.WATCH, "/w\0token\0"));
    const other = await newClient(path);
    const name = `/w/${"n".repeat(900)}`;
    const cutOff = (): boolean =>
      lines.includes("a client of XenStore was cut off: store/output-limit");
    for (let count = 0; count < 5000 && !cutOff(); count += 1) {
      await other.write(`${name}${count}`, "", 0);
      await other.rm(`${name}${count}`, 0);
    }
    expect(cutOff()).toBe(true);
    expect(await other.read("/w", 0)).toBe("");
  });

  it("stands a storm of clients that come, send nonsense and go", async () => {
    const { path, listener } = await newStore();
    const storm = Array.from({ length: 300 }, async (_, index) => {
      const socket = connect(path);
      socket.on("error", () => {});
      const closed = new Promise((resolve) => socket.on("close", resolve));
      socket.end(Buffer.alloc(index % 40, index));
      socket.resume();
      await closed;
    });
    await Promise.all(storm);
    await expect.poll(() => listener.connections).toBe(0);
    const client = await newClient(path);
    expect(await client.list("/", 0)).toEqual(["tool"]);
  });
});
