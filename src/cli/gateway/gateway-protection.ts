// What the gateway's process does for its own secrets: closed memory, and none of them left in its environment.

import { isAbsolute } from 'node:path';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { setNonDumpable } from '../../agent/hardening/posture.ts';
import { secretPlaces } from './secret-places.ts';

/**
 * Closes this process's memory to others of its user; a warning says so where the system does not allow it. Gives whether it was closed from
 * its start, as the single file that its user cannot read is.
 */
export function protectProcess(warn: (message: string) => void): boolean {
  const { nondumpable, wasNondumpable, reason } = setNonDumpable();
  if (!nondumpable)
    warn(`the gateway's memory is open to other processes of its user: ${reason ?? 'unknown'}`);
  return wasNondumpable;
}

/** A warning for an operator whose secrets were readable until now, or nothing. `parts` are those of the configuration. */
export function openEnvironmentWarning(parts: unknown): string | undefined {
  const names = secretSources(withoutPlaceholders(parts)).variables;
  if (names.length === 0) return undefined;
  return (
    `${names.join(', ')}: other processes of the gateway's user could read its environment from its start until now; ` +
    'give secrets as files (source: { file: … }), or start the single-file gateway as a user who cannot read it'
  );
}

/** Where the configuration says that secrets are, on this machine. */
export interface SecretSources {
  readonly variables: readonly string[];
  readonly files: readonly string[];
}

/** Every part of a configuration that names places of secrets, but for the identity of the gateway. */
export function secretParts(config: GatewayConfig): readonly unknown[] {
  const { key } = config.captured;
  return [
    ...secretPlaces(config).map(({ part }) => part),
    // The one that the gateway makes itself stands with its state.
    'source' in key ? key.source : undefined,
  ];
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

/** The same parts without what the workload sees in the place of secrets. The configuration is plain data. */
function withoutPlaceholders(parts: unknown): unknown {
  const text = JSON.stringify(parts, (key, value: unknown) => (key === 'placeholder' ? undefined : value));
  return JSON.parse(text) as unknown;
}
