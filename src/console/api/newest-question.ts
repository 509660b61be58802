// A question that is asked again whenever what it is about changes: of the newest alone, when nothing changed for a while, and never twice at a time.

export interface NewestQuestionOptions<About, Told> {
  readonly ask: (about: About) => Promise<Told>;
  readonly tell: (told: Told, about: About) => void;
  /** Never rejects. */
  readonly settle: () => Promise<void>;
}

export class NewestQuestion<About, Told> {
  readonly #options: NewestQuestionOptions<About, Told>;
  #newest: { readonly about: About } | undefined;
  #isBusy = false;
  #isOver = false;

  constructor(options: NewestQuestionOptions<About, Told>) {
    this.#options = options;
  }

  /** `ask` must not reject. */
  put(about: About): void {
    this.#newest = { about };
    if (!this.#isBusy) void this.#run();
  }

  close(): void {
    this.#isOver = true;
    this.#newest = undefined;
  }

  async #run(): Promise<void> {
    const { ask, tell, settle } = this.#options;
    this.#isBusy = true;
    while (this.#newest !== undefined) {
      const asked = this.#newest;
      await settle();
      if (this.#newest !== asked) continue;
      this.#newest = undefined;
      const told = await ask(asked.about);
      if (!this.#isOver) tell(told, asked.about);
    }
    this.#isBusy = false;
  }
}
