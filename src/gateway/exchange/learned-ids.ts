// Ids that responses of a session had where rules say that ids of one thing stand. They are of this gateway and this session alone; a session that goes on
// elsewhere has to ask for them again.

import { createHash } from 'node:crypto';
import type { RequestAccess } from '../../policy/decision.ts';
import type { KnownIds } from '../../policy/graphql-ids.ts';
import type { HeldOctets, Reservation } from '../../protocol/held-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** A server of GraphQL, as a request says which. */
type IdServer = Pick<RequestAccess, 'destination' | 'path'>;

export class LearnedIds {
  readonly #held: HeldOctets;
  /** By session; the room of an id, by its server, source and text, the oldest first. */
  readonly #sessions = new Map<string, Map<string, Reservation>>();

  constructor(held: HeldOctets) {
    this.#held = held;
  }

  /** Sessions that have learned any. */
  get size(): number {
    return this.#sessions.size;
  }

  /** What is known of a server at the time that it is asked. */
  of(sessionId: string, server: IdServer): KnownIds {
    const prefixes = new Map<string, string>();
    return {
      has: (source, id) => {
        const prefix = prefixes.get(source) ?? prefixOf(server, source);
        prefixes.set(source, prefix);
        return this.#sessions.get(sessionId)?.has(`${prefix} ${id}`) === true;
      },
    };
  }

  /** Those that are longer than any, and those for which the session has no room, stay unknown. */
  learn(sessionId: string, server: IdServer, source: string, ids: readonly string[]): void {
    const known = this.#sessions.get(sessionId) ?? new Map<string, Reservation>();
    this.#sessions.set(sessionId, known);
    const prefix = prefixOf(server, source);
    for (const id of ids) {
      if (id.length > defaultLimits.auditedNameCharactersMax) continue;
      const key = `${prefix} ${id}`;
      const before = known.get(key);
      known.delete(key);
      const room = before ?? this.#held.reserveSpare(sessionId, 2 * key.length + octetsPerId);
      if (room === undefined) continue;
      known.set(key, room);
    }
    for (const [oldest, room] of known) {
      if (known.size <= defaultLimits.learnedIdsPerSessionMax) break;
      known.delete(oldest);
      room.release();
    }
  }

  forget(sessionId: string): void {
    for (const room of this.#sessions.get(sessionId)?.values() ?? []) room.release();
    this.#sessions.delete(sessionId);
  }
}

/** Of an entry, beside its text. */
const octetsPerId = 200;

/** Short, whatever path a workload chooses and however much a rule says. */
function prefixOf({ destination: { scheme, host, port }, path }: IdServer, source: string): string {
  const text = JSON.stringify([scheme, host, port, path, source]);
  return createHash('sha256').update(text).digest('base64');
}
