// The client's side of the relay's CONNECT: a TCP connection to a named destination, for programs that cannot ask for one.

import { connect, type Socket } from 'node:net';
import { ProxyError } from '../../protocol/error.ts';
import { type ErrorCode, errorTable } from '../../protocol/error-table.ts';

/** More than any response of a relay to CONNECT. */
const responseBytesMax = 16 * 1024;

export interface ConnectThroughRelay {
  /** Where the relay listens. */
  readonly relay: { readonly host: string; readonly port: number };
  /** `host:port` in canonical form. */
  readonly authority: string;
  /** From the first packet to the relay's response, which waits for the origin. */
  readonly timeoutMs: number;
}

/**
 * A socket to the destination, half-open at either end; what came behind the relay's response is in it.
 * Throws what refused it, by the code that the relay gives as its reason; gateway_protocol where it gives none;
 * gateway_unreachable where no relay listens; timeout.
 */
export async function connectThroughRelay(options: ConnectThroughRelay): Promise<Socket> {
  const { relay, authority, timeoutMs } = options;
  const socket = connect({ ...relay, allowHalfOpen: true });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const timer = setTimeout(() => {
    reject(new ProxyError('timeout', `no way to ${authority} after ${String(timeoutMs)} ms`));
  }, timeoutMs);
  let response = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    response = Buffer.concat([response, chunk]);
    const end = response.indexOf('\r\n\r\n');
    if (end < 0) {
      if (response.length > responseBytesMax) reject(noRelay(relay, 'it speaks something else than HTTP'));
      return;
    }
    const status = /^HTTP\/1\.[01] ([0-9]{3})/.exec(response.toString('latin1', 0, end))?.[1];
    if (status === undefined) reject(noRelay(relay, 'it speaks something else than HTTP'));
    else if (status.startsWith('2')) {
      socket.pause();
      if (response.length > end + 4) socket.unshift(response.subarray(end + 4));
      resolve(socket);
    } else reject(refused(authority, status, response));
  };
  const onError = (error: Error): void => reject(noRelay(relay, error.message));
  const onEnd = (): void => reject(noRelay(relay, 'it closed the connection without a response'));
  socket.on('data', onData).on('error', onError).on('end', onEnd);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.off('data', onData).off('error', onError).off('end', onEnd);
  }
}

function noRelay({ host, port }: ConnectThroughRelay['relay'], reason: string): ProxyError {
  return new ProxyError('gateway_unreachable', `no relay at ${host}:${String(port)}: ${reason}`);
}

/** The relay says why in a field, so that clients that drop the body of a refusal can show it. */
function refused(authority: string, status: string, response: Buffer): ProxyError {
  const head = response.toString('latin1', 0, response.indexOf('\r\n\r\n'));
  const reason = /^x-deny-reason: *([^\r\n]+)/im.exec(head)?.[1];
  return new ProxyError(
    knownCode(reason) ?? 'gateway_protocol',
    `the relay refuses ${authority} with ${status}${reason === undefined ? '' : `: ${reason}`}`,
  );
}

/** The relay's reason is a code of ours; another proxy may say anything. */
function knownCode(text: string | undefined): ErrorCode | undefined {
  // The check makes the key known.
  return text !== undefined && Object.hasOwn(errorTable, text) ? (text as ErrorCode) : undefined;
}
