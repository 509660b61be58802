// The identity in the store, opened: reads it, makes it where there is none, and changes it upon the version that was read.

import { defaultLimits } from '../../protocol/limits.ts';
import type { IdentityStore, SealedIdentity } from '../../store/gateway-store.ts';
import { type IdentityDocument, newIdentity, publicIdentityOfDocument } from './identity-document.ts';
import type { IdentityMark } from './identity-mark.ts';
import type { KeyEncryptionKey } from './key-encryption-key.ts';
import { differenceOf } from './public-identity.ts';
import { recordedIdentity } from './recorded-identity.ts';
import { openSealed, readIdentityRow, sealIdentity, unusable } from './sealed-identity.ts';

/** Each gateway looks once in a look's time, and a little more where it is busy. */
const looksToStand = 2;
const asksInALook = 4;

export interface OpenIdentity {
  readonly document: IdentityDocument;
  readonly version: number;
  /** As it is stored: another text of the same version is another history of the store. */
  readonly sealed: string;
  /** The keys that it is sealed for. */
  readonly keyIds: readonly string[];
}

export interface SealedStoreOptions {
  readonly store: IdentityStore;
  /** Those of the configuration, the current one first. Throws `identity_unusable`. */
  readonly keys: () => Promise<readonly KeyEncryptionKey[]>;
  readonly mark: IdentityMark;
  readonly clock: () => number;
  /** Where it is given, what is written has to stand until every gateway has looked. */
  readonly pause?: (ms: number) => Promise<void>;
  /** Those that an authority that is made may certify. */
  readonly names?: readonly string[];
}

export class SealedStore {
  readonly #options: SealedStoreOptions;

  constructor(options: SealedStoreOptions) {
    this.#options = options;
  }

  version(): Promise<number | undefined> {
    return this.#options.store.version();
  }

  /** Undefined where there is none and this gateway has never had one. Throws `identity_unusable`. */
  async read(): Promise<OpenIdentity | undefined> {
    const { store, mark } = this.#options;
    const stored = await store.read();
    if (stored === undefined) {
      await mark.require(undefined);
      return undefined;
    }
    return await this.open(stored);
  }

  /** Throws `identity_unusable` where there is none. */
  async readOne(): Promise<OpenIdentity> {
    const found = await this.read();
    if (found === undefined)
      throw unusable(
        'the store has no identity yet: make it by "upstreamproxy identity make", or start a gateway',
      );
    return found;
  }

  /**
   * Puts one there that was in files. Throws `identity_unusable` where the store has one already, or knows gateways with another one.
   */
  async take(document: IdentityDocument): Promise<OpenIdentity> {
    const { store } = this.#options;
    const recorded = await recordedIdentity(store);
    const own = publicIdentityOfDocument(document);
    const difference = recorded === undefined ? undefined : differenceOf(own, recorded.identity);
    if (difference !== undefined)
      throw unusable(
        `the folder has another ${difference} than the gateways on this store: name the folder that they have`,
      );
    const keys = await this.#options.keys();
    const stored = this.#seal(document, (recorded?.version ?? 0) + 1, keys);
    if (!(await store.write(stored)))
      throw unusable('the store has one already, which somebody put there meanwhile');
    return await this.#standing(stored);
  }

  /** Makes it where there is none: of several that do at once, all have the one of the first. */
  async make(
    document: IdentityDocument = newIdentity(this.#options.clock(), this.#options.names),
  ): Promise<OpenIdentity & { readonly isNew: boolean }> {
    const found = await this.read();
    if (found !== undefined) return { ...found, isNew: false };
    const keys = await this.#options.keys();
    const stored = this.#seal(document, 1, keys);
    const isNew = await this.#options.store.write(stored);
    return isNew ? { ...(await this.open(stored)), isNew } : { ...(await this.readOne()), isNew };
  }

  /** Stores what `change` makes of it, sealed for the same keys. Throws what `change` does, and `identity_unusable`, also where it does not stand. */
  change(change: (document: IdentityDocument) => IdentityDocument): Promise<OpenIdentity> {
    return this.#write(change, async ({ keyIds }, ids) => {
      const missing = keyIds.filter((id) => !ids.includes(id));
      if (missing.length > 0)
        throw unusable(
          `the identity is sealed for key ${missing.join(' and ')} too, which this configuration does not have: name both keys (keyEncryptionKey and nextKeyEncryptionKey), or end the change of keys by "upstreamproxy identity rewrap"`,
        );
      return keyIds;
    });
  }

  /** Seals it for the keys of the configuration, and for no other. Throws what `check` does, which gets their names. */
  rewrap(
    check: (keyIds: readonly string[]) => Promise<void> = () => Promise.resolve(),
  ): Promise<OpenIdentity> {
    return this.#write(
      (document) => document,
      async (_, ids) => {
        await check(ids);
        return ids;
      },
    );
  }

  /**
   * What this process has, again upon an earlier version of the same identity, to which a store went back. One step towards the version that
   * it had: others may do the same. False where somebody else wrote, there is nothing of it any more, the store is no longer behind, or no
   * key of both versions is left to seal it for. Throws `identity_unusable`.
   */
  async assert({ document, version, keyIds }: Omit<OpenIdentity, 'sealed'>): Promise<boolean> {
    const { store, keys } = this.#options;
    const stored = await store.read();
    // Since its version was asked for, others may have brought it here and gone on: what they made is not undone.
    if (stored === undefined || stored.version >= version) return false;
    const known = await keys();
    const earlier = openSealed(stored, known);
    // A key of the earlier one that the later was not sealed for is retired: who put the row back has it, perhaps.
    const shared = earlier.keyIds.filter((id) => keyIds.includes(id));
    const sealing = known.filter(({ id }) => shared.includes(id));
    const isWhole = sealing.length > 0 && sealing.length === shared.length;
    if (!isWhole || earlier.document.id !== document.id) return false;
    return await store.write(this.#seal(document, stored.version + 1, sealing));
  }

  /** Throws `identity_unusable`. */
  async open(stored: SealedIdentity): Promise<OpenIdentity> {
    const { keys, mark } = this.#options;
    // Before any key: what is damaged or of a newer program is said to be that.
    readIdentityRow(stored);
    const { document, keyIds } = openSealed(stored, await keys());
    const found = { document, keyIds, version: stored.version, sealed: stored.sealed };
    await mark.require({ id: document.id, version: stored.version });
    return found;
  }

  async #write(
    change: (document: IdentityDocument) => IdentityDocument,
    idsFor: (found: OpenIdentity, ids: readonly string[]) => Promise<readonly string[]>,
  ): Promise<OpenIdentity> {
    const { store, keys } = this.#options;
    for (let n = 0; n < defaultLimits.identityWritesMax; n++) {
      const found = await this.readOne();
      const known = await keys();
      const ids = await idsFor(
        found,
        known.map(({ id }) => id),
      );
      const stored = this.#seal(
        change(found.document),
        found.version + 1,
        known.filter(({ id }) => ids.includes(id)),
      );
      if (await store.write(stored)) return await this.#standing(stored);
    }
    throw unusable('the identity was changed by others all the time: try again');
  }

  /** A row that is put back before any gateway has looked is a step that no gateway takes, or notices. */
  async #standing(stored: SealedIdentity): Promise<OpenIdentity> {
    const { store, pause } = this.#options;
    const found = await this.open(stored);
    if (pause === undefined) return found;
    for (let n = 0; n < looksToStand * asksInALook; n++) {
      await pause(defaultLimits.identityLookIntervalMs / asksInALook);
      const now = await store.read();
      const isThere = now?.version === stored.version && now.sealed === stored.sealed;
      if (isThere || (now !== undefined && now.version > stored.version)) continue;
      const what = now === undefined ? 'it has none now' : `it has another version ${now.version} now`;
      throw unusable(
        `version ${stored.version} was written to the store, and ${what}: somebody else writes to it, or a replica took over, and gateways may not have taken this step; see that, and do it again`,
      );
    }
    return found;
  }

  #seal(document: IdentityDocument, version: number, keys: readonly KeyEncryptionKey[]): SealedIdentity {
    return sealIdentity(document, publicIdentityOfDocument(document), { version, keys });
  }
}
