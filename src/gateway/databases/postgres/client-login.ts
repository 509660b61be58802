// The log-in of a client where its rule asks for one: it serves clients that want to see one, and keeps nobody out.

import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { ProxyError } from '../../../protocol/error.ts';
import { ExactReader } from '../exact-reader.ts';
import type { EndedConnection } from '../protocol-end.ts';
import { serverEndPoint } from './channel-binding.ts';
import { bodyBytes, messageHeadBytes, messageOf, readUint32, uint32 } from './message.ts';
import { ScramError } from './scram.ts';
import { ScramServer } from './scram-server.ts';

/** Of one message: some hundred octets in clients that exist. */
const loginMessageBytesMax = 2048;
/** Numbers of authentication requests. */
const request = { sasl: 10, saslContinue: 11, saslFinal: 12 } as const;
const passwordMessage = 'p'.charCodeAt(0);

/** The client does not show what it has to; the text is for it. */
export class ClientLoginError extends Error {
  override readonly name = 'ClientLoginError';
}

type Connection = Pick<EndedConnection, 'host' | 'limits' | 'startDeadline'>;

/** @throws ClientLoginError, ProxyError */
export async function logClientIn(socket: Duplex, connection: Connection, password: string): Promise<void> {
  const { host, limits, startDeadline } = connection;
  const { databaseLoginTimeoutMs: ms } = limits;
  const error = new ProxyError(
    'timeout',
    `${host}: the client did not log in within ${String(ms)} ms (databaseLoginTimeoutMs)`,
    { limit: 'databaseLoginTimeoutMs' },
  );
  const scram = new ScramServer({
    password,
    nonce: randomBytes(18).toString('base64'),
    salt: randomBytes(16),
    binding: bindingOf(socket),
  });
  const reader = new ExactReader(socket, { error, ms, start: startDeadline });
  try {
    const offer = scram.mechanisms.map((name) => `${name}\0`).join('');
    socket.write(messageOf('R', uint32(request.sasl), offer, '\0'));
    const initial = readInitial(await nextResponse(reader));
    socket.write(messageOf('R', uint32(request.saslContinue), scram.first(initial.mechanism, initial.first)));
    const final = await scram.final(textOf(await nextResponse(reader)));
    socket.write(messageOf('R', uint32(request.saslFinal), final));
  } catch (fault) {
    if (fault instanceof ScramError) throw new ClientLoginError(fault.message);
    throw fault;
  } finally {
    await reader.release();
  }
}

/** Of the leaf that this very connection showed. */
function bindingOf(socket: Duplex): Uint8Array | undefined {
  const leaf = socket instanceof TLSSocket ? socket.getX509Certificate() : undefined;
  return leaf === undefined ? undefined : serverEndPoint(leaf);
}

async function nextResponse(reader: ExactReader): Promise<Buffer> {
  const head = await reader.take(messageHeadBytes);
  if (head === undefined) throw new ClientLoginError('it left when it was asked to log in');
  const length = bodyBytes(head);
  if (head[0] !== passwordMessage || length === undefined || length > loginMessageBytesMax)
    throw new ClientLoginError('it was asked to log in by SCRAM, and sent something else');
  const body = await reader.take(length);
  if (body === undefined) throw new ClientLoginError('its message does not end');
  return body;
}

function readInitial(body: Uint8Array): { readonly mechanism: string; readonly first: string } {
  const zero = body.indexOf(0);
  const length = zero === -1 ? undefined : readUint32(body, zero + 1);
  if (length === undefined || zero + 5 + length !== body.length)
    throw new ClientLoginError('its first message is not one of SASL');
  return { mechanism: textOf(body.subarray(0, zero)), first: textOf(body.subarray(zero + 5)) };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
