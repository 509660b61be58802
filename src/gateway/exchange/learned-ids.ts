// Ids that responses of a session had where rules say that ids of one thing stand, by digests of them. They are in the store too: a session that goes on at
// another gateway is asked for there when a mutation has one that this gateway does not know.

import { createHash } from 'node:crypto';
import type { RequestAccess } from '../../policy/decision.ts';
import type { KnownIds } from '../../policy/graphql-ids.ts';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { HeldOctets, Reservation } from '../../protocol/held-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { KnownIdStore } from '../../store/known-id-store.ts';

/** A server of GraphQL, as a request says which. */
type IdServer = Pick<RequestAccess, 'destination' | 'path'>;

/** Where they are kept beside this gateway. */
export interface KnownIdPlace {
  readonly store: KnownIdStore;
  readonly clock: () => number;
  readonly onFault: (error: ProxyError) => void;
}

interface Session {
  /** The room of an id, by its digest, the oldest first. */
  readonly ids: Map<string, Reservation>;
  /** When the store was asked last. */
  askedMs: number;
  asking?: Promise<void> | undefined;
}

export class LearnedIds {
  readonly #held: HeldOctets;
  readonly #place: KnownIdPlace | undefined;
  readonly #isOver: (sessionId: string) => boolean;
  readonly #sessions = new Map<string, Session>();

  /** @param isOver whether a session ended: a response that comes behind its end leaves nothing that nobody would forget */
  constructor(held: HeldOctets, place?: KnownIdPlace, isOver = (_sessionId: string): boolean => false) {
    this.#held = held;
    this.#place = place;
    this.#isOver = isOver;
  }

  /** Sessions of which any are known. */
  get size(): number {
    return this.#sessions.size;
  }

  /** What is known of a server at the time that it is asked. */
  of(sessionId: string, server: IdServer): KnownIds & { readonly isMissed: boolean } {
    const prefixes = new Map<string, string>();
    let isMissed = false;
    return {
      get isMissed() {
        return isMissed;
      },
      has: (source, id) => {
        const prefix = prefixes.get(source) ?? prefixOf(server, source);
        prefixes.set(source, prefix);
        const isKnown = this.#sessions.get(sessionId)?.ids.has(digestOf(prefix, id)) === true;
        isMissed ||= !isKnown;
        return isKnown;
      },
    };
  }

  /**
   * The same, asked for in the store where `isAllowed` with it is false because an id is not known here: what the session was told at another gateway is
   * known then. A store that is away knows of none.
   */
  async known(
    sessionId: string,
    server: IdServer,
    isAllowed: (known: KnownIds) => boolean,
  ): Promise<KnownIds> {
    const known = this.of(sessionId, server);
    if (this.#place !== undefined && !isAllowed(known) && known.isMissed) await this.#ask(sessionId);
    return known;
  }

  /** Those that are longer than any, and those for which the session has no room, stay unknown. */
  learn(sessionId: string, server: IdServer, source: string, ids: readonly string[]): void {
    if (this.#isOver(sessionId)) return;
    const prefix = prefixOf(server, source);
    const digests = ids
      .filter((id) => id.length <= defaultLimits.auditedNameCharactersMax)
      .map((id) => digestOf(prefix, id));
    const known = this.#sessions.get(sessionId)?.ids;
    // A workload chooses how often it asks: what is known was stored when it was told first.
    const fresh = digests.filter((one) => known?.has(one) !== true);
    this.#note(sessionId, digests);
    const { learnedIdsPerSessionMax: max } = defaultLimits;
    if (this.#place === undefined || fresh.length === 0) return;
    const { store, clock, onFault } = this.#place;
    store.learn(sessionId, fresh.slice(-max), { nowMs: clock(), max }).catch((error: unknown) => {
      onFault(asProxyError(error));
    });
  }

  forget(sessionId: string): void {
    for (const room of this.#sessions.get(sessionId)?.ids.values() ?? []) room.release();
    const isKnown = this.#sessions.delete(sessionId);
    if (this.#place === undefined || !isKnown) return;
    const { store, onFault } = this.#place;
    store.forget(sessionId).catch((error: unknown) => onFault(asProxyError(error)));
  }

  #note(sessionId: string, digests: readonly string[]): void {
    const { ids } = this.#sessionOf(sessionId);
    for (const digest of digests) {
      const before = ids.get(digest);
      ids.delete(digest);
      const room = before ?? this.#held.reserveSpare(sessionId, octetsPerId);
      if (room !== undefined) ids.set(digest, room);
    }
    for (const [oldest, room] of ids) {
      if (ids.size <= defaultLimits.learnedIdsPerSessionMax) break;
      ids.delete(oldest);
      room.release();
    }
  }

  #sessionOf(sessionId: string): Session {
    const session = this.#sessions.get(sessionId) ?? { ids: new Map(), askedMs: Number.NEGATIVE_INFINITY };
    this.#sessions.set(sessionId, session);
    return session;
  }

  /** Not more often than somebody could move between gateways: a workload chooses how often it asks for what it does not know. */
  #ask(sessionId: string): Promise<void> {
    if (this.#isOver(sessionId)) return Promise.resolve();
    const session = this.#sessionOf(sessionId);
    const nowMs = this.#place?.clock() ?? 0;
    if (session.asking !== undefined) return session.asking;
    if (Math.abs(nowMs - session.askedMs) < defaultLimits.knownIdsAskMs) return Promise.resolve();
    session.askedMs = nowMs;
    return (session.asking = this.#told(sessionId).finally(() => (session.asking = undefined)));
  }

  async #told(sessionId: string): Promise<void> {
    try {
      const told = (await this.#place?.store.toldTo(sessionId)) ?? [];
      const known = this.#sessions.get(sessionId);
      // It is over meanwhile, or knows them.
      if (known !== undefined)
        this.#note(
          sessionId,
          told.filter((one) => !known.ids.has(one)),
        );
    } catch (error) {
      this.#place?.onFault(asProxyError(error));
    }
  }
}

/** Of an entry with its digest. */
const octetsPerId = 300;

/** Short, whatever path a workload chooses and however much a rule says. */
function prefixOf({ destination: { scheme, host, port }, path }: IdServer, source: string): string {
  const text = JSON.stringify([scheme, host, port, path, source]);
  return createHash('sha256').update(text).digest('base64');
}

function digestOf(prefix: string, id: string): string {
  return createHash('sha256').update(`${prefix} ${id}`).digest('base64url');
}
