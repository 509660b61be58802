// How the body of a request is signed (`x-amz-content-sha256`), and the bodies that have to be held for it.

import { parseContentLength } from '../../../http/framing.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { BodyFacts, BodyRewrite } from '../request/body-rewrite.ts';
import type { HeldBodies } from '../request/held-bodies.ts';
import { hexHash, isS3 } from './canonical-request.ts';
import { refused } from './aws-claim.ts';
import { algorithm } from './signer.ts';
import type { AwsScope } from './signer.ts';
import { asymmetricAlgorithm } from './sigv4a-key.ts';

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
  { service, isAsymmetric = false }: AwsScope,
  { body, held }: { readonly body: BodyFacts | undefined; readonly held: HeldBodies },
): Promise<SignedPayload> {
  if (head.headers.isRepeated(contentHashField)) throw refused(`${contentHashField} stands more than once`);
  const word = head.headers.first(contentHashField);
  if (word?.startsWith('STREAMING-')) return streamingPayload(head, word, { body, isAsymmetric });
  if (word === unsignedPayload) return { kind: 'as-is', word };
  if (word !== undefined && !/^[0-9a-fA-F]{64}$/.test(word))
    throw refused(`${contentHashField} is neither a SHA-256 hash nor a word that is known`);
  if (body === undefined) return { kind: 'as-is', word: word ?? emptyHash };
  if (word !== undefined && !body.isRewritten) return { kind: 'as-is', word };
  // The connection is TLS, which protects the body as well.
  if (isS3(service)) return { kind: 'as-is', word: unsignedPayload };
  return signed(body, held);
}

function streamingPayload(
  head: RequestHead,
  word: string,
  { body, isAsymmetric }: { readonly body: BodyFacts | undefined; readonly isAsymmetric: boolean },
): SignedPayload {
  if (body?.isRewritten === true)
    throw refused('another credential of the rule rewrites the body, which aws-chunked does not bear');
  if (word === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') return { kind: 'as-is', word };
  const chunks = `STREAMING-${isAsymmetric ? asymmetricAlgorithm : algorithm}-PAYLOAD`;
  if (word !== chunks && word !== `${chunks}-TRAILER`)
    throw refused(`${contentHashField} names a way to sign chunks that the gateway does not have`);
  return {
    kind: 'chunks',
    word,
    decodedLength: decodedLengthOf(head),
    trailerNames: word.endsWith('-TRAILER') ? trailerNamesOf(head) : undefined,
  };
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

async function signed(body: BodyFacts, held: HeldBodies): Promise<SignedPayload> {
  const { signedBodyBytesMax } = held.limits;
  if ((body.length ?? 0) > signedBodyBytesMax) throw tooLarge(signedBodyBytesMax);
  const { bytes, sendOn } = await held.hold(body, signedBodyBytesMax);
  return { kind: 'held', word: hexHash(bytes), body: sendOn(bytes) };
}

function tooLarge(bytesMax: number): ProxyError {
  return new ProxyError(
    'body_too_large',
    `a body of more than ${bytesMax} bytes can only be signed if the request states its hash in ${contentHashField}`,
    { limit: 'signedBodyBytesMax' },
  );
}
