// Keys and authorities for a start while the store is away: those in files, or as they were sealed in the store when this gateway last had it.

import { ProxyError } from '../protocol/error.ts';
import type { IdentityStore, SealedIdentity } from '../store/gateway-store.ts';
import { LateStore } from '../store/late-store.ts';
import { openConfiguredStore } from './config/store-settings.ts';
import { type IdentityPlaces, readPlaces } from './identity/identity-places.ts';
import { placesOf, StoredIdentity } from './identity/stored-identity.ts';
import { authorityKeyFiles } from './open-authority-keys.ts';
import { type GatewayKeys, type GatewayKeysOptions, openSealedStore } from './open-gateway-keys.ts';
import { readSeenPeers, type SeenPeers } from './peers/seen-peers.ts';

/** None of them is made. Throws ProxyError where they are not at hand. */
export async function placesAtHand(
  { config, environment, clock }: Pick<GatewayKeysOptions, 'config' | 'environment' | 'clock'>,
  seen: SeenPeers | undefined,
): Promise<IdentityPlaces> {
  const { identity } = config;
  if (identity.kind !== 'store')
    return readPlaces(
      config,
      'without its store a gateway makes nothing: the others have theirs',
      authorityKeyFiles({ config, environment, clock }),
    );
  const row = rowOf(seen);
  await using stack = new AsyncDisposableStack();
  const { sealed } = await openSealedStore(
    identity,
    { config, environment, clock, stack },
    identityStoreOf(row),
  );
  const { document } = await sealed.readOne();
  const { signingKey, authority, port } = placesOf(() => document);
  return {
    signingKey,
    port,
    interception: authority('interception'),
    server: authority('server'),
    peers: authority('peers'),
  };
}

/** Throws `identity_unusable` where the keys are in the store and these are not to be opened, or not to be taken. */
export async function requireOpened(
  { config, environment, clock }: Pick<GatewayKeysOptions, 'config' | 'environment' | 'clock'>,
  row: SealedIdentity | undefined,
): Promise<void> {
  const { identity } = config;
  if (identity.kind !== 'store' || row === undefined) return;
  await using stack = new AsyncDisposableStack();
  const { sealed } = await openSealedStore(
    identity,
    { config, environment, clock, stack },
    identityStoreOf(row),
  );
  await sealed.readOne();
}

/** The same for a process that serves nobody itself, followed as soon as the store is there. Ends with the stack. */
export async function keysAtHand(options: Omit<GatewayKeysOptions, 'isOnDuty'>): Promise<GatewayKeys> {
  const { config, environment, log, stack } = options;
  const { identity } = config;
  const seen = await readSeenPeers(config.stateDirectory);
  if (identity.kind !== 'store')
    return {
      places: await placesAtHand(options, seen),
      keyNames: () => undefined,
      look: () => Promise.resolve(true),
    };
  const late = new LateStore({
    open: () => openConfiguredStore(config, environment),
    onRefused: ({ message }) => log('error', `the store cannot be opened: ${message}`),
  });
  const store = stack.use(late.store());
  const [far, near] = [store.identity, identityStoreOf(rowOf(seen))];
  const current = async (): Promise<IdentityStore> => {
    if (!late.isOpen) await store.probe?.().catch(() => undefined);
    return late.isOpen ? far : near;
  };
  const { sealed, mark, keyNames } = await openSealedStore(identity, options, {
    version: async () => await (await current()).version(),
    read: async () => await (await current()).read(),
    write: async (row) => await (await current()).write(row),
  });
  const stored = stack.use(await StoredIdentity.open({ sealed, mark, log }));
  return { places: stored.places, keyNames, look: () => stored.look() };
}

function rowOf(seen: SeenPeers | undefined): SealedIdentity {
  if (seen?.identity !== undefined) return seen.identity;
  throw new ProxyError('peer_unreachable', noKeysAtHand);
}

const noKeysAtHand =
  'the keys are in the store, and the state folder has no copy of what is sealed there: this gateway has not served before with that folder';

/** Why this gateway cannot show any other one who it is before it has read its store; undefined where it can. */
export function whyNoKeys(
  { identity }: Pick<GatewayKeysOptions['config'], 'identity'>,
  seen: SeenPeers | undefined,
): string | undefined {
  return identity.kind === 'store' && seen?.identity === undefined ? noKeysAtHand : undefined;
}

function identityStoreOf(row: SealedIdentity): IdentityStore {
  return { version: async () => row.version, read: async () => row, write: async () => false };
}
