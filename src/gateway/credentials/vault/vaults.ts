// The Vault and OpenBao servers of the configuration. Credentials that name the same server and log-in share its token,
// and those that name the same path share what was read there, so that two fields come from one lease.

import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { usableSecret } from '../sources/credential-source.ts';
import type { CredentialSource, SecretForm } from '../sources/credential-source.ts';
import type { VaultReading } from './vault-response.ts';
import { VaultClient } from './vault-client.ts';
import type { VaultClientOptions } from './vault-client.ts';
import type { VaultSourceConfig } from '../sources/source-config.ts';
import { VaultSecret } from './vault-secret.ts';

const refreshSecondsDefault = 300;

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
    const secret = this.#secret(config);
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
    };
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

  #secret({ path, field: _field, refreshSeconds = refreshSecondsDefault, ...server }: VaultSourceConfig) {
    const key = JSON.stringify(server);
    const vault = this.#open.get(key) ?? {
      client: new VaultClient({ ...this.#options, server }),
      secrets: new Map<string, VaultSecret>(),
    };
    this.#open.set(key, vault);
    const { client, secrets } = vault;
    const { background } = this.#options;
    const secretKey = `${path} ${String(refreshSeconds)}`;
    const secret = secrets.get(secretKey) ?? new VaultSecret({ client, background, path, refreshSeconds });
    secrets.set(secretKey, secret);
    return secret;
  }
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
  const what = error instanceof Error ? error.message : 'Vault gave nothing';
  return new ProxyError('credential_unavailable', `credential ${name}: ${what}`, { cause: error });
}
