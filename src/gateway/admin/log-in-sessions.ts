// Sessions of people who logged in at the identity provider. A session is a token of the store that a browser keeps in a cookie: every
// gateway on the store knows it, and an administrator sees and ends it.

import { createHmac, randomBytes, randomUUIDv7 } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { OperatorStore, OperatorToken, StoredOperatorToken } from '../../store/operator-store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import type { GroupRole, OidcSettings } from '../config/oidc-settings.ts';
import { digestOfToken, isIdle, type Operator } from './operator.ts';
import type { Person } from './person.ts';

const prefix = 'upses_';
const secretPattern = /^upses_[A-Za-z0-9_-]{43}$/;
const secretBytes = 32;
/** Of a person who is in hundreds. */
const groupsShownMax = 50;

export interface LogInSessionsOptions {
  readonly operators: OperatorStore;
  readonly settings: Pick<OidcSettings, 'issuer' | 'roles'>;
  readonly limits: Pick<Limits, 'operatorIdleMs' | 'operatorSessionMs'>;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
}

/** What a page must send with each write: who has only the cookie, as pages of others have, cannot know it. */
function csrfTokenOf(secret: string): string {
  return createHmac('sha256', secret).update('upstreamproxy csrf 1').digest('base64url');
}

export function operatorNameOf({ issuer, subject }: Pick<Person, 'issuer' | 'subject'>): string {
  return `${subject} of ${issuer}`;
}

export class LogInSessions {
  readonly #options: LogInSessionsOptions;

  constructor(options: LogInSessionsOptions) {
    this.#options = options;
  }

  /** A new session, never one that was there before. Gives its secret. @throws ProxyError limit_exceeded, audit_unavailable */
  async begin(person: Person, { group, role, sees }: GroupRole, nowMs: number): Promise<string> {
    const { operators, limits, record } = this.#options;
    const { groups, ...who } = person;
    const secret = `${prefix}${randomBytes(secretBytes).toString('base64url')}`;
    const some = sees === undefined ? {} : { sees };
    const operator = operatorNameOf(person);
    const stored: OperatorToken = {
      id: randomUUIDv7(),
      digest: digestOfToken(secret),
      name: operator,
      role,
      ...some,
      createdMs: nowMs,
      createdBy: operator,
      expiresMs: nowMs + limits.operatorSessionMs,
      logIn: { ...who, group },
    };
    await this.#makeRoom(person, nowMs);
    // Stored first: nobody has rights of which no event tells.
    await record({
      action: 'operator_logged_in',
      nowMs,
      message: `${operator} logged in to the console, as ${role} by the group ${group}.`,
      details: { id: stored.id, ...who, group, groups: groups.slice(0, groupsShownMax), role, ...some },
    });
    const { operatorSessionsMax } = defaultLimits;
    if (!(await operators.add(stored, { operatorTokensMax: operatorSessionsMax })))
      throw new ProxyError(
        'limit_exceeded',
        `${operatorSessionsMax} people are logged in (operatorSessionsMax)`,
        {
          limit: 'operatorSessionsMax',
        },
      );
    return secret;
  }

  /** Whose session it is. `isAttended`: a person is there, so it is used. @throws ProxyError operator_unknown */
  async operatorOf(secret: string, nowMs: number, isAttended: boolean): Promise<Operator> {
    const { operators, limits } = this.#options;
    const found = await this.#find(secret);
    if (found === undefined || found.revokedMs !== undefined) throw over('it was ended');
    if (found.expiresMs <= nowMs) throw over('its time is over');
    const { operatorIdleMs: idleMs } = limits;
    if (isIdle(found, idleMs, nowMs)) throw over(`nobody used it for ${Math.round(idleMs / 60_000)} minutes`);
    const { logIn } = found;
    // What the configuration says now, not what it said at log-in.
    const match = logIn === undefined ? undefined : this.#roleOf(logIn);
    if (logIn === undefined || match === undefined) throw over('its group has no role here any more');
    if (isAttended) await operators.used(found.id, nowMs);
    const { group: _, ...person } = logIn;
    return {
      name: operatorNameOf(person),
      role: match.role,
      by: 'oidc',
      expiresMs: found.expiresMs,
      tokenId: found.id,
      idleMs,
      browser: { person, csrf: csrfTokenOf(secret) },
      ...(match.sees === undefined ? {} : { sees: match.sees }),
    };
  }

  /** Ends one that a browser had before it logged in anew. */
  async replace(secret: string | undefined, nowMs: number): Promise<void> {
    const found = secret === undefined ? undefined : await this.#find(secret);
    if (found !== undefined) await this.#options.operators.revoke(found.id, nowMs);
  }

  /** @throws ProxyError audit_unavailable; it has ended then, too. */
  async end({ name, tokenId = '' }: Operator, nowMs: number): Promise<void> {
    const { operators, record } = this.#options;
    await operators.revoke(tokenId, nowMs);
    const message = `${name} logged out of the console.`;
    await record({ action: 'operator_logged_out', nowMs, message, details: { id: tokenId, operator: name } });
  }

  async #find(secret: string): Promise<StoredOperatorToken | undefined> {
    if (!secretPattern.test(secret)) return undefined;
    const found = await this.#options.operators.byDigest(digestOfToken(secret));
    return found?.logIn === undefined ? undefined : found;
  }

  #roleOf({ issuer, group }: { readonly issuer: string; readonly group: string }): GroupRole | undefined {
    const { settings } = this.#options;
    if (new URL(issuer).href !== new URL(settings.issuer).href) return undefined;
    return settings.roles.find((one) => one.group === group);
  }

  async #makeRoom({ issuer, subject }: Person, nowMs: number): Promise<void> {
    const { operators } = this.#options;
    const own = (await operators.list(nowMs)).filter(
      ({ logIn }) => logIn?.issuer === issuer && logIn.subject === subject,
    );
    // The newest come first.
    for (const { id } of own.slice(defaultLimits.operatorSessionsPerPersonMax - 1))
      await operators.revoke(id, nowMs);
  }
}

function over(why: string): ProxyError {
  return new ProxyError('operator_unknown', `the session has ended: ${why}; log in again`);
}
