// The gateway as a server of SSH: a client logs in with nothing, and says in one session which one command is to run. All else is refused.

import type { Socket } from 'node:net';
// A module of CommonJS whose names cannot be told before it runs.
import ssh2 from 'ssh2';
import type { Connection, ServerChannel, Session } from 'ssh2';
import type { SshEnd } from '../../policy/ssh-end.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { EndedConnection } from '../databases/protocol-end.ts';
import { ClientTerminal } from './client-terminal.ts';
import { sshAlgorithms } from './ssh-algorithms.ts';
import { SideBounds, SshWire } from './ssh-wire.ts';

export type SshConnection = EndedConnection<SshEnd>;

export type ClientAsks =
  | { readonly kind: 'silent' }
  | { readonly kind: 'broken'; readonly error: ProxyError }
  | {
      readonly kind: 'exec';
      readonly command: string;
      /** Of git: the version of its protocol that the client would like. */
      readonly gitProtocol: string | undefined;
      /** The client wants one for it. */
      readonly hasTerminal: boolean;
      readonly channel: ServerChannel;
    }
  | { readonly kind: 'shell'; readonly terminal: ClientTerminal; readonly channel: ServerChannel }
  | { readonly kind: 'subsystem'; readonly name: string };

/** The library sends one where none is given; the tunnel has its own. */
const neverMs = 0x7f_ff_ff_ff;
/** What git asks for in its environment, and all that is taken of that. */
const gitProtocols: ReadonlySet<string> = new Set(['version=0', 'version=1', 'version=2']);

export class ClientSide {
  readonly wire: SshWire;
  readonly #connection: SshConnection;
  readonly #bounds: SideBounds;
  readonly #asks = Promise.withResolvers<ClientAsks>();
  #channel: ServerChannel | undefined;
  #gitProtocol: string | undefined;
  #hasSession = false;

  constructor(connection: SshConnection, hostKey: string) {
    this.#connection = connection;
    this.#bounds = new SideBounds(connection.limits, () => this.#unread());
    this.wire = new SshWire(connection.client, this.#bounds);
    this.wire.on('error', (error) => {
      this.#asks.resolve({ kind: 'broken', error: asProxyError(error, 'stream_reset') });
    });
    for (const event of ['end', 'close']) this.wire.once(event, () => this.#asks.resolve({ kind: 'silent' }));
    const server = new ssh2.Server({
      hostKeys: [hostKey],
      algorithms: sshAlgorithms(['ssh-ed25519']),
      ident: 'upstreamproxy',
      keepaliveInterval: neverMs,
    });
    server.once('connection', (ssh: Connection) => this.#greet(ssh));
    // As the documents of the library have it, any stream is enough; its types ask for a socket.
    server.injectSocket(this.wire as unknown as Socket);
  }

  /** What is to be run. */
  async asked(): Promise<ClientAsks> {
    const { limits, startDeadline } = this.#connection;
    const deadline = startDeadline(limits.sshLoginTimeoutMs, () => {
      const message = 'the client did not say in time what it wants to run (sshLoginTimeoutMs)';
      this.#asks.resolve({
        kind: 'broken',
        error: new ProxyError('timeout', message, { limit: 'sshLoginTimeoutMs' }),
      });
    });
    try {
      return await this.#asks.promise;
    } finally {
      deadline.clear();
    }
  }

  /** A client whose command has ended ends the connection; one that does not is cut off. A goodbye of the gateway would look like a fault. */
  close(): void {
    const { wire } = this;
    if (wire.destroyed) return;
    const { limits, startDeadline } = this.#connection;
    const deadline = startDeadline(limits.sshLoginTimeoutMs, () => wire.destroy());
    wire.once('close', () => deadline.clear());
    const end = (): void => void wire.end();
    if (wire.readableEnded || this.#channel === undefined) end();
    else wire.once('end', end);
  }

  #greet(ssh: Connection): void {
    ssh.on('error', (error: Error & { readonly level?: string }) => {
      const message = `SSH of the client: ${error.message}`;
      this.#asks.resolve({ kind: 'broken', error: new ProxyError('protocol_denied', message) });
    });
    ssh.on('handshake', () => this.#bounds.hasNewKeys(this.wire));
    let attempts = 0;
    // Whose session it is the tunnel says; no secret of the client is asked for.
    ssh.on('authentication', (login) => {
      attempts += 1;
      if (attempts > this.#connection.limits.sshLoginAttemptsMax) ssh.end();
      else if (login.method === 'none' || login.method === 'publickey' || login.method === 'password')
        login.accept();
      else login.reject(['none']);
    });
    ssh.on('session', (accept, reject) => {
      if (this.#hasSession) {
        reject();
        return;
      }
      this.#hasSession = true;
      this.#listen(accept());
    });
  }

  #listen(session: Session): void {
    const terminal = new ClientTerminal(session, this.#connection.end.shell !== 'none');
    session.on('env', (accept, reject, { key, val }: { readonly key: string; readonly val: string }) => {
      const isTaken = key === 'GIT_PROTOCOL' && gitProtocols.has(val);
      if (isTaken) this.#gitProtocol = val;
      const respond: (() => void) | undefined = isTaken ? accept : reject;
      // Without a wish for a response there is none.
      respond?.();
    });
    session.on('exec', (accept, _reject, { command }) => {
      const channel = this.#take(accept);
      if (channel === undefined) return;
      const hasTerminal = terminal.opened !== undefined;
      this.#asks.resolve({
        kind: 'exec',
        command,
        gitProtocol: this.#gitProtocol,
        hasTerminal,
        channel,
      });
    });
    session.on('shell', (accept) => {
      const channel = this.#take(accept);
      if (channel !== undefined) this.#asks.resolve({ kind: 'shell', terminal, channel });
    });
    for (const event of ['subsystem', 'sftp'] as const)
      session.on(event, (_accept: unknown, reject: (() => void) | undefined, info?: { name: string }) => {
        reject?.();
        this.#asks.resolve({ kind: 'subsystem', name: info?.name ?? 'sftp' });
      });
  }

  /** What is written beside goes one way here, and brings nothing. */
  #unread(): { readonly readableLength: number } {
    return { readableLength: this.#channel?.readableLength ?? 0 };
  }

  /** One channel runs one thing (RFC 4254 §6.5): the library has none for another, and could not say so. */
  #take(accept: () => ServerChannel | undefined): ServerChannel | undefined {
    const channel = accept();
    if (channel === undefined) {
      this.wire.destroy(new ProxyError('protocol_denied', 'SSH: the client asks twice on one channel'));
      return undefined;
    }
    channel.on('error', () => undefined);
    channel.stderr.on('error', () => undefined);
    this.#channel = channel;
    return channel;
  }
}
