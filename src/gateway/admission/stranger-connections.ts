// Connections of the public port that have not shown a living session yet: bounded in all and by source, so that strangers take neither
// the port nor the descriptors from those who belong here.

import { sourceKey } from './source-key.ts';

export interface StrangerBounds {
  readonly strangersMax: number;
  readonly strangersPerSourceMax: number;
}

export type StrangerLimit = 'strangersMax' | 'strangersPerSourceMax';

/** What names a connection. */
type Connection = string;

/** Who counts strangers: the process itself, or one for several. */
export interface StrangerCount {
  /** Counts a new connection, or names the limit by which it is not taken. */
  admit(connection: Connection, address: string | undefined): StrangerLimit | undefined;
  /** The connection is from elsewhere, as a proxy says. */
  readmit(
    connection: Connection,
    address: string,
  ): StrangerLimit | undefined | Promise<StrangerLimit | undefined>;
  /** It showed a session, and counts no longer. */
  release(connection: Connection): void;
  /** It is gone. */
  forget(connection: Connection): void;
}

export class StrangerConnections implements StrangerCount {
  readonly #bounds: StrangerBounds;
  readonly #sources = new Map<Connection, string>();
  readonly #counts = new Map<string, number>();

  constructor(bounds: StrangerBounds) {
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#sources.size;
  }

  /** Counts a new connection, or names the limit by which it is not taken. */
  admit(connection: Connection, address: string | undefined): StrangerLimit | undefined {
    const source = sourceKey(address);
    const count = this.#counts.get(source) ?? 0;
    if (this.#sources.size >= this.#bounds.strangersMax) return 'strangersMax';
    if (count >= this.#bounds.strangersPerSourceMax) return 'strangersPerSourceMax';
    this.#sources.set(connection, source);
    this.#counts.set(source, count + 1);
    return undefined;
  }

  readmit(connection: Connection, address: string): StrangerLimit | undefined {
    this.release(connection);
    return this.admit(connection, address);
  }

  forget(connection: Connection): void {
    this.release(connection);
  }

  /** Harmless for one that is not counted. */
  release(connection: Connection): void {
    const source = this.#sources.get(connection);
    if (source === undefined) return;
    this.#sources.delete(connection);
    const count = this.#counts.get(source) ?? 0;
    if (count > 1) this.#counts.set(source, count - 1);
    else this.#counts.delete(source);
  }
}
