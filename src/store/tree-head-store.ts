// The newest head of a tree that gateways of a store saw signed, so that none of them takes another tree for it, also after it starts again.

/** A head as it was signed: who reads it verifies it again. */
export interface TreeHeadStore {
  /** The newest of the database with this key; undefined: none was seen. */
  find(key: string): Promise<string | undefined>;
  /** Puts `next` in the place of `known`, undefined being none. Gives what is there then: another one where somebody was faster. */
  advance(key: string, known: string | undefined, next: string): Promise<string>;
}
