// A session at the server for a client: its greeting, TLS, and the log-in of the rule.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { MysqlEnd } from '../../../policy/mysql-end.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { ExactReader } from '../exact-reader.ts';
import type { EndedConnection, EndLogin } from '../protocol-end.ts';
import { askedFor, type Capabilities, canBeSpoken, capability, hasAll, isThere } from './capabilities.ts';
import { type Greeting, readGreeting } from './greeting.ts';
import { type HandshakeResponse, responsePacket, tlsRequestPacket } from './handshake-response.ts';
import { fromServer, type MysqlRefusal, packetOf, readError } from './packet.ts';
import { PacketStream } from './packet-stream.ts';
import { ServerLogin } from './server-login.ts';

type Connection = EndedConnection<MysqlEnd>;

/** How much of a server's own text is repeated. */
const errorCharactersMax = 500;

/** What the session is to be, as the client has it; `capabilities` are those that both sides have. */
export interface WantedSession extends Pick<HandshakeResponse, 'capabilities' | 'packetBytesMax'> {
  readonly characterSet: number;
  readonly database: string | undefined;
}

export interface OpenedSession {
  readonly socket: Duplex;
  readonly greeting: Greeting;
  /** Where it is; undefined behind a proxy that alone knows it. */
  readonly address: string;
  /** Of the server's OK. */
  readonly status: number;
}

/** The server says no, in words that the client may have. */
export class ServerRefusal extends ProxyError {
  readonly refusal: MysqlRefusal;

  constructor(refusal: MysqlRefusal, ...given: ConstructorParameters<typeof ProxyError>) {
    super(...given);
    this.refusal = refusal;
  }
}

/**
 * To its end, also where the client has left: a server counts what is broken off.
 *
 * @param wanted undefined: nothing of it matters, and the server is only to be known
 * @throws ProxyError, ServerRefusal
 */
export async function openMysqlSession(
  connection: Connection,
  login: EndLogin,
  wanted: WantedSession | undefined,
): Promise<OpenedSession> {
  const beginning = new Beginning(connection, login, wanted);
  const { socket, address } = await connection.dial({
    alpn: [],
    startTls: async (plain) => await beginning.greeted(plain),
  });
  try {
    return { socket, address, ...(await beginning.logIn(socket)) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** One log-in, from the first packet of the server to its OK. */
class Beginning {
  readonly #connection: Connection;
  readonly #login: EndLogin;
  readonly #wanted: WantedSession | undefined;
  readonly #packets: PacketStream;
  #greeting: Greeting | undefined;

  constructor(connection: Connection, login: EndLogin, wanted: WantedSession | undefined) {
    this.#connection = connection;
    this.#login = login;
    this.#wanted = wanted;
    this.#packets = new PacketStream(connection.limits.databaseLoginBytesMax, 0);
  }

  /** Whether TLS begins now, for which the server was asked. @throws ProxyError */
  async greeted(plain: Socket): Promise<boolean> {
    const { host, end } = this.#connection;
    const reader = this.#reader(plain);
    try {
      const payload = await this.#next(reader);
      if (payload[0] === fromServer.error) throw this.#rejected(readError(payload, errorCharactersMax));
      const greeting = readGreeting(payload);
      // A server says no more before it hears something, and what is not inside of TLS must not be taken for that.
      if (greeting === undefined || reader.waitingBytes > 0) throw this.#isNoServer();
      if (!canBeSpoken(greeting.capabilities))
        throw new ProxyError('origin_unreachable', `${host} is older than MySQL 5.5.7, and not spoken to`);
      this.#greeting = greeting;
      if (!hasAll(greeting.capabilities.basic, capability.tls)) {
        if (end.allowsPlaintext) return false;
        throw new ProxyError('origin_untrusted', `${host} has no TLS, so nobody knows which server it is`);
      }
      plain.write(tlsRequestPacket(this.#packets.sequence, this.#asked(greeting, true)));
      this.#packets.sent();
      return true;
    } finally {
      await reader.release();
    }
  }

  /** @throws ProxyError */
  async logIn(socket: Duplex): Promise<Pick<OpenedSession, 'greeting' | 'status'>> {
    const greeting = this.#greeting;
    if (greeting === undefined) throw this.#isNoServer();
    const { host, rule, end } = this.#connection;
    const isEncrypted = socket instanceof TLSSocket;
    const machine = new ServerLogin({
      password: this.#login.password,
      methods: end.authentication,
      isVerified: isEncrypted && socket.authorized,
      greeting,
      errorCharactersMax,
    });
    const reader = this.#reader(socket);
    try {
      socket.write(
        responsePacket(this.#packets.sequence, {
          ...this.#asked(greeting, isEncrypted),
          ...machine.first(),
          user: this.#login.username,
          database: this.#wanted?.database,
        }),
      );
      this.#packets.sent();
      for (;;) {
        const step = machine.receive(await this.#next(reader));
        switch (step.kind) {
          case 'wait':
            break;
          case 'send':
            socket.write(packetOf(this.#packets.sequence, step.payload));
            this.#packets.sent();
            break;
          case 'failed':
            throw new ProxyError('login_refused', `rule ${rule}: ${host}: ${step.message}`);
          case 'rejected':
            throw this.#rejected(step.refusal);
          case 'done':
            if (reader.waitingBytes > 0) throw this.#isNoServer();
            this.#noted(step.method, isEncrypted);
            return { greeting, status: step.status };
        }
      }
    } finally {
      await reader.release();
    }
  }

  #noted(authentication: string, tls: boolean): void {
    const database = this.#wanted?.database;
    const name = database === undefined ? {} : { name: database };
    this.#connection.noted({ ...name, user: this.#login.username, authentication, tls });
  }

  #asked(greeting: Greeting, isEncrypted: boolean) {
    const { host } = this.#connection;
    const both: Capabilities = this.#wanted?.capabilities ?? { basic: capability.mysql, mariadb: 0 };
    if (!isThere(both, greeting.capabilities))
      throw new ProxyError(
        'origin_unreachable',
        `${host} can do less than when it was last connected to, as after a change of its version; connect again`,
      );
    const hasDatabase = this.#wanted?.database !== undefined;
    return {
      capabilities: askedFor(both, { isEncrypted, hasDatabase }),
      packetBytesMax: this.#wanted?.packetBytesMax ?? 2 ** 24,
      characterSet: this.#wanted?.characterSet ?? greeting.characterSet,
    };
  }

  async #next(reader: ExactReader): Promise<Buffer> {
    const { host, limits } = this.#connection;
    const taken = await this.#packets.take(reader);
    switch (taken.kind) {
      case 'packet':
        return taken.payload;
      case 'ended':
        throw new ProxyError('origin_unreachable', `${host} closed the connection during the log-in`);
      case 'malformed':
        throw this.#isNoServer();
      case 'too-long':
        throw new ProxyError(
          'login_refused',
          `${host} says more than ${String(limits.databaseLoginBytesMax)} bytes before the session begins (databaseLoginBytesMax)`,
          { limit: 'databaseLoginBytesMax' },
        );
    }
  }

  #reader(socket: Duplex): ExactReader {
    const { host, limits } = this.#connection;
    const error = new ProxyError(
      'timeout',
      `${host} did not begin a session within ${String(limits.databaseLoginTimeoutMs)} ms (databaseLoginTimeoutMs)`,
      { limit: 'databaseLoginTimeoutMs' },
    );
    return new ExactReader(socket, { ms: limits.databaseLoginTimeoutMs, error });
  }

  #isNoServer(): ProxyError {
    return new ProxyError(
      'origin_unreachable',
      `${this.#connection.host} does not respond as a server of MySQL does`,
    );
  }

  #rejected({ code, sqlState, message }: MysqlRefusal): ServerRefusal {
    const { host, rule } = this.#connection;
    const isOfDatabase = ofDatabase.has(code);
    if (ofPassword.has(code)) this.#login.onRejected();
    // Which addresses and users a server knows is the operator's business; whether a database is there is the client's.
    const said = isOfDatabase ? message : `error ${String(code)}`;
    return new ServerRefusal(
      { code, sqlState, message: '' },
      'login_refused',
      `rule ${rule}: ${host} does not take the log-in of the gateway (${said})`,
      { operatorDetail: `${host} says: ${message} (error ${String(code)}, SQLSTATE ${sqlState})` },
    );
  }
}

/** ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR */
const ofPassword: ReadonlySet<number> = new Set([1045, 1698]);
/** ER_BAD_DB_ERROR alone: ER_DBACCESS_DENIED_ERROR names the user. */
const ofDatabase: ReadonlySet<number> = new Set([1049]);
