// What all workers of a gateway have in common, made once before any of them starts: keys, authority, store, and the certificate of the
// public port, which the supervisor keeps fresh for them.

import { asProxyError } from '../protocol/error.ts';
import type { GatewayConfig } from './config/config.ts';
import { openConfiguredStore } from './config/store-settings.ts';
import type { FollowedAuthority } from './followed-authority.ts';
import { FollowedIdentity } from './followed-identity.ts';
import { followServerAuthority, openIdentity, renewIdentity } from './gateway-identity.ts';
import { keysAtHand } from './keys-at-hand.ts';
import { isAwayAtStart } from './open-from-peers.ts';
import { type GatewayKeys, isSharedStore, openGatewayKeys } from './open-gateway-keys.ts';
import type { PortIdentity } from './workers/worker-messages.ts';
import type { WorkerPlace } from './workers/worker-place.ts';

type Log = (level: 'info' | 'warn' | 'error', message: string) => void;

export interface SharedFilesOptions {
  readonly clock: () => number;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes what is not there yet. What it gives is that of all workers; it closes the store again where only the port needs it no more.
 * Throws what a gateway of one process throws for it.
 */
async function openShared(
  config: GatewayConfig,
  { clock, log, environment }: SharedFilesOptions,
  stack: AsyncDisposableStack,
): Promise<GatewayKeys> {
  await using own = new AsyncDisposableStack();
  const store = await openConfiguredStore(config, environment).catch((error: unknown) => {
    const why = asProxyError(error);
    if (!isAwayAtStart(config, why)) throw error;
    log('warn', `the store is away: the keys are those that are at hand. ${why.message}`);
    return undefined;
  });
  // Whether they are those of the others is found by the workers, which ask these.
  if (store === undefined) return await keysAtHand({ config, environment, clock, log, stack });
  own.use(store);
  const isOnDuty = (): boolean => false;
  const keys = await openGatewayKeys(
    { config, environment, clock, log, stack: own, isOnDuty },
    { identity: store.identity, sessions: store.sessions, isShared: isSharedStore(store) },
  );
  await keys.places.interception.open(clock());
  await keys.places.signingKey.open();
  // What is in files is followed there, by the places alone.
  if (config.identity.kind === 'store' && typeof config.tls === 'string') stack.use(own.move());
  return keys;
}

/** The certificate of the public port. */
export class SharedIdentity implements AsyncDisposable {
  readonly #config: GatewayConfig;
  readonly #clock: () => number;
  readonly #renewable: boolean;
  /** Of a certificate that the gateway made. */
  readonly #authority: FollowedAuthority | undefined;
  readonly #keys: GatewayKeys;
  readonly #owned: AsyncDisposableStack;
  #identity: WorkerPlace['identity'];
  #follower: AsyncDisposable | undefined;

  private constructor(
    config: GatewayConfig,
    clock: () => number,
    opened: Pick<WorkerPlace, 'identity' | 'renewable'> & {
      readonly authority: FollowedAuthority | undefined;
      readonly keys: GatewayKeys;
      readonly owned: AsyncDisposableStack;
    },
  ) {
    this.#config = config;
    this.#clock = clock;
    this.#identity = opened.identity;
    this.#renewable = opened.renewable;
    this.#authority = opened.authority;
    this.#keys = opened.keys;
    this.#owned = opened.owned;
  }

  /** Throws what a gateway of one process throws for keys, authorities and store. */
  static async open(config: GatewayConfig, options: SharedFilesOptions): Promise<SharedIdentity> {
    await using stack = new AsyncDisposableStack();
    const { clock, log } = options;
    const keys = await openShared(config, options, stack);
    const authority = await followServerAuthority(config, keys.places, { clock, log });
    if (authority !== undefined) stack.use(authority);
    const opened = await openIdentity(config, { authority, port: keys.places.port }, clock());
    return new SharedIdentity(config, clock, { ...opened, authority, keys, owned: stack.move() });
  }

  /** What a worker that starts now is given. */
  get now(): Pick<WorkerPlace, 'identity' | 'renewable'> {
    return { identity: this.#identity, renewable: this.#renewable };
  }

  /** Looks now whether another authority signs. */
  async look(): Promise<void> {
    if (this.#config.identity.kind === 'store') await this.#keys.look();
    await this.#authority?.look();
  }

  /** Keeps it fresh until this is disposed; `onChange` gets each that follows. */
  follow(onChange: (identity: PortIdentity) => void, log: Log): void {
    const server = {
      setSecureContext: ({ cert, key }: { readonly cert?: unknown; readonly key?: unknown }) => {
        const fresh = { certificatePem: String(cert), keyPem: String(key) };
        this.#identity = { ...this.#identity, ...fresh };
        onChange(fresh);
      },
    };
    const [config, clock, identity] = [this.#config, this.#clock, this.#identity];
    const { certificatePem } = identity;
    this.#follower = this.#renewable
      ? renewIdentity(config, { server, identity, authority: this.#authority, clock, log })
      : new FollowedIdentity({ config, port: this.#keys.places.port, server, certificatePem, clock, log });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follower?.[Symbol.asyncDispose]();
    await this.#owned.disposeAsync();
  }
}
