// What an agent takes from its gateway for the configuration of git.

import type { SessionSigningKey } from './session-messages.ts';

/** Whether it is a public key of SSH on one line, and kinds that git has settings for. */
export function isSigningKey(value: unknown): value is SessionSigningKey {
  if (typeof value !== 'object' || value === null || !('key' in value) || !('automatic' in value))
    return false;
  const { key, automatic } = value;
  return (
    typeof key === 'string' &&
    /^(?:ssh|ecdsa)-[a-z0-9-]{1,40} [A-Za-z0-9+/]{40,3000}={0,2}$/.test(key) &&
    Array.isArray(automatic) &&
    automatic.every((one) => one === 'commit' || one === 'tag')
  );
}
