// What a worker has from its supervisor instead of making it itself: connections, the count of strangers, its sessions and its duties.

import type { Socket } from 'node:net';
import type { ProofStore } from '../../store/store.ts';
import type { FailureCount } from '../admission/enrolment-failures.ts';
import { connectionKey } from '../admission/public-connections.ts';
import type { StrangerCount } from '../admission/stranger-connections.ts';
import type { HandedPort } from './handed-connections.ts';
import { WorkerChannel, type ChannelPort } from './worker-channel.ts';
import type { PortIdentity, WorkerOrder, WorkerReport, WorkerStart } from './worker-messages.ts';

export interface WorkerSeatOptions {
  readonly port: ChannelPort;
  readonly onStart: (start: WorkerStart) => void;
  readonly onReload: () => void;
  readonly onDrain: (drainMs: number) => void;
  /** What the worker has counted. */
  readonly counts: () => unknown;
}

export class WorkerSeat {
  readonly #channel: WorkerChannel<WorkerReport, WorkerOrder>;
  readonly #options: WorkerSeatOptions;
  /** What the supervisor calls the connections that are open. */
  readonly #connections = new Map<string, number>();
  readonly #sessions = new Set<string>();
  readonly #accept = new Map<HandedPort, (socket: Socket) => void>();
  #onDuty: (() => void) | undefined;
  #onIdentity: ((identity: PortIdentity) => void) | undefined;
  #isOnDuty = false;

  constructor(options: WorkerSeatOptions) {
    this.#options = options;
    this.#channel = new WorkerChannel({
      port: options.port,
      onWord: (order, socket) => this.#obey(order, socket),
      responders: { counts: () => options.counts() },
    });
    this.#channel.tell({ kind: 'here' });
  }

  /** Whether this worker does what one of all does. Ask each time. */
  get isOnDuty(): boolean {
    return this.#isOnDuty;
  }

  /** Strangers are counted before they come here; what becomes of them is told. */
  get strangers(): StrangerCount {
    return {
      admit: () => undefined,
      readmit: async (key, address) => {
        const connection = this.#connections.get(key);
        return connection === undefined
          ? undefined
          : await this.#channel.ask('source', { connection, address });
      },
      release: (key) => {
        const connection = this.#connections.get(key);
        if (connection !== undefined) this.#channel.tell({ kind: 'shown', connection });
      },
      forget: () => undefined,
    };
  }

  /** Failed enrolments are counted for all workers, and so are tokens that were refused at the other port. */
  failuresAt(port: HandedPort): FailureCount {
    // A source that cannot be counted is too fast.
    return { take: (source) => this.#channel.ask('failure', { source, port }).catch(() => 1) };
  }

  /** Proofs with a nonce of the gateway are remembered for all workers. */
  get proofs(): Pick<ProofStore, 'remember'> {
    return { remember: (proof) => this.#channel.ask('proof', proof) };
  }

  /** What all processes of the gateway have counted. */
  allCounts(): Promise<unknown> {
    return this.#channel.ask('all', undefined);
  }

  /** The name of the worker that has the session, if it is another; else the session is this worker's until it ends. */
  async place(sessionId: string): Promise<string | undefined> {
    // Before it is known: one that ends meanwhile is told of too.
    this.#sessions.add(sessionId);
    const elsewhere = await this.#channel.ask('place', sessionId);
    if (elsewhere !== undefined) this.#sessions.delete(sessionId);
    return elsewhere;
  }

  /** A session is over: if it was this worker's, it has no place any more. */
  ended(sessionId: string): void {
    if (this.#sessions.delete(sessionId)) this.#channel.tell({ kind: 'ended', sessionId });
  }

  /** From now on connections of the port come to the listener; until then, and without one, they are cut off. */
  onConnection(port: HandedPort, accept: ((socket: Socket) => void) | undefined): void {
    if (accept === undefined) this.#accept.delete(port);
    else this.#accept.set(port, accept);
  }

  /** Called when this worker has the duties, and again when another one is gone. */
  onDuty(listener: () => void): void {
    this.#onDuty = listener;
  }

  onIdentity(listener: (identity: PortIdentity) => void): void {
    this.#onIdentity = listener;
  }

  tellReady(): void {
    this.#channel.tell({ kind: 'ready' });
  }

  tellFailed(code: (WorkerReport & { kind: 'failed' })['code'], message: string): void {
    this.#channel.tell({ kind: 'failed', code, message });
  }

  #obey(order: WorkerOrder, socket: Socket | undefined): void {
    switch (order.kind) {
      case 'start':
        this.#isOnDuty = order.start.isOnDuty;
        return this.#options.onStart(order.start);
      case 'connection':
        return this.#take(order, socket);
      case 'duty':
        this.#isOnDuty = true;
        return this.#onDuty?.();
      case 'identity':
        return this.#onIdentity?.(order.identity);
      case 'reload':
        return this.#options.onReload();
      case 'drain':
        return this.#options.onDrain(order.drainMs);
    }
  }

  #take(
    { connection, port }: WorkerOrder & { readonly kind: 'connection' },
    socket: Socket | undefined,
  ): void {
    const closed = (): void => this.#channel.tell({ kind: 'closed', connection });
    // It may have been reset on its way here.
    if (socket === undefined) return closed();
    this.#channel.tell({ kind: 'taken', connection });
    const key = connectionKey(socket);
    this.#connections.set(key, connection);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
      closed();
    });
    const accept = this.#accept.get(port);
    if (accept === undefined) socket.destroy();
    else accept(socket);
  }
}
