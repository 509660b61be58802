// What is known of servers from log-ins of before, so that a client can be greeted as its server would do it. The server hears of a
// client once that has said all that it has to: a client that only comes and goes would have it shut out the gateway (max_connect_errors).

import type { ServerFacts } from './greeting.ts';

interface ServerPlace {
  readonly rule: string;
  readonly host: string;
  readonly port: number;
}

/** The oldest makes room: it is asked again. */
const serversMax = 1000;

export class KnownServers {
  readonly #known = new Map<string, ServerFacts>();

  get(place: ServerPlace): ServerFacts | undefined {
    return this.#known.get(nameOf(place));
  }

  add(place: ServerPlace, { version, capabilities, characterSet, status }: ServerFacts): void {
    const name = nameOf(place);
    this.#known.delete(name);
    this.#known.set(name, { version, capabilities, characterSet, status });
    const [oldest] = this.#known.keys();
    if (this.#known.size > serversMax && oldest !== undefined) this.#known.delete(oldest);
  }

  /** It is not as it was. */
  forget(place: ServerPlace): void {
    this.#known.delete(nameOf(place));
  }
}

function nameOf({ rule, host, port }: ServerPlace): string {
  return JSON.stringify([rule, host, port]);
}
