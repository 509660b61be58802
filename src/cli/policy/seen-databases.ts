// What events say of the databases that the gateway logged in to.

import type { AuditEvent } from '../../api/audit-event.ts';

export class SeenDatabases {
  readonly #names = new Set<string>();
  readonly #methods = new Set<string>();
  #isPlain = false;

  /** Whether the event is of a session that began, so that a rule can be made of it. */
  static has(event: AuditEvent): boolean {
    return typeof factsOf(event)['name'] === 'string';
  }

  note(event: AuditEvent): void {
    const { name, authentication, tls } = factsOf(event);
    if (typeof name === 'string') this.#names.add(name);
    if (typeof authentication === 'string' && authentication !== 'none') this.#methods.add(authentication);
    if (tls === false) this.#isPlain = true;
  }

  /** Of a rule; none if there was no database. */
  lines(scalar: (text: string) => string): readonly string[] {
    if (this.#names.size === 0) return [];
    const list = (values: Iterable<string>): string => `[${[...values].toSorted().map(scalar).join(', ')}]`;
    return [
      '    protocol: postgres',
      '    postgres:',
      `      databases: ${list(this.#names)}`,
      ...(this.#methods.size > 0 ? [`      authentication: ${list(this.#methods)}`] : []),
      ...(this.#isPlain ? ['      dangerouslyAllowPlaintext: true'] : []),
    ];
  }
}

function factsOf({ protocol, details }: AuditEvent): Readonly<Record<string, unknown>> {
  const facts = protocol === 'postgres' ? details?.['database'] : undefined;
  return typeof facts === 'object' && facts !== null ? { ...facts } : {};
}
