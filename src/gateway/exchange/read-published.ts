// Reads what a body would publish, where a rule says which packages may be. What was read is what goes on: the very octets.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { constants, gunzipSync } from 'node:zlib';
import { cgiName, type HeaderList } from '../../http/header-list.ts';
import type { RequestAccess } from '../../policy/decision.ts';
import { type KnownPublication, type NamedRegistry, sourceOf } from '../../policy/known-package.ts';
import { packageOf } from '../../policy/package-rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import { UnreadablePackage } from '../../understand/packages/package-request.ts';
import { readPublication } from '../../understand/packages/publication.ts';
import type { PublicationTools } from '../../understand/packages/published-body.ts';
import type { UnreadBody } from '../../understand/read-body.ts';
import type { BodyFacts } from '../credentials/request/body-rewrite.ts';
import type { HeldBodies } from '../credentials/request/held-bodies.ts';

interface ReadPublished {
  readonly publication: KnownPublication;
  /** Nobody looks further into it. */
  readonly body: Readable | undefined;
}

/** `isOnTrial`: for rules that refuse nothing: a body that is too long, or does not say how long it is, goes on unread. @throws ProxyError body_too_large, limit_exceeded, timeout, cancelled */
export async function readPublished(
  body: BodyFacts,
  access: RequestAccess,
  registry: NamedRegistry,
  { held, isOnTrial }: { readonly held: HeldBodies; readonly isOnTrial: boolean },
): Promise<ReadPublished> {
  const source = sourceOf(registry, access.destination);
  const asked = packageOf(access, registry);
  const max = held.limits.publishBodyBytesMax;
  const unread = (reason: string): ReadPublished => ({
    publication: { source, read: new UnreadablePackage(reason) },
    body: undefined,
  });
  if (asked instanceof UnreadablePackage) return unread(asked.reason);
  const coded = codedField(access.headers);
  if (coded !== undefined) return unread(`has a body with the field ${coded}`);
  const isLong = body.length !== undefined && body.length > max;
  if (isOnTrial && (body.length === undefined || isLong))
    return unread('has a body that is too long to be read for a rule on trial');
  if (isLong) throw tooLong(max);
  const { bytes, sendOn } = await held.hold(body, max).catch((error: unknown) => {
    throw error instanceof ProxyError && error.code === 'body_too_large' ? tooLong(max) : error;
  });
  const sent = sendOn(bytes).rewrite(body.open());
  const read = readPublication(registry.registry, { asked, headers: access.headers, octets: bytes }, tools);
  return { publication: { source, read }, body: sent };
}

/** What rules that look into bodies see of one that was read for what it publishes. */
export const publishedBody: UnreadBody = {
  kind: 'unreadable',
  reason: 'publishes a package, and was read for that alone',
};

/** A coding of the content, under whatever name servers take for it. */
function codedField(headers: HeaderList): string | undefined {
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (cgiName(lower) !== 'content-encoding') continue;
    if (lower !== 'content-encoding' || value.trim().toLowerCase() !== 'identity') return lower;
  }
  return undefined;
}

function tooLong(max: number): ProxyError {
  return new ProxyError(
    'body_too_large',
    `a rule looks at what is published, and the body is longer than ${String(max)} bytes (publishBodyBytesMax)`,
    { limit: 'publishBodyBytesMax' },
  );
}

/** Of these octets at most a thousand times as many come. */
const packedStartBytes = 4096;

const tools: PublicationTools = {
  digestOf: (algorithm, octets) => `${algorithm}-${createHash(algorithm).update(octets).digest('base64')}`,
  octetsOfBase64: (text) => {
    const octets = Buffer.from(text, 'base64');
    return octets.toString('base64') === text ? octets : undefined;
  },
  unpackedStart: (octets) => {
    try {
      return gunzipSync(octets.subarray(0, packedStartBytes), { finishFlush: constants.Z_SYNC_FLUSH });
    } catch {
      return undefined;
    }
  },
};
