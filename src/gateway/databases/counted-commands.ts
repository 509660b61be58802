// What the audit is told of the commands of one connection: their names, and how often each came. Never an argument.

export interface CommandWatcher {
  passed(name: string): void;
  /** @param name undefined: no command is called so */
  refused(name: string | undefined): void;
}

/** Names in one event; a client may choose names of commands that a rule lets through whole, and of those that are refused. */
const namesMax = 64;
const otherName = 'other';

export class CountedCommands implements CommandWatcher {
  readonly #passed = new Map<string, number>();
  readonly #refused = new Map<string, number>();

  passed(name: string): void {
    count(this.#passed, name);
  }

  refused(name: string | undefined): void {
    count(this.#refused, name ?? otherName);
  }

  get facts(): {
    readonly commands?: Readonly<Record<string, number>>;
    readonly refusedCommands?: Readonly<Record<string, number>>;
  } {
    return {
      ...(this.#passed.size > 0 ? { commands: Object.fromEntries(this.#passed) } : {}),
      ...(this.#refused.size > 0 ? { refusedCommands: Object.fromEntries(this.#refused) } : {}),
    };
  }
}

function count(counts: Map<string, number>, name: string): void {
  const key = counts.has(name) || counts.size < namesMax ? name : otherName;
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
