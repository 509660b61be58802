// What is wrong with a configuration that is valid: told by `gateway --check`, and again at every start.

import type { GatewayConfig } from '../../gateway/config/config.ts';

/** One sentence each, for people. */
export function configurationWarnings(config: Pick<GatewayConfig, 'store'>): readonly string[] {
  // The signing key is a file that lasts, so tokens of an earlier start verify; whether they were used only the store knows.
  if (config.store === 'sqlite::memory:') {
    return [
      'store: sqlite::memory: forgets at each start which session tokens were used or revoked, so that one that has not expired starts another session; write sqlite:/path/to/state.db',
    ];
  }
  return [];
}
