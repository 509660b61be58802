// What all workers of a gateway have in common, made once before any of them starts: keys, authority, store, and the certificate of the
// public port, which the supervisor keeps fresh for them.

import type { GatewayConfig } from './config/config.ts';
import { openConfiguredStore } from './config/store-settings.ts';
import type { FollowedAuthority } from './followed-authority.ts';
import { FollowedIdentity } from './followed-identity.ts';
import { followServerAuthority, openIdentity, renewIdentity } from './gateway-identity.ts';
import { identityPlaces } from './identity-places.ts';
import type { PortIdentity } from './workers/worker-messages.ts';
import type { WorkerPlace } from './workers/worker-place.ts';

type Log = (level: 'info' | 'warn' | 'error', message: string) => void;

/** Makes what is not there yet, and closes it again. Throws what a gateway of one process throws for it. */
export async function makeSharedFiles(
  config: GatewayConfig,
  clock: () => number,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  await using _store = await openConfiguredStore(config, environment);
  const { interception, signingKey } = identityPlaces(config);
  await interception.open(clock());
  await signingKey.open();
}

/** The certificate of the public port. */
export class SharedIdentity implements AsyncDisposable {
  readonly #config: GatewayConfig;
  readonly #clock: () => number;
  readonly #renewable: boolean;
  /** Of a certificate that the gateway made. */
  readonly #authority: FollowedAuthority | undefined;
  #identity: WorkerPlace['identity'];
  #follower: AsyncDisposable | undefined;

  private constructor(
    config: GatewayConfig,
    clock: () => number,
    opened: Pick<WorkerPlace, 'identity' | 'renewable'> & {
      readonly authority: FollowedAuthority | undefined;
    },
  ) {
    this.#config = config;
    this.#clock = clock;
    this.#identity = opened.identity;
    this.#renewable = opened.renewable;
    this.#authority = opened.authority;
  }

  static async open(config: GatewayConfig, clock: () => number, log: Log): Promise<SharedIdentity> {
    const authority = await followServerAuthority(config, identityPlaces(config), { clock, log });
    const opened = await openIdentity(config, authority, clock());
    return new SharedIdentity(config, clock, { ...opened, authority });
  }

  /** What a worker that starts now is given. */
  get now(): Pick<WorkerPlace, 'identity' | 'renewable'> {
    return { identity: this.#identity, renewable: this.#renewable };
  }

  /** Looks now whether another authority signs. */
  async look(): Promise<void> {
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
      : new FollowedIdentity({ config, server, certificatePem, clock, log });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follower?.[Symbol.asyncDispose]();
    await this.#authority?.[Symbol.asyncDispose]();
  }
}
