// How the body of a request is signed (`x-amz-content-sha256`), and the bodies that have to be held for it.

import type { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { parseContentLength } from '../../http/framing.ts';
import type { RequestHead } from '../../http/message-head.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { LimitName } from '../../protocol/limits.ts';
import type { BodyFacts, BodyRewrite } from './body-rewrite.ts';
import { hexHash, isS3 } from './sigv4-canonical.ts';
import { refused } from './sigv4-claim.ts';
import { readWholeBody } from './whole-body.ts';

export const contentHashField = 'x-amz-content-sha256';
const emptyHash = hexHash('');
export const unsignedPayload = 'UNSIGNED-PAYLOAD';

/** What stands for the body in the signature, and what has to happen to the body. */
export type SignedPayload =
  | { readonly kind: 'as-is'; readonly word: string }
  /** The hash is of what was held. */
  | { readonly kind: 'held'; readonly word: string; readonly body: BodyRewrite }
  | {
      readonly kind: 'chunks';
      readonly word: string;
      readonly decodedLength: number;
      readonly trailerNames: readonly string[] | undefined;
    };

/** @throws ProxyError signature_refused, body_too_large, limit_exceeded */
export async function signedPayload(
  head: RequestHead,
  service: string,
  { body, held }: { readonly body: BodyFacts | undefined; readonly held: HeldBodies },
): Promise<SignedPayload> {
  if (head.headers.isRepeated(contentHashField)) throw refused(`${contentHashField} stands more than once`);
  const word = head.headers.first(contentHashField);
  if (word?.startsWith('STREAMING-')) return streamingPayload(head, word, body);
  if (word === unsignedPayload) return { kind: 'as-is', word };
  if (word !== undefined && !/^[0-9a-fA-F]{64}$/.test(word))
    throw refused(`${contentHashField} is neither a SHA-256 hash nor a word that is known`);
  if (body === undefined) return { kind: 'as-is', word: word ?? emptyHash };
  if (word !== undefined && !body.isRewritten) return { kind: 'as-is', word };
  // The connection is TLS, which protects the body as well.
  if (isS3(service)) return { kind: 'as-is', word: unsignedPayload };
  return held.sign(body);
}

function streamingPayload(head: RequestHead, word: string, body: BodyFacts | undefined): SignedPayload {
  if (body?.isRewritten === true)
    throw refused('another credential of the rule rewrites the body, which aws-chunked does not bear');
  switch (word) {
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { kind: 'as-is', word };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return {
        kind: 'chunks',
        word,
        decodedLength: decodedLengthOf(head),
        trailerNames: word.endsWith('-TRAILER') ? trailerNamesOf(head) : undefined,
      };
    default:
      throw refused(`${contentHashField} names a way to sign chunks that the gateway does not have`);
  }
}

function decodedLengthOf(head: RequestHead): number {
  const [text = '', ...others] = head.headers.all('x-amz-decoded-content-length');
  const length = parseContentLength(text);
  if (length === undefined || others.length > 0)
    throw refused('a body in signed chunks needs x-amz-decoded-content-length, once');
  return length;
}

function trailerNamesOf(head: RequestHead): readonly string[] {
  const names = head.headers
    .all('x-amz-trailer')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  if (names.length === 0 || new Set(names).size !== names.length)
    throw refused('a body with a signed trailer needs its fields in x-amz-trailer, each once');
  return names;
}

/** Bodies that are read whole because their hash goes ahead of them: bounded each, together, and in time. */
export class HeldBodies {
  #heldBytes = 0;
  readonly #heldBytesBySession = new Map<string, number>();

  async sign(body: BodyFacts): Promise<SignedPayload> {
    const { signedBodyBytesMax } = defaultLimits;
    if ((body.length ?? 0) > signedBodyBytesMax) throw tooLarge();
    // Room for the largest: what is not declared is not believed to be small.
    const room = body.length ?? signedBodyBytesMax;
    const release = this.#reserve(room, body.sessionId);
    const bytes = await readWholeBody(body.open(), {
      bytesMax: signedBodyBytesMax,
      timeoutMs: defaultLimits.signedBodyTimeoutMs,
    }).catch((error: unknown) => {
      release();
      throw error;
    });
    return {
      kind: 'held',
      word: hexHash(bytes),
      body: { length: bytes.length, isWhole: true, drop: release, rewrite: () => bodyOf(bytes, release) },
    };
  }

  /** Gives what frees the room again. */
  #reserve(room: number, sessionId: string): () => void {
    const ofSession = (this.#heldBytesBySession.get(sessionId) ?? 0) + room;
    if (ofSession > defaultLimits.signedBodiesPerSessionBytesMax)
      throw tooMany('signedBodiesPerSessionBytesMax');
    if (this.#heldBytes + room > defaultLimits.signedBodiesBytesMax) throw tooMany('signedBodiesBytesMax');
    this.#heldBytes += room;
    this.#heldBytesBySession.set(sessionId, ofSession);
    return once(() => {
      this.#heldBytes -= room;
      const left = (this.#heldBytesBySession.get(sessionId) ?? 0) - room;
      if (left > 0) this.#heldBytesBySession.set(sessionId, left);
      else this.#heldBytesBySession.delete(sessionId);
    });
  }
}

/** The room is free again when the request is over, whichever way. */
function bodyOf(bytes: Buffer, release: () => void): Readable {
  const body = new Readable({
    read() {
      this.push(bytes);
      this.push(null);
    },
  });
  body.once('close', release);
  return body;
}

function tooMany(limit: LimitName): ProxyError {
  return new ProxyError('limit_exceeded', 'too many bodies wait to be signed; try again', { limit });
}

function tooLarge(): ProxyError {
  const max = String(defaultLimits.signedBodyBytesMax);
  return new ProxyError(
    'body_too_large',
    `a body of more than ${max} bytes can only be signed if the request states its hash in ${contentHashField}`,
    { limit: 'signedBodyBytesMax' },
  );
}

function once(step: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) step();
    isDone = true;
  };
}
