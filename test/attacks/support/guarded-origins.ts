// Origins with listeners on the forbidden addresses at the same ports.

import type { TestAuthority } from '../../support/test-authority.ts';
import { startAttackOrigins, type AttackOrigins } from './attack-origins.ts';
import { forbiddenAddress, type Sentry } from './sentry.ts';

const portAttemptsMax = 20;

/** Origins whose ports are free on the forbidden addresses too; the system may have given one of those to somebody. */
export async function startGuardedOrigins(sentry: Sentry, authority: TestAuthority): Promise<AttackOrigins> {
  for (let attempt = 1; ; attempt += 1) {
    const origins = await startAttackOrigins(authority);
    try {
      for (const port of [origins.tlsPort, origins.plainPort]) {
        await sentry.forbid(forbiddenAddress, port);
        await sentry.forbid('127.0.0.1', port);
      }
      return origins;
    } catch (error) {
      await origins[Symbol.asyncDispose]();
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isTaken || attempt === portAttemptsMax) throw error;
    }
  }
}
