// Which identity the gateways on a store have whose keys are in files: the first one leaves its public keys there, and one with others does
// not start. Without it two gateways would serve, and agents of one be strangers to the other.

import type { IdentityStore } from '../../store/gateway-store.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { differenceOf, isSame, joined, type PublicIdentity } from './public-identity.ts';
import { elsewhereRow, readIdentityRow, unusable } from './sealed-identity.ts';

/** What the store has of such gateways; undefined: none has started on it. Throws `identity_unusable` where their keys are in the store. */
export async function recordedIdentity(
  store: IdentityStore,
): Promise<{ readonly version: number; readonly identity: PublicIdentity } | undefined> {
  const stored = await store.read();
  if (stored === undefined) return undefined;
  const row = readIdentityRow(stored);
  if (row.kind === 'sealed')
    throw unusable(
      'the gateways on this store have their keys in it: write identity: { store: true, keyEncryptionKey: … } as in the configuration of the others',
    );
  return { version: stored.version, identity: row.public };
}

/**
 * Leaves there what this gateway has, where it is that of the others or there is none; `before` is what it had until now, which is enough.
 * Throws `identity_unusable` where it is not.
 */
export async function recordIdentity(
  store: IdentityStore,
  own: PublicIdentity,
  before: PublicIdentity = own,
): Promise<void> {
  for (let n = 0; n < defaultLimits.identityWritesMax; n++) {
    const recorded = await recordedIdentity(store);
    const difference = recorded === undefined ? undefined : differenceOf(own, recorded.identity);
    const isSuccessor = recorded !== undefined && differenceOf(before, recorded.identity) === undefined;
    if (difference !== undefined && !isSuccessor)
      throw unusable(
        `this gateway has another ${difference} than the others on its store, whose agents would be strangers to it: give all the same "identity" (a directory, or the store), or make this one the identity of the store by "upstreamproxy identity claim"`,
      );
    if (recorded !== undefined && isSame(joined(own, recorded.identity), recorded.identity)) return;
    const now = recorded === undefined ? own : joined(own, recorded.identity);
    if (await store.write(elsewhereRow((recorded?.version ?? 0) + 1, now))) return;
  }
  // Others write what they have all the time; theirs and this one's have something in common.
}

/** Makes it the one of the store, whatever was there. Throws `identity_unusable` where the keys of its gateways are in the store. */
export async function claimIdentity(store: IdentityStore, own: PublicIdentity): Promise<void> {
  for (let n = 0; n < defaultLimits.identityWritesMax; n++) {
    const recorded = await recordedIdentity(store);
    if (await store.write(elsewhereRow((recorded?.version ?? 0) + 1, own))) return;
  }
  throw unusable('the identity was changed by others all the time: try again');
}
