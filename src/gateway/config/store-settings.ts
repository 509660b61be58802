// What the configuration says of the store, and the store that it names.

import { resolve } from 'node:path';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { openStore, type StoreAccess } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import { openCredentialSource } from '../credentials/sources/credential-source.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { StoreDocument } from './store-schema.ts';

/** What the URL of a database does not say. */
export interface StoreAccessSettings {
  readonly source?: PlainSourceConfig;
  /** Path of a PEM file. */
  readonly ca?: string;
  readonly dangerouslyWithoutTls?: boolean;
}

export interface StoreSettings {
  /** URL for `openStore`. */
  readonly store: string;
  readonly storeAccess?: StoreAccessSettings;
}

export function storeUrlOf(document: StoreDocument | undefined): string | undefined {
  return typeof document === 'object' ? document.url : document;
}

export function storeSettings(
  document: StoreDocument | undefined,
  { directory, stateDirectory }: { readonly directory: string; readonly stateDirectory: string },
): StoreSettings {
  const written = storeUrlOf(document);
  if (written === undefined) return { store: `sqlite:${join(stateDirectory, 'state.db')}` };
  if (written.startsWith('sqlite:') && written !== 'sqlite::memory:')
    return { store: `sqlite:${resolve(directory, written.slice('sqlite:'.length))}` };
  if (typeof document !== 'object') return { store: written };
  const { source, ca, dangerouslyWithoutTls } = document;
  return {
    store: written,
    storeAccess: {
      ...(source === undefined
        ? {}
        : { source: plainSourceSettings(source, (path) => resolve(directory, path)) }),
      ...(ca === undefined ? {} : { ca: resolve(directory, ca) }),
      ...(dangerouslyWithoutTls === undefined ? {} : { dangerouslyWithoutTls }),
    },
  };
}

/** Opens the store of a configuration; `isReader` is for who writes nothing, `isOperator` for a command that does. Throws as `openStore` does. */
export async function openConfiguredStore(
  settings: StoreSettings,
  environment: Readonly<Record<string, string | undefined>>,
  {
    isReader = false,
    isOperator = false,
  }: { readonly isReader?: boolean; readonly isOperator?: boolean } = {},
): Promise<Store> {
  return await openStore(settings.store, {
    ...(await storeAccessOf(settings, environment)),
    isReader,
    isOperator,
  });
}

/** What its URL does not say. Throws ProxyError `config_invalid`. */
export async function storeAccessOf(
  { storeAccess = {} }: StoreSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<StoreAccess> {
  const { source, ca, dangerouslyWithoutTls } = storeAccess;
  const password =
    source === undefined ? undefined : openCredentialSource('of the store', source, environment);
  return {
    ...(password === undefined ? {} : { password: () => password.read(Date.now()) }),
    ...(ca === undefined ? {} : { ca: await readCa(ca) }),
    dangerouslyWithoutTls,
  };
}

async function readCa(path: string): Promise<string> {
  const pem = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unusableCa(path, `cannot be read: ${faultReason(error)}`, error);
  });
  // Without one the authorities that the runtime has would be taken, and nobody would notice.
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw unusableCa(path, 'has no certificate in PEM');
  return pem;
}

function unusableCa(path: string, reason: string, cause?: unknown): ProxyError {
  return new ProxyError('config_invalid', `store.ca: the file ${path} ${reason}`, { cause });
}
