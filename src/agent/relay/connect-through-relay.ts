// The client's side of the relay's CONNECT: a TCP connection to a named destination, for programs that cannot ask for one.

import { connect, type Socket } from 'node:net';
import { ResponseReader } from '../../http/response-reader.ts';
import type { ReadHead } from '../../http/response-reader.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { knownErrorCode } from '../../protocol/error-table.ts';

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
  const reader = new ResponseReader({
    request: { method: 'CONNECT', asksToSwitch: false },
    limits: {
      headBytesMax: defaultLimits.connectHeadBytesMax,
      headersCountMax: defaultLimits.headersCountMax,
    },
    bodyBytesMax: 0,
    fault: (reason) => noRelay(relay, `it speaks something else than HTTP: ${reason}`),
  });
  const onData = (chunk: Buffer): void => {
    try {
      reader.push(chunk);
    } catch (error) {
      // What follows the head of a refusal says nothing that counts.
      if ((reader.head?.status ?? 0) < 300) return reject(asProxyError(error));
    }
    if (reader.head === undefined) return;
    if (reader.head.status >= 300) return reject(refused(authority, reader.head));
    socket.pause();
    if (reader.rest.length > 0) socket.unshift(reader.rest);
    resolve(socket);
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
function refused(authority: string, { status, headers }: ReadHead): ProxyError {
  const reason = headers.first('x-deny-reason');
  return new ProxyError(
    knownErrorCode(reason) ?? 'gateway_protocol',
    `the relay refuses ${authority} with ${String(status)}${reason === undefined ? '' : `: ${reason}`}`,
  );
}
