// The gateway as a server of MySQL for clients, and as a client for the server: a log-in on both sides, then bytes both ways.

import type { Duplex } from 'node:stream';
import { isAddressLiteral } from '../../../http/authority.ts';
import type { MysqlEnd } from '../../../policy/mysql-end.ts';
import { asProxyError, ProxyError } from '../../../protocol/error.ts';
import { byteStep } from '../../forward/byte-step.ts';
import { closeClient } from '../client-end.ts';
import { CountedCommands } from '../counted-commands.ts';
import type { EndedConnection, EndLogin, EndOutcome, ProtocolServer, RelayThrough } from '../protocol-end.ts';
import { agreed } from './capabilities.ts';
import { ClientPackets } from './client-packets.ts';
import { type ClientStart, startOfClient } from './client-start.ts';
import { CommandRule } from './command-rule.ts';
import { command } from './commands.ts';
import { nonceBytes, type ServerFacts } from './greeting.ts';
import type { HandshakeResponse } from './handshake-response.ts';
import { KnownServers } from './known-servers.ts';
import { LoginsUnderWay } from './logins-under-way.ts';
import { openMysqlSession, type OpenedSession, ServerRefusal, type WantedSession } from './open-session.ts';
import { errorPacket, type MysqlRefusal, okPacket, packetOf } from './packet.ts';
import { ServerPackets } from './server-packets.ts';
import { StandIns } from './stand-in.ts';
import { ThreadIds } from './thread-ids.ts';

type Connection = EndedConnection<MysqlEnd>;

const quit = packetOf(0, Uint8Array.of(command.quit));

export class MysqlServer implements ProtocolServer<MysqlEnd> {
  readonly #randomBytes: (count: number) => Uint8Array;
  readonly #servers = new KnownServers();
  readonly #logins = new LoginsUnderWay();
  readonly #threads: ThreadIds;

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
    this.#threads = new ThreadIds(randomBytes);
  }

  async serve(connection: Connection): Promise<EndOutcome> {
    const login = once(() => connection.login());
    let facts: ServerFacts;
    try {
      facts = this.#servers.get(connection) ?? (await this.#learn(connection, await login()));
    } catch (error) {
      return tell({ socket: connection.client, sequence: 0, isGreeted: false }, connection, error);
    }
    const threadId = this.#threads.newId();
    const start = await startOfClient(connection, { ...facts, threadId, nonce: this.#nonce() });
    switch (start.what.kind) {
      case 'silent':
        closeClient(start.socket, connection);
        return { kind: 'silent' };
      case 'refused':
        return tell({ ...start, isGreeted: true }, connection, start.what.error);
      case 'response':
        return await this.#begin(connection, { start, response: start.what, facts, threadId, login });
    }
  }

  /** By a log-in that is whole, for a server counts those that are broken off, and shuts out who has too many of them. */
  async #learn(connection: Connection, login: EndLogin): Promise<ServerFacts> {
    const { socket, greeting } = await this.#open(connection, login, undefined);
    this.#servers.add(connection, greeting);
    leave(socket, connection);
    return greeting;
  }

  async #open(
    connection: Connection,
    login: EndLogin,
    wanted: WantedSession | undefined,
  ): Promise<OpenedSession> {
    using _ = this.#logins.begin(connection);
    return await openMysqlSession(connection, login, wanted);
  }

  async #begin(
    connection: Connection,
    { start, response, facts, threadId, login }: Begun,
  ): Promise<EndOutcome> {
    const { end } = connection;
    const { database = end.databases[0], characterSet, packetBytesMax } = response;
    const client = { ...start, isGreeted: true };
    if (database !== undefined && end.databases.length > 0 && !end.databases.includes(database))
      return tell(
        client,
        connection,
        new ProxyError('policy_denied', `it does not name the database ${database.slice(0, 64)}`),
        // ER_DBACCESS_DENIED_ERROR
        { code: 1044, sqlState: '42000' },
      );
    const capabilities = agreed(response.capabilities, facts.capabilities);
    let opened: OpenedSession;
    try {
      const wanted = { capabilities, characterSet, packetBytesMax, database };
      opened = await this.#open(connection, await login(), wanted);
    } catch (error) {
      // It may be another server by now; the next client is told what it is.
      if (asProxyError(error).code === 'origin_unreachable') this.#servers.forget(connection);
      return tell(client, connection, error);
    }
    this.#servers.add(connection, opened.greeting);
    if (start.socket.destroyed || connection.client.destroyed) {
      leave(opened.socket, connection);
      closeClient(start.socket, connection);
      return { kind: 'silent' };
    }
    start.socket.write(okPacket(start.sequence, opened.status));
    return await this.#serveSession(connection, start.socket, opened, threadId);
  }

  async #serveSession(
    connection: Connection,
    client: Duplex,
    opened: OpenedSession,
    threadId: number,
  ): Promise<EndOutcome> {
    const counted = new CountedCommands();
    const address = isAddressLiteral(opened.address) === 0 ? undefined : opened.address;
    const standIns = new StandIns(this.#randomBytes(4), connection.rule);
    const rule = new CommandRule({
      end: connection.end,
      standIns,
      address,
      findThread: (id) => this.#threads.find(connection, id, address ?? ''),
      watcher: counted,
    });
    const through = guarded(connection.rule, rule, standIns);
    const { threadId: serverId } = opened.greeting;
    using _ = this.#threads.add(connection, { id: threadId, serverId, address: address ?? '' });
    try {
      await connection.relay(client, opened.socket, through);
    } finally {
      connection.noted(counted.facts);
    }
    return through.refused === undefined ? { kind: 'served' } : { kind: 'refused', error: through.refused };
  }

  /** Without a zero, which would end it. */
  #nonce(): Uint8Array {
    return this.#randomBytes(nonceBytes).map((octet) => (octet % 127) + 1);
  }
}

interface Begun {
  readonly start: ClientStart;
  readonly response: HandshakeResponse;
  readonly facts: ServerFacts;
  readonly threadId: number;
  readonly login: () => Promise<EndLogin>;
}

function once<Value>(get: () => Promise<Value>): () => Promise<Value> {
  let got: Promise<Value> | undefined;
  return () => (got ??= get());
}

/** A server that does not hear of it is left all the same. */
function leave(
  socket: Duplex,
  { limits, startDeadline }: Pick<Connection, 'limits' | 'startDeadline'>,
): void {
  socket.on('error', () => undefined);
  const deadline = startDeadline(limits.databasePartingMs, () => {
    socket.destroy();
  });
  socket.once('close', () => {
    deadline.clear();
  });
  socket.end(quit, () => socket.destroy());
}

/** The client's commands as far as they may go on, and in the place of others our own words among what the server says. */
function guarded(
  rule: string,
  judge: CommandRule,
  standIns: StandIns,
): RelayThrough & { readonly refused: ProxyError | undefined } {
  const fromClient = new ClientPackets(judge);
  const fromServer = new ServerPackets((payload) => standIns.response(payload));
  let refused: ProxyError | undefined;
  const throughClient = byteStep({
    take: (chunk, through) => {
      // What it says of it has ended, and nothing is pushed behind that.
      if (refused !== undefined) return;
      const { pieces, broken } = fromClient.take(chunk);
      for (const piece of pieces) through.push(piece);
      if (broken === undefined) return;
      refused = new ProxyError('protocol_denied', 'what the client sent is not a packet as it has to be');
      // The server says all that it owes, and ends. Within a command nothing can be said.
      if (broken === 'between') {
        through.push(standIns.packet({ kind: 'malformed' }, fromClient.following));
        through.push(quit);
      }
      through.push(null);
    },
  });
  const throughServer = byteStep({
    take: (chunk, through) => {
      for (const piece of fromServer.take(chunk)) through.push(piece);
    },
    end: (through) => {
      const held = fromServer.end();
      if (held.length > 0) through.push(held);
    },
  });
  return {
    throughClient,
    throughServer,
    farewell: (error) =>
      fromServer.isBetween
        ? errorPacket(fromServer.sequence + 1, {
            ...codeOf(error),
            message: `rule ${rule}: ${error.message}`,
          })
        : undefined,
    get refused() {
      return refused;
    },
  };
}

interface Told {
  readonly socket: Duplex;
  readonly sequence: number;
  /** Before that a client knows no states of SQL. */
  readonly isGreeted: boolean;
}

/** The client is told, and its connection ends. */
function tell(
  { socket, sequence, isGreeted }: Told,
  connection: Connection,
  thrown: unknown,
  code?: Omit<MysqlRefusal, 'message'>,
): EndOutcome {
  const error = asProxyError(thrown);
  const said = error.message.startsWith('rule ')
    ? error.message
    : `rule ${connection.rule}: ${error.message}`;
  const message = error.next === undefined ? said : `${said} ${error.next}`;
  const refusal = error instanceof ServerRefusal ? error.refusal : (code ?? codeOf(error));
  if (!socket.destroyed) socket.write(errorPacket(sequence, { ...refusal, message }, isGreeted));
  closeClient(socket, connection);
  return { kind: 'refused', error };
}

function codeOf({ code }: ProxyError): Omit<MysqlRefusal, 'message'> {
  switch (code) {
    case 'policy_denied':
    case 'address_denied':
    case 'credential_unavailable':
    case 'login_refused':
      // ER_ACCESS_DENIED_ERROR
      return { code: 1045, sqlState: '28000' };
    case 'limit_exceeded':
      // ER_CON_COUNT_ERROR
      return { code: 1040, sqlState: '08004' };
    case 'shutting_down':
      // ER_SERVER_SHUTDOWN
      return { code: 1053, sqlState: '08S01' };
    case 'protocol_denied':
      // ER_HANDSHAKE_ERROR
      return { code: 1043, sqlState: '08S01' };
    default:
      // ER_UNKNOWN_ERROR: the server cannot be reached, or not be trusted.
      return { code: 1105, sqlState: 'HY000' };
  }
}
