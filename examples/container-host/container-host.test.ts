/** The rules of a container host under test: who reaches whom, and by which address. */
import { beforeEach, describe, expect, it } from "vitest";
import { RouterWorld } from "dom0";
import { Station } from "../station.ts";
import { CONTAINER_HOST, HOST_MAC } from "./world.ts";

const HOST = "192.0.2.10";
const CLIENT = "203.0.113.5";
const WEB = "172.17.0.2";
const API = "172.18.0.2";

let world: RouterWorld;
let client: Station;
let banned: Station;
let web: Station;
let sibling: Station;
let api: Station;

beforeEach(() => {
  world = new RouterWorld(CONTAINER_HOST);
  const on = (link: string, mac: string, address: string): Station =>
    new Station(world, { link, router: HOST_MAC, mac, address });
  client = on("eth0", "02:00:00:00:00:99", CLIENT);
  banned = on("eth0", "02:00:00:00:00:99", "198.51.100.7");
  web = on("docker0", "02:42:ac:11:00:02", WEB);
  sibling = on("docker0", "02:42:ac:11:00:03", "172.17.0.3");
  api = on("br-7f3c2a1b9d4e", "02:42:ac:12:00:02", API);
});

describe("a published port", () => {
  it("reaches the container, and answers leave with the host's address", () => {
    client.tcp(HOST, 8080);
    expect(web.hears()).toEqual([`${CLIENT}:40000 > ${WEB}:80 S`]);
    web.tcp(CLIENT, 40_000, { srcPort: 80, flags: "S.", seq: 9, ack: 1 });
    expect(client.hears()).toEqual([`${HOST}:8080 > ${CLIENT}:40000 S.`]);
  });

  it("is a connection that the host remembers both sides of", () => {
    client.tcp(HOST, 8080);
    expect(world.connections()).toContain(
      `src=${CLIENT} dst=${HOST} sport=40000 dport=8080 [UNREPLIED] ` +
        `src=${WEB} dst=${CLIENT} sport=80 dport=40000`,
    );
  });

  it("is no way to a port that is not published", () => {
    expect(client.tcp(WEB, 22)).toBe("filter/policy");
    expect(client.tcp(WEB, 80)).toBe("world/sent");
    expect(web.hears()).toEqual([`${CLIENT}:40000 > ${WEB}:80 S`]);
  });

  it("is closed to whom the administrator names in DOCKER-USER", () => {
    expect(banned.tcp(HOST, 8080)).toBe("filter/dropped");
    expect(web.hears()).toEqual([]);
  });
});

describe("a container", () => {
  it("reaches the world by the host's address, and hears the answers", () => {
    web.tcp(CLIENT, 443, { srcPort: 50_000 });
    expect(client.hears()).toEqual([`${HOST}:50000 > ${CLIENT}:443 S`]);
    client.tcp(HOST, 50_000, { srcPort: 443, flags: "S.", ack: 1 });
    expect(web.hears()).toEqual([`${CLIENT}:443 > ${WEB}:50000 S.`]);
  });

  it("shares the host's address with others that use the same port", () => {
    web.tcp(CLIENT, 443, { srcPort: 50_000 });
    sibling.tcp(CLIENT, 443, { srcPort: 50_000 });
    const [first, second = ""] = client.hears();
    expect(first).toBe(`${HOST}:50000 > ${CLIENT}:443 S`);
    expect(second).toMatch(/^192\.0\.2\.10:\d+ > 203\.0\.113\.5:443 S$/);
    expect(second).not.toBe(first);
  });

  it("reaches its own published port, and sees the bridge's address as the caller", () => {
    web.tcp(HOST, 8080);
    expect(web.hears()).toContain(`172.17.0.1:40000 > ${WEB}:80 S`);
  });

  it("reaches a neighbor's published port of its own network", () => {
    sibling.tcp(HOST, 8080);
    expect(web.hears()).toContain(`172.17.0.3:40000 > ${WEB}:80 S`);
  });

  it("does not reach another network, not even by a published port", () => {
    expect(web.tcp(API, 9000)).toBe("filter/dropped");
    expect(web.tcp(HOST, 9000)).toBe("filter/dropped");
    expect(api.hears()).toEqual([]);
    expect(client.tcp(HOST, 9000)).toBe("world/sent");
    expect(api.hears()).toEqual([`${CLIENT}:40000 > ${API}:9000 S`]);
  });

  it("reaches the host itself", () => {
    web.ping("172.17.0.1");
    expect(web.hears()).toEqual([`172.17.0.1 > ${WEB} ICMP echo reply id`]);
  });
});
