// The tunnels of a worker: those of its own sessions are served here, wherever they came in; the others are passed on.

import { setTimeout as wait } from 'node:timers/promises';
import type { Limits } from '../../protocol/limits.ts';
import type { SessionUpgrade, TunnelPlaces } from '../tunnels/tunnel-places.ts';
import type { PassedUpgrade } from './passage.ts';
import type { WorkerPlace } from './worker-place.ts';

/** Of no use where the tunnel is served, and a secret: who it is of is known by then. */
const leftOut = new Set(['authorization', 'dpop']);

export class WorkerTunnels implements TunnelPlaces {
  readonly #place: WorkerPlace;
  readonly #limits: Pick<Limits, 'closeTimeoutMs'>;
  readonly #passed = new Set<Promise<void>>();

  constructor(place: WorkerPlace, limits: Pick<Limits, 'closeTimeoutMs'>) {
    this.#place = place;
    this.#limits = limits;
  }

  async passOn({ session, request, socket, head, exporter }: SessionUpgrade): Promise<boolean> {
    const { seat, passages } = this.#place;
    const name = await seat.place(session.principal.sessionId);
    if (name === undefined) return false;
    const { method = '', httpVersion } = request;
    const headers = Object.entries(request.headers).filter(([field]) => !leftOut.has(field));
    const upgrade = {
      session,
      method,
      httpVersion,
      headers: Object.fromEntries(headers),
      isEncrypted: 'encrypted' in socket,
      ...(exporter === undefined ? {} : { exporter: Buffer.from(exporter).toString('base64') }),
    };
    const { ended } = await passages.pass(name, { upgrade, socket, head }, this.#limits);
    this.#passed.add(ended);
    void ended.finally(() => this.#passed.delete(ended));
    return true;
  }

  async drain(deadlineMs: number): Promise<void> {
    const deadline = wait(deadlineMs, undefined, { ref: false });
    await Promise.race([Promise.all(this.#passed), deadline]);
  }

  ended(sessionId: string): void {
    this.#place.seat.ended(sessionId);
  }

  /** Gives what others pass on to the one who serves it. */
  listen(takePassed: (upgrade: SessionUpgrade) => Promise<void>): Promise<AsyncDisposable> {
    const { passages, name } = this.#place;
    return passages.listen(name, ({ upgrade, socket, head }) => {
      // Of TLS that ended at another process of this machine: what is inside is as closed to others.
      if (upgrade.isEncrypted) Object.defineProperty(socket, 'encrypted', { value: true });
      const { session, exporter: text } = upgrade;
      const exporter = text === undefined ? undefined : Buffer.from(text, 'base64');
      void takePassed({ session, request: requestOf(upgrade), socket, head, exporter });
    });
  }
}

function requestOf({ method, httpVersion, headers }: PassedUpgrade): SessionUpgrade['request'] {
  return { method, httpVersion, headers };
}
