// Tunnels of a session that another worker has: the worker at which one came in ends its TLS, and passes the octets on to the one that
// has the session, by a socket of the machine that only the gateway's own processes can open.

import { Buffer } from 'node:buffer';
import { closeSync, constants, openSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { endBehind } from '../forward/end-half-open.ts';
import { pipeBoth } from '../forward/pipe-both.ts';
import { encodePassedStart, readPassedStart } from '../tunnels/passed-start.ts';
import type { AuthenticatedSession } from '../sessions/session-service.ts';
import type { Principal } from '../../policy/decision.ts';
import type { OpenFields } from '../../protocol/frame.ts';

/** An upgrade whose session is known, as it goes from worker to worker. */
export interface PassedUpgrade {
  readonly session: AuthenticatedSession;
  readonly method: string;
  readonly httpVersion: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether the link's own TLS ends at the worker that passes it on. */
  readonly isEncrypted: boolean;
  /** In base64: what that TLS gives to its two ends alone. Both processes are the gateway's end of it. */
  readonly exporter?: string;
}

/** With the connection that it came on, and what was read behind it. */
export interface Passing<Connection extends Duplex = Duplex> {
  readonly upgrade: PassedUpgrade;
  readonly socket: Connection;
  readonly head: Buffer;
}

/** A stream of a client without an agent, as it goes from worker to worker. */
export interface PassedStreamFacts {
  readonly stream: OpenFields;
  readonly principal: Principal;
  /** Of the token that was shown for it. */
  readonly digest: string;
}

type PassageListener = (passing: Passing<Socket>) => void;
type StreamListener = (facts: PassedStreamFacts, socket: Socket, head: Buffer) => void;

/** The sockets of all workers, by their names in one folder. */
export class Passages implements Disposable {
  readonly #folder: number;
  readonly #secret: Buffer;
  #onStream: StreamListener | undefined;

  /** The folder is for its owner alone; every worker knows the secret. */
  constructor(folder: string, secret: Uint8Array) {
    const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
    this.#folder = openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    this.#secret = Buffer.from(secret);
  }

  /** Takes what other workers pass on, under this name. */
  async listen(name: string, onUpgrade: PassageListener): Promise<AsyncDisposable> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      void this.#take(socket, onUpgrade);
    });
    await listening(server, this.#path(name));
    return {
      [Symbol.asyncDispose]: async () => {
        await new Promise<void>((resolve) => {
          server.close(() => resolve());
        });
      },
    };
  }

  /** Takes streams that other workers pass on, under the name that is listened on; until then they are cut off. */
  onStream(listener: StreamListener | undefined): void {
    this.#onStream = listener;
  }

  /** A way to the worker of that name, for one stream. Throws `shutting_down` as `pass` does. */
  async open(name: string, facts: PassedStreamFacts): Promise<Socket> {
    return await this.#connect(name, facts, Buffer.alloc(0));
  }

  /**
   * Passes an upgrade on to the worker of that name, and gives when it has ended. Throws `shutting_down` if the worker is not there
   * any more.
   */
  async pass(
    name: string,
    { upgrade, socket, head }: Passing,
    { closeTimeoutMs }: Pick<Limits, 'closeTimeoutMs'>,
  ): Promise<{ readonly ended: Promise<void> }> {
    const onward = await this.#connect(name, upgrade, head);
    socket.on('error', () => onward.destroy());
    if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(0);
    endBehind(socket, onward, closeTimeoutMs);
    return { ended: pipeBoth(socket, onward).then(() => undefined) };
  }

  [Symbol.dispose](): void {
    closeSync(this.#folder);
  }

  async #connect(name: string, facts: object, head: Uint8Array): Promise<Socket> {
    const onward = connect({ path: this.#path(name), allowHalfOpen: true });
    try {
      await connected(onward);
    } catch (error) {
      onward.destroy();
      throw new ProxyError('shutting_down', 'the worker of this session is ending; try again', {
        cause: error,
      });
    }
    onward.write(encodePassedStart(this.#secret, facts, head));
    return onward;
  }

  /** By way of the descriptor: the address of a socket has 107 octets, the path of a state folder may have more (`man 7 unix`). */
  #path(name: string): string {
    return `/proc/self/fd/${this.#folder}/${name}`;
  }

  async #take(socket: Socket, onUpgrade: PassageListener): Promise<void> {
    socket.on('error', () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(), defaultLimits.workerReplyTimeoutMs);
    try {
      const read = await readPassedStart(socket, this.#secret);
      if (read === undefined) return void socket.destroy();
      // Written by a worker of this gateway, as the secret shows.
      const facts = JSON.parse(read.facts.toString('utf8')) as PassedUpgrade | PassedStreamFacts;
      if (!('stream' in facts)) onUpgrade({ upgrade: facts, socket, head: read.head });
      else if (this.#onStream === undefined) socket.destroy();
      else this.#onStream(facts, socket, read.head);
    } catch {
      socket.destroy();
    } finally {
      clearTimeout(timer);
    }
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve();
    });
  });
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve();
    });
  });
}
