// The log-in at a server of Redis with the user of the rule's credential (AUTH), before anything of the client goes there.

import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { RedisEnd } from '../../../policy/redis-end.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { endsWithClient } from '../client-end.ts';
import { ExactReader } from '../exact-reader.ts';
import type { EndedConnection, EndLogin } from '../protocol-end.ts';
import { commandOf, octet } from './resp.ts';

type Connection = EndedConnection<RedisEnd>;

/** What a server says to AUTH, and how much of it the operator sees. */
const responseBytesMax = 1024;

/** @throws ProxyError */
export async function openRedisSession(connection: Connection, login: EndLogin): Promise<Duplex> {
  const { host, end, limits } = connection;
  const { socket } = await connection.dial({
    alpn: [],
    // Nobody asks for TLS in this protocol: it is there from the first octet, or not at all.
    startTls: () => Promise.resolve(!end.isPlaintext),
  });
  using _ = endsWithClient(socket, connection);
  const reader = new ExactReader(socket, {
    ms: limits.databaseLoginTimeoutMs,
    error: new ProxyError(
      'timeout',
      `${host} did not say within ${String(limits.databaseLoginTimeoutMs)} ms whether it takes the log-in (databaseLoginTimeoutMs)`,
      { limit: 'databaseLoginTimeoutMs' },
    ),
  });
  try {
    socket.write(commandOf(['AUTH', login.username, login.password.reveal()]));
    const said = await lineOf(reader, host);
    requireTaken(said, reader, { connection, login });
    connection.noted({ user: login.username, tls: socket instanceof TLSSocket });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    await reader.release();
  }
}

function requireTaken(
  said: string,
  reader: ExactReader,
  { connection: { host, rule }, login }: { readonly connection: Connection; readonly login: EndLogin },
): void {
  // Nothing was asked for yet that it could say more about.
  if (said === '+OK' && reader.waitingBytes === 0) return;
  const [, code = ''] = /^-([A-Z]{1,20}) /.exec(said) ?? [];
  if (code === '')
    throw new ProxyError('origin_unreachable', `${host} does not respond as a server of Redis does`);
  if (code === 'WRONGPASS') login.onRejected();
  throw new ProxyError(
    'login_refused',
    `rule ${rule}: ${host} does not take the log-in of the gateway (${code})`,
    // Which users a server knows is the operator's business.
    { operatorDetail: `${host} says: ${said.slice(1)}` },
  );
}

async function lineOf(reader: ExactReader, host: string): Promise<string> {
  const line: number[] = [];
  while (line.length < responseBytesMax) {
    // One by one: what comes behind the line is for who reads next.
    const [one] = (await reader.take(1)) ?? [];
    if (one === undefined)
      throw new ProxyError('origin_unreachable', `${host} closed the connection during the log-in`);
    if (one === octet.newline) return Buffer.from(line).toString('latin1').replace(/\r$/, '');
    line.push(one);
  }
  throw new ProxyError('origin_unreachable', `${host} does not respond as a server of Redis does`);
}
