// A session at the server for a client: TLS, the log-in of the rule, the start-up, and all that the server says until it is ready.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { PostgresEnd } from '../../../policy/postgres-end.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { endsWithClient } from '../client-end.ts';
import { ExactReader } from '../exact-reader.ts';
import type { EndedConnection, EndLogin } from '../protocol-end.ts';
import { serverEndPoint } from './channel-binding.ts';
import { postgresAlpn } from './client-start.ts';
import { bodyBytes, fromServer, type Message, messageHeadBytes, messageOf, readUint32 } from './message.ts';
import { readSetting } from './server-watch.ts';
import { ServerLogin } from './server-login.ts';
import type { ServerStart } from './start-parameters.ts';
import { type CancelKey, startUpPacket, tlsRequestPacket } from './start-packet.ts';

type Connection = EndedConnection<PostgresEnd>;

/** How much of a server's own text is repeated. */
const errorCharactersMax = 500;

/** The server says no, in words that it has for that; `sqlState` is of the log-in alone. */
export class ServerRefusal extends ProxyError {
  readonly sqlState: string;

  constructor(sqlState: string, ...given: ConstructorParameters<typeof ProxyError>) {
    super(...given);
    this.sqlState = sqlState;
  }
}

export interface OpenedSession {
  readonly socket: Duplex;
  /** Where it is; undefined behind a proxy that alone knows it. */
  readonly address: string;
  readonly isEncrypted: boolean;
  /** What the server said of its settings. */
  readonly settings: ReadonlyMap<string, string>;
  /** All that the server said until it was ready, as it said it, but for its key. */
  readonly said: readonly Uint8Array[];
  /** Undefined: it gave none. */
  readonly key: CancelKey | undefined;
  /** It ended with an error, which is the last of `said`. */
  readonly isOver: boolean;
}

/** Asks a server for TLS; without it nothing goes on, unless the rule says so. @throws ProxyError */
export async function startServerTls(socket: Socket, { host, end, limits }: Connection): Promise<boolean> {
  const reader = new ExactReader(socket, {
    ms: limits.databaseLoginTimeoutMs,
    error: lateServer(host, limits),
  });
  try {
    socket.write(tlsRequestPacket());
    const said = (await reader.take(1))?.toString('latin1');
    // What a server could not have said inside of TLS must not be taken for that (CVE-2021-23222).
    if (said === 'S' && reader.waitingBytes === 0) return true;
    if (said === 'N' && reader.waitingBytes === 0) {
      if (end.allowsPlaintext) return false;
      throw new ProxyError('origin_untrusted', `${host} has no TLS, so nobody knows which server it is`);
    }
    throw new ProxyError('origin_unreachable', `${host} does not respond as a server of PostgreSQL does`);
  } finally {
    await reader.release();
  }
}

/** @throws ProxyError, ServerRefusal */
export async function openServerSession(
  connection: Connection,
  login: EndLogin,
  start: ServerStart,
): Promise<OpenedSession> {
  const { socket, address } = await connection.dial({
    alpn: [postgresAlpn],
    startTls: async (plain) => {
      using _ = endsWithClient(plain, connection);
      return await startServerTls(plain, connection);
    },
  });
  using _ = endsWithClient(socket, connection);
  const { host, limits } = connection;
  const reader = new ExactReader(socket, {
    ms: limits.databaseLoginTimeoutMs,
    error: lateServer(host, limits),
  });
  try {
    const messages = new ServerMessageReader(reader, connection);
    socket.write(startUpPacket([['user', login.username], ['database', start.database], ...start.settings]));
    const authentication = await logIn(messages, socket, { connection, login });
    const isEncrypted = socket instanceof TLSSocket;
    connection.noted({ name: start.database, user: login.username, authentication, tls: isEncrypted });
    const opened = await untilReady(messages);
    return { socket, address, isEncrypted, ...opened };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    await reader.release();
  }
}

async function logIn(
  messages: ServerMessageReader,
  socket: Duplex,
  { connection, login }: { readonly connection: Connection; readonly login: EndLogin },
): Promise<string> {
  const { host, rule, end, limits } = connection;
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  const machine = new ServerLogin({
    user: login.username,
    password: login.password,
    methods: end.authentication,
    isVerified: socket instanceof TLSSocket && socket.authorized,
    binding: certificate === undefined ? undefined : serverEndPoint(certificate),
    nonce: randomBytes(18).toString('base64'),
    iterationsMax: limits.databaseLoginIterationsMax,
    errorCharactersMax,
  });
  for (;;) {
    const step = await machine.receive(await messages.next());
    switch (step.kind) {
      case 'wait':
        break;
      case 'send':
        socket.write(step.bytes);
        break;
      case 'done':
        return step.method;
      case 'failed':
        throw new ServerRefusal(
          '08004',
          'login_refused',
          `rule ${rule}: ${host}: ${step.message}`,
          step.limit === undefined ? {} : { limit: step.limit },
        );
      case 'rejected': {
        const { sqlState, message } = step;
        // Which addresses and roles a server knows is the operator's business.
        const isOfLogin = sqlState.startsWith('28') || sqlState === '';
        if (isOfLogin) login.onRejected();
        throw new ServerRefusal(
          isOfLogin ? '28000' : sqlState,
          'login_refused',
          `rule ${rule}: ${host} does not take the log-in of the gateway (${isOfLogin ? `SQLSTATE ${sqlState}` : message})`,
          { operatorDetail: `${host} says: ${message} (SQLSTATE ${sqlState})` },
        );
      }
    }
  }
}

/** Messages of a server before its session has begun, bounded together. */
class ServerMessageReader {
  readonly #reader: ExactReader;
  readonly #connection: Connection;
  #left: number;

  constructor(reader: ExactReader, connection: Connection) {
    this.#reader = reader;
    this.#connection = connection;
    this.#left = connection.limits.databaseLoginBytesMax;
  }

  /** @throws ProxyError */
  async next(): Promise<Message> {
    const { host, limits } = this.#connection;
    const head = await this.#reader.take(messageHeadBytes);
    if (head === undefined)
      throw new ProxyError('origin_unreachable', `${host} closed the connection during the log-in`);
    const length = bodyBytes(head);
    if (length === undefined)
      throw new ProxyError('origin_unreachable', `${host} does not speak as a server of PostgreSQL does`);
    this.#left -= messageHeadBytes + length;
    if (this.#left < 0)
      throw new ProxyError(
        'login_refused',
        `${host} says more than ${String(limits.databaseLoginBytesMax)} bytes before the session begins (databaseLoginBytesMax)`,
        { limit: 'databaseLoginBytesMax' },
      );
    const body = await this.#reader.take(length);
    if (body === undefined)
      throw new ProxyError('origin_unreachable', `${host} closed the connection within a message`);
    return { type: head[0] ?? 0, body };
  }
}

async function untilReady(
  messages: ServerMessageReader,
): Promise<Pick<OpenedSession, 'said' | 'settings' | 'key' | 'isOver'>> {
  const settings = new Map<string, string>();
  const said: Uint8Array[] = [];
  let key: CancelKey | undefined;
  for (;;) {
    const message = await messages.next();
    switch (message.type) {
      case fromServer.backendKeyData: {
        const processId = readUint32(message.body, 0);
        if (processId !== undefined) key = { processId, secret: Uint8Array.from(message.body.subarray(4)) };
        break;
      }
      case fromServer.readyForQuery:
        return { said: [...said, whole(message)], settings, key, isOver: false };
      case fromServer.error:
        return { said: [...said, whole(message)], settings, key, isOver: true };
      case fromServer.parameterStatus: {
        const { name, value } = readSetting(message.body);
        settings.set(name, value);
        said.push(whole(message));
        break;
      }
      case fromServer.notice:
        said.push(whole(message));
        break;
      default:
        throw new ProxyError(
          'origin_unreachable',
          'the server sent a message that has no place before a session',
        );
    }
  }
}

function whole({ type, body }: Message): Uint8Array {
  return messageOf(String.fromCharCode(type), body);
}

function lateServer(host: string, { databaseLoginTimeoutMs }: Connection['limits']): ProxyError {
  return new ProxyError(
    'timeout',
    `${host} did not begin a session within ${String(databaseLoginTimeoutMs)} ms (databaseLoginTimeoutMs)`,
    { limit: 'databaseLoginTimeoutMs' },
  );
}
