/** Steps in which a domain reboots, crashes, is held, saved or restored. @module */
import { type Duration, type Instant, SECOND } from "../../base/time.ts";
import type { Domain } from "../../zone/domain.ts";
import type { DomainEvent } from "../../zone/domain-event.ts";
import type { EventOf } from "./events.ts";
import type { LifeAction } from "./plan.ts";
import type { Running, World } from "./world.ts";

/** xl builds a domain again two seconds after its end. */
const RESTART_TIME: Duration = 3 * SECOND;

/** Do what a step says. @throws {EmulatorError} if that is not possible now. */
export function act({ kind, host: target }: LifeAction, world: World, running: Running): void {
  const { host, domain } = running;
  switch (kind) {
    case "restore":
      world.restore(domain.name, target ?? host.name);
      break;
    case "reboot":
      host.shutdown(domain, "reboot");
      break;
    case "crash":
      host.crash(domain);
      break;
    default:
      host[kind](domain);
  }
}

/** Call `onDone` once the domain runs again, if that is still to come. */
export function awaitLife(world: World, domain: Domain, onDone: (now: Instant) => void): void {
  const { zone } = world;
  if (domain.state === "restarting") zone.at(zone.now + RESTART_TIME, onDone);
  else onDone(zone.now);
}

/** What is told of a domain. @param step that it belongs to; `null` for none. */
export function lifeEvent(event: DomainEvent, step: number | null): EventOf<"life"> {
  const { kind, domain, now } = event;
  const { name, state, domid, backend } = domain;
  const path = event.kind === "dumped" ? event.path : null;
  return { event: "life", at: now, step, name, what: kind, state, domid, vif: backend.name, path };
}

/** An event in words; `null` for one that a step's own words tell. */
export function lifeWords({ name, what, vif, domid, path, step }: EventOf<"life">): string | null {
  switch (what) {
    case "started":
      return `${name} runs as domain ${domid}, behind ${vif}`;
    case "ended":
      return `nothing of ${name} is left`;
    case "dumped":
      return `the core of ${name} goes to ${path}`;
    case "halted":
      return step === null ? `${name} stops` : null;
    case "paused":
      return step === null ? `${name} is held` : null;
    case "unpaused":
      return step === null ? `${name} goes on` : null;
  }
}
