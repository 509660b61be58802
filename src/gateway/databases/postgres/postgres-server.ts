// The gateway as a server of PostgreSQL for clients, and as a client for the server: start-up on both sides, then bytes both ways.

import type { Duplex } from 'node:stream';
import { isAddressLiteral } from '../../../http/authority.ts';
import type { PostgresEnd } from '../../../policy/postgres-end.ts';
import { asProxyError, ProxyError } from '../../../protocol/error.ts';
import { byteStep } from '../../forward/byte-step.ts';
import { closeClient } from '../client-end.ts';
import { ExactReader } from '../exact-reader.ts';
import type { EndedConnection, EndOutcome, ProtocolServer, RelayThrough } from '../protocol-end.ts';
import { CancelKeys } from './cancel-keys.ts';
import { ClientMessages, ServerMessages } from './client-messages.ts';
import { ClientLoginError, logClientIn } from './client-login.ts';
import { postgresAlpn, startOfClient } from './client-start.ts';
import { fatalError, messageOf, type PostgresRefusal, uint32 } from './message.ts';
import { type OpenedSession, openServerSession, ServerRefusal, startServerTls } from './open-session.ts';
import { StatementGuard } from './statement-guard.ts';
import type { StatementReader } from './sql/statement-reader.ts';
import { serverStart, type ServerStart } from './start-parameters.ts';
import { type CancelKey, cancelPacket, type ClientStartUp } from './start-packet.ts';

type Connection = EndedConnection<PostgresEnd>;

/** Where a request to cancel has to go: to the server that runs the session, which one name of many may lead to. */
interface SessionPlace {
  readonly address: string | undefined;
}

export class PostgresServer implements ProtocolServer<PostgresEnd> {
  readonly #keys: CancelKeys<SessionPlace>;

  readonly #statements: StatementReader;

  constructor(randomBytes: (count: number) => Uint8Array, statements: StatementReader) {
    this.#statements = statements;
    this.#keys = new CancelKeys(randomBytes);
  }

  async serve(connection: Connection): Promise<EndOutcome> {
    const { socket, what } = await startOfClient(connection);
    switch (what.kind) {
      case 'silent':
        closeClient(socket, connection);
        return { kind: 'silent' };
      case 'refused':
        return tell(socket, connection, what);
      case 'cancel':
        return await this.#cancel(socket, connection, what);
      case 'start-up':
        return await this.#begin(socket, connection, what);
    }
  }

  async #begin(socket: Duplex, connection: Connection, startUp: ClientStartUp): Promise<EndOutcome> {
    const start = serverStart(startUp, connection.end);
    if (start.kind === 'refused')
      return tell(socket, connection, {
        sqlState: start.sqlState,
        error: new ProxyError('policy_denied', start.message),
      });
    let opened: OpenedSession;
    try {
      const login = await connection.login();
      if (connection.end.clientAuthentication === 'scram-sha-256')
        await logClientIn(socket, connection, login.placeholder);
      opened = await openServerSession(connection, login, start);
    } catch (error) {
      if (error instanceof ClientLoginError) return tell(socket, connection, notLoggedIn(error));
      const fault = asProxyError(error);
      return tell(socket, connection, {
        sqlState: fault instanceof ServerRefusal ? fault.sqlState : sqlStateOf(fault),
        error: fault,
      });
    }
    return await this.#serveSession(socket, connection, { startUp, start, opened });
  }

  async #serveSession(
    socket: Duplex,
    connection: Connection,
    {
      startUp,
      start,
      opened,
    }: { readonly startUp: ClientStartUp; readonly start: ServerStart; readonly opened: OpenedSession },
  ): Promise<EndOutcome> {
    const { key, address } = opened;
    const given =
      key === undefined
        ? undefined
        : this.#keys.add(connection, {
            key,
            place: { address: isAddressLiteral(address) === 0 ? undefined : address },
          });
    try {
      for (const message of beginning(startUp, start, { given: given?.key, opened })) socket.write(message);
      if (opened.isOver) {
        opened.socket.destroy();
        closeClient(socket, connection);
        return { kind: 'served' };
      }
      const through = this.#guard(connection, opened);
      try {
        await connection.relay(socket, opened.socket, through);
      } finally {
        through.note?.();
      }
      return through.refused === undefined ? { kind: 'served' } : { kind: 'refused', error: through.refused };
    } finally {
      given?.forget();
    }
  }

  #guard(connection: Connection, opened: OpenedSession): Guard {
    const { statements } = connection.end;
    if (statements === undefined) return guarded(connection.rule);
    const settings = opened.settings;
    const guard = new StatementGuard({ connection, statements, reader: this.#statements, settings });
    return {
      throughClient: guard.throughClient,
      throughServer: guard.throughServer,
      farewell: (error) => (guard.isBetween ? farewellOf(error, connection.rule) : undefined),
      get refused() {
        const { fault, refusal } = guard;
        return (
          fault ?? (refusal === undefined ? undefined : new ProxyError('protocol_denied', refusal.message))
        );
      },
      note: () => connection.noted({ statements: guard.facts.get() }),
    };
  }

  /** As a server does it: whatever comes of it, nothing is said. */
  async #cancel(socket: Duplex, connection: Connection, key: CancelKey): Promise<EndOutcome> {
    connection.noted({ cancels: true });
    const found = this.#keys.find(connection, key);
    try {
      if (found === undefined)
        return {
          kind: 'refused',
          error: new ProxyError(
            'policy_denied',
            'no connection of this session to this server has the key that it would cancel with',
          ),
        };
      const { socket: server } = await connection.dial({
        alpn: [postgresAlpn],
        startTls: (plain) => startServerTls(plain, connection),
        address: found.place.address,
      });
      server.write(cancelPacket(found.key));
      await ended(server, connection);
      return { kind: 'served' };
    } finally {
      closeClient(socket, connection);
    }
  }
}

/** What a client is told when its session begins. */
function beginning(
  { minor }: ClientStartUp,
  { unknownOptions }: ServerStart,
  { given, opened }: { readonly given: CancelKey | undefined; readonly opened: OpenedSession },
): readonly Uint8Array[] {
  const version = 3 << 16;
  const isNewer = minor > 0 || unknownOptions.length > 0;
  const options = unknownOptions.map((name) => `${name}\0`).join('');
  const ready = opened.said.at(-1);
  return [
    ...(isNewer ? [messageOf('v', uint32(version), uint32(unknownOptions.length), options)] : []),
    messageOf('R', uint32(0)),
    ...opened.said.slice(0, -1),
    ...(given === undefined ? [] : [messageOf('K', uint32(given.processId), given.secret)]),
    ...(ready === undefined ? [] : [ready]),
  ];
}

interface Guard extends RelayThrough {
  /** Why the session ended, if the gateway ended it for what the client sent. */
  readonly refused: ProxyError | undefined;
  /** Tells the audit what passed. */
  note?(): void;
}

const terminate = messageOf('X');

/** The client's messages as far as they may be, and behind the server's last one why they went no further. */
function guarded(rule: string): Guard {
  const fromClient = new ClientMessages();
  const fromServer = new ServerMessages();
  let refusal: PostgresRefusal | undefined;
  const throughClient = byteStep({
    take: (chunk, through) => {
      const taken = fromClient.take(chunk);
      for (const piece of taken.pieces) through.push(piece);
      if (taken.refusal === undefined) return;
      refusal = taken.refusal;
      // The server does what it was asked for before, says all that it owes for that, and ends.
      through.push(terminate);
      through.push(null);
    },
  });
  const throughServer = byteStep({
    take: (chunk, through) => {
      fromServer.take(chunk);
      through.push(chunk);
    },
    end: (through) => {
      if (refusal !== undefined && fromServer.isBetween) through.push(fatalError(withRule(refusal, rule)));
    },
  });
  return {
    throughClient,
    throughServer,
    farewell: (error) => (fromServer.isBetween ? farewellOf(error, rule) : undefined),
    get refused() {
      return refusal === undefined ? undefined : new ProxyError('protocol_denied', refusal.message);
    },
  };
}

/** As a server says it that ends a session: by an administrator, for silence, or for a limit of what a role may. */
function farewellOf(error: ProxyError, rule: string): Uint8Array {
  const sqlState = error.code === 'timeout' ? '57P05' : error.code === 'limit_exceeded' ? '53400' : '57P01';
  return fatalError(withRule({ sqlState, message: error.message, hint: error.next }, rule));
}

function withRule({ sqlState, message, hint }: PostgresRefusal, rule: string): PostgresRefusal {
  return { sqlState, message: `rule ${rule}: ${message}`, hint };
}

/** The client is told, and its connection ends. */
function tell(
  socket: Duplex,
  connection: Connection,
  { sqlState, error }: { readonly sqlState: string; readonly error: ProxyError },
): EndOutcome {
  const message = error.message.startsWith('rule ')
    ? error.message
    : `rule ${connection.rule}: ${error.message}`;
  if (!socket.destroyed) socket.write(fatalError({ sqlState, message, hint: error.next }));
  closeClient(socket, connection);
  return { kind: 'refused', error };
}

/** A server closes once it has seen to a request to cancel; clients wait for that. */
async function ended(server: Duplex, { host, limits, startDeadline }: Connection): Promise<void> {
  const { databaseLoginTimeoutMs: ms } = limits;
  const error = new ProxyError(
    'timeout',
    `${host} did not close a request to cancel (databaseLoginTimeoutMs)`,
    {
      limit: 'databaseLoginTimeoutMs',
    },
  );
  const reader = new ExactReader(server, { error, ms, start: startDeadline });
  try {
    await reader.take(1);
  } finally {
    await reader.release();
    server.on('error', () => undefined);
    server.destroy();
  }
}

const placeholderHint =
  'The password is the placeholder of the credential, which stands in the environment of the session where the configuration names a variable for it.';

function notLoggedIn({ message }: ClientLoginError): {
  readonly sqlState: string;
  readonly error: ProxyError;
} {
  const said = `the client does not log in as the rule asks (clientAuthentication): ${message}`;
  return { sqlState: '28P01', error: new ProxyError('protocol_denied', said, { next: placeholderHint }) };
}

function sqlStateOf({ code }: ProxyError): string {
  switch (code) {
    case 'policy_denied':
    case 'address_denied':
    case 'credential_unavailable':
    case 'login_refused':
      return '28000';
    case 'limit_exceeded':
      return '53300';
    case 'shutting_down':
      return '57P01';
    default:
      // The server cannot be reached, or not be trusted.
      return '08001';
  }
}
