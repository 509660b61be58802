// Octets of a head as a text: one character for each, as fields are kept.

/** So many arguments a call takes everywhere. */
const argumentsMax = 4096;
/** From here on the decoder of ASCII costs less than a call with each octet as an argument. */
const decodedMin = 64;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export function latin1Text(bytes: Uint8Array, start: number, end: number): string {
  if (end - start >= decodedMin) {
    const ascii = decoder.decode(bytes.subarray(start, end));
    // One character for each octet, and none that stands for what is no UTF-8: every octet was ASCII.
    if (ascii.length === end - start && !ascii.includes('\ufffd')) return ascii;
  }
  let text = '';
  for (let at = start; at < end; at += argumentsMax) {
    // `apply` takes anything with a length and numbers in it; its type asks for an array.
    const codes = bytes.subarray(at, Math.min(end, at + argumentsMax)) as unknown as number[];
    text += String.fromCharCode.apply(undefined, codes);
  }
  return text;
}

/** What most heads have room in: of what follows no more is made a text than this. */
const windowBytes = 1024;

/** The lines of a head, from one text of many lines: a text for each costs more than all that is done with it. */
export class HeadLines {
  #bytes: Uint8Array | undefined;
  #text = '';
  #start = 0;

  /** The line that begins at `start`, with its end; undefined where its end is not near. */
  lineAt(bytes: Uint8Array, start: number): string | undefined {
    const isWithin = bytes === this.#bytes && start >= this.#start;
    let end = isWithin ? this.#text.indexOf('\n', start - this.#start) : -1;
    if (end === -1) {
      this.#bytes = bytes;
      this.#start = start;
      this.#text = latin1Text(bytes, start, Math.min(bytes.length, start + windowBytes));
      end = this.#text.indexOf('\n');
    }
    return end === -1 ? undefined : this.#text.slice(start - this.#start, end + 1);
  }

  /** Behind each call with bytes: they are read into again. */
  forget(): void {
    this.#bytes = undefined;
    this.#text = '';
  }
}
