// What events say of connections to MySQL and MariaDB that the gateway logged in to.

import type { AuditEvent } from '../../api/audit-event.ts';

/** Clients choose names of databases where a rule names none. */
const namesMax = 500;

export class SeenMysql {
  readonly #names = new Set<string>();
  readonly #methods = new Set<string>();
  #isWithoutName = false;
  #isPlain = false;
  #isSeen = false;

  /** Whether the event is of a connection that was logged in, so that a rule can be made of it. */
  static has(event: AuditEvent): boolean {
    return typeof factsOf(event)['user'] === 'string';
  }

  note(event: AuditEvent): void {
    if (!SeenMysql.has(event)) return;
    const { name, authentication, tls } = factsOf(event);
    this.#isSeen = true;
    if (typeof name !== 'string') this.#isWithoutName = true;
    else if (this.#names.size < namesMax) this.#names.add(name);
    if (typeof authentication === 'string') this.#methods.add(authentication);
    if (tls === false) this.#isPlain = true;
  }

  /** Of a rule; none if there was no such connection. */
  lines(scalar: (text: string) => string): readonly string[] {
    if (!this.#isSeen) return [];
    const list = (values: Iterable<string>): string => `[${[...values].toSorted().map(scalar).join(', ')}]`;
    // A client that begins with no database may not be given one that it did not ask for.
    const hasNames = this.#names.size > 0 && !this.#isWithoutName;
    const own = [
      ...(hasNames ? [`      databases: ${list(this.#names)}`] : []),
      ...(this.#methods.size > 0 ? [`      authentication: ${list(this.#methods)}`] : []),
      ...(this.#isPlain ? ['      dangerouslyAllowPlaintext: true'] : []),
    ];
    return ['    protocol: mysql', ...(own.length > 0 ? ['    mysql:', ...own] : [])];
  }
}

function factsOf({ protocol, details }: AuditEvent): Readonly<Record<string, unknown>> {
  const facts = protocol === 'mysql' ? details?.['database'] : undefined;
  return typeof facts === 'object' && facts !== null ? { ...facts } : {};
}
