// Server-sent events (HTML §9.2.6) as they come, each with its lines, so that what an event says can be written anew.

/** One event: its lines without `data`, and what its data are; undefined: it has none. */
export interface StreamEvent {
  readonly otherLines: readonly string[];
  readonly data: string | undefined;
}

/** Takes pieces of a stream and gives the events that are complete. Linear: a piece is looked at once. */
export class EventStreamReader {
  readonly #charactersMax: number;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** Since the last end of a line. */
  readonly #rest = new LinePieces();
  /** Whether what follows may be the second half of CR LF. */
  #isBehindReturn = false;
  #isBegun = false;
  #isOdd = false;
  #other: string[] = [];
  #data: string[] = [];
  /** Of the lines of the event so far. */
  #characters = 0;

  /** @param charactersMax of one event */
  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax;
  }

  /** Whether what is held of an event is more than that. */
  get isTooLong(): boolean {
    return this.characters > this.#charactersMax;
  }

  /** It begins as no stream does that all clients read alike. */
  get isOdd(): boolean {
    return this.#isOdd;
  }

  /** What is held of an event. */
  get characters(): number {
    return this.#characters + this.#rest.length;
  }

  push(octets: Uint8Array): readonly StreamEvent[] {
    let text = this.#decoder.decode(octets, { stream: true });
    if (!this.#isBegun && text !== '') {
      this.#isBegun = true;
      if (text.startsWith('\ufeff')) text = text.slice(1);
      // Clients take one off; which one of two would be a question of who read it before.
      if (text.startsWith('\ufeff')) this.#isOdd = true;
    }
    const events: StreamEvent[] = [];
    let from = 0;
    if (this.#isBehindReturn && text !== '') {
      this.#isBehindReturn = false;
      if (text.startsWith('\n')) from = 1;
    }
    for (let at = from; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code !== 0x0a && code !== 0x0d) continue;
      this.#line(this.#rest.take() + text.slice(from, at), events);
      if (code === 0x0d) {
        if (at + 1 === text.length) this.#isBehindReturn = true;
        else if (text.charCodeAt(at + 1) === 0x0a) at += 1;
      }
      from = at + 1;
    }
    this.#rest.push(text.slice(from));
    return events;
  }

  #line(line: string, events: StreamEvent[]): void {
    if (line === '') {
      if (this.#other.length > 0 || this.#data.length > 0) {
        const data = this.#data.length === 0 ? undefined : this.#data.join('\n');
        events.push({ otherLines: this.#other, data });
      }
      this.#other = [];
      this.#data = [];
      this.#characters = 0;
      return;
    }
    this.#characters += line.length;
    if (line === 'data') this.#data.push('');
    else if (line.startsWith('data:')) this.#data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
    else this.#other.push(line);
  }
}

/** A line that comes in pieces: many small ones as one text, for each by itself costs more than it says. */
class LinePieces {
  readonly #joined: string[] = [];
  #small: string[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(piece: string): void {
    if (piece === '') return;
    this.#length += piece.length;
    this.#small.push(piece);
    if (this.#small.length < piecesTogether) return;
    this.#joined.push(this.#small.join(''));
    this.#small = [];
  }

  take(): string {
    if (this.#length === 0) return '';
    const text = this.#joined.join('') + this.#small.join('');
    this.#joined.length = 0;
    this.#small = [];
    this.#length = 0;
    return text;
  }
}

const piecesTogether = 256;

/** As a stream has it. */
export function eventText({ otherLines, data }: StreamEvent): string {
  const lines = data === undefined ? [] : data.split('\n').map((line) => `data: ${line}`);
  return `${[...otherLines, ...lines].join('\n')}\n\n`;
}
