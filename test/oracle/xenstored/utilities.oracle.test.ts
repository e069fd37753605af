/** Debian's xenstore-utils and Xen's test-xenstore on the real xenstored and on our store. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OurSockets } from "./our-sockets.ts";
import {
  missingForXenstored,
  RealXenstored,
  type RealStore,
  XEN_PROGRAMS,
} from "./real-xenstored.ts";
import { SOCKET, type Step, typeOf, words } from "./script.ts";
import {
  DOM0_LINES,
  guestLines,
  type Outcome,
  runProgram,
  runUtility,
  watchUtility,
} from "./utilities.ts";

const GUEST = 171;
const TESTS = join(XEN_PROGRAMS, "test-xenstore");

const hasUtilities = spawnSync("xenstore-ls", ["-h"]).error === undefined;
const missing = hasUtilities ? missingForXenstored() : "no xenstore-utils";
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

/** A store behind sockets: Dom0's, and that of a guest. */
interface Site {
  readonly socket: string;
  readonly guestSocket: string;
}

/** What the toolstack does before a guest starts. */
function makeGuest(): Step[] {
  const ask = (name: string, payload: string): Step => {
    const request = { type: typeOf(name), req: 0, tx: 0, payload };
    return { do: "ask", who: SOCKET, requests: [request] };
  };
  const home = `/local/domain/${GUEST}`;
  return [
    { do: "connect", who: SOCKET },
    { do: "create", who: GUEST },
    ask("WRITE", words(home)),
    ask("SET_PERMS", words(home, `n${GUEST}`)),
    ask("WRITE", `${words(`${home}/name`)}dom_32504936`),
    ask("SET_PERMS", words(`${home}/name`, "n0", `r${GUEST}`)),
    ask("WRITE", `${words("/local/domain/0/name")}Domain-0`),
    ask("INTRODUCE", words(String(GUEST), "1", "1")),
    { do: "close", who: SOCKET },
  ];
}

async function runAll(socket: string, lines: readonly (readonly string[])[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const line of lines) outcomes.push(await runUtility(socket, line));
  return outcomes;
}

/** Figures of test-xenstore are times. */
const withoutTimes = ({ output, ...rest }: Outcome): Outcome => ({
  ...rest,
  output: output.replaceAll(/\d+ ns/g, "ns"),
});

describe.skipIf(missing !== null)(`xenstore-utils${skipped}`, () => {
  let real: RealXenstored;
  let store: RealStore;
  let ours: OurSockets;
  let theirs: Site;
  beforeAll(async () => {
    real = await RealXenstored.open();
    store = await real.store();
    await store.play(makeGuest());
    ours = await OurSockets.open(makeGuest(), GUEST);
    theirs = { socket: real.socket, guestSocket: real.guestSocket(GUEST) };
  });
  afterAll(async () => {
    await ours.close();
    store.close();
    real.close();
  });

  it("print and end as on xenstored in Dom0", async () => {
    const expected = await runAll(theirs.socket, DOM0_LINES);
    expect(await runAll(ours.socket, DOM0_LINES)).toEqual(expected);
    expect(expected.filter(({ code }) => code === 0).length).toBeGreaterThan(30);
    expect(expected.filter(({ code }) => code === 1).length).toBeGreaterThan(15);
  });

  it("print and end as on xenstored in a guest", async () => {
    const expected = await runAll(theirs.guestSocket, guestLines(GUEST));
    expect(await runAll(ours.guestSocket, guestLines(GUEST))).toEqual(expected);
    expect(expected.filter(({ code }) => code === 0).length).toBeGreaterThan(10);
    expect(expected.filter(({ code }) => code === 1).length).toBeGreaterThan(8);
  });

  it.each([["/w"], ["/w/below"], ["relative"], ["@releaseDomain"]])(
    "watch %s alike",
    async (path) => {
      const watch = (socket: string): Promise<Outcome> =>
        watchUtility(socket, path === "@releaseDomain" ? 1 : 3, [path, "/w/other"], async () => {
          await runUtility(socket, ["write", "/w", "1", "/w/below", "2", "/w/other", "3"]);
          await runUtility(socket, ["write", "relative", "1", "relative/x", "2"]);
          await runUtility(socket, ["rm", "/w"]);
        });
      const expected = await watch(theirs.socket);
      expect(expected.code).toBe(0);
      expect(await watch(ours.socket)).toEqual(expected);
    },
  );

  // xenstored slows the writes of a guest down while it has transactions.
  it.skipIf(!existsSync(TESTS)).each([
    ["socket", "100"],
    ["guestSocket", "3"],
  ] as const)("pass Xen's own tests on the %s, %s times each", async (name, times) => {
    const run = (site: Site): Promise<Outcome> => runProgram(site[name], TESTS, ["-i", times]);
    const [expected, found] = [await run(theirs), await run(ours)];
    expect(expected.code).toBe(0);
    expect(expected.output.trim().split("\n")).toHaveLength(12);
    expect(withoutTimes(found)).toEqual(withoutTimes(expected));
  });
});
