import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingForXenstored, RealXenstored } from "./real-xenstored.ts";
import { CLOSED, linesOf, type Request, SOCKET, type Step, typeOf, words } from "./script.ts";
import { writeScript } from "./script-writer.ts";

const SCRIPTS = 60;
const missing = missingForXenstored();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

const request = (name: string, payload: string, tx = 0): Request => ({
  type: typeOf(name),
  req: 0,
  tx,
  payload,
});
const ask = (who: number, name: string, payload: string, tx = 0): Step => ({
  do: "ask",
  who,
  requests: [request(name, payload, tx)],
});
const guest = (domid: number): Step[] => [
  { do: "create", who: domid },
  ask(SOCKET, "MKDIR", `/local/domain/${domid}\0`),
  ask(SOCKET, "SET_PERMS", `/local/domain/${domid}\0n${domid}\0`),
  ask(SOCKET, "INTRODUCE", words(String(domid), "1", "1")),
];

describe.skipIf(missing !== null)(`the real xenstored${skipped}`, () => {
  let real: RealXenstored;
  beforeAll(async () => {
    real = await RealXenstored.open();
  });
  afterAll(() => real.close());

  /** What the last of `steps` brought, a line for each message. */
  const last = async (...steps: Step[]): Promise<[number, string[]][]> => {
    const received = await real.play([{ do: "connect", who: SOCKET }, ...steps]);
    return [...(received.at(-1) ?? [])].map(([who, octets]) => [who, linesOf(octets)]);
  };

  it("plays a script twice the same, generations and all", async () => {
    for (let seed = 1; seed <= SCRIPTS; seed += 1) {
      const script = writeScript(seed, 30);
      expect(await real.play(script), `seed ${seed}`).toEqual(await real.play(script));
    }
  });

  it("serves a guest through its ring, longer messages than the ring too", async () => {
    const value = "v".repeat(1500);
    const write = ask(5, "WRITE", `data\0${value}`);
    const written = await last(...guest(5), write);
    expect(written).toEqual([[5, ['WRITE req 0 tx 0 "OK\\u0000"']]]);
    const [[, octets] = [0, ""]] =
      (
        await real.play([
          { do: "connect", who: SOCKET },
          ...guest(5),
          write,
          ask(5, "READ", "data\0"),
        ])
      ).at(-1) ?? [];
    expect(octets.slice(16)).toBe(value);
  });

  it("tells what others receive in the same step", async () => {
    const watch = ask(SOCKET, "WATCH", "/local/domain/5\0t\0");
    const received = await last(...guest(5), watch, ask(5, "WRITE", `${words("data")}1`));
    expect(received).toContainEqual([5, ['WRITE req 0 tx 0 "OK\\u0000"']]);
    const event = 'WATCH_EVENT req 0 tx 0 "/local/domain/5/data\\u0000t\\u0000"';
    expect(received).toContainEqual([SOCKET, [event]]);
  });

  it("deletes what a destroyed domain owned", async () => {
    const list = ask(SOCKET, "DIRECTORY", "/local/domain\0");
    const received = await last(...guest(5), { do: "destroy", who: 5 }, list);
    expect(received).toEqual([[SOCKET, ['DIRECTORY req 0 tx 0 ""']]]);
  });

  it("closes the connection of a client that announces 4,097 octets", async () => {
    const header = "\u0002".padEnd(12, "\0").concat("\u0001\u0010\0\0");
    const received = await real.play([
      { do: "connect", who: SOCKET },
      { do: "send", who: SOCKET, octets: header },
    ]);
    expect(received.at(-1)).toEqual(new Map([[SOCKET, CLOSED]]));
  });

  it("has no answer to the step of which xenstored dies", async () => {
    const steps: Step[] = [
      { do: "connect", who: SOCKET },
      ...guest(5),
      ...guest(6),
      ask(SOCKET, "SET_TARGET", words("5", "6")),
      { do: "destroy", who: 6 },
      ...guest(6),
    ];
    expect(await real.play(steps)).toHaveLength(steps.length - 1);
  });
});
