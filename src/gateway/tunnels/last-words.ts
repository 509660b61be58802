// What a client of an ended protocol is told when the gateway ends its session: behind what it has been sent, and never in the midst of it.

import type { Duplex } from 'node:stream';
import { deadlineWith } from '../../net/link-absence.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { RelayThrough } from '../databases/protocol-end.ts';
import type { Parting } from '../forward/pipe-both.ts';
import type { Scene } from './stream-scene.ts';

export class LastWords implements Parting {
  readonly #client: Duplex;
  readonly #through: RelayThrough;
  readonly #scene: Scene;
  #isUnderWay = false;

  constructor(client: Duplex, through: RelayThrough, scene: Scene) {
    this.#client = client;
    this.#through = through;
    this.#scene = scene;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  begin(error: ProxyError): boolean {
    if (this.#isUnderWay) return true;
    const client = this.#client;
    const { throughClient, throughServer } = this.#through;
    // What waits for the client stands before, and one that takes nothing is told nothing.
    if (
      client.destroyed ||
      client.writableEnded ||
      client.writableNeedDrain ||
      throughServer.readableLength > 0
    )
      return false;
    const words = this.#through.farewell?.(error);
    if (words === undefined) return false;
    this.#isUnderWay = true;
    throughServer.unpipe(client);
    throughClient.unpipe();
    client.unpipe().resume();
    client.end(words);
    this.#cutLater(error);
    return true;
  }

  #cutLater(error: ProxyError): void {
    const { port, parts } = this.#scene;
    const cut = (): void => {
      this.#client.destroy();
      port.reset(error);
    };
    const deadline = deadlineWith(port.absence, parts.limits.databasePartingMs, cut);
    // TLS does not always close when the stream below it does.
    for (const one of new Set([this.#client, port.duplex]))
      one.once('close', () => {
        deadline.clear();
        cut();
      });
  }
}
