// What reading a document of GraphQL may come to: each operation, and each field, can have the same fragments again.

import { UnreadableDocument } from './unreadable-document.ts';

export class NodeCount {
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** @throws UnreadableDocument behind the last one */
  add(): void {
    this.#count += 1;
    if (this.#count > this.#max)
      throw new UnreadableDocument(
        'has a document of GraphQL whose operations come to more than graphqlTokensMax fields and values',
      );
  }
}
