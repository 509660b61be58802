// Log-in at an identity provider, put together. Loaded only where the configuration has it: the library comes with it.

import { readFile } from 'node:fs/promises';
import { checkCertificates } from '../../pki/pem.ts';
import type { LimitName, Limits } from '../../protocol/limits.ts';
import type { OperatorStore } from '../../store/operator-store.ts';
import type { SessionAudit, SessionStep } from '../audit/session-audit.ts';
import type { OidcSettings } from '../config/oidc-settings.ts';
import { openCredentialSource } from '../credentials/sources/credential-source.ts';
import type { ServiceOctetFetch } from '../forward/service-fetch.ts';
import type { SigningKey } from '../sessions/signing-key.ts';
import { BrowserLogIn } from './browser-log-in.ts';
import { LogInBounds } from './log-in-bounds.ts';
import { LogInSeal } from './log-in-seal.ts';
import { LogInSessions } from './log-in-sessions.ts';
import { OidcProvider } from './oidc-provider.ts';

export interface LogInNeeds {
  readonly operators: OperatorStore;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: ServiceOctetFetch;
  readonly signer: Pick<SigningKey, 'kid' | 'signText'>;
  readonly limits: Limits;
  readonly clock: () => number;
  readonly onLimit: (limit: LimitName) => void;
  /** Of failed log-ins alone, which it counts. */
  readonly audit: Pick<SessionAudit, 'record' | 'logInFailed'>;
}

/** @throws ProxyError config_invalid */
export async function openLogIn(settings: OidcSettings, needs: LogInNeeds): Promise<BrowserLogIn> {
  const { operators, environment, fetch, signer, limits, clock, audit, onLimit } = needs;
  const ca = (await Promise.all(settings.ca.map((path) => readFile(path, 'utf8')))).flatMap(
    checkCertificates,
  );
  const secret = openCredentialSource('of admin.oidc', settings.clientSecret, environment);
  const record = (step: SessionStep): Promise<void> => audit.record(step);
  return new BrowserLogIn({
    settings,
    provider: new OidcProvider({ settings, secret, ca, fetch, clock }),
    sessions: new LogInSessions({ operators, settings, limits, record }),
    seal: new LogInSeal(signer),
    bounds: new LogInBounds(),
    sessionMs: limits.operatorSessionMs,
    clock,
    record,
    onLimit,
    onFailed: (step) => {
      audit.logInFailed(step);
    },
  });
}
