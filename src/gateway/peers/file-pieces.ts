// A published file on its way to another gateway: it may be longer than a line, so it goes in pieces, each with its hash and name.

import type { PolicyText } from '../../store/policy-store.ts';

/** In base64 it is well below a line (peerLineBytesMax). */
const pieceBytes = 1_048_576;

/** Of an empty file one, which is empty. */
export function* filePieces(text: string): Generator<string> {
  const octets = Buffer.from(text);
  let at = 0;
  do {
    yield octets.subarray(at, at + pieceBytes).toString('base64');
    at += pieceBytes;
  } while (at < octets.length);
}

/** Files as they arrive, in their order. */
export class ArrivingFiles {
  /** By hash and name. */
  readonly #pieces = new Map<string, Map<string, Buffer[]>>();
  #count = 0;

  /** How many pieces arrived. */
  get count(): number {
    return this.#count;
  }

  add({ hash, name, data }: { readonly hash: string; readonly name: string; readonly data: string }): void {
    const files = this.#pieces.get(hash) ?? new Map<string, Buffer[]>();
    this.#pieces.set(hash, files);
    const pieces = files.get(name) ?? [];
    files.set(name, pieces);
    pieces.push(Buffer.from(data, 'base64'));
    this.#count += 1;
  }

  /** Decoded as a whole: a character may stand in two pieces. */
  texts(): Map<string, readonly PolicyText[]> {
    const textsOf = (files: ReadonlyMap<string, readonly Buffer[]>): readonly PolicyText[] =>
      [...files].map(([name, pieces]) => ({ name, text: Buffer.concat(pieces).toString('utf8') }));
    return new Map([...this.#pieces].map(([hash, files]) => [hash, textsOf(files)]));
  }
}
