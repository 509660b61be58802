// Signatures of AWS Signature Version 4: of a request, and of the chunks and the trailer behind it.

import { createHmac } from 'node:crypto';
import type { Secret } from '../../../protocol/secret.ts';
import { hexHash } from './canonical-request.ts';

export const algorithm = 'AWS4-HMAC-SHA256';
const emptyHash = hexHash('');

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret<string>;
  readonly sessionToken: Secret<string> | undefined;
}

export interface AwsScope {
  readonly region: string;
  readonly service: string;
}

/** Signs for one moment, region and service. */
export class Signer {
  /** As in `x-amz-date`. */
  readonly dateTime: string;
  /** `AKID/20130524/us-east-1/s3/aws4_request` */
  readonly credential: string;
  readonly #scope: string;
  readonly #key: Buffer;

  constructor(keys: AwsKeys, { region, service }: AwsScope, nowMs: number) {
    this.dateTime = dateTimeOf(nowMs);
    const day = this.dateTime.slice(0, 8);
    this.#scope = `${day}/${region}/${service}/aws4_request`;
    this.credential = `${keys.accessKeyId}/${this.#scope}`;
    const secret = `AWS4${keys.secretAccessKey.reveal()}`;
    this.#key = [day, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(secret));
  }

  request(canonicalRequest: string): string {
    return this.#sign(algorithm, hexHash(canonicalRequest));
  }

  /** `previous` is the signature of the chunk before, or of the request. */
  chunk(previous: string, bytes: Uint8Array): string {
    return this.#sign(`${algorithm}-PAYLOAD`, previous, emptyHash, hexHash(bytes));
  }

  /** `fields` is a line for each, `name:value` with a line feed behind it. */
  trailer(previous: string, fields: string): string {
    return this.#sign(`${algorithm}-TRAILER`, previous, hexHash(fields));
  }

  #sign(kind: string, ...lines: readonly string[]): string {
    const text = [kind, this.dateTime, this.#scope, ...lines].join('\n');
    return hmac(this.#key, text).toString('hex');
  }
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
