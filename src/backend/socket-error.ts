/** What is wrong with a socket that the user named. @module */
import { EmulatorError } from "../base/errors.ts";

/** A socket cannot be opened, or its place is taken; the message begins with its path. */
export class SocketError extends EmulatorError {
  /** True if another program listens there. */
  readonly isTaken: boolean;

  constructor(path: string, what: string, isTaken = false) {
    super("socket", path, `${path}: ${what}`);
    this.isTaken = isTaken;
  }
}

/** Another program listens on `path`. */
export const taken = (path: string): SocketError =>
  new SocketError(path, "another program listens there", true);
