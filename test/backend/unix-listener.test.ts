import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { SocketError } from "../../src/backend/socket-error.ts";
import { LONGEST_SOCKET_PATH, openUnixListener } from "../../src/backend/unix-listener.ts";
import { newFolder } from "./folder.ts";

const open = (path: string) => openUnixListener({ path, onConnection: () => {} });

/** A socket as a program leaves it that was killed while it listened. */
function leaveStale(path: string): void {
  const text = `
    require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, 9));`;
  spawnSync(process.execPath, ["-e", text, path]);
  expect(statSync(path).isSocket()).toBe(true);
}

describe("a unix listener", () => {
  it("makes its socket for the owner alone, and removes it", async () => {
    const path = join(newFolder(), "a.sock");
    const modeOfFile = (name: string): number => {
      const beside = join(dirname(path), name);
      writeFileSync(beside, "");
      return statSync(beside).mode;
    };
    const usual = modeOfFile("before");
    const listener = await open(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(modeOfFile("after")).toBe(usual);
    await listener.close();
    expect(existsSync(path)).toBe(false);
    await listener.close();
  });

  it("ends its connections when it closes", async () => {
    const path = join(newFolder(), "a.sock");
    const listener = await open(path);
    const socket = connect(path);
    await once(socket, "connect");
    await expect.poll(() => listener.connections).toBe(1);
    const closed = once(socket, "close");
    await listener.close();
    await closed;
    expect(listener.connections).toBe(0);
  });

  it.each([
    ["the stream", {}],
    ["one buffer", { direct: { buffer: new Uint8Array(65_536), take: () => true } }],
  ])("closes connections beyond its bound, read through %s, until one goes", async (_, options) => {
    const path = join(newFolder(), "a.sock");
    const onConnection = (socket: Socket): void => void socket.resume();
    const bounded = { path, onConnection, connectionLimit: 2, ...options };
    const listener = await openUnixListener(bounded);
    const first = [connect(path), connect(path)];
    await expect.poll(() => listener.connections).toBe(2);
    await once(connect(path).resume(), "close");
    expect(listener.connections).toBe(2);
    first[0]?.destroy();
    await expect.poll(() => listener.connections).toBe(1);
    connect(path).on("error", () => {});
    await expect.poll(() => listener.connections).toBe(2);
    await listener.close();
    expect(listener.connections).toBe(0);
  });

  it("takes the place of a socket that a killed run left", async () => {
    const path = join(newFolder(), "a.sock");
    leaveStale(path);
    const listener = await open(path);
    const socket = connect(path);
    await once(socket, "connect");
    await expect.poll(() => listener.connections).toBe(1);
    socket.destroy();
    await listener.close();
  });

  it("leaves a socket alone on which somebody listens", async () => {
    const path = join(newFolder(), "a.sock");
    const listener = await open(path);
    await expect(open(path)).rejects.toThrow(`${path}: another program listens there`);
    await expect.poll(() => listener.connections).toBe(0);
    const socket = connect(path);
    await once(socket, "connect");
    socket.destroy();
    await listener.close();
  });

  it("never removes what is not a socket, at the beginning or at the end", async () => {
    const path = join(newFolder(), "a.sock");
    writeFileSync(path, "dear to somebody");
    await expect(open(path)).rejects.toThrow(`${path}: is there already, and is not a socket`);
    expect(readFileSync(path, "utf8")).toBe("dear to somebody");
    const other = join(newFolder(), "b.sock");
    const listener = await open(other);
    spawnSync("rm", [other]);
    writeFileSync(other, "dear to somebody");
    listener.remove();
    expect(readFileSync(other, "utf8")).toBe("dear to somebody");
  });

  it.each([
    [
      "x".repeat(LONGEST_SOCKET_PATH + 1),
      "a socket's path has at most 107 octets, this one has 108",
    ],
    ["é".repeat(54), "a socket's path has at most 107 octets, this one has 108"],
    ["", "is no path of a socket"],
    ["/a\0b", "is no path of a socket"],
    ["/no-such-folder/a.sock", "its folder does not exist"],
    ["/dev/null/a.sock", "a part of the path is not a folder"],
  ])("refuses %j with a sentence", async (path, sentence) => {
    const error: unknown = await open(path).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SocketError);
    expect(error).toHaveProperty("message", `${path}: ${sentence}`);
  });

  it("listens on a path of 107 octets", async () => {
    const folder = newFolder();
    const path = join(folder, "x".repeat(LONGEST_SOCKET_PATH - folder.length - 1));
    const listener = await open(path);
    expect(statSync(path).isSocket()).toBe(true);
    await listener.close();
  });
});
