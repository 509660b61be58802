// A body in `aws-chunked` with a signature on every chunk, signed again while it streams by: the client's chunks are
// taken off and ones of a fixed size put on, so that the memory is one chunk and the length is known beforehand.

import { Buffer } from 'node:buffer';
import { Transform } from 'node:stream';
import type { BodyRewrite } from '../request/body-rewrite.ts';
import { throughTransform } from '../request/body-rewrite.ts';
import { AwsChunkDecoder, malformed } from './chunk-decoder.ts';
import type { Signer } from './signer.ts';

/** AWS wants at least 8 KiB in every chunk but the last; its own example has this size. */
const chunkBytes = 64 * 1024;
const trailerSignature = 'x-amz-trailer-signature';

/** Length of a checksum in Base64, by the name of its field. */
const checksumLengths: Readonly<Record<string, number>> = {
  'x-amz-checksum-crc32': 8,
  'x-amz-checksum-crc32c': 8,
  'x-amz-checksum-crc64nvme': 12,
  'x-amz-checksum-sha1': 28,
  'x-amz-checksum-sha256': 44,
};

export interface SignedChunks {
  readonly signer: Signer;
  /** The signature of the request. */
  readonly seed: string;
  /** Bytes of the data without the coding. */
  readonly decodedLength: number;
  /** Names of the trailer fields, in lower case; undefined if the coding has no trailer. */
  readonly trailerNames: readonly string[] | undefined;
}

/** The body with every chunk signed by us. */
export function resignChunks(chunks: SignedChunks): BodyRewrite {
  return {
    length: codedLength(chunks),
    rewrite: (body) => throughTransform(body, new ChunkResigner(chunks)),
  };
}

type CodedLengthFacts = Pick<SignedChunks, 'decodedLength' | 'trailerNames'> & {
  readonly signer: Pick<Signer, 'chunkSignatureLength'>;
};

/** Bytes of the coded body; undefined if a trailer field has a value whose length is not known beforehand. */
export function codedLength({
  decodedLength,
  trailerNames,
  signer: { chunkSignatureLength: signatureLength },
}: CodedLengthFacts): number | undefined {
  const coded = (bytes: number): number => codedChunkLength(bytes, signatureLength);
  const full = Math.floor(decodedLength / chunkBytes);
  const rest = decodedLength % chunkBytes;
  const data = full * coded(chunkBytes) + (rest === 0 ? 0 : coded(rest));
  // The last chunk has a head, and the line that ends the body in the place of its data's end.
  const withoutTrailer = data + coded(0);
  if (trailerNames === undefined) return withoutTrailer;
  let length = withoutTrailer + trailerSignature.length + ':\r\n'.length + signatureLength;
  for (const name of trailerNames) {
    const valueLength = checksumLengths[name];
    if (valueLength === undefined) return undefined;
    length += name.length + ':\r\n'.length + valueLength;
  }
  return length;
}

function codedChunkLength(bytes: number, signatureLength: number): number {
  return chunkHead(bytes, '').length + signatureLength + bytes + '\r\n'.length;
}

function chunkHead(bytes: number, signature: string): string {
  return `${bytes.toString(16)};chunk-signature=${signature}\r\n`;
}

class ChunkResigner extends Transform {
  readonly #chunks: SignedChunks;
  readonly #decoder = new AwsChunkDecoder();
  readonly #take = (data: Buffer): void => {
    this.#fill(data);
  };
  #previous: string;
  #seen = 0;
  #chunk = Buffer.allocUnsafe(chunkBytes);
  #filled = 0;

  constructor(chunks: SignedChunks) {
    super({ readableHighWaterMark: chunkBytes, writableHighWaterMark: chunkBytes });
    this.#chunks = chunks;
    this.#previous = chunks.seed;
  }

  override _transform(bytes: Buffer, _encoding: string, done: (error?: Error) => void): void {
    attempt(done, () => {
      this.#decoder.push(bytes, this.#take);
    });
  }

  override _flush(done: (error?: Error) => void): void {
    attempt(done, () => {
      const trailer = this.#decoder.end();
      const { decodedLength } = this.#chunks;
      if (this.#seen !== decodedLength)
        throw malformed(`it has ${String(this.#seen)} bytes, not the ${String(decodedLength)} declared`);
      if (this.#filled > 0) this.#pushChunk();
      this.push(this.#signedHead(Buffer.alloc(0)));
      this.push(`${this.#trailerLines(trailer)}\r\n`);
    });
  }

  #fill(data: Buffer): void {
    this.#seen += data.length;
    if (this.#seen > this.#chunks.decodedLength)
      throw malformed(`it has more than the ${String(this.#chunks.decodedLength)} bytes declared`);
    for (let at = 0; at < data.length;) {
      const copied = data.copy(this.#chunk, this.#filled, at);
      this.#filled += copied;
      at += copied;
      if (this.#filled === chunkBytes) this.#pushChunk();
    }
  }

  #pushChunk(): void {
    const data = this.#chunk.subarray(0, this.#filled);
    this.push(this.#signedHead(data));
    this.push(data);
    this.push('\r\n');
    // What was pushed is not ours any more.
    this.#chunk = Buffer.allocUnsafe(chunkBytes);
    this.#filled = 0;
  }

  #signedHead(data: Buffer): string {
    this.#previous = this.#chunks.signer.chunk(this.#previous, data);
    return chunkHead(data.length, this.#previous);
  }

  #trailerLines(given: readonly (readonly [string, string])[]): string {
    const names = this.#chunks.trailerNames;
    const fields = given.filter(([name]) => name !== trailerSignature);
    if (names === undefined) {
      if (given.length > 0) throw malformed('a trailer follows that was not announced');
      return '';
    }
    const sorted = fields.toSorted(([a], [b]) => (a < b ? -1 : 1));
    if (sorted.map(([name]) => name).join() !== [...names].sort().join())
      throw malformed('its trailer fields are not those of x-amz-trailer');
    for (const [name, value] of sorted) {
      if ((checksumLengths[name] ?? value.length) !== value.length)
        throw malformed(`${name} in its trailer is not of the length of such a checksum`);
    }
    const lines = sorted.map(([name, value]) => `${name}:${value}`);
    const signed = lines.map((line) => `${line}\n`).join('');
    const signature = this.#chunks.signer.trailer(this.#previous, signed);
    return [...lines, `${trailerSignature}:${signature}`].map((line) => `${line}\r\n`).join('');
  }
}

function attempt(done: (error?: Error) => void, step: () => void): void {
  try {
    step();
  } catch (error) {
    // Only faults of the body are thrown in there, and those are errors.
    done(error as Error);
    return;
  }
  done();
}
