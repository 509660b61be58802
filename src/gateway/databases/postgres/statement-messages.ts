// What a client sends where its rule reads statements: messages that have one are taken whole, and all others pass by their heads.

import { refusalOf } from './client-messages.ts';
import { bodyBytes, messageHeadBytes, type PostgresRefusal } from './message.ts';

export type ClientPiece =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** A message of that type begins with the next bytes. */
  | { readonly kind: 'began'; readonly type: MessageType }
  /** A statement will be held, with so many octets; whoever takes this makes room. */
  | { readonly kind: 'holds'; readonly octets: number }
  | { readonly kind: 'statement'; readonly type: StatementType; readonly message: Uint8Array }
  /** Longer than may be held. Its octets follow as bytes. */
  | { readonly kind: 'long'; readonly type: StatementType }
  /** Nothing behind it is taken. */
  | { readonly kind: 'refused'; readonly refusal: PostgresRefusal };

export type StatementType = 'query' | 'parse';
/** Of what passes: what runs something, what ends a batch, and the rest. */
export type MessageType = 'runs' | 'sync' | 'other';

const [query, parse, bind, execute, sync] = [...'QPBES'].map((type) => type.charCodeAt(0));

interface Held {
  readonly type: StatementType;
  readonly message: Uint8Array;
  filled: number;
}

export class StatementMessages {
  readonly #bytesMax: number;
  /** Where longer ones are dropped, nothing of them passes. */
  readonly #dropsLong: boolean;
  #head: Uint8Array = new Uint8Array(0);
  /** Of the message that passes, or is dropped. */
  #left = 0;
  #isDropping = false;
  #held: Held | undefined;
  #isRefused = false;

  constructor(bytesMax: number, dropsLong: boolean) {
    this.#bytesMax = bytesMax;
    this.#dropsLong = dropsLong;
  }

  *take(chunk: Uint8Array): Generator<ClientPiece> {
    const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    this.#head = new Uint8Array(0);
    for (let at = 0; at < bytes.length && !this.#isRefused;) {
      if (this.#held !== undefined) {
        const taken = bytes.subarray(at, at + this.#held.message.length - this.#held.filled);
        at += taken.length;
        yield* this.#hold(this.#held, taken);
      } else if (this.#left > 0) {
        const passed = bytes.subarray(at, at + this.#left);
        at += passed.length;
        this.#left -= passed.length;
        if (!this.#isDropping) yield { kind: 'bytes', bytes: passed };
      } else {
        const refusal = refusalOf(bytes, at);
        if (refusal !== undefined) {
          this.#isRefused = true;
          yield { kind: 'refused', refusal };
        } else if (bytes.length - at < messageHeadBytes) {
          // A copy: the rest of the chunk need not be kept for it.
          this.#head = bytes.slice(at);
          return;
        } else yield* this.#begin(bytes.subarray(at, at + messageHeadBytes));
      }
    }
  }

  *#begin(head: Uint8Array): Generator<ClientPiece> {
    const octets = messageHeadBytes + (bodyBytes(head) ?? 0);
    const type = head[0] === query ? 'query' : head[0] === parse ? 'parse' : undefined;
    this.#isDropping = false;
    if (type === undefined) {
      this.#left = octets;
      const runs = head[0] === bind || head[0] === execute;
      yield { kind: 'began', type: runs ? 'runs' : head[0] === sync ? 'sync' : 'other' };
    } else if (octets > this.#bytesMax) {
      this.#left = octets;
      this.#isDropping = this.#dropsLong;
      yield { kind: 'long', type };
    } else {
      yield { kind: 'holds', octets };
      this.#held = { type, message: new Uint8Array(octets), filled: 0 };
    }
  }

  *#hold(held: Held, bytes: Uint8Array): Generator<ClientPiece> {
    held.message.set(bytes, held.filled);
    held.filled += bytes.length;
    if (held.filled < held.message.length) return;
    this.#held = undefined;
    yield { kind: 'statement', type: held.type, message: held.message };
  }
}

/** The text of a message that was taken whole, and of `parse` the name too. Undefined: it has none that ends where it must. */
export function readStatement(
  type: StatementType,
  message: Uint8Array,
): { readonly name: Uint8Array; readonly text: Uint8Array } | undefined {
  const body = message.subarray(messageHeadBytes);
  const nameEnd = type === 'parse' ? body.indexOf(0) : -1;
  if (type === 'parse' && nameEnd === -1) return undefined;
  const end = body.indexOf(0, nameEnd + 1);
  if (end === -1 || (type === 'query' && end !== body.length - 1)) return undefined;
  return { name: body.subarray(0, Math.max(nameEnd, 0)), text: body.subarray(nameEnd + 1, end) };
}
