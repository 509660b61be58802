// What supervisor and workers tell and ask each other, over the channel that a worker inherits. Both ends are this very program.

import type { ErrorCode } from '../../protocol/error-table.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { SeenProof } from '../../store/store.ts';
import type { GatewayConfig } from '../config/config.ts';
import type { HandedPort } from './handed-connections.ts';

/** The certificate of the public port with its key: the same for all workers. */
export interface PortIdentity {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** All that a worker is told before it serves: neither its arguments nor its environment say any of it. */
export interface WorkerStart {
  /** From 1 on. */
  readonly number: number;
  readonly workers: number;
  /** Of this start of the gateway, in the names of its processes. */
  readonly gatewayName: string;
  /** By which all its processes know nonces that one of them gave. */
  readonly nonceKey: Uint8Array;
  /** When the gateway started. */
  readonly startedMs: number;
  /** With the worker's share of the limits of a process. */
  readonly config: GatewayConfig;
  /** Those of the whole gateway, for who asks. */
  readonly gatewayLimits: Limits;
  /** For credentials of source `env`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the supervisor listens. */
  readonly port: number;
  /** For clients without an agent. */
  readonly proxyPort: number | undefined;
  /** Where other processes of the gateway serve operators: nothing of a workload leads there. */
  readonly operatorPorts: readonly { readonly address: string; readonly port: number }[];
  readonly identity: PortIdentity & { readonly caPem: string; readonly notAfterMs: number };
  /** Whether the gateway made the certificate. */
  readonly renewable: boolean;
  /** Where other workers pass tunnels on to, and by what they are known. */
  readonly passage: { readonly folder: string; readonly name: string; readonly secret: Uint8Array };
  readonly isOnDuty: boolean;
}

/** Supervisor to worker. */
export type WorkerOrder =
  | { readonly kind: 'start'; readonly start: WorkerStart }
  /** Comes with its socket. */
  | { readonly kind: 'connection'; readonly connection: number; readonly port: HandedPort }
  /** The worker does from now on what one of all does, and what a worker that is gone left open is its to close. */
  | { readonly kind: 'duty' }
  | { readonly kind: 'identity'; readonly identity: PortIdentity }
  | { readonly kind: 'reload' }
  | { readonly kind: 'drain'; readonly drainMs: number };

/** Worker to supervisor. */
export type WorkerReport =
  /** It runs, and waits to be told what it is. */
  | { readonly kind: 'here' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  /** The worker has a connection that it was given. */
  | { readonly kind: 'taken'; readonly connection: number }
  /** A connection showed a session: it is no stranger's any more. */
  | { readonly kind: 'shown'; readonly connection: number }
  | { readonly kind: 'closed'; readonly connection: number }
  /** A session that this worker has is over. */
  | { readonly kind: 'ended'; readonly sessionId: string };

/** What is asked, by its name: the question, and what comes back. */
export interface Questions {
  /** Of the supervisor: who has that session; it is the asker's if it is nobody's. Undefined: the asker. */
  readonly place: { readonly asked: string; readonly told: string | undefined };
  /** Of the supervisor: a connection turned out to be from elsewhere. The limit by which it is not taken. */
  readonly source: {
    readonly asked: { readonly connection: number; readonly address: string };
    readonly told: 'strangersMax' | 'strangersPerSourceMax' | undefined;
  };
  /** Of the supervisor: an enrolment, or a proxy token, from there failed. Seconds until the next may. */
  readonly failure: {
    readonly asked: { readonly source: string; readonly port: HandedPort };
    readonly told: number;
  };
  /** Of the supervisor: whether a proof with a nonce of the gateway is new. */
  readonly proof: { readonly asked: SeenProof; readonly told: 'new' | 'seen' | 'full' };
  /** Of the supervisor: what all processes have counted. */
  readonly all: { readonly asked: undefined; readonly told: unknown };
  /** Of a worker: what it has counted. */
  readonly counts: { readonly asked: undefined; readonly told: unknown };
}

export type QuestionName = keyof Questions;
