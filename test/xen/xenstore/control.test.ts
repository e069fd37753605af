/** CONTROL as xenstored 4.17.7 answered it, and DEBUG as 3.1's source has it. @module */
import { describe, expect, it } from "vitest";
import { XENSTORE_3_1, XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { octetsOf } from "../../../src/xen/xenstore/octets.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { sessionOf } from "./wire.ts";

function told(session: StoreSession, ...words: string[]): string {
  const answer = session.control(words);
  return typeof answer === "string" ? answer : answer.text;
}

const SOFT = "Total Xenstore memory per domain (warning level)";

/** In the order of the recording: some change what the later ones say. */
const RECORDED: readonly (readonly [words: string, answer: string])[] = [
  ["memreport", "EINVAL"],
  ["log", "EINVAL"],
  ["log on", "OK"],
  ["log off", "OK"],
  ["log x", "EINVAL"],
  ["log on y", "EINVAL"],
  ["logfile", "EINVAL"],
  ["logfile /tmp/xs-lf", "OK"],
  ["memreport", "OK"],
  ["memreport /tmp/xs-mr", "OK"],
  ["memreport a b", "EINVAL"],
  ["check x", "EINVAL"],
  ["print", "EINVAL"],
  ["print a b", "EINVAL"],
  ["help x", "EINVAL"],
  ["quota 5", "ENOENT"],
  ["quota 5 6", "EINVAL"],
  ["quota set", "EINVAL"],
  ["quota set nodes", "EINVAL"],
  ["quota set nodes 0", "EINVAL"],
  ["quota set nodes x", "EINVAL"],
  ["quota set nope 5", "EINVAL"],
  ["quota set nodes 500", "OK"],
  ["quota set nodes 1 2", "EINVAL"],
  ["quota-soft", `Quota settings:\nmemory           :  2097152 ${SOFT}\n`],
  ["quota-soft set memory 5", "OK"],
  ["quota-soft", `Quota settings:\nmemory           :        5 ${SOFT}\n`],
  ["quota-soft set nodes 5", "EINVAL"],
  ["quota-soft x", "EINVAL"],
  ["live-update", "EINVAL"],
  ["live-update -a", "No live-update session active."],
  ["live-update -a x", "EINVAL"],
  ["live-update -c", "EINVAL"],
  ["live-update -c x", "Not in live-update session."],
  ["live-update -s", "Not in live-update session."],
  ["live-update -s -F", "Not in live-update session."],
  ["live-update -s -t", "EINVAL"],
  ["live-update -s -t 5", "Not in live-update session."],
  ["live-update -s x", "EINVAL"],
  ["live-update -f", "EINVAL"],
  ["live-update -f /nope", "File not accessible."],
  ["live-update -x", "EINVAL"],
  ["", "EINVAL"],
];

/** As the console prints what domain `domid` has. */
function account(domid: number, ...values: number[]): string {
  const names = ["nodes", "watches", "transactions", "outstanding", "memory"];
  const lines = names.map((name, i) => `${name.padEnd(16)}: ${String(values[i]).padStart(8)}\n`);
  return `Domain ${domid}:\n${lines.join("")}`;
}

describe("CONTROL of Xen 4.17", () => {
  it("answers as recorded", () => {
    const session = sessionOf(new XenStore({ behaviour: XENSTORE_4_17 }));
    const answers = RECORDED.map(([words]) => [words, told(session, ...words.split(" "))]);
    expect(answers).toEqual(RECORDED);
    expect(told(session, "quota")).toContain("nodes            :      500 Nodes per domain\n");
  });

  it("accounts nodes, watches, transactions and memory as recorded", () => {
    const store = new XenStore({ behaviour: XENSTORE_4_17 });
    const dom0 = sessionOf(store);
    expect(told(dom0, "quota", "0")).toBe(account(0, 3, 0, 0, 0, 132));
    expect(told(dom0, "quota", "x")).toBe(account(0, 3, 0, 0, 0, 132));
    dom0.mkdir("/local/domain/5");
    dom0.setPermissions("/local/domain/5", ["n5"]);
    dom0.introduce(5, 1, 1);
    const guest = store.sessionOf(5);
    if (guest === null) throw new Error("not introduced");
    const seen: string[] = [];
    guest.write("a", octetsOf("v"));
    guest.watch("a", "t");
    guest.start();
    seen.push(told(dom0, "quota", "5"), told(dom0, "quota", "0"));
    guest.read("a", 1);
    seen.push(told(dom0, "quota", "5"));
    guest.write("a", octetsOf("vv"), 1);
    guest.write("b/c", octetsOf("vv"), 1);
    seen.push(told(dom0, "quota", "5"));
    guest.end(1, true);
    seen.push(told(dom0, "quota", "5"));
    expect(seen).toEqual([
      account(5, 2, 1, 1, 0, 117),
      account(0, 5, 0, 0, 0, 230),
      account(5, 2, 1, 1, 0, 170),
      account(5, 2, 1, 1, 0, 335),
      account(5, 4, 1, 0, 0, 224),
    ]);
  });

  it("moves the bounds of guests", () => {
    const store = new XenStore({ behaviour: XENSTORE_4_17 });
    const dom0 = sessionOf(store);
    dom0.introduce(5, 1, 1);
    told(dom0, "quota", "set", "watches", "1");
    const guest = store.sessionOf(5);
    const answers = ["a", "b", "c"].map((token) => guest?.watch("x", token));
    expect(answers).toEqual([null, null, "E2BIG"]);
  });
});

describe("DEBUG of Xen 3.1", () => {
  it("says OK to all but a print of nothing", () => {
    const session = sessionOf(new XenStore({ behaviour: XENSTORE_3_1 }));
    const answers = ["print", "print x", "check", "anything"].map((words) =>
      told(session, ...words.split(" ")),
    );
    expect(answers).toEqual(["EINVAL", "OK", "OK", "OK"]);
  });
});
