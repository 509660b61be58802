// Server-sent events (WHATWG HTML §9.2) out of pieces of text, as `fetch` gives them: EventSource cannot send a header.

/** More than any event has; what is longer is no event of ours. */
const pendingCharactersMax = 4_000_000;

export class EventStream {
  #pending = '';
  #data: string[] = [];

  /** The data of the events that end in this piece. @throws RangeError for a line without end */
  push(piece: string): readonly string[] {
    this.#pending += piece;
    if (this.#pending.length > pendingCharactersMax)
      throw new RangeError('an event of the stream has no end');
    const lines = this.#pending.split('\n');
    this.#pending = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): readonly string[] {
    if (line === '') {
      const data = this.#data;
      this.#data = [];
      return data.length > 0 ? [data.join('\n')] : [];
    }
    if (line.startsWith('data: ')) this.#data.push(line.slice(6));
    // Others are ids, which stand in the events too, and comments, which keep the connection alive.
    return [];
  }
}
