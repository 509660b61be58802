// What the gateway's process does for its own secrets: closed memory, and none of them left in its environment.

import { setNonDumpable } from '../../agent/hardening/posture.ts';

/** Closes this process's memory to others of its user; a warning says so where the system does not allow it. */
export function protectProcess(warn: (message: string) => void): void {
  const { nondumpable, reason } = setNonDumpable();
  if (!nondumpable)
    warn(`the gateway's memory is open to other processes of its user: ${reason ?? 'unknown'}`);
}

/**
 * Deletes from an environment each variable that `parts` of the configuration name as the place of a secret, so that
 * programs which the gateway starts do not inherit it. Call it once the secrets are read.
 */
export function forgetSecrets(environment: Record<string, string | undefined>, parts: unknown): void {
  if (typeof parts !== 'object' || parts === null) return;
  for (const [key, value] of Object.entries(parts)) {
    if (key !== 'env' || typeof value !== 'string') forgetSecrets(environment, value);
    else {
      delete environment[value];
      delete environment[`UPSTREAMPROXY_WORKLOAD_${value}`];
    }
  }
}
