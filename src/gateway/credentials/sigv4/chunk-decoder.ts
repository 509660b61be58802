// Takes the `aws-chunked` coding off a body, piece by piece: the data passes at once, whatever a chunk's size.

import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { LimitName } from '../../../protocol/limits.ts';

const { awsChunkBytesMax } = defaultLimits;
const lineFeed = 0x0a;

type State = 'head' | 'data' | 'dataEnd' | 'trailer';

export class AwsChunkDecoder {
  #state: State = 'head';
  #left = 0;
  #text = '';

  /** Hands every piece of data to `take`. @throws ProxyError request_malformed */
  push(bytes: Buffer, take: (data: Buffer) => void): void {
    let at = 0;
    while (at < bytes.length) at = this.#step(bytes, at, take);
  }

  /** The fields behind the last chunk. @throws ProxyError request_malformed if the coding is not complete */
  end(): readonly (readonly [name: string, value: string])[] {
    if (this.#state !== 'trailer') throw malformed('it ends before its last chunk');
    // Some clients put an empty line before the signature of the trailer, some end a field by a line feed alone.
    const lines = this.#text.split(/\r?\n|\r/).filter((line) => line !== '');
    return lines.map((line) => {
      const [, name, value] = /^([A-Za-z0-9-]{1,128}):[ \t]*([\x21-\x7e]{1,1024})[ \t]*$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw malformed('a trailer field is no "name:value"');
      return [name.toLowerCase(), value] as const;
    });
  }

  #step(bytes: Buffer, at: number, take: (data: Buffer) => void): number {
    switch (this.#state) {
      case 'data': {
        const end = Math.min(bytes.length, at + this.#left);
        take(bytes.subarray(at, end));
        this.#left -= end - at;
        if (this.#left === 0) this.#state = 'dataEnd';
        return end;
      }
      case 'trailer':
        return this.#collect(bytes, at, bytes.length, 'awsTrailerBytesMax');
      case 'head':
      case 'dataEnd': {
        const found = bytes.indexOf(lineFeed, at);
        const end = found === -1 ? bytes.length : found + 1;
        this.#collect(bytes, at, end, 'awsChunkHeadBytesMax');
        if (found !== -1) this.#endLine();
        return end;
      }
    }
  }

  #collect(
    bytes: Buffer,
    at: number,
    end: number,
    limit: 'awsChunkHeadBytesMax' | 'awsTrailerBytesMax',
  ): number {
    const max = defaultLimits[limit];
    if (this.#text.length + end - at > max)
      throw malformed(`a line or the trailer of it is longer than ${String(max)} bytes`, limit);
    this.#text += bytes.toString('latin1', at, end);
    return end;
  }

  #endLine(): void {
    const line = this.#text;
    this.#text = '';
    if (this.#state === 'dataEnd') {
      if (line !== '\r\n') throw malformed('a chunk is longer than it says');
      this.#state = 'head';
      return;
    }
    const [, size] = /^([0-9A-Fa-f]{1,8})(?:;chunk-signature=[0-9A-Fa-f*]{64,144})?\r\n$/.exec(line) ?? [];
    if (size === undefined) throw malformed('the head of a chunk is not "size;chunk-signature=…"');
    this.#left = Number.parseInt(size, 16);
    if (this.#left > awsChunkBytesMax)
      throw malformed(
        `a chunk of ${String(this.#left)} bytes is above ${String(awsChunkBytesMax)}`,
        'awsChunkBytesMax',
      );
    this.#state = this.#left === 0 ? 'trailer' : 'data';
  }
}

export function malformed(reason: string, limit?: LimitName): ProxyError {
  const options = limit === undefined ? {} : { limit };
  return new ProxyError('request_malformed', `the aws-chunked body is refused: ${reason}`, options);
}
