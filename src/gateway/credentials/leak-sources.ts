// Where the values come from that requests are searched for: variables and files, which cost little to look at, and programs and Vaults, which are asked
// before the first request that is searched. What services issue is searched for from its first use on: before that there is none.

import { ProxyError } from '../../protocol/error.ts';
import { leakValueBytesMin } from '../leaks/leak-forms.ts';
import type { CredentialSource } from './sources/credential-source.ts';
import type { CredentialConfig } from './credential-kinds.ts';
import type { LeakSource } from '../leaks/leak-values.ts';
import { openCredentialSource } from './sources/credential-source.ts';
import type { CredentialSourceConfig, PlainSourceConfig } from './sources/source-config.ts';

/** A source that costs something, as its credential opened it: it shares what was had, and the lease of that. */
export interface OpenedSource {
  readonly name: string;
  readonly source: CredentialSource;
}

type SourceKeysOf<Config> = Config extends unknown
  ? {
      [Key in keyof Config]-?: NonNullable<Config[Key]> extends CredentialSourceConfig ? Key : never;
    }[keyof Config]
  : never;
type SourceKey = SourceKeysOf<CredentialConfig>;

/** Each setting of any kind that is a source, and whether what it gives is worth as much as the credential; a new one has to be said here. */
const isSecretKey: Readonly<Record<SourceKey, boolean>> = {
  source: true,
  /** By it new ones are had. */
  refreshToken: true,
  /** It travels beside a signature. */
  sessionToken: true,
  accessKeyId: false,
  /** It only looks like a source: what the workload sees. */
  placeholder: false,
};

/** Where the secrets of a credential are, whatever its kind; a kind has those keys that are its own. */
type SecretSettings = Pick<CredentialConfig, 'source'> & {
  readonly [Key in SourceKey]?: CredentialSourceConfig | undefined;
};

export interface LeakSources {
  readonly configs: Readonly<Record<string, SecretSettings>>;
  readonly opened?: readonly OpenedSource[];
  readonly canaries: Readonly<Record<string, PlainSourceConfig>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ProxyError config_invalid for a variable that is not set */
export function leakSources(
  { configs, canaries, opened = [] }: LeakSources,
  environment: Environment,
): readonly LeakSource[] {
  return [
    ...Object.entries(configs).flatMap(([name, config]) =>
      secretSources(config).flatMap((source) =>
        isCheap(source) ? [leakSource('credential', name, source, environment)] : [],
      ),
    ),
    ...opened.map(({ name, source }) => ({
      owner: { kind: 'credential', name } as const,
      read: async (nowMs: number) => [await source.read(nowMs)],
      isAsked: true as const,
    })),
    ...Object.entries(canaries).map(([name, source]) => leakSource('canary', name, source, environment)),
  ];
}

/** What of a credential is worth as much as its value. */
export function secretSources(config: SecretSettings): readonly CredentialSourceConfig[] {
  // `keys` has no more than the table has.
  const keys = Object.keys(isSecretKey) as SourceKey[];
  return keys.flatMap((key) => (isSecretKey[key] ? (config[key] ?? []) : []));
}

/** A program is not started, and a Vault not asked, each time that files are looked at. */
export function isCheap(source: CredentialSourceConfig): source is PlainSourceConfig {
  return 'env' in source || 'file' in source;
}

function leakSource(
  kind: 'credential' | 'canary',
  name: string,
  config: PlainSourceConfig,
  environment: Environment,
): LeakSource {
  const source = openCredentialSource(name, config, environment, 'pem');
  return { owner: { kind, name }, read: async (nowMs) => [await source.read(nowMs)] };
}

/** @throws ProxyError config_invalid for a canary that cannot be read, or is too short to be searched for */
export async function checkCanaries(
  canaries: LeakSources['canaries'],
  environment: Environment,
  nowMs: number,
): Promise<void> {
  for (const { owner, read } of leakSources({ configs: {}, canaries }, environment)) {
    const [value] = await read(nowMs).catch((error: unknown) => {
      throw new ProxyError('config_invalid', `the canary ${owner.name} cannot be read`, { cause: error });
    });
    if (Buffer.byteLength(value?.reveal() ?? '') >= leakValueBytesMin) continue;
    throw new ProxyError(
      'config_invalid',
      `the canary ${owner.name} has fewer than ${String(leakValueBytesMin)} octets: it could be met by chance`,
    );
  }
}
