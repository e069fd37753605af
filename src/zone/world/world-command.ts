/**
 * Changes of a router at work, in the words of Linux's tools: `iptables`, `conntrack -F` and `-D`,
 * `ip route`, `ip addr` and `ip neigh`, to add and to delete, `ip link set`, `sysctl -w`.
 * @module
 */
import { ParseError } from "../../base/errors.ts";
import type { Instant } from "../../base/time.ts";
import { type Ipv4Addr, parseIpv4, parseMac } from "../../wire/addr.ts";
import type { Device } from "../../wire/device.ts";
import { parseProtocol } from "../../filter/protocol-names.ts";
import { type Interface, type InterfaceAddress, networkOf } from "../../l3/interface.ts";
import { parseAddressWords, parseRouteChoice, parseRouteWords } from "../../l3/ip-words.ts";
import type { Router } from "../../l3/router.ts";
import { type Route, RouteKind } from "../../l3/route-table.ts";
import type { Firewall } from "../../xen/firewall.ts";
import { routeOf } from "./gateway.ts";
import type { Sysctls } from "./sysctl.ts";

/** What a command changes. */
export interface CommandPlace {
  readonly router: Router;
  readonly firewall: Firewall;
  /** The router's devices by their names. */
  readonly devices: ReadonlyMap<string, Device>;
  readonly sysctls: Sysctls;
}

/**
 * Do what a command line says.
 * @throws {ParseError} with the word that is wrong, or as the kernel refuses the change.
 */
export function runCommand(place: CommandPlace, text: string, now: Instant): void {
  const [program = "", ...words] = text.trim().split(/\s+/);
  if (program === "iptables") place.firewall.iptables(text.trim().slice(program.length));
  else if (program === "conntrack") changeConnections(place.firewall, words, now);
  else if (program === "ip") changeStack(place, words, now);
  else if (program === "sysctl") changeSettings(place, words);
  else refuse(program, `expected iptables, conntrack, ip or sysctl, got "${program}"`);
}

/** `sysctl -w NAME=VALUE ...`; settings that are read at the start alone are refused. */
function changeSettings(
  { router, devices, sysctls }: CommandPlace,
  [option = "", ...words]: readonly string[],
): void {
  if (option !== "-w") refuse(option, "expected sysctl -w");
  for (const word of words) {
    const [name = "", value = ""] = word.split("=");
    sysctls.change(name, value);
  }
  router.settings = sysctls.stack;
  for (const [name, device] of devices) {
    router.addressing.interfaces.get(device)?.configure(sysctls.settingsOf(name));
  }
}

function changeStack(
  place: CommandPlace,
  [object = "", verb = "", ...words]: readonly string[],
  now: Instant,
): void {
  const change = CHANGES.get(`${object} ${verb}`);
  if (change === undefined) refuse(verb, `ip ${object} ${verb} is not known here`);
  change(place, words, now);
}

type Change = (place: CommandPlace, words: readonly string[], now: Instant) => void;
const CHANGES: ReadonlyMap<string, Change> = new Map<string, Change>([
  ["route add", (place, words) => addRoute(place, words.join(" "))],
  ["route del", (place, words) => deleteRoute(place, words.join(" "))],
  ["addr add", addAddress],
  ["addr del", deleteAddress],
  ["link set", setLink],
  ["neigh replace", replaceNeighbor],
  ["neigh del", deleteNeighbor],
]);

/** `ip route add`. */
export function addRoute({ router, devices }: CommandPlace, text: string): void {
  const words = parseRouteWords(text);
  const dev = words.dev === null ? null : deviceOf(devices, words.dev);
  const route = routeOf(words, dev, router.addressing);
  const via = route.device === null ? undefined : router.addressing.interfaces.get(route.device);
  if (via?.isUp === false) refuse(text, "the device of the next hop is not up");
  if (!router.addressing.fib.add(route)) {
    refuse(text, "there is a route of this prefix and metric already");
  }
}

/** `ip route del`: the first route that has all that the words say. */
function deleteRoute({ router, devices }: CommandPlace, text: string): void {
  const asked = parseRouteChoice(text);
  const device = asked.dev === null ? null : deviceOf(devices, asked.dev);
  const isAsked = (route: Route): boolean =>
    route.prefix.address === asked.prefix.address &&
    route.prefix.length === asked.prefix.length &&
    (route.kind === asked.kind || asked.kind === RouteKind.Unicast) &&
    (device === null || route.device === device) &&
    (asked.gateway === null || route.gateway === asked.gateway) &&
    (asked.source === null || route.source === asked.source) &&
    (asked.metric === 0 || route.metric === asked.metric) &&
    (asked.mtu === null || route.mtu === asked.mtu);
  const { fib } = router.addressing;
  const found = [...fib.main].find(isAsked);
  if (found === undefined) refuse(text, "there is no such route");
  fib.remove((route) => route === found);
}

/** "10.1.0.1/24 brd + dev e0": the interface, and the rest. */
function addressWords(
  { router, devices }: CommandPlace,
  words: readonly string[],
): { readonly via: Interface; readonly text: string } {
  const at = words.indexOf("dev");
  const device = deviceOf(devices, words[at + 1] ?? "");
  const via = router.addressing.interfaces.get(device);
  if (at < 0 || via === undefined) return refuse("dev", "an address needs a device (dev)");
  return { via, text: words.toSpliced(at, 2).join(" ") };
}

/** `ip addr add`. @throws {ParseError} if the interface has the address. */
export function holdAddress({ addressing }: Router, via: Interface, text: string): void {
  const { address, length, broadcast } = parseAddressWords(text);
  const isThere = via.addresses.some((own) => own.address === address && own.length === length);
  if (isThere) refuse(text, "the interface has this address already");
  addressing.addAddress(via, address, length, broadcast);
}

function addAddress(place: CommandPlace, words: readonly string[]): void {
  const { via, text } = addressWords(place, words);
  holdAddress(place.router, via, text);
}

/**
 * `ip addr del`: the secondary addresses of a primary one go with it, routes whose source it was,
 * and with the last address all routes and neighbors (`__inet_del_ifa`, `fib_del_ifaddr`).
 */
function deleteAddress(place: CommandPlace, words: readonly string[], now: Instant): void {
  const { via, text } = addressWords(place, words);
  const own = parseAddressWords(text);
  const found = via.addresses.find(
    ({ address, length }) => address === own.address && length === own.length,
  );
  if (found === undefined) refuse(words.join(" "), "the interface has no such address");
  const { address } = networkOf(found);
  const kin = via.isSecondary(found)
    ? [found]
    : via.addresses.filter(
        (one) => one.length === found.length && networkOf(one).address === address,
      );
  for (const one of kin.toReversed()) loseAddress(place, via, one);
  if (via.addresses.length > 0) return;
  place.router.addressing.fib.remove(({ device }) => device === via.device);
  place.router.neighbors.removeDevice(via.device, now);
}

function loseAddress(
  { router: { addressing }, firewall }: CommandPlace,
  via: Interface,
  own: InterfaceAddress,
): void {
  addressing.removeAddress(via, own);
  firewall.loseAddress(via.device, own.address);
  if (addressing.isLocal(own.address)) return;
  addressing.fib.remove(
    ({ kind, source }) =>
      source === own.address && kind !== RouteKind.Local && kind !== RouteKind.Broadcast,
  );
}

/** "e0 down": the device loses its neighbors, too, and what it masqueraded. */
function setLink(
  { router, firewall, devices }: CommandPlace,
  [name = "", state = "", ...others]: readonly string[],
  now: Instant,
): void {
  const device = deviceOf(devices, name);
  const via = router.addressing.interfaces.get(device);
  const isKnown = (state === "up" || state === "down") && others.length === 0;
  if (via === undefined || !isKnown) return refuse(state, "expected DEVICE up or DEVICE down");
  if (via.isUp === (state === "up")) return;
  router.addressing.setUp(via, state === "up");
  if (via.isUp) return;
  router.neighbors.removeDevice(device, now);
  router.arp.removeDevice(device, now);
  firewall.loseAddress(device, null);
}

/** "10.1.0.2 lladdr 02:00:00:00:00:09 dev e0 nud permanent". */
function replaceNeighbor(
  { router, devices }: CommandPlace,
  words: readonly string[],
  now: Instant,
) {
  const [address = "", lladdr, mac = "", dev, name = "", nud, state] = words;
  if (lladdr !== "lladdr" || dev !== "dev" || nud !== "nud" || state !== "permanent") {
    refuse(words.join(" "), "expected ADDRESS lladdr MAC dev DEVICE nud permanent");
  }
  router.neighbors.addPermanent(deviceOf(devices, name), parseIpv4(address), parseMac(mac), now);
}

/** "10.1.0.2 dev e0". */
function deleteNeighbor({ router, devices }: CommandPlace, words: readonly string[], now: Instant) {
  const [address = "", dev, name = ""] = words;
  if (dev !== "dev") refuse(words.join(" "), "expected ADDRESS dev DEVICE");
  if (!router.neighbors.delete(deviceOf(devices, name), parseIpv4(address), now)) {
    refuse(address, "is no neighbor");
  }
}

/** `conntrack -F`; `conntrack -D` of those with a protocol (`-p`), source (`-s`), target (`-d`). */
function changeConnections({ conntrack }: Firewall, words: readonly string[], now: Instant): void {
  const [verb = "", ...options] = words;
  const isFlush = verb === "-F" && options.length === 0;
  if (isFlush) conntrack?.flush();
  else if (verb !== "-D") refuse(verb, "expected conntrack -F or conntrack -D");
  if (isFlush) return;
  let protocol: number | null = null;
  let src: Ipv4Addr | null = null;
  let dst: Ipv4Addr | null = null;
  for (let at = 0; at < options.length; at += 2) {
    const [option = "", value = ""] = options.slice(at);
    if (option === "-p") protocol = parseProtocol(value);
    else if (option === "-s") src = parseIpv4(value);
    else if (option === "-d") dst = parseIpv4(value);
    else refuse(option, `expected -p, -s or -d, got "${option}"`);
  }
  for (const { handle, original } of conntrack?.entries(now) ?? []) {
    const isMeant =
      (protocol === null || original.protocol === protocol) &&
      (src === null || original.src === src) &&
      (dst === null || original.dst === dst);
    if (isMeant) conntrack?.delete(handle);
  }
}

function deviceOf(devices: ReadonlyMap<string, Device>, name: string): Device {
  return devices.get(name) ?? refuse(name, `there is no interface "${name}"`);
}

function refuse(word: string, message: string): never {
  throw new ParseError("world-command", word, message);
}
