import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { XenstoreClient } from "../../src/backend/xenstore-client.ts";
import { messageCodec, Operation } from "../../src/xen/xenstore/message.ts";
import { newFolder } from "./folder.ts";

const message = (type: number, payload: string): Buffer =>
  Buffer.concat([
    messageCodec.encode({ type, requestId: 0, transactionId: 0, length: payload.length }),
    Buffer.from(payload, "latin1"),
  ]);

/** A client of a server with one answer to every request; it hangs up instead of an empty one. */
async function newClient(answer: Buffer): Promise<XenstoreClient> {
  const path = join(newFolder(), "store.sock");
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => (answer.length > 0 ? socket.write(answer) : socket.destroy()));
  }).listen(path);
  await once(server, "listening");
  const client = await XenstoreClient.open(path);
  onTestFinished(() => {
    client.close();
    server.close();
  });
  return client;
}

describe("a client of a store that is none", () => {
  it.each([
    ["hangs up", Buffer.alloc(0), "the server closed the connection"],
    [
      "announces 4,097 octets",
      Buffer.from(`02${"0".repeat(22)}01100000`, "hex"),
      "announced 4097 octets",
    ],
    ["answers another question", message(Operation.WRITE, "OK\0"), "answered another question"],
    ["refuses without a word", message(Operation.ERROR, ""), "EINVAL"],
  ])("says so when the server %s", async (_, answer, sentence) => {
    const client = await newClient(answer);
    await expect(client.read("/a", 0)).rejects.toThrow(sentence);
  });

  it.each(["", "x\0", "-1\0", "4294967296\0", "1.5\0"])(
    "takes no transaction called %j",
    async (name) => {
      const client = await newClient(message(Operation.TRANSACTION_START, name));
      await expect(client.start()).rejects.toThrow("the server named no transaction");
    },
  );
});
