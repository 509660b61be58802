// What a client may send in a session: its messages are followed by their heads alone, whatever the pieces are in which they come.

import { bodyBytes, messageHeadBytes, type PostgresRefusal } from './message.ts';

/**
 * Bind, Close, CopyData, CopyDone, CopyFail, Describe, Execute, Flush, Parse, Query, Sync, Terminate. Not the call of a function by its
 * number ("F"), of which nothing says what it does, and not what belongs to a log-in ("p").
 */
const allowed: ReadonlySet<number> = new Set([...'BCdcfDEHPQSX'].map((type) => type.charCodeAt(0)));
const functionCall = 'F'.charCodeAt(0);
/** As the server has it (PQ_LARGE_MESSAGE_LIMIT). */
const bodyBytesMax = 0x3fff_fff0;

export interface TakenMessages {
  /** What goes on, in order. */
  readonly pieces: readonly Uint8Array[];
  /** Set where something came that does not: nothing behind it goes on. What went on ends with a whole message. */
  readonly refusal?: PostgresRefusal;
}

/** Holds back less than the head of one message. */
export class ClientMessages {
  #held: Uint8Array = new Uint8Array(0);
  #left = 0;
  #isRefused = false;

  take(chunk: Uint8Array): TakenMessages {
    if (this.#isRefused) return { pieces: [] };
    const held = this.#held.length;
    const bytes = held === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    for (;;) {
      const passed = Math.min(this.#left, bytes.length - at);
      at += passed;
      this.#left -= passed;
      if (this.#left > 0 || at === bytes.length) break;
      const refusal = refusalOf(bytes, at);
      if (refusal !== undefined) {
        this.#isRefused = true;
        this.#held = new Uint8Array(0);
        return { pieces: some(bytes.subarray(0, at)), refusal };
      }
      if (bytes.length - at < messageHeadBytes) break;
      // Looked at just now.
      this.#left = messageHeadBytes + (bodyBytes(bytes.subarray(at)) ?? 0);
    }
    // A copy: the rest of the chunk need not be kept for it.
    this.#held = this.#left > 0 ? new Uint8Array(0) : bytes.slice(at);
    return { pieces: some(bytes.subarray(0, at)) };
  }
}

function some(piece: Uint8Array): readonly Uint8Array[] {
  return piece.length === 0 ? [] : [piece];
}

/** Of the message that begins there, as far as it is there. */
export function refusalOf(bytes: Uint8Array, at: number): PostgresRefusal | undefined {
  const type = bytes[at];
  if (type === undefined) return undefined;
  if (type === functionCall)
    return {
      sqlState: '0A000',
      message: 'calls of functions by their number (FunctionCall) are not passed on; call them in SQL',
    };
  if (!allowed.has(type))
    return { sqlState: '08P01', message: `no message of type ${String(type)} may come in a session` };
  if (bytes.length - at < messageHeadBytes) return undefined;
  const body = bodyBytes(bytes.subarray(at, at + messageHeadBytes));
  if (body === undefined || body > bodyBytesMax)
    return { sqlState: '08P01', message: 'a message has a length that none can have' };
  return undefined;
}

/** Where in its messages a server is: an error of our own may stand between two of them, and nowhere else. */
export class ServerMessages {
  #head: number[] = [];
  #left = 0;
  #isBroken = false;

  /** Between two messages, as far as they can be followed. */
  get isBetween(): boolean {
    return !this.#isBroken && this.#left === 0 && this.#head.length === 0;
  }

  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#isBroken;) {
      const passed = Math.min(this.#left, chunk.length - at);
      at += passed;
      this.#left -= passed;
      const octet = this.#left === 0 ? chunk[at] : undefined;
      if (octet === undefined) continue;
      at += 1;
      this.#head.push(octet);
      if (this.#head.length < messageHeadBytes) continue;
      const body = bodyBytes(Uint8Array.from(this.#head));
      this.#head = [];
      if (body === undefined) this.#isBroken = true;
      else this.#left = body;
    }
  }
}
