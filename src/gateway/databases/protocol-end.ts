// What there is to the end of a protocol other than HTTP: one for each, and what all of them are served with.

import type { Duplex, Transform } from 'node:stream';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { GitFacts } from '../../api/audit-facts.ts';
import type { StartDeadline } from '../../intercept/deadline.ts';
import type { DialResult } from '../../net/dialer.ts';
import type { ProtocolEnd } from '../../policy/protocol-rule.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { Reservation } from '../../protocol/held-octets.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { Recording } from '../captured/recording.ts';
import type { TerminalSize } from '../captured/recording-form.ts';

/** What a rule's credential logs in with. */
export interface EndLogin {
  readonly username: string;
  readonly password: Secret<string>;
  /** No secret: what stands in the container in place of the password. */
  readonly placeholder: string;
  onRejected(): void;
}

/** What a rule's credential of SSH logs in with. */
export interface EndKey {
  readonly username: string;
  readonly privateKey: Secret<string>;
  /** A server that has a key of the rule is shown it from now on. */
  onShown(): void;
  onRejected(): void;
}

/** What the audit is told of a session of SSH. */
export interface SshFacts {
  /** What was run, or asked for. */
  readonly command?: string;
  /** Its exit status, or the signal that ended it. */
  readonly status?: number;
  readonly signal?: string;
}

/** What is kept of a shell. What could not be kept fails, and then nothing goes on. */
export type EndRecording = Pick<Recording, 'add' | 'resized' | 'end'>;

export interface EndDial {
  /** `never`: the protocol has no TLS, and protects itself. */
  readonly startTls: ((socket: Socket) => Promise<boolean>) | 'never';
  readonly alpn: readonly string[];
  /** The one that an earlier dial was connected to. */
  readonly address?: string | undefined;
}

/** What the audit is told of a session of a database. Nothing of what is asked in it. */
export interface EndFacts {
  readonly name?: string;
  readonly user?: string;
  /** How the gateway logged in. */
  readonly authentication?: string;
  readonly tls?: boolean;
  /** Commands that went on and those that did not, by name: how often each came. */
  readonly commands?: Readonly<Record<string, number>>;
  readonly refusedCommands?: Readonly<Record<string, number>>;
  /** Where statements are read: how many of which kind, and which. */
  readonly statements?: unknown;
  /** It is a request to cancel what another connection asked for. */
  readonly cancels?: true;
}

/** Octets of the server that reach the client beside the stream pass as those in it: counted, paid for, and no silence. Undefined: they are paid for. */
export type PassBeside = (octets: number) => Promise<undefined> | undefined;

export interface RelayThrough {
  /** What the client sends goes through it, and what the server sends through the other. */
  readonly throughClient: Transform;
  readonly throughServer: Transform;
  /** Is given, before anything passes, what has to be asked for what goes beside. */
  readonly beside?: (pass: PassBeside) => void;
  /** What the client is told last where the gateway ends the session; undefined: nothing can be said now. */
  farewell?(error: ProxyError): Uint8Array | undefined;
}

/** One connection of a client, with all that it may do by its rule: nothing else is reached from here. */
export interface EndedConnection<End extends ProtocolEnd = ProtocolEnd> {
  readonly client: Duplex;
  readonly end: End;
  readonly host: string;
  readonly port: number;
  readonly rule: string;
  /** By which what one connection is told serves another one of the same session alone. */
  readonly sessionId: string;
  /** The session that began by a token: whatever it made takes turns as one with it. */
  readonly ownerId: string;
  readonly limits: Limits;
  readonly startDeadline: StartDeadline;
  /** Ends TLS of the client with a leaf for the host. @throws ProxyError as TlsTerminator */
  terminate(stream: Duplex, alpn: readonly string[]): Promise<TLSSocket>;
  /** @throws ProxyError credential_unavailable */
  login(): Promise<EndLogin>;
  /** @throws ProxyError credential_unavailable */
  key(): Promise<EndKey>;
  /** Room in memory for so much of this connection. @throws ProxyError limit_exceeded */
  hold(octets: number): Reservation;
  /** Connects to the host of the rule. @throws ProxyError as Dialer, policy_denied */
  dial(request: EndDial): Promise<DialResult>;
  noted(facts: EndFacts): void;
  notedSsh(facts: SshFacts): void;
  /** Begins to keep what a shell shows, beside the event. @throws ProxyError audit_unavailable, limit_exceeded */
  record(size: TerminalSize): Promise<EndRecording>;
  gitSeen(facts: GitFacts): void;
  /** Bytes both ways until both have ended: bounded, paid for, and cut where the session ends. */
  relay(client: Duplex, server: Duplex, through: RelayThrough): Promise<void>;
}

/** How a connection went that has ended in an orderly way. */
export type EndOutcome =
  | { readonly kind: 'served' }
  /** It was closed without a word. */
  | { readonly kind: 'silent' }
  /** The client was told so in the form of its protocol. */
  | { readonly kind: 'refused'; readonly error: ProxyError };

export interface ProtocolServer<End extends ProtocolEnd = ProtocolEnd> {
  /** @throws ProxyError where the client could not be told */
  serve(connection: EndedConnection<End>): Promise<EndOutcome>;
}
