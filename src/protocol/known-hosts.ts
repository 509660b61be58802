// What an agent takes from its gateway for a file of known_hosts.

import { defaultLimits } from './limits.ts';

/** Whether a text of the gateway is nothing but lines for plain names. */
export function isKnownHosts(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > defaultLimits.knownHostsOctetsMax || !value.endsWith('\n'))
    return false;
  return value
    .slice(0, -1)
    .split('\n')
    .every((line) => /^[A-Za-z0-9_.*:[\]-]{1,300} ssh-ed25519 [A-Za-z0-9+/]{68}$/.test(line));
}
