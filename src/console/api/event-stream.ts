// Server-sent events (WHATWG HTML §9.2) out of pieces of text, as `fetch` gives them: EventSource cannot send a header.

export interface StreamedEvent {
  readonly id: string | undefined;
  readonly data: string;
}

/** More than any event has; what is longer is no event of ours. */
const pendingCharactersMax = 4_000_000;

export class EventStream {
  #pending = '';
  #id: string | undefined;
  #data: string[] = [];

  /** The events that end in this piece. @throws RangeError for a line without end */
  push(piece: string): readonly StreamedEvent[] {
    this.#pending += piece;
    if (this.#pending.length > pendingCharactersMax)
      throw new RangeError('an event of the stream has no end');
    const lines = this.#pending.split('\n');
    this.#pending = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): readonly StreamedEvent[] {
    if (line === '') {
      const event = { id: this.#id, data: this.#data.join('\n') };
      const isEvent = this.#data.length > 0;
      this.#data = [];
      return isEvent ? [event] : [];
    }
    if (line.startsWith('data: ')) this.#data.push(line.slice(6));
    else if (line.startsWith('id: ')) this.#id = line.slice(4);
    // Others are comments, which keep the connection alive.
    return [];
  }
}
