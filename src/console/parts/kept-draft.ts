// The draft of a policy, kept while somebody looks at other views: what is written in one is not lost by a look at another, and a rule can be
// handed to it from there. It is gone with the log-in.

import { emptyDraft, type PolicyDraft } from '../model/policy-draft.ts';

export class KeptDraft {
  #draft = emptyDraft;
  readonly #listeners = new Set<() => void>();

  readonly current = (): PolicyDraft => this.#draft;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly change = (draft: PolicyDraft): void => {
    this.#draft = draft;
    for (const listener of this.#listeners) listener();
  };
}
