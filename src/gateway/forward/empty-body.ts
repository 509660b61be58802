// Whether a body has any octets: one that has none is sent as none, whatever the client framed it as.

import type { Readable } from 'node:stream';
import { deadlineWith, type LinkAbsence } from '../../net/link-absence.ts';
import type { Limits } from '../../protocol/limits.ts';
import { bodyFault, clientLeft, idleFor } from './forwarder.ts';
import type { ForwardRequest } from './forwarder.ts';

/** RFC 9110 §8.6: with these a missing Content-Length would be a surprise. */
const methodsWithContent: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * The same request, without a body if it has no octets: chunks, trailers and the end of a stream are octets of their own,
 * which an origin that reads no body would take for a request. @throws ProxyError cancelled, timeout, what broke the body
 */
export async function withoutEmptyBody(
  request: ForwardRequest,
  limits: Pick<Limits, 'idleTimeoutMs'>,
): Promise<ForwardRequest> {
  const { body, bodyLength, head } = request;
  if (body === undefined) return request;
  const hasOctets =
    bodyLength === undefined
      ? await firstOctet(body, request.signal, limits, request.absence)
      : bodyLength > 0;
  if (hasOctets) return request;
  const length = bodyLength ?? (methodsWithContent.has(head.method) ? 0 : undefined);
  return { ...request, body: undefined, bodyLength: length };
}

/**
 * Waits for the first octet of a body, which stays in it, or for the end: then false.
 * @throws ProxyError cancelled, timeout, what broke the body
 */
export async function firstOctet(
  body: Readable,
  signal: AbortSignal,
  { idleTimeoutMs }: Pick<Limits, 'idleTimeoutMs'>,
  absence?: LinkAbsence,
): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const onReadable = (): void => {
    if (body.readableLength > 0) resolve(true);
    // Asks for more, and takes nothing; without it an end would not be told.
    else body.read(0);
  };
  const onEnd = (): void => resolve(false);
  const onFault = (error?: unknown): void => reject(bodyFault(error));
  const onAbort = (): void => reject(clientLeft());
  const late = (): void => reject(idleFor('nothing came of the body'));
  const deadline = deadlineWith(absence, idleTimeoutMs, late);
  body.on('readable', onReadable).once('end', onEnd).once('error', onFault).once('close', onFault);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  else if (body.readableEnded) onEnd();
  else if (body.destroyed) onFault(body.errored);
  else onReadable();
  try {
    return await promise;
  } finally {
    deadline.clear();
    signal.removeEventListener('abort', onAbort);
    body.off('readable', onReadable).off('end', onEnd).off('error', onFault).off('close', onFault);
  }
}
