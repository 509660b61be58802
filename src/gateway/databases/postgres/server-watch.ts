// What a server says where statements are read: its messages pass by their heads, and three of them are looked at whole: errors, of which
// some are ours, settings that change, and that it is ready.

import { bodyBytes, fromServer, messageHeadBytes } from './message.ts';

/** What is told of: an error may be given another form. */
export interface ServerEvents {
  /** @returns what goes on in its place; undefined: as it came */
  error(body: Uint8Array): Uint8Array | undefined;
  setting(name: string, value: string): void;
  ready(): void;
  copiesIn(): void;
  /** A setting that is too long to be looked at. */
  unread(): void;
}

const copyIn = 'G'.charCodeAt(0);
const copyBoth = 'W'.charCodeAt(0);

interface Held {
  readonly message: Uint8Array;
  filled: number;
}

export class ServerWatch {
  readonly #bytesMax: number;
  readonly #events: ServerEvents;
  #head: Uint8Array = new Uint8Array(0);
  #left = 0;
  #held: Held | undefined;
  #isBroken = false;

  /** @param bytesMax of a message that is looked at: an error repeats parts of its statement, and a longer one is none of ours */
  constructor(bytesMax: number, events: ServerEvents) {
    this.#bytesMax = bytesMax;
    this.#events = events;
  }

  /** Between two messages, as far as they can be followed. */
  get isBetween(): boolean {
    return !this.#isBroken && this.#left === 0 && this.#head.length === 0 && this.#held === undefined;
  }

  /** What goes on. */
  *take(chunk: Uint8Array): Generator<Uint8Array> {
    const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    this.#head = new Uint8Array(0);
    let from = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#isBroken) break;
      if (this.#held !== undefined) {
        const taken = bytes.subarray(at, at + this.#held.message.length - this.#held.filled);
        at += taken.length;
        from = at;
        yield* this.#hold(this.#held, taken);
      } else if (this.#left > 0) {
        const passed = Math.min(this.#left, bytes.length - at);
        at += passed;
        this.#left -= passed;
      } else {
        const head = bytes.subarray(at, at + messageHeadBytes);
        if (from < at && (head.length < messageHeadBytes || isLookedAt(head[0]))) {
          yield bytes.subarray(from, at);
          from = at;
        }
        if (head.length < messageHeadBytes) {
          this.#head = head.slice();
          return;
        }
        this.#begin(head);
      }
    }
    if (from < bytes.length) yield bytes.subarray(from);
  }

  #begin(head: Uint8Array): void {
    const body = bodyBytes(head);
    if (body === undefined) {
      this.#isBroken = true;
      return;
    }
    const octets = messageHeadBytes + body;
    const type = head[0];
    if (type === copyIn || type === copyBoth) this.#events.copiesIn();
    if (!isLookedAt(type)) this.#left = octets;
    else if (octets > this.#bytesMax) {
      this.#left = octets;
      if (type === fromServer.parameterStatus) this.#events.unread();
    } else this.#held = { message: new Uint8Array(octets), filled: 0 };
  }

  *#hold(held: Held, bytes: Uint8Array): Generator<Uint8Array> {
    const { message } = held;
    message.set(bytes, held.filled);
    held.filled += bytes.length;
    if (held.filled < message.length) return;
    this.#held = undefined;
    const body = message.subarray(messageHeadBytes);
    if (message[0] === fromServer.readyForQuery) this.#events.ready();
    else if (message[0] === fromServer.parameterStatus) {
      const { name, value } = readSetting(body);
      this.#events.setting(name, value);
    }
    yield (message[0] === fromServer.error ? this.#events.error(body) : undefined) ?? message;
  }
}

function isLookedAt(type: number | undefined): boolean {
  return (
    type === fromServer.error || type === fromServer.parameterStatus || type === fromServer.readyForQuery
  );
}

/** Of a ParameterStatus. */
export function readSetting(body: Uint8Array): { readonly name: string; readonly value: string } {
  const [name = '', value = ''] = new TextDecoder().decode(body).split('\0', 2);
  return { name, value };
}
