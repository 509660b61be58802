// The secrets that a configuration names: whether this machine has them. Their values are read, and told to nobody. What a command or a
// vault gives is not asked for, since both may count or limit who asks.

import type { GatewayConfig } from '../../gateway/config/config.ts';
import { openCredentialSource } from '../../gateway/credentials/sources/credential-source.ts';
import type { PlainSourceConfig } from '../../gateway/credentials/sources/source-config.ts';
import type { YamlPath } from '../../policy/yaml-source.ts';
import { asProxyError } from '../../protocol/error.ts';
import { noSealingKey, sealingKeyOf } from '../../system/sealed-octets.ts';
import type { Finding } from './place-findings.ts';
import { canaryPlaces, secretPlaces } from './secret-places.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export async function secretFindings(
  config: GatewayConfig,
  environment: Environment,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name, at: place, part } of [...secretPlaces(config), ...canaryPlaces(config)])
    for (const { at, source } of sourcesIn(part, place)) {
      const message = await sourceProblem(name, source, environment);
      if (message !== undefined) findings.push({ at, message });
    }
  return [...findings, ...(await keyFindings(config, environment))];
}

/** Keys that seal something, which have a form of their own: those of an identity in the store, and that of kept bodies. */
async function keyFindings(
  { identity, captured }: Pick<GatewayConfig, 'identity' | 'captured'>,
  environment: Environment,
): Promise<readonly Finding[]> {
  const keys: { readonly place: readonly [string, string]; readonly config: unknown }[] = [];
  if (identity.kind === 'store')
    for (const name of ['keyEncryptionKey', 'nextKeyEncryptionKey'] as const)
      keys.push({ place: ['identity', name], config: identity[name] });
  if ('source' in captured.key) keys.push({ place: ['captured', 'source'], config: captured.key.source });
  const findings: Finding[] = [];
  for (const { place, config } of keys) {
    const name = place.join('.');
    for (const { at, source } of sourcesIn(config, place)) {
      // Below it are what opens a vault.
      const message =
        (await sourceProblem(name, source, environment)) ??
        (at.length === 2 ? await keyProblem(name, source, environment) : undefined);
      if (message !== undefined) findings.push({ at, message });
    }
  }
  return findings;
}

/** The reader of the file bounds the depth. Every source of this machine in the settings of a credential, whatever its kind calls it. */
function sourcesIn(
  value: unknown,
  at: YamlPath,
): { readonly at: YamlPath; readonly source: PlainSourceConfig }[] {
  if (typeof value !== 'object' || value === null) return [];
  const entries = Object.entries(value);
  const [[key, only] = ['', undefined]] = entries;
  if (entries.length === 1 && typeof only === 'string' && key === 'env')
    return [{ at, source: { env: only } }];
  if (entries.length === 1 && typeof only === 'string' && key === 'file')
    return [{ at, source: { file: only } }];
  return entries.flatMap(([name, below]) => {
    // A variable of the workload, which the gateway never reads.
    if (name === 'placeholder') return [];
    // The token of a service account, which Kubernetes mounts.
    if (name === 'jwtFile' && typeof below === 'string')
      return [{ at: [...at, name], source: { file: below } }];
    return sourcesIn(below, [...at, name]);
  });
}

async function sourceProblem(
  name: string,
  source: PlainSourceConfig,
  environment: Environment,
): Promise<string | undefined> {
  try {
    // As several lines: which form the kind wants is seen where it is used.
    await openCredentialSource(name, source, environment, 'pem').read(Date.now());
    return undefined;
  } catch (error) {
    return asProxyError(error).message;
  }
}

async function keyProblem(
  name: string,
  source: PlainSourceConfig,
  environment: Environment,
): Promise<string | undefined> {
  const secret = await openCredentialSource(name, source, environment, 'pem').read(Date.now());
  return sealingKeyOf(secret.reveal()) === undefined ? noSealingKey(name) : undefined;
}
