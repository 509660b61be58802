// A secret in the place of its placeholder in the first messages of a WebSocket, as clients log in there. Messages that have none go on in
// the frames in which they came; of one that is held, what stands between its frames goes on at once.

import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { MaskedFrameHeads } from '../../../net/masked-frame-heads.ts';
import { applyMask, headerLength, opcode, writeHeader } from '../../../net/websocket-frame.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { createScanner } from './body-scanner.ts';

const { placeholderMessageBytesMax } = defaultLimits;

export interface SoughtInMessages {
  /** Of the credential. */
  readonly name: string;
  readonly placeholder: string;
  readonly secret: Secret<string>;
  /** How many messages of a client are searched. */
  readonly messages: number;
}

/** What becomes of the frames of a message. */
type Message = 'held' | 'passes';

/** Takes whole frames of a client in any split: what is none was kept out before. */
export class PlaceholderMessages extends Transform {
  readonly #sought: readonly SoughtInMessages[];
  readonly #onPlaced: (name: string) => void;
  readonly #heads = new MaskedFrameHeads();
  readonly #searchedMax: number;
  #count = 0;
  #message: Message = 'passes';
  #isFinal = true;
  /** The frame that comes: a control frame may stand between those of a message. */
  #frame: Message | 'none' = 'none';
  #payloadLeft = 0;
  #payloadBytes = 0;
  #mask: Buffer = Buffer.alloc(4);
  /** Of a message that is held: its frames as they came, and what it says. */
  #raw: Buffer = Buffer.alloc(0);
  #rawBytes = 0;
  #said: Buffer = Buffer.alloc(0);
  #saidBytes = 0;

  constructor(sought: readonly SoughtInMessages[], onPlaced: (name: string) => void) {
    super();
    this.#sought = sought;
    this.#onPlaced = onPlaced;
    this.#searchedMax = Math.max(0, ...sought.map(({ messages }) => messages));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#isDone()) {
        this.push(chunk.subarray(at));
        break;
      }
      at = this.#frame === 'none' ? this.#takeHead(chunk, at) : this.#takePayload(chunk, at);
    }
    done();
  }

  /** The connection ended inside of a message: what is held of it has no end, and is dropped. */
  override _flush(done: TransformCallback): void {
    done();
  }

  /** Nothing that comes is searched. */
  #isDone(): boolean {
    const isBetween = this.#frame === 'none' && this.#isFinal && !this.#heads.isWithin;
    return isBetween && this.#count >= this.#searchedMax;
  }

  #takeHead(chunk: Buffer, at: number): number {
    const head = this.#heads.take(chunk[at] ?? 0);
    if (head === undefined) return at + 1;
    if (!head.isControl) {
      this.#isFinal = head.isFinal;
      if (head.opcode !== opcode.continuation) this.#begins(head.opcode);
    }
    this.#frame = head.isControl ? 'passes' : this.#message;
    this.#payloadLeft = head.length;
    this.#payloadBytes = 0;
    this.#mask = head.mask;
    if (
      this.#frame === 'held' &&
      this.#rawBytes + head.octets.length + head.length > placeholderMessageBytesMax
    )
      this.#letGo();
    this.#put(head.octets);
    if (head.length === 0) this.#endFrame(head.isControl);
    return at + 1;
  }

  #begins(code: number): void {
    this.#count += 1;
    this.#message = code === opcode.text && this.#count <= this.#searchedMax ? 'held' : 'passes';
    if (this.#message === 'passes') return;
    // One piece of memory for each, however small the pieces are in which it comes.
    this.#raw = Buffer.alloc(placeholderMessageBytesMax);
    this.#said = Buffer.alloc(placeholderMessageBytesMax);
  }

  #takePayload(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#payloadLeft);
    const part = chunk.subarray(at, end);
    if (this.#frame === 'held') {
      const said = this.#said.subarray(this.#saidBytes, this.#saidBytes + part.length);
      said.set(part);
      applyMask(said, this.#mask, this.#payloadBytes % 4);
      this.#saidBytes += part.length;
    }
    this.#put(part);
    this.#payloadBytes += part.length;
    this.#payloadLeft -= part.length;
    if (this.#payloadLeft === 0) this.#endFrame(this.#frame === 'passes' && this.#message === 'held');
    return end;
  }

  #put(octets: Buffer): void {
    if (this.#frame !== 'held') {
      this.push(octets);
      return;
    }
    this.#raw.set(octets, this.#rawBytes);
    this.#rawBytes += octets.length;
  }

  /** It is longer than any that is searched. */
  #letGo(): void {
    this.#putHeld();
    this.#forget();
    this.#frame = this.#message = 'passes';
  }

  #endFrame(isBetween: boolean): void {
    this.#frame = 'none';
    if (isBetween || !this.#isFinal || this.#message !== 'held') return;
    const placed = this.#placed(this.#said.subarray(0, this.#saidBytes));
    if (placed === undefined) this.#putHeld();
    else this.push(textFrame(placed));
    this.#forget();
    this.#message = 'passes';
  }

  #putHeld(): void {
    if (this.#rawBytes > 0) this.push(this.#raw.subarray(0, this.#rawBytes));
  }

  #forget(): void {
    this.#raw = this.#said = Buffer.alloc(0);
    this.#rawBytes = this.#saidBytes = 0;
  }

  /** Undefined: it has no placeholder. */
  #placed(message: Buffer): Buffer | undefined {
    let current: Buffer | undefined;
    for (const { name, placeholder, secret, messages } of this.#sought) {
      if (this.#count > messages) continue;
      const found = inMessage(current ?? message, placeholder, secret.reveal());
      if (found === undefined) continue;
      current = found;
      this.#onPlaced(name);
    }
    return current;
  }
}

/** A string of JSON that is the placeholder, alone or behind `Bearer`, or a message that is nothing else. */
function inMessage(message: Buffer, placeholder: string, secret: string): Buffer | undefined {
  const first = message.toString('latin1', 0, 64).trimStart().charAt(0);
  const isJson = first === '{' || first === '[' || first === '"';
  const forms = isJson
    ? (['', 'Bearer '] as const).map((scheme) =>
        createScanner('json', { placeholder: `${scheme}${placeholder}`, secret: `${scheme}${secret}` }),
      )
    : [createScanner('text', { placeholder, secret })];
  let current = message;
  for (const form of forms) current = Buffer.concat(form.scan(current, true).parts);
  return forms.some(({ found }) => found > 0) ? current : undefined;
}

/** Of a client, so it is masked (RFC 6455 §5.1). */
function textFrame(payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const header = headerLength(payload.length, true);
  const frame = Buffer.alloc(header + payload.length);
  writeHeader(frame, 0, { opcode: opcode.text, length: payload.length, mask });
  frame.set(payload, header);
  applyMask(frame.subarray(header), mask, 0);
  return frame;
}
