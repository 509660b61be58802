// The Vault and OpenBao servers of the configuration. Credentials that name the same server and log-in share its token,
// and those that name the same path share what was read there, so that two fields come from one lease.

import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { usableSecret } from '../sources/credential-source.ts';
import type { CredentialSource, SecretForm } from '../sources/credential-source.ts';
import type { VaultReading } from './vault-response.ts';
import { VaultClient } from './vault-client.ts';
import type { VaultClientOptions } from './vault-client.ts';
import type { VaultServerConfig, VaultSourceConfig } from '../sources/source-config.ts';
import { VaultSecret } from './vault-secret.ts';
import type { GivenLease } from '../leases/lease-seal.ts';
import { LeasedSecret } from './leased-secret.ts';
import type { LeaseSession, SessionLeases } from '../leases/session-leases.ts';

const refreshSecondsDefault = 300;

/** What is read of one path. */
interface VaultPath {
  read(nowMs: number): Promise<VaultReading>;
  reject(reading: VaultReading, nowMs: number): void;
  hold?(): Disposable;
}

/** Where sources of credentials come from. */
export type VaultSources = Pick<Vaults, 'source'>;

/** Those of one session, whose leases are its own. */
export interface SessionVaults extends VaultSources {
  /** The session is over. */
  close(): void;
}

interface OpenVault {
  readonly client: VaultClient;
  readonly secrets: Map<string, VaultSecret>;
}

export class Vaults implements AsyncDisposable {
  readonly #options: Omit<VaultClientOptions, 'server'>;
  readonly #open = new Map<string, OpenVault>();

  constructor(options: Omit<VaultClientOptions, 'server'>) {
    this.#options = options;
  }

  /** `name` is the credential's, for errors. Nothing is asked of the server before the first read. */
  source(name: string, config: VaultSourceConfig, form: SecretForm): CredentialSource {
    return sourceOf(name, config, form, this.#secret(config));
  }

  /** Leases that are the session's own. */
  ofSession(session: LeaseSession, leases: SessionLeases): SessionVaults {
    const { background } = this.#options;
    const secrets = new Map<string, LeasedSecret>();
    const secretOf = (credential: string, config: VaultSourceConfig): LeasedSecret => {
      const { path } = config;
      const { client } = this.#vault(config);
      const key = JSON.stringify([serverOf(config), path]);
      const known = secrets.get(key);
      if (known !== undefined) return known;
      const secret = new LeasedSecret({ client, background, leases, session, credential, path });
      secrets.set(key, secret);
      return secret;
    };
    return {
      source: (name, config, form) => sourceOf(name, config, form, secretOf(name, config)),
      close: () => {
        for (const secret of secrets.values()) secret.close();
      },
    };
  }

  /** At the server that gave it. @throws ProxyError credential_unavailable */
  async giveBack(given: GivenLease, nowMs: number, timeoutMs?: number): Promise<'given back' | 'elsewhere'> {
    const clients = [...this.#open.values()].flatMap(({ client }) => (client.isOf(given) ? [client] : []));
    const last = clients.pop();
    if (last === undefined) return 'elsewhere';
    // Ways to log in may have other rights.
    for (const client of clients) {
      const isDone = await client.giveBack(given.leaseId, nowMs, timeoutMs).then(
        () => true,
        () => false,
      );
      if (isDone) return 'given back';
    }
    await last.giveBack(given.leaseId, nowMs, timeoutMs);
    return 'given back';
  }

  /** Gives leases and tokens back. */
  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(
      open.map(({ client, secrets }) =>
        client.farewell([...secrets.values()].flatMap(({ leaseIds }) => leaseIds)),
      ),
    );
  }

  #secret(config: VaultSourceConfig): VaultSecret {
    const { path, refreshSeconds = refreshSecondsDefault } = config;
    const { client, secrets } = this.#vault(config);
    const { background } = this.#options;
    const secretKey = `${path} ${String(refreshSeconds)}`;
    const secret = secrets.get(secretKey) ?? new VaultSecret({ client, background, path, refreshSeconds });
    secrets.set(secretKey, secret);
    return secret;
  }

  #vault(config: VaultSourceConfig): OpenVault {
    const server = serverOf(config);
    const key = JSON.stringify(server);
    const vault = this.#open.get(key) ?? {
      client: new VaultClient({ ...this.#options, server }),
      secrets: new Map<string, VaultSecret>(),
    };
    this.#open.set(key, vault);
    return vault;
  }
}

function serverOf({
  path: _path,
  field: _field,
  refreshSeconds: _refreshSeconds,
  ...server
}: VaultSourceConfig): VaultServerConfig {
  return server;
}

function sourceOf(
  name: string,
  config: VaultSourceConfig,
  form: SecretForm,
  secret: VaultPath,
): CredentialSource {
  /** Which reading a value came from. */
  const readings = new WeakMap<Secret<string>, VaultReading>();
  let last: { readonly reading: VaultReading; readonly value: Secret<string> } | undefined;
  return {
    read: async (nowMs) => {
      const reading = await secret.read(nowMs).catch((error: unknown) => {
        throw named(name, error);
      });
      if (last?.reading === reading) return last.value;
      const value = fieldOf(name, config, reading, form);
      last = { reading, value };
      readings.set(value, reading);
      return value;
    },
    beside: (value, field) => {
      const reading = readings.get(value);
      if (reading === undefined) throw named(name, new Error('the secret was not read here'));
      return fieldOf(name, { ...config, field }, reading, 'line');
    },
    reject: (value, nowMs) => {
      const reading = readings.get(value);
      if (reading !== undefined) secret.reject(reading, nowMs);
    },
    ...(secret.hold === undefined ? {} : { hold: () => secret.hold?.() ?? new DisposableStack() }),
  };
}

function fieldOf(
  name: string,
  { path, field }: VaultSourceConfig,
  { fields }: VaultReading,
  form: SecretForm,
): Secret<string> {
  const value = fields.get(field)?.reveal();
  if (typeof value !== 'string') {
    const what = value === undefined ? 'there is no field' : 'no text is in the field';
    throw new ProxyError('credential_unavailable', `credential ${name}: ${what} ${field} of ${path}`);
  }
  try {
    return usableSecret(value, form);
  } catch (error) {
    throw named(name, new Error(`the field ${field} of ${path} cannot be used`, { cause: error }));
  }
}

function named(name: string, error: unknown): ProxyError {
  // A bound, or an audit that cannot be written: not of Vault.
  if (error instanceof ProxyError && error.code !== 'credential_unavailable') return error;
  const what = error instanceof Error ? error.message : 'Vault gave nothing';
  return new ProxyError('credential_unavailable', `credential ${name}: ${what}`, { cause: error });
}
