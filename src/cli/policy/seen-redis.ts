// What events say of connections to Redis that the gateway logged in to.

import type { AuditEvent } from '../../api/audit-event.ts';
import { redisCommandsOfGateway } from '../../policy/redis-commands.ts';

/** More than Redis has: where a rule lets all of a command through, clients choose its second word. */
const namesMax = 500;

export class SeenRedis {
  readonly #commands = new Set<string>();
  #isPlain = false;
  #isSeen = false;

  /** Whether the event is of a connection that was logged in, so that a rule can be made of it. */
  static has(event: AuditEvent): boolean {
    return typeof factsOf(event)['user'] === 'string';
  }

  note(event: AuditEvent): void {
    if (!SeenRedis.has(event)) return;
    const { commands, tls } = factsOf(event);
    this.#isSeen = true;
    if (tls === false) this.#isPlain = true;
    if (typeof commands !== 'object' || commands === null) return;
    for (const name of Object.keys(commands))
      if (!redisCommandsOfGateway.has(name) && name !== 'other' && this.#commands.size < namesMax)
        this.#commands.add(name);
  }

  /** Of a rule; none if there was no such connection. */
  lines(scalar: (text: string) => string): readonly string[] {
    if (!this.#isSeen) return [];
    const names = [...this.#commands].toSorted().map(scalar);
    const own = [
      ...(names.length > 0 ? [`      commands: { allow: [${names.join(', ')}] }`] : []),
      ...(this.#isPlain ? ['      dangerouslyAllowPlaintext: true'] : []),
    ];
    return ['    protocol: redis', ...(own.length > 0 ? ['    redis:', ...own] : [])];
  }
}

function factsOf({ protocol, details }: AuditEvent): Readonly<Record<string, unknown>> {
  const facts = protocol === 'redis' ? details?.['database'] : undefined;
  return typeof facts === 'object' && facts !== null ? { ...facts } : {};
}
