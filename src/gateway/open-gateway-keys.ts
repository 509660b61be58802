// The keys and authorities of a gateway, in files or in its store, and whether they are those of the other gateways on that store.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { asProxyError } from '../protocol/error.ts';
import type { IdentityStore } from '../store/gateway-store.ts';
import type { AuditStore, SessionStore } from '../store/store.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import type { GatewayConfig } from './config/config.ts';
import type { IdentityConfig } from './config/identity-settings.ts';
import type { KeyEncryptionKey } from './identity/key-encryption-key.ts';
import { IdentityMark } from './identity/identity-mark.ts';
import { identityPlaces, type IdentityPlaces, readPlaces } from './identity/identity-places.ts';
import { type PublicIdentity, publicIdentityOf } from './identity/public-identity.ts';
import { type LaunchSigner, withCustody } from './open-custody.ts';
import { recordedIdentity, recordIdentity } from './identity/recorded-identity.ts';
import { unusable } from './identity/sealed-identity.ts';
import { SealedStore } from './identity/sealed-store.ts';
import { StoredIdentity } from './identity/stored-identity.ts';
import { authorityKeyFiles } from './open-authority-keys.ts';
import { openIdentityKeys } from './open-identity-keys.ts';
import type { KeysReading } from './sessions/followed-signing-key.ts';
import { signingKeyFile } from './sessions/signing-key.ts';

/** Files change rarely, and the store has had it from the start. */
const recordIntervalMs = 15_000;

export interface GatewayKeysOptions {
  readonly config: GatewayConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => number;
  readonly log: (level: 'info' | 'error', message: string) => void;
  readonly stack: AsyncDisposableStack;
  readonly isOnDuty: () => boolean;
  /** Starts the process that has the key of the authority; absent in one that serves nobody. */
  readonly launchSigner?: LaunchSigner | undefined;
}

export interface KeysStore {
  readonly identity: IdentityStore;
  readonly sessions: Pick<SessionStore, 'list'>;
  /** Whether other gateways can be on it. */
  readonly isShared: boolean;
}

/** A file of this machine has the gateways of one state folder alone, which have its keys. */
export function isSharedStore({ audit }: { readonly audit: Pick<AuditStore, 'delivery'> }): boolean {
  return audit.delivery !== undefined;
}

export interface GatewayKeys {
  readonly places: IdentityPlaces;
  /** Of an identity in the store: names of the keys that the configuration gave last. Undefined for one in files. */
  keyNames(): readonly string[] | undefined;
  /** Looks now whether there is something else. Whether it could be read. */
  look(): Promise<boolean>;
  /** Of an identity in the store: whether that version, as it is sealed, was opened and is the one in use. */
  holds?(sealed: string): boolean;
}

/** Throws `identity_unusable`, `ca_key_unusable` or `signing_key_unusable`. Ends with the stack. */
export async function openGatewayKeys(options: GatewayKeysOptions, store: KeysStore): Promise<GatewayKeys> {
  const { identity } = options.config;
  if (identity.kind === 'store') return await openStored(identity, options, store);
  if (!store.isShared) {
    const places = withCustody(identityPlaces(options.config, authorityKeyFiles(options)), options);
    return { places, keyNames: () => undefined, look: () => Promise.resolve(true) };
  }
  return await openRecorded(options, store);
}

/** The identity of a configuration that is in the store, for who reads or changes it. */
export async function openSealedStore(
  identity: Extract<IdentityConfig, { readonly kind: 'store' }>,
  options: Omit<GatewayKeysOptions, 'log' | 'isOnDuty'>,
  store: IdentityStore,
): Promise<{
  readonly sealed: SealedStore;
  readonly mark: IdentityMark;
  readonly keyNames: () => readonly string[];
}> {
  const read = await openIdentityKeys(identity, options);
  let names: readonly string[] = [];
  const keys = async (): Promise<readonly KeyEncryptionKey[]> => {
    const known = await read();
    names = known.map(({ id }) => id);
    return known;
  };
  const mark = new IdentityMark(options.config.stateDirectory);
  const { names: permitted = [] } = options.config.certificateAuthority;
  const pause = (ms: number): Promise<void> => wait(ms);
  const sealed = new SealedStore({ store, keys, mark, clock: options.clock, pause, names: permitted });
  return { sealed, mark, keyNames: () => names };
}

async function openStored(
  identity: Extract<IdentityConfig, { readonly kind: 'store' }>,
  options: GatewayKeysOptions,
  store: KeysStore,
): Promise<GatewayKeys> {
  const { config, log, stack } = options;
  const { sealed, mark, keyNames } = await openSealedStore(identity, options, store.identity);
  if ((await store.identity.version()) === undefined) await requireFirst(config, store);
  const stored = stack.use(await StoredIdentity.open({ sealed, mark, log }));
  return {
    places: withCustody(stored.places, options),
    keyNames,
    look: () => stored.look(),
    holds: (one) => stored.holds(one),
  };
}

/** What is known of the keys then: a folder that is mounted may be late, and a store that is away says nothing. */
export async function readKeysAgain(
  { identity }: Pick<GatewayConfig, 'identity'>,
  keys: Pick<GatewayKeys, 'look'>,
  outage: { readonly sinceMs: number | undefined } | undefined,
): Promise<KeysReading> {
  const isRead = await keys.look();
  switch (identity.kind) {
    case 'own':
      return 'current';
    case 'directory':
      return 'late';
    case 'store':
      return isRead && outage?.sinceMs === undefined ? 'current' : 'unread';
  }
}

/** Where there were agents before, they would be strangers to a gateway with a new identity. */
async function requireFirst({ stateDirectory }: GatewayConfig, { sessions }: KeysStore): Promise<void> {
  const path = join(stateDirectory, signingKeyFile);
  const isThere = await access(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT',
  );
  const isUsed = (await sessions.list({ limit: 1 })).length > 0;
  if (!isThere && !isUsed) return;
  const what = isThere ? `${path} is there, and the store has` : 'the store has sessions and';
  throw unusable(
    `${what} no identity: restore it, give it the keys of a folder by "upstreamproxy identity import", or make others by "upstreamproxy identity make"`,
  );
}

async function openRecorded(options: GatewayKeysOptions, { identity }: KeysStore): Promise<GatewayKeys> {
  const { config, clock, log, stack, isOnDuty } = options;
  const keys = authorityKeyFiles(options);
  const recorded = await recordedIdentity(identity);
  const isFirst = recorded === undefined || config.identity.kind !== 'own';
  const found = isFirst
    ? identityPlaces(config, keys)
    : readPlaces(
        config,
        'the other gateways on this store have theirs, and none is made beside it: name the same "identity" as they do',
        keys,
      );
  const places = withCustody(found, options);
  let seen = await publicOf(config, places, 'open', clock()).catch((error: unknown) => {
    const isBeside = recorded !== undefined && config.identity.kind === 'own';
    throw isBeside ? unusable(asProxyError(error).message, error) : error;
  });
  await recordIdentity(identity, seen);
  const record = async (): Promise<void> => {
    const now = await publicOf(config, places, 'read', clock());
    if (!isOnDuty() || JSON.stringify(now) === JSON.stringify(seen)) return;
    await recordIdentity(identity, now, seen);
    seen = now;
  };
  let fault = '';
  const onFault = (error: unknown): void => {
    const { code, message } = asProxyError(error);
    // What is wrong with a file is told by who follows it.
    if (code !== 'identity_unusable' || message === fault) return;
    fault = message;
    log('error', message);
  };
  const repeated = stack.use(new RepeatedLook({ look: record, intervalMs: recordIntervalMs, onFault }));
  repeated.start();
  return { places, keyNames: () => undefined, look: () => repeated.taken() };
}

/** Makes what is missing where `how` is `open` and the places do. */
export async function publicOf(
  { tls }: Pick<GatewayConfig, 'tls'>,
  { signingKey, interception, server }: IdentityPlaces,
  how: 'open' | 'read',
  nowMs: number,
): Promise<PublicIdentity> {
  return publicIdentityOf({
    interception: await interception[how](nowMs),
    signingKey: await signingKey[how](),
    server: tls === 'self' ? await server[how](nowMs) : undefined,
  });
}
