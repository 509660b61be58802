// Server-sent events (WHATWG HTML §9.2) out of octets: what one event may be long is bounded, whatever comes.

import { defaultLimits } from '../protocol/limits.ts';

export interface SentEvent {
  readonly id: string;
  readonly data: string;
}

/** Reads one stream. Lines end with LF, CR LF or CR; fields that it does not know are ignored. */
export class EventLines {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  /** Of the line that has not ended, in the pieces in which it came. */
  #pieces: string[] = [];
  #characters = 0;
  #data: string[] = [];
  #id = '';
  #isAfterCr = false;

  /** The events that end in these octets. @throws RangeError for one that is too long, TypeError for what is not UTF-8 */
  push(octets: Uint8Array): readonly SentEvent[] {
    const text = this.#decoder.decode(octets, { stream: true });
    const events: SentEvent[] = [];
    let begin = 0;
    for (let at = 0; at < text.length; at += 1) {
      const character = text[at];
      const isEndedBefore = this.#isAfterCr;
      this.#isAfterCr = character === '\r';
      if (character !== '\n' && character !== '\r') continue;
      // The LF of CR LF.
      if (character !== '\n' || !isEndedBefore) {
        this.#keep(text.slice(begin, at));
        const event = this.#line(this.#pieces.join(''));
        this.#pieces = [];
        if (event !== undefined) events.push(event);
      }
      begin = at + 1;
    }
    this.#keep(text.slice(begin));
    return events;
  }

  #keep(piece: string): void {
    if (piece === '') return;
    this.#characters += piece.length;
    if (this.#characters > defaultLimits.adminEventBytesMax)
      throw new RangeError(
        `an event is longer than ${defaultLimits.adminEventBytesMax} characters (adminEventBytesMax)`,
      );
    this.#pieces.push(piece);
  }

  #line(line: string): SentEvent | undefined {
    if (line === '') {
      const data = this.#data;
      this.#data = [];
      this.#characters = 0;
      return data.length === 0 ? undefined : { id: this.#id, data: data.join('\n') };
    }
    // Comments keep the connection alive.
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else {
      if (name === 'id' && !value.includes('\0')) this.#id = value;
      // What is not kept does not count.
      this.#characters -= line.length;
    }
    return undefined;
  }
}
