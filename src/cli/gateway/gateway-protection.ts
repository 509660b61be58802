// What the gateway's process does for its own secrets: closed memory, and none of them left in its environment.

import { isAbsolute } from 'node:path';
import { setNonDumpable } from '../../agent/hardening/posture.ts';

/** Closes this process's memory to others of its user; a warning says so where the system does not allow it. */
export function protectProcess(warn: (message: string) => void): void {
  const { nondumpable, reason } = setNonDumpable();
  if (!nondumpable)
    warn(`the gateway's memory is open to other processes of its user: ${reason ?? 'unknown'}`);
}

/** Where the configuration says that secrets are, on this machine. */
export interface SecretSources {
  readonly variables: readonly string[];
  readonly files: readonly string[];
}

/** All that `parts` of the configuration name as the place of a secret. */
export function secretSources(parts: unknown): SecretSources {
  const variables = new Set<string>();
  const files = new Set<string>();
  const walk = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    for (const [key, value] of Object.entries(part)) {
      if (typeof value !== 'string') walk(value);
      else if (key === 'env') variables.add(value);
      // The configuration has made them absolute.
      else if (/(?:^file|File)$/.test(key) && isAbsolute(value)) files.add(value);
    }
  };
  walk(parts);
  return { variables: [...variables], files: [...files] };
}

/**
 * Deletes from an environment each variable that `parts` of the configuration name as the place of a secret, so that
 * programs which the gateway starts do not inherit it. Call it once the secrets are read.
 */
export function forgetSecrets(environment: Record<string, string | undefined>, parts: unknown): void {
  for (const name of secretSources(parts).variables) {
    delete environment[name];
    delete environment[`UPSTREAMPROXY_WORKLOAD_${name}`];
  }
}
