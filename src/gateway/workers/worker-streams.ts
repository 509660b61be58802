// The streams of clients without an agent, of a worker: those of its own sessions are served here, wherever their connections came in; the
// others are passed on.

import type { Socket } from 'node:net';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { pipeBoth } from '../forward/pipe-both.ts';
import type { SessionStream, StreamPlaces } from '../tunnels/stream-places.ts';
import type { StreamPort } from '../tunnels/stream-scene.ts';
import type { PassedStreamFacts } from './passage.ts';
import { PassedStream } from './passed-stream.ts';
import type { WorkerPlace } from './worker-place.ts';

export class WorkerStreams implements StreamPlaces {
  readonly #place: Pick<WorkerPlace, 'seat' | 'passages'>;
  readonly #limits: Pick<Limits, 'closeTimeoutMs'>;
  readonly port: number;

  constructor(
    place: Pick<WorkerPlace, 'seat' | 'passages'>,
    { port, limits }: { readonly port: number; readonly limits: Pick<Limits, 'closeTimeoutMs'> },
  ) {
    this.#place = place;
    this.#limits = limits;
    this.port = port;
  }

  onConnection(accept: ((socket: Socket) => void) | undefined): void {
    this.#place.seat.onConnection('proxy', accept);
  }

  async passOn({ principal, digest, port }: SessionStream): Promise<boolean> {
    let stream: PassedStream | undefined;
    try {
      const name = await this.#place.seat.place(principal.sessionId);
      if (name === undefined) return false;
      const facts: PassedStreamFacts = { stream: port.fields, principal, digest };
      stream = new PassedStream(await this.#place.passages.open(name, facts));
      void this.#carry(port, stream);
    } catch (error) {
      stream?.destroy();
      port.refuse(asProxyError(error));
    }
    return true;
  }

  onPassed(serve: (stream: SessionStream) => void): void {
    this.#place.passages.onStream(({ stream: fields, principal, digest }, socket, head) => {
      const port = portOf(new PassedStream(socket, head), fields);
      serve({ principal, digest, port });
    });
  }

  /** Never rejects. */
  async #carry(port: StreamPort, stream: PassedStream): Promise<void> {
    const { duplex } = port;
    const leave = (): void => void stream.destroy();
    duplex.once('close', leave);
    if (duplex.destroyed) leave();
    const timer = setTimeout(
      () =>
        stream.destroy(
          new ProxyError('shutting_down', 'the worker of this session does not respond; try again'),
        ),
      defaultLimits.workerReplyTimeoutMs,
    );
    const said = await stream.opened;
    // One that broke off behind its first word has said nothing to the client yet.
    const refusal = said ?? (stream.destroyed ? brokenOff(stream.errored) : undefined);
    clearTimeout(timer);
    duplex.off('close', leave);
    if (refusal !== undefined) {
      stream.destroy();
      return port.refuse(refusal);
    }
    let hasResponse = port.fields.mode !== 'proxy';
    let isRefused = false;
    if (hasResponse) port.accept();
    // Its requests go on unread, and the first octet that comes back is of a response: until then it can be told what became of it.
    else
      stream.once('data', () => {
        hasResponse = true;
        port.accept();
      });
    stream.once('error', (error) => {
      if (hasResponse) return;
      isRefused = true;
      port.refuse(brokenOff(error));
    });
    // Whoever served it is done with it, both ways: its client has so long to see the end.
    stream.once('close', () => {
      const over = setTimeout(() => duplex.destroy(), this.#limits.closeTimeoutMs);
      duplex.once('close', () => clearTimeout(over));
    });
    const parting = {
      get isUnderWay() {
        return isRefused;
      },
      begin: () => false,
    };
    await pipeBoth(duplex, stream, { parting });
  }
}

function brokenOff(error: Error | null): ProxyError {
  return asProxyError(error ?? new Error('the worker of this session broke off'), 'stream_reset');
}

function portOf(stream: PassedStream, fields: StreamPort['fields']): StreamPort {
  let isAccepted = false;
  return {
    duplex: stream,
    fields,
    allowsMode: () => false,
    accept: () => {
      if (!isAccepted) stream.accept();
      isAccepted = true;
    },
    refuse: (error) => {
      if (isAccepted) stream.destroy(error);
      else stream.refuse(error);
    },
    reset: (error) => void stream.destroy(error),
  };
}
