// Log-in by a link that works once: for the console of `run`, whose gateway starts a workload of the same user. The link carries a secret in its
// fragment, which a browser sends to nobody; the page exchanges it for a token that is kept nowhere but in this process.

import { randomBytes, randomInt, randomUUIDv7, timingSafeEqual } from 'node:crypto';
import type { AdminRole } from '../../api/admin/roles.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { OperatorStore, StoredOperatorToken } from '../../store/operator-store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import { digestOfToken, newOperatorToken } from './operator.ts';

const secretBytes = 32;
const labelCharacters = 20;
const minuteMs = 60_000;
/** What is not the administration of a gateway: a run has no other people. */
const role: AdminRole = 'operator';
const name = 'the link of this run';

type State =
  | { readonly kind: 'unused' }
  | { readonly kind: 'used'; readonly token: StoredOperatorToken }
  | { readonly kind: 'over' };

interface Needs {
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
}

export interface LinkedToken {
  readonly token: string;
  readonly expiresMs: number;
}

export class LinkLogIn {
  readonly secret = randomBytes(secretBytes).toString('base64url');
  readonly #digest = Buffer.from(digestOfToken(this.secret));
  readonly #goodUntilMs: number;
  #state: State = { kind: 'unused' };
  #minuteMs = 0;
  #wrong = 0;

  constructor(nowMs: number) {
    this.#goodUntilMs = nowMs + defaultLimits.linkLifetimeMs;
  }

  /**
   * The token, once. A second use of the secret means that two have it: then the first one's token ends too, and an alarm says so.
   * @throws ProxyError operator_unknown, limit_exceeded, audit_unavailable
   */
  async use(secret: string, nowMs: number, { record }: Needs): Promise<LinkedToken> {
    if (!timingSafeEqual(Buffer.from(digestOfToken(secret)), this.#digest)) this.#refuseWrong(nowMs);
    const state = this.#state;
    if (state.kind === 'used') {
      this.#state = { kind: 'over' };
      const message = 'The link of the console was used a second time, so the log-in by it has ended.';
      await record({ action: 'operator_link_reused', nowMs, message, details: { id: state.token.id } });
    }
    if (state.kind !== 'unused')
      throw unknown(
        'the link was used before, so the log-in by it has ended; start the run again for another',
      );
    if (nowMs >= this.#goodUntilMs) {
      this.#state = { kind: 'over' };
      throw unknown('the link was good for two minutes, which are over; start the run again for another');
    }
    const token = newOperatorToken();
    const expiresMs = nowMs + defaultLimits.linkTokenLifetimeMs;
    const id = randomUUIDv7();
    const stored = {
      id,
      digest: digestOfToken(token),
      name,
      role,
      createdMs: nowMs,
      createdBy: name,
      expiresMs,
    };
    // At once: whoever comes while the event is stored is the second.
    this.#state = { kind: 'used', token: stored };
    const message = 'Somebody logged in to the console by the link of this run.';
    try {
      await record({ action: 'operator_logged_in', nowMs, message, details: { id, name, role } });
    } catch (error) {
      // Nobody got it; and who came meanwhile ended it.
      if (this.#tokenIf((one) => one === stored) !== undefined) this.#state = { kind: 'unused' };
      throw error;
    }
    return { token, expiresMs };
  }

  /** As a store that knows the token of the link, and no other: nobody else operates the gateway of a run. */
  readonly operators: OperatorStore = {
    add: () => Promise.resolve(false),
    byDigest: (digest) => Promise.resolve(this.#tokenIf((token) => token.digest === digest)),
    find: (id) => Promise.resolve(this.#tokenIf((token) => token.id === id)),
    list: () => Promise.resolve([]),
    revoke: () => Promise.resolve(false),
    used: () => Promise.resolve(),
    prune: () => Promise.resolve(0),
  };

  #tokenIf(fits: (token: StoredOperatorToken) => boolean): StoredOperatorToken | undefined {
    return this.#state.kind === 'used' && fits(this.#state.token) ? this.#state.token : undefined;
  }

  /** Only those that are wrong are counted, so that nobody is locked out by others who guess. */
  #refuseWrong(nowMs: number): never {
    if (nowMs - this.#minuteMs >= minuteMs) [this.#minuteMs, this.#wrong] = [nowMs, 0];
    this.#wrong += 1;
    const { linkWrongPerMinuteMax } = defaultLimits;
    if (this.#wrong > linkWrongPerMinuteMax)
      throw new ProxyError(
        'limit_exceeded',
        `more than ${linkWrongPerMinuteMax} wrong log-ins came within a minute (linkWrongPerMinuteMax)`,
        { limit: 'linkWrongPerMinuteMax' },
      );
    throw unknown('that is not the link of this run');
  }
}

function unknown(message: string): ProxyError {
  return new ProxyError('operator_unknown', message);
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz';

/**
 * A label of a host name, new for each run: what a workload served at the same port before has another origin, and left no service worker
 * and no cache for this one. It is no secret, but nobody guesses it either.
 */
export function randomLabel(): string {
  return Array.from({ length: labelCharacters }, () => alphabet[randomInt(alphabet.length)]).join('');
}
