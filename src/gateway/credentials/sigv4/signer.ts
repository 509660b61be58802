// Signatures of AWS Signature Version 4 and 4A: of a request, and of the chunks and the trailer behind it.

import { createHmac } from 'node:crypto';
import type { Secret } from '../../../protocol/secret.ts';
import { hexHash } from './canonical-request.ts';
import { asymmetricAlgorithm, asymmetricSignature } from './sigv4a-key.ts';

export const algorithm = 'AWS4-HMAC-SHA256';
const emptyHash = hexHash('');

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret<string>;
  readonly sessionToken: Secret<string> | undefined;
}

export interface AwsScope {
  /** With `isAsymmetric` a set of them: names and patterns with commas between. */
  readonly region: string;
  readonly service: string;
  /** Version 4A: signed for several regions, with ECDSA. */
  readonly isAsymmetric?: boolean;
}

/** Characters of a signature in a chunk of such a body; DER is shorter, and stars make up for it. */
const asymmetricChunkLength = 144;

/** Signs for one moment, service, and region or set of them. */
export class Signer {
  readonly algorithm: string;
  /** Characters of a signature of a chunk or trailer. */
  readonly chunkSignatureLength: number;
  /** As in `x-amz-date`. */
  readonly dateTime: string;
  /** `AKID/20130524/us-east-1/s3/aws4_request`; in version 4A no region stands in it. */
  readonly credential: string;
  readonly #scope: string;
  readonly #signText: (text: string) => string;

  constructor(keys: AwsKeys, { region, service, isAsymmetric = false }: AwsScope, nowMs: number) {
    this.dateTime = dateTimeOf(nowMs);
    const day = this.dateTime.slice(0, 8);
    this.algorithm = isAsymmetric ? asymmetricAlgorithm : algorithm;
    this.chunkSignatureLength = isAsymmetric ? asymmetricChunkLength : emptyHash.length;
    const parts = isAsymmetric ? [day, service, 'aws4_request'] : [day, region, service, 'aws4_request'];
    this.#scope = parts.join('/');
    this.credential = `${keys.accessKeyId}/${this.#scope}`;
    this.#signText = isAsymmetric
      ? (text) => asymmetricSignature(keys, text)
      : symmetricSignature(keys, parts);
  }

  request(canonicalRequest: string): string {
    return this.#sign(this.algorithm, hexHash(canonicalRequest));
  }

  /** `previous` is the signature of the chunk before, or of the request. */
  chunk(previous: string, bytes: Uint8Array): string {
    return this.#padded(
      this.#sign(`${this.algorithm}-PAYLOAD`, withoutPadding(previous), emptyHash, hexHash(bytes)),
    );
  }

  /** `fields` is a line for each, `name:value` with a line feed behind it. */
  trailer(previous: string, fields: string): string {
    return this.#padded(this.#sign(`${this.algorithm}-TRAILER`, withoutPadding(previous), hexHash(fields)));
  }

  #sign(kind: string, ...lines: readonly string[]): string {
    return this.#signText([kind, this.dateTime, this.#scope, ...lines].join('\n'));
  }

  /** The length of a body is known before its signatures are. */
  #padded(signature: string): string {
    return signature.padEnd(this.chunkSignatureLength, '*');
  }
}

function withoutPadding(signature: string): string {
  return signature.replaceAll('*', '');
}

/** The key is made of the scope, once. */
function symmetricSignature(
  { secretAccessKey }: AwsKeys,
  scope: readonly string[],
): (text: string) => string {
  const key = scope.reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey.reveal()}`));
  return (text) => hmac(key, text).toString('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** `20130524T000000Z` */
function dateTimeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/[:-]|\.\d{3}/g, '');
}

/** Milliseconds of such a time; undefined if it is none. */
export function parseDateTime(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
