// Reads a body that a rule looks into. What was read is what goes on: the very octets.

import type { Readable } from 'node:stream';
import type { HeaderList } from '../../http/header-list.ts';
import { ProxyError } from '../../protocol/error.ts';
import { formOf, type ReadBody } from '../../understand/read-body.ts';
import type { BodyFacts } from '../credentials/request/body-rewrite.ts';
import type { HeldBodies } from '../credentials/request/held-bodies.ts';
import { bodyTooLong, jsonFormOf, readOctets } from '../policies/read-octets.ts';

export interface InspectedBody {
  readonly read: ReadBody;
  /** What to send in its place: the same octets. Undefined: nothing was read of it. */
  readonly body?: Readable;
}

export interface InspectOptions {
  readonly held: HeldBodies;
  readonly isOnTrial: boolean;
  readonly takesForms: boolean;
}

/**
 * `takesForms`: operations of GraphQL may come with files. `isOnTrial`: for rules that refuse nothing: a body that is too long, or does not say how long it is, goes on unread.
 * @throws ProxyError body_too_large, limit_exceeded, timeout, cancelled
 */
export async function inspectBody(
  body: BodyFacts,
  headers: HeaderList,
  { held, isOnTrial, takesForms }: InspectOptions,
): Promise<InspectedBody> {
  const form = (takesForms ? formOf(headers) : undefined) ?? jsonFormOf(headers);
  // Nothing is held of what cannot be read.
  if ('problem' in form) return { read: { kind: 'unreadable', reason: form.problem } };
  const max = held.limits.inspectBodyBytesMax;
  if (isOnTrial && (body.length === undefined || body.length > max))
    return { read: { kind: 'unreadable', reason: 'is too long to be read for a rule on trial' } };
  if (body.length !== undefined && body.length > max) throw bodyTooLong(max);
  const { bytes, sendOn } = await held.hold(body, max).catch((error: unknown) => {
    throw error instanceof ProxyError && error.code === 'body_too_large' ? bodyTooLong(max) : error;
  });
  const sent = sendOn(bytes).rewrite(body.open());
  const { read, heldOctets } = await readOctets(bytes, form, max);
  // It is kept as long as the request runs: a change of the policy asks about it again.
  if (heldOctets > 0) held.keep(body, heldOctets);
  return { read, body: sent };
}
