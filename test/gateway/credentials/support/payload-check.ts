// The body of a signed request against its signatures, by the lines of the AWS documentation.

import { createHash, createHmac } from 'node:crypto';

export interface OriginKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface Claim {
  readonly place: 'header' | 'query';
  readonly signedHeaders: string;
  readonly region: string;
  readonly service: string;
  readonly moment: Date;
  readonly signature: string;
}

/** The body against its hash, or its chunks against their signatures; nothing of it is kept but a chunk. */
export class PayloadCheck {
  readonly #claim: Claim;
  readonly #word: string | undefined;
  readonly #key: Buffer;
  readonly #hash = createHash('sha256');
  #held = Buffer.alloc(0);
  #previous: string;
  #fault: string | undefined;
  #isLast = false;
  bytes = 0;
  bodyHash = '';

  constructor(claim: Claim, keys: OriginKeys, word: string | undefined) {
    this.#claim = claim;
    this.#word = word;
    this.#previous = claim.signature;
    const parts = [this.#dateTime.slice(0, 8), claim.region, claim.service, 'aws4_request'];
    this.#key = parts.reduce<Buffer>(
      (key, part) => createHmac('sha256', key).update(part).digest(),
      Buffer.from(`AWS4${keys.secretAccessKey}`),
    );
  }

  get #dateTime(): string {
    return this.#claim.moment.toISOString().replace(/[:-]|\.\d{3}/g, '');
  }

  get #isSignedInChunks(): boolean {
    return this.#word?.startsWith('STREAMING-AWS4') ?? false;
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (!this.#isSignedInChunks) {
      this.#hash.update(chunk);
      return;
    }
    this.#held = Buffer.concat([this.#held, chunk]);
    while (!this.#isLast && this.#takeChunk());
  }

  end(): string | undefined {
    this.bodyHash = this.#hash.digest('hex');
    if (this.#isSignedInChunks) return this.#fault ?? this.#endFault();
    const isHash = /^[0-9a-f]{64}$/.test(this.#word ?? '');
    return isHash && this.#word !== this.bodyHash ? 'the body has another hash' : undefined;
  }

  #takeChunk(): boolean {
    const lineEnd = this.#held.indexOf('\r\n');
    const [, size = '', signature] =
      /^([0-9a-f]+);chunk-signature=([0-9a-f]{64})$/.exec(
        this.#held.toString('latin1', 0, Math.max(0, lineEnd)),
      ) ?? [];
    const length = Number.parseInt(size, 16);
    const end = lineEnd + 2 + length;
    if (lineEnd === -1 || this.#held.length < end + (length === 0 ? 0 : 2)) return false;
    const data = this.#held.subarray(lineEnd + 2, end);
    const hash = createHash('sha256').update(data).digest('hex');
    const empty = createHash('sha256').digest('hex');
    const expected = this.#sign('AWS4-HMAC-SHA256-PAYLOAD', `${this.#previous}\n${empty}\n${hash}`);
    if (expected !== signature) this.#fault ??= 'the signature of a chunk does not match';
    this.#previous = expected;
    this.#isLast = length === 0;
    this.#held = this.#held.subarray(end + (length === 0 ? 0 : 2));
    return true;
  }

  #endFault(): string | undefined {
    if (!this.#isLast) return 'the last chunk is missing';
    const lines = this.#held.toString('latin1').split('\r\n');
    if (this.#word?.endsWith('-TRAILER') !== true)
      return lines.join() === ',' ? undefined : 'something follows the last chunk';
    const signature = lines.find((line) => line.startsWith('x-amz-trailer-signature:'))?.split(':')[1];
    const fields = lines.filter((line) => line !== '' && !line.startsWith('x-amz-trailer-signature:'));
    const hash = createHash('sha256')
      .update(fields.map((line) => `${line}\n`).join(''))
      .digest('hex');
    const expected = this.#sign('AWS4-HMAC-SHA256-TRAILER', `${this.#previous}\n${hash}`);
    return signature === expected ? undefined : 'the signature of the trailer does not match';
  }

  #sign(kind: string, rest: string): string {
    const { region, service } = this.#claim;
    const scope = `${this.#dateTime.slice(0, 8)}/${region}/${service}/aws4_request`;
    return createHmac('sha256', this.#key)
      .update(`${kind}\n${this.#dateTime}\n${scope}\n${rest}`)
      .digest('hex');
  }
}
