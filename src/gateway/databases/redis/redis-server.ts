// The gateway as a server of Redis for clients, and as a client for the server: it logs in there, and the client's commands go on by rule.

import type { Duplex } from 'node:stream';
import { RedisCommands, type RedisEnd } from '../../../policy/redis-end.ts';
import { asProxyError, ProxyError } from '../../../protocol/error.ts';
import { byteStep } from '../../forward/byte-step.ts';
import { closeClient } from '../client-end.ts';
import { CountedCommands } from '../counted-commands.ts';
import { ExactReader } from '../exact-reader.ts';
import type { EndedConnection, EndOutcome, ProtocolServer, RelayThrough } from '../protocol-end.ts';
import { ClientCommands } from './client-commands.ts';
import { errorReply } from './resp.ts';
import { openRedisSession } from './server-login.ts';
import { ServerReplies } from './server-replies.ts';
import { StandIns } from './stand-in.ts';

type Connection = EndedConnection<RedisEnd>;

/** First octet of a record of TLS: no command begins with it. */
const tlsHandshakeRecord = 0x16;

export class RedisServer implements ProtocolServer<RedisEnd> {
  readonly #randomBytes: (count: number) => Uint8Array;

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  async serve(connection: Connection): Promise<EndOutcome> {
    const socket = await startOfClient(connection);
    if (socket === undefined) {
      closeClient(connection.client, connection);
      return { kind: 'silent' };
    }
    let server: Duplex;
    try {
      server = await openRedisSession(connection, await connection.login());
    } catch (error) {
      return tell(socket, connection, asProxyError(error));
    }
    const counted = new CountedCommands();
    const nonce = Buffer.from(this.#randomBytes(16)).toString('hex');
    const through = guarded(connection, new StandIns(nonce, connection.rule), counted);
    try {
      await connection.relay(socket, server, through);
    } finally {
      connection.noted(counted.facts);
    }
    return through.refused === undefined ? { kind: 'served' } : { kind: 'refused', error: through.refused };
  }
}

/** The client's socket once it has said something, inside of TLS if it began with that; undefined: it left. @throws ProxyError */
async function startOfClient(connection: Connection): Promise<Duplex | undefined> {
  const first = await firstOctet(connection.client, connection);
  if (first !== tlsHandshakeRecord) return first === undefined ? undefined : connection.client;
  const secured = await connection.terminate(connection.client, []);
  const inside = await firstOctet(secured, connection);
  if (inside !== undefined) return secured;
  secured.destroy();
  return undefined;
}

/** It stays in the stream. Servers of Redis say nothing before that. */
async function firstOctet(
  socket: Duplex,
  { host, limits, startDeadline }: Connection,
): Promise<number | undefined> {
  const { databaseLoginTimeoutMs: ms } = limits;
  const error = new ProxyError(
    'timeout',
    `${host}: the client sent nothing within ${String(ms)} ms (databaseLoginTimeoutMs)`,
    { limit: 'databaseLoginTimeoutMs' },
  );
  const reader = new ExactReader(socket, { error, ms, start: startDeadline });
  try {
    const octets = await reader.take(1);
    if (octets !== undefined) socket.unshift(octets);
    return octets?.[0];
  } finally {
    await reader.release();
  }
}

/** The client's commands as far as they may go on, and in the place of others our own words among what the server says. */
function guarded(
  { end, rule, host }: Connection,
  standIns: StandIns,
  counted: CountedCommands,
): RelayThrough & { readonly refused: ProxyError | undefined } {
  const commands = new ClientCommands(new RedisCommands(end), standIns, counted);
  const replies = new ServerReplies((line) => standIns.response(line));
  let refused: ProxyError | undefined;
  const throughClient = byteStep({
    take: (chunk, through) => {
      // What it says of it has ended, and nothing is pushed behind that.
      if (refused !== undefined) return;
      const taken = commands.take(chunk);
      if (taken.pieces.length > 0) through.push(Buffer.concat(taken.pieces));
      if (taken.broken === undefined) return;
      refused = new ProxyError(
        'protocol_denied',
        'what the client sent is not a command of Redis as it has to be',
      );
      through.push(null);
    },
  });
  const throughServer = byteStep({
    take: (chunk, through) => {
      const taken = replies.take(chunk);
      if (taken.pieces.length > 0) through.push(Buffer.concat(taken.pieces));
      if (taken.isBroken !== true || refused !== undefined) return;
      refused = new ProxyError('origin_unreachable', `${host} does not respond as a server of Redis does`);
      through.push(errorReply('ERR', `rule ${rule}: ${refused.message}`));
      through.push(null);
      throughClient.push(null);
    },
    end: (through) => {
      for (const piece of replies.end()) through.push(piece);
    },
  });
  return {
    throughClient,
    throughServer,
    get refused() {
      return refused;
    },
  };
}

/** The client is told in the place of a response to what it sent first, and its connection ends. */
function tell(socket: Duplex, connection: Connection, error: ProxyError): EndOutcome {
  const message = error.message.startsWith('rule ')
    ? error.message
    : `rule ${connection.rule}: ${error.message}`;
  const next = error.next === undefined ? '' : ` ${error.next}`;
  if (!socket.destroyed) socket.write(errorReply(codeOf(error), `${message}${next}`));
  closeClient(socket, connection);
  return { kind: 'refused', error };
}

function codeOf({ code }: ProxyError): 'ERR' | 'NOPERM' {
  switch (code) {
    case 'policy_denied':
    case 'address_denied':
    case 'credential_unavailable':
    case 'login_refused':
      return 'NOPERM';
    default:
      return 'ERR';
  }
}
