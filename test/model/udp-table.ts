/** Which UDP socket gets a datagram: a list, and the rule as the manual page says it. @module */

/** A socket of the model; address 0 is every address. */
export interface ModelSocket {
  readonly port: number;
  readonly address: number;
  readonly name: number;
}

/** A host's open sockets. */
export class UdpTableModel {
  readonly sockets: ModelSocket[] = [];
  #names = 0;

  /** @returns the socket's name; `null` if the port is taken. */
  bind(port: number, address: number): number | null {
    const isTaken = this.sockets.some(
      (one) => one.port === port && (one.address === 0 || address === 0 || one.address === address),
    );
    if (isTaken) return null;
    this.sockets.push({ port, address, name: this.#names });
    this.#names += 1;
    return this.#names - 1;
  }

  /** Close the `index`th open socket, counted round. */
  close(index: number): void {
    if (this.sockets.length > 0) this.sockets.splice(index % this.sockets.length, 1);
  }

  /** @returns the names of the sockets that get a datagram, in order. */
  receive(port: number, address: number, isToAll: boolean): number[] {
    const open = this.sockets.filter(
      (one) => one.port === port && (one.address === 0 || one.address === address),
    );
    return isToAll ? open.map(({ name }) => name) : open.slice(0, 1).map(({ name }) => name);
  }
}
