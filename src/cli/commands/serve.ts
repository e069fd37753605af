/** `dom0 serve`: a zone in real time, on sockets, until it is interrupted. @module */
import { FileDisks } from "../../backend/file-disks.ts";
import { RealTime } from "../../backend/real-time.ts";
import { type Instant, SECOND } from "../../base/time.ts";
import { CaptureFile } from "../capture-file.ts";
import { DEMO_NAME, DEMO_SCENARIO } from "../demo-scenario.ts";
import { ExitCode } from "../failure.ts";
import { readText } from "../input.ts";
import type { Output } from "../output.ts";
import type { ServeOptions } from "../run-options.ts";
import type { RunEvent } from "../scenario/events.ts";
import type { Plan } from "../scenario/plan.ts";
import { Player } from "../scenario/play.ts";
import { readScenario } from "../scenario/read.ts";
import { Ending } from "../serve/ending.ts";
import { type Addresses, Sockets } from "../serve/sockets.ts";
import { StateFolder } from "../serve/state-folder.ts";
import { Story } from "../story.ts";
import type { Surface } from "../surface.ts";
import { openLossyLog } from "./play-scenario.ts";

/** How often a capture is written, in milliseconds. */
const FLUSH_MS = 200;

/**
 * Serve the hosts of the scenario `file`, or the demo's.
 * @throws {InputError} if the file, the folder or a socket cannot be used, or a step is not
 * possible.
 */
export async function serveCommand(
  file: string | null,
  options: ServeOptions,
  { out, err, interrupts }: Surface,
): Promise<ExitCode> {
  const plan = file === null ? demoHost() : readScenario(file, await readText(file));
  const signal = interrupts.listen({ isEnd: true });
  const folder = await StateFolder.open(options.state ?? null);
  const disks = options.state === undefined ? null : new FileDisks(folder.pathOf("disks"));
  try {
    const { pcapng } = options;
    const capture = pcapng === undefined ? null : await CaptureFile.open(pcapng);
    try {
      const told = pcapng === "-" ? err : out;
      return await serve({ plan, options, folder, disks, capture, told, err, signal });
    } finally {
      await capture?.close();
    }
  } finally {
    disks?.closeAll();
    await folder.close();
  }
}

/** The hosts of the demo; what happens to them there is not repeated on a user's own machines. */
function demoHost(): Plan {
  return { ...readScenario(DEMO_NAME, DEMO_SCENARIO), steps: [] };
}

interface Service {
  readonly plan: Plan;
  readonly options: ServeOptions;
  readonly folder: StateFolder;
  /** `null` for disks in memory. */
  readonly disks: FileDisks | null;
  readonly capture: CaptureFile | null;
  readonly told: Output;
  readonly err: Output;
  readonly signal: AbortSignal;
}

/** True if domains may have come or gone, or have other vifs. */
const changesDomains = (event: RunEvent): boolean =>
  event.event === "settled" ||
  (event.event === "life" && (event.what === "ended" || event.what === "started"));

async function serve(service: Service): Promise<ExitCode> {
  const { plan, options, folder, disks, capture, told, err, signal } = service;
  const { json = false, seed = null } = options;
  const log = openLossyLog(options.logLevel, err);
  const ending = new Ending(signal);
  const tell = newTeller(told, json);
  const player = new Player({
    plan,
    seed,
    until: null,
    capture,
    traceLimit: 0,
    log,
    epoch: Date.now() * 1000,
    ...(disks === null ? {} : { disks }),
    // How a server ends is no interruption of its run.
    signal: new AbortController().signal,
    onEvent: (event) => {
      tell(event);
      if (changesDomains(event)) sockets.update();
    },
  });
  const realTime = new RealTime({
    scheduler: player.zone.scheduler,
    onError: ending.fail,
    onStandstill: (gap) => log.warn({ seconds: gap / SECOND }, "time stood still with the process"),
  });
  const { world } = player;
  const onPlug = (vif: string, address: string): void => {
    told.line(json ? JSON.stringify({ event: "plug", vif, address }) : `${vif} ${address}`);
  };
  const sockets = new Sockets({
    plan,
    world,
    hasGuestStores: options.guestXenstore ?? false,
    realTime,
    folder,
    log,
    onPlug,
    onError: ending.fail,
  });
  const flush = (): void => {
    player.zone.capture.flush();
    void capture?.flush().catch(ending.fail);
  };
  const flushing = setInterval(flush, FLUSH_MS);
  try {
    player.start();
    await sockets.open();
    tellReady(sockets, json, told);
    endAt(options.until ?? plan.until, player, ending.now);
    realTime.start();
    await ending.wait();
    // The end is now, not when something happened last.
    realTime.enter(() => {});
  } finally {
    clearInterval(flushing);
    realTime.stop();
    await sockets.close();
    player.zone.close();
  }
  const { turns, worst, mean } = realTime.lateness;
  log.info({ turns, worst, mean }, "how late events ran, in microseconds");
  return player.end().failed > 0 ? ExitCode.Failed : ExitCode.Done;
}

/** Tells what happens: as long as somebody reads, else how much it was. */
function newTeller(told: Output, json: boolean): (event: RunEvent) => void {
  const story = new Story(told, { isRepeatable: false });
  let untold = 0;
  return (event) => {
    if (event.event === "start" || (event.event === "domain" && event.step === null)) return;
    if (told.isFull && event.event !== "end") {
      untold += 1;
      return;
    }
    if (untold > 0) {
      const count = JSON.stringify({ event: "untold", count: untold });
      told.line(json ? count : `${untold} events were not told, for nobody read.`);
    }
    untold = 0;
    if (json) told.line(JSON.stringify(event));
    else story.tell(event);
  };
}

/** A run that ends at an instant ends then; others go on until they are interrupted. */
function endAt(until: Instant | null, { zone }: Player, onEnd: () => void): void {
  if (until !== null) zone.at(until, onEnd);
}

/** One line that names every socket: an object for programs. What is not served is left out. */
function tellReady({ stores, guestStores, vifs }: Sockets, json: boolean, told: Output): void {
  const hasSeveral = stores.size > 1;
  if (json) {
    const [xenstore] = stores.values();
    const ready = {
      ready: true,
      xenstore,
      xenstores: hasSeveral ? keysOf(stores) : undefined,
      vifs: keysOf(vifs),
      guestXenstores: keysOf(guestStores),
    };
    told.line(JSON.stringify(ready));
    return;
  }
  const before = (host: string): string => (hasSeveral ? `${host}/` : "");
  const named = [
    ...[...stores].map(([host, address]) => `${before(host)}xenstore ${address}`),
    ...[...guestStores].map(([domain, address]) => `xenstore of ${domain} ${address}`),
    ...[...vifs].map(([vif, address]) => `${vif} ${address}`),
  ];
  told.line(`ready: ${named.join(", ")}`);
}

/** As the keys of an object, which JSON leaves out if there are none. */
function keysOf(addresses: Addresses): Readonly<Record<string, string>> | undefined {
  return addresses.size === 0 ? undefined : Object.fromEntries(addresses);
}
