/**
 * The UDP echo service: RFC 862, as inetd runs it.
 * @module
 */
import type { UdpArrival, UdpLayer, UdpSocket } from "../l4/udp-layer.ts";
import type { Instant } from "../base/time.ts";

/** The port of RFC 862. */
export const ECHO_PORT = 7;
/** Below it are services, and two that answer each other would never stop. */
const FIRST_CLIENT_PORT = 1024;

/** Answer at `port` of all addresses. @returns the socket, whose closing ends the service. */
export function serveUdpEcho(udp: UdpLayer, port: number = ECHO_PORT): UdpSocket {
  return udp.bind(port, echo);
}

function echo(arrival: UdpArrival, socket: UdpSocket, now: Instant): void {
  const { bytes, start, end, src, srcPort } = arrival;
  if (srcPort < FIRST_CLIENT_PORT) return;
  socket.send(bytes.subarray(start, end), src, srcPort, now);
}
