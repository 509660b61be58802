// Messages of gRPC, gRPC-Web and Connect, and the frames of Amazon's event stream: each says its own length, so its end is a border.

import { Buffer } from 'node:buffer';
import { unsearchable, type Borders } from './borders.ts';
import type { Marked } from './secret-search.ts';

export interface EnvelopeForm {
  readonly headerBytes: number;
  readonly name: string;
  /** How many octets follow the header; a text is why the message cannot be searched. */
  payloadBytes(header: Buffer): number | string;
}

/** A length above this is a text that is taken for one. */
const payloadBytesMax = 0x1fff_ffff;
/** Data, the end of Connect's stream, the trailers of gRPC-Web. Compressed is 1, and everything else is unknown. */
const plainFlags: ReadonlySet<number | undefined> = new Set([0, 2, 0x80]);

const grpc: EnvelopeForm = {
  headerBytes: 5,
  name: 'message',
  payloadBytes: (header) => {
    if (!plainFlags.has(header[0])) return 'compressed, or of an unknown kind';
    return header.readUInt32BE(1);
  },
};

/** Length of all, length of the headers, a checksum of both. */
const eventStream: EnvelopeForm = {
  headerBytes: 12,
  name: 'frame',
  payloadBytes: (header) => {
    const length = header.readUInt32BE(0) - 12;
    return length < 0 ? 'shorter than its own head' : length;
  },
};

/** @throws ProxyError origin_malformed for a type whose messages cannot be told apart here */
export function envelopeFormOf(type: string, host: string): EnvelopeForm | undefined {
  if (type === 'application/vnd.amazon.eventstream') return eventStream;
  if (type.startsWith('application/grpc-web-text'))
    throw unsearchable(host, 'with gRPC-Web as Base64, in which compressed messages cannot be told');
  return /^application\/(?:grpc|connect\+)/.test(type) ? grpc : undefined;
}

export class EnvelopeBorders implements Borders {
  readonly #form: EnvelopeForm;
  readonly #host: string;
  readonly #header: Buffer;
  #headerBytes = 0;
  #payloadLeft = 0;
  /** Octets that came since the header of this message began; of one whose header is not whole none is let go. */
  #sinceStart = 0;

  constructor(form: EnvelopeForm, host: string) {
    this.#form = form;
    this.#host = host;
    this.#header = Buffer.alloc(form.headerBytes);
  }

  last(text: Uint8Array, from: number): number {
    let border = 0;
    for (let at = from; at < text.length;) {
      at = this.#payloadLeft > 0 ? this.#passPayload(text, at) : this.#takeHeader(text, at);
      if (this.#payloadLeft === 0 && this.#headerBytes === 0) {
        border = at;
        this.#sinceStart = 0;
      }
    }
    return border;
  }

  /** A length that holds a part of what is searched for was read before it was found. */
  marked({ start, end }: Marked, from: number): void {
    const messageStart = from - this.#sinceStart;
    if (this.#sinceStart > 0 && start < messageStart + this.#form.headerBytes && end > messageStart)
      throw unsearchable(this.#host, `with a ${this.#form.name} whose length holds the credential`);
  }

  #takeHeader(text: Uint8Array, at: number): number {
    this.#header[this.#headerBytes] = text[at] ?? 0;
    this.#headerBytes += 1;
    this.#sinceStart += 1;
    if (this.#headerBytes < this.#form.headerBytes) return at + 1;
    this.#headerBytes = 0;
    const length = this.#form.payloadBytes(this.#header);
    if (typeof length === 'string')
      throw unsearchable(this.#host, `with a ${this.#form.name} that is ${length}`);
    if (length > payloadBytesMax)
      throw unsearchable(this.#host, `with a ${this.#form.name} of ${String(length)} octets`);
    this.#payloadLeft = length;
    return at + 1;
  }

  #passPayload(text: Uint8Array, at: number): number {
    const end = Math.min(text.length, at + this.#payloadLeft);
    this.#payloadLeft -= end - at;
    this.#sinceStart += end - at;
    return end;
  }
}
