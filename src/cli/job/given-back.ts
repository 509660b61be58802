// The variables of a job as they were before its session: what can only be set for the steps that follow cannot be taken away.

import { systemBundlePath } from '../../agent/trust/trust.ts';
import type { Environment } from '../terminal/workload-environment.ts';

/** Where an empty value is not as good as none. */
const offValues: Readonly<Record<string, string>> = {
  UV_NATIVE_TLS: '0',
  NODE_USE_ENV_PROXY: '0',
  SYSTEM_CERTIFICATE_PATH: '/etc/ssl/certs',
};
/** Lists to which a place was added that is gone then: of an empty one PHP and hg read no settings at all. */
const lists = new Set(['PHP_INI_SCAN_DIR', 'HGRCPATH']);

/**
 * A value for each variable of `session` that takes its effect away: the one of `base`, else one that says nothing. A client that gets an
 * empty name of a bundle trusts nobody, so it gets that of the system.
 */
export function givenBack(
  session: Environment,
  base: Environment,
  bundle: string,
  systemBundle = systemBundlePath() ?? '',
): Environment {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(session)) {
    const before = base[name];
    if (before !== undefined) values[name] = before;
    else if (!lists.has(name)) values[name] = value === bundle ? systemBundle : (offValues[name] ?? '');
  }
  return values;
}
