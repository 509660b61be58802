// A secret in the place of its placeholder in a request's body: short bodies are held, so that their length can be said
// and a body without the placeholder gets nothing; longer ones stream by and go on in chunks.

import { defaultLimits } from '../../../protocol/limits.ts';
import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { RequestHead } from '../../../http/message-head.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { throughTransform } from './body-rewrite.ts';
import type { BodyFacts, BodyRewrite } from './body-rewrite.ts';
import type { HeldBodies } from './held-bodies.ts';
import { ScanTransform, createScanner } from './body-scanner.ts';
import type { BodyForm } from './body-scanner.ts';

export interface SubstitutedBody {
  readonly body: BodyRewrite;
  /** Undefined while it is not known. */
  readonly isFound: boolean | undefined;
}

/** How the placeholder can stand in the body; undefined if the body is not searched. */
export function bodyFormOf({ headers }: RequestHead): BodyForm | undefined {
  const coding = headers.first('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity' || headers.isRepeated('content-encoding')) return undefined;
  if (headers.isRepeated('content-type')) return undefined;
  const type = headers.first('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/x-www-form-urlencoded') return 'form';
  if (type === 'text/plain') return 'text';
  return isJson(type) ? 'json' : undefined;
}

function isJson(type: string): boolean {
  if (type === 'application/json' || type === 'application/x-ndjson') return true;
  return type.endsWith('+json') && /^application\/[a-z0-9.-]+$/.test(type.slice(0, -'+json'.length));
}

/** @throws ProxyError limit_exceeded, timeout, cancelled */
export async function substituteInBody(
  form: BodyForm,
  body: BodyFacts,
  held: HeldBodies,
  { placeholder, secret }: { readonly placeholder: string; readonly secret: Secret<string> },
): Promise<SubstitutedBody> {
  const scanner = createScanner(form, { placeholder, secret: secret.reveal() });
  if (body.length === undefined || body.length > defaultLimits.placeholderBodyBytesMax) {
    const rewrite = (given: Readable): Readable => throughTransform(given, new ScanTransform(scanner));
    return { body: { length: undefined, rewrite }, isFound: undefined };
  }
  const { bytes, sendOn } = await held.hold(body, defaultLimits.placeholderBodyBytesMax);
  const { parts } = scanner.scan(bytes, true);
  return { body: sendOn(Buffer.concat(parts)), isFound: scanner.found > 0 };
}

/** Fields that speak of the body's bytes, which are others now. */
export const bodyDigests = ['content-md5', 'digest', 'content-digest', 'repr-digest'] as const;
