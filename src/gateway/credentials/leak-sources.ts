// Where the values come from that requests are searched for: sources that this machine alone can give, and that cost little to look at.
// What services give out is searched for from its first use on.

import { ProxyError } from '../../protocol/error.ts';
import { leakValueBytesMin } from '../leaks/leak-forms.ts';
import type { LeakSource } from '../leaks/leak-values.ts';
import type { CredentialConfig } from './credential-kinds.ts';
import { openCredentialSource } from './sources/credential-source.ts';
import type { CredentialSourceConfig, PlainSourceConfig } from './sources/source-config.ts';

export interface LeakSources {
  readonly configs: Readonly<Record<string, Pick<CredentialConfig, 'source'>>>;
  readonly canaries: Readonly<Record<string, PlainSourceConfig>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ProxyError config_invalid for a variable that is not set */
export function leakSources(
  { configs, canaries }: LeakSources,
  environment: Environment,
): readonly LeakSource[] {
  return [
    ...Object.entries(configs).flatMap(([name, { source }]) =>
      isCheap(source) ? [leakSource('credential', name, source, environment)] : [],
    ),
    ...Object.entries(canaries).map(([name, source]) => leakSource('canary', name, source, environment)),
  ];
}

/** A program is not started for every request, and a service is not asked for what nobody uses. */
function isCheap(source: CredentialSourceConfig): source is PlainSourceConfig {
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
