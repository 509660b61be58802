// What the store last said of what is in force: identity, published policies, grants. While it is away that is what it says still, here and
// to gateways that start. One of those has it from another gateway, with the endings of sessions and the number of the newest change.

import { ProxyError } from '../../protocol/error.ts';
import type { AccessRecord } from '../../store/access-store.ts';
import type { ChangePlace } from '../../store/change-store.ts';
import type { SealedIdentity } from '../../store/gateway-store.ts';
import type { PolicyText, PolicyVersion } from '../../store/policy-store.ts';
import type { StoreAbsence } from '../../store/store-outage.ts';
import type { NumberedEnding, Store } from '../../store/store.ts';
import { withOwn } from '../../store/with-own.ts';

export interface KnownFacts {
  readonly identity: SealedIdentity | undefined;
  /** Undefined where nobody asked for them. */
  readonly policies: readonly PolicyVersion[] | undefined;
  /** Of those, by their hash. */
  readonly files: ReadonlyMap<string, readonly PolicyText[]>;
  /** Undefined where nobody asked for them. */
  readonly grants: readonly AccessRecord[] | undefined;
}

/** All that a gateway has to know before it serves. */
export interface StartFacts extends KnownFacts {
  /** What is known with all before it. */
  readonly place: ChangePlace;
  /** As far back as one that serves keeps them. */
  readonly endings: readonly NumberedEnding[];
}

const nothing: KnownFacts = { identity: undefined, policies: undefined, files: new Map(), grants: undefined };

export class KnownStore {
  readonly #store: Store;
  readonly #absence: StoreAbsence;
  #facts: KnownFacts;
  /** Until the gateway serves. */
  #start: StartFacts | undefined;
  #standIns = 0;
  /** Of another gateway, and opened here, until the store says it itself. */
  #heardIdentity: SealedIdentity | undefined;
  /** Of another gateway, and not opened yet: it is read here, and told to nobody. */
  #offeredIdentity: SealedIdentity | undefined;

  constructor(store: Store, absence: StoreAbsence, start?: StartFacts) {
    this.#store = store;
    this.#absence = absence;
    this.#start = start;
    // Without the endings: those are kept only as long as the start takes.
    this.#facts = start === undefined ? nothing : factsOf(start);
  }

  /** What another gateway handed over, until the gateway serves. */
  get handed(): StartFacts | undefined {
    return this.#start;
  }

  get facts(): KnownFacts {
    return this.#facts;
  }

  /** How often the store did not say it: what was read meanwhile may not be the newest. */
  get standIns(): number {
    return this.#standIns;
  }

  /**
   * While the store is away another gateway, which has it or hears of one that has, knows more. Whether all is taken that is asked for here:
   * of what that one does not know, what is known here stays.
   */
  hear({ policies, files, grants }: KnownFacts): boolean {
    if (this.#absence.sinceMs === undefined) return false;
    const before = this.#facts;
    if (policies !== undefined) this.#facts = { ...this.#facts, policies, files };
    if (grants !== undefined) this.#facts = { ...this.#facts, grants };
    const lacksPolicies = policies === undefined && before.policies !== undefined;
    return !lacksPolicies && !(grants === undefined && before.grants !== undefined);
  }

  /**
   * The same of a later version of the identity. It is known only when `open` says that it was opened here: until then, and if it can't be,
   * the version before is. `old` means that it is no later one, or that the store has said something since.
   */
  async hearIdentity(
    { identity }: Pick<KnownFacts, 'identity'>,
    open: (identity: SealedIdentity) => Promise<boolean>,
  ): Promise<'opened' | 'refused' | 'old'> {
    const { identity: known } = this.#facts;
    const isLater = identity !== undefined && known !== undefined && identity.version > known.version;
    if (!isLater || this.#absence.sinceMs === undefined) return 'old';
    this.#offeredIdentity = identity;
    try {
      const isOpened = await open(identity);
      if (this.#offeredIdentity !== identity) return 'old';
      if (!isOpened) return 'refused';
      this.#heardIdentity = identity;
      this.#facts = { ...this.#facts, identity };
      return 'opened';
    } finally {
      if (this.#offeredIdentity === identity) this.#offeredIdentity = undefined;
    }
  }

  /** Everything has been read that is read at the start alone. */
  started(): void {
    this.#start = undefined;
  }

  /** The store, with that in its place. */
  asked(): Store {
    const { sessions, changes, identity, policies, access, gateways } = this.#store;
    return {
      ...this.#store,
      sessions: withOwn(sessions, {
        endingsSince: (sequence) =>
          this.#orAtStart(sessions.endingsSince(sequence), ({ place }) =>
            sequence === undefined ? { sequence: place.number, endings: [] } : undefined,
          ),
        endedBehind: (place, limit) =>
          this.#orAtStart(sessions.endedBehind(place, limit), ({ endings }) => ({
            endings,
            place: undefined,
          })),
      }),
      changes: withOwn(changes, {
        place: () => this.#orAtStart(changes.place(), ({ place }) => place),
      }),
      identity: withOwn(identity, {
        version: () => this.#orHeard(identity.version(), (row) => row?.version),
        read: () => this.#orHeard(this.#identityOf(identity), (heard) => heard),
        // What the row that was read has not is left there by a later look.
        write: (row) => this.#orAtStart(this.#written(row), () => true),
      }),
      policies: withOwn(policies, {
        published: () => this.#published(),
        files: (hash) => this.#files(hash),
        history: (query) => this.#orKnown(policies.history(query), () => []),
      }),
      access: withOwn(access, {
        expire: (nowMs, limit) => this.#orKnown(access.expire(nowMs, limit), () => []),
        inForce: (nowMs) => this.#inForce(nowMs),
      }),
      // Others hear of it by the link between gateways.
      gateways: withOwn(gateways, {
        note: async (note, leaseMs) =>
          void (await this.#orAtStart(
            gateways.note(note, leaseMs).then(() => true),
            () => true,
          )),
        prune: (overForMs) => this.#orAtStart(gateways.prune(overForMs), () => 0),
        current: (limit) => this.#orAtStart(gateways.current(limit), () => []),
      }),
    };
  }

  async #written(row: SealedIdentity): Promise<boolean> {
    const isWritten = await this.#store.identity.write(row);
    if (isWritten) this.#facts = { ...this.#facts, identity: row };
    return isWritten;
  }

  async #published(): Promise<readonly PolicyVersion[]> {
    const { policies } = this.#store;
    const published = await this.#orKnown(policies.published(), () => this.#facts.policies);
    const hashes = new Set(published.map(({ hash }) => hash));
    const files = new Map([...this.#facts.files].filter(([hash]) => hashes.has(hash)));
    this.#facts = { ...this.#facts, policies: published, files };
    return published;
  }

  async #files(hash: string): Promise<readonly PolicyText[] | undefined> {
    const files = await this.#orKnown(this.#store.policies.files(hash), () => this.#facts.files.get(hash));
    const isPublished = this.#facts.policies?.some((one) => one.hash === hash) === true;
    if (files !== undefined && isPublished)
      this.#facts = { ...this.#facts, files: new Map(this.#facts.files).set(hash, files) };
    return files;
  }

  async #inForce(nowMs: number): Promise<readonly AccessRecord[]> {
    const isInForce = ({ terms }: AccessRecord): boolean => terms !== undefined && terms.endsMs > nowMs;
    const known = (): readonly AccessRecord[] | undefined => this.#facts.grants?.filter(isInForce);
    const grants = await this.#orKnown(this.#store.access.inForce(nowMs), known);
    this.#facts = { ...this.#facts, grants };
    return grants;
  }

  async #identityOf(identity: Store['identity']): Promise<SealedIdentity | undefined> {
    const row = await identity.read();
    this.#heardIdentity = undefined;
    this.#offeredIdentity = undefined;
    this.#facts = { ...this.#facts, identity: row };
    return row;
  }

  async #orHeard<T>(
    asked: Promise<T>,
    standIn: (row: SealedIdentity | undefined) => T | undefined,
  ): Promise<T> {
    const newest = (): SealedIdentity | undefined => this.#offeredIdentity ?? this.#heardIdentity;
    try {
      return await this.#orAtStart(asked, ({ identity }) => standIn(newest() ?? identity));
    } catch (error) {
      const heard = this.#isAway(error) ? standIn(newest()) : undefined;
      if (heard === undefined) throw error;
      return heard;
    }
  }

  async #orAtStart<T>(asked: Promise<T>, standIn: (start: StartFacts) => T | undefined): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      const start = this.#start;
      const known = start === undefined || !this.#isAway(error) ? undefined : standIn(start);
      if (known === undefined) throw error;
      return known;
    }
  }

  async #orKnown<T>(asked: Promise<T>, standIn: () => T | undefined): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      const known = this.#isAway(error) ? standIn() : undefined;
      if (known === undefined) throw error;
      if (this.#start === undefined) this.#standIns += 1;
      return known;
    }
  }

  #isAway(error: unknown): boolean {
    const isOfStore = error instanceof ProxyError && error.code === 'store_unavailable';
    return isOfStore && this.#absence.sinceMs !== undefined;
  }
}

function factsOf({ identity, policies, files, grants }: KnownFacts): KnownFacts {
  return { identity, policies, files, grants };
}
