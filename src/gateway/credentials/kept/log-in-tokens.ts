// The tokens of an operator's log-in, as a source of a credential: those of the store, renewed there before they end, whichever gateway does it.

import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { Secret } from '../../../protocol/secret.ts';
import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import { RenewedValue, type TimedValue } from '../sources/renewed-value.ts';
import { type Kept, type KeptTokens, logInWord, NotLoggedIn, type Renewal } from './kept-tokens.ts';
import { keptIdOf, type KeptValue } from './kept-value.ts';
import type { LogInSettings } from './log-in-settings.ts';
import { ProofKey } from './proof-key.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

/** What gateways share of log-ins. */
export interface KeptLogIns {
  readonly tokens: KeptTokens;
  readonly endpoint: TokenEndpoint;
  /** PEM certificates of the files. @throws ProxyError config_invalid */
  readonly readCa: (paths: readonly string[]) => Promise<readonly string[]>;
  /** By which the gateways name themselves in tokens. */
  readonly issuer: string;
  /** A JWT by the key of the gateways. */
  readonly sign: (typ: string, claims: Readonly<Record<string, unknown>>) => string;
  readonly clock: () => number;
}

export interface LogInTokensOptions {
  readonly name: string;
  readonly settings: LogInSettings;
  readonly clientSecret: CredentialSource | undefined;
  /** Absent: there is no store, so nobody is logged in. */
  readonly logIns: KeptLogIns | undefined;
  readonly background: BackgroundRenewals;
  readonly random?: () => number;
}

/** A token, and with what a request proves that it may have it. */
export interface HeldToken {
  readonly secret: Secret<string>;
  /** Of a token that is bound to a key (RFC 9449). */
  readonly proofKey: ProofKey | undefined;
}

interface Known extends HeldToken {
  readonly version: number;
  /** So long before its end the next one is asked for. */
  readonly leadMs: number;
}

/** `read` gives an access token that is valid now. */
export class LogInTokens implements CredentialSource {
  readonly #options: LogInTokensOptions;
  readonly #id: string;
  readonly #tokens: RenewedValue<Known>;
  /** Nobody is logged in any more: what is remembered counts no longer. */
  #over: NotLoggedIn | undefined;
  /** An origin refused the token of that version. */
  #rejected: number | undefined;
  #rejectedMs = Number.NEGATIVE_INFINITY;
  #last: Known | undefined;

  constructor(options: LogInTokensOptions) {
    this.#options = options;
    this.#id = keptIdOf(options.name);
    this.#tokens = new RenewedValue((nowMs) => this.#look(nowMs), options.background);
  }

  async read(nowMs: number): Promise<Secret<string>> {
    return (await this.held(nowMs)).secret;
  }

  /** @throws ProxyError credential_unavailable */
  async held(nowMs: number): Promise<HeldToken> {
    try {
      const known = await this.#tokens.read(nowMs);
      if (this.#over !== undefined) throw this.#over;
      return known;
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** One renewal for each token that an origin refused, and not more often than once in a while. */
  reject(secret: Secret<string>, nowMs: number): void {
    const known = this.#last;
    if (known?.secret !== secret) return;
    if (nowMs - this.#rejectedMs < defaultLimits.rejectionIntervalMs) return;
    this.#rejectedMs = nowMs;
    this.#rejected = known.version;
    this.#tokens.reject(known, nowMs);
  }

  /** What the store has now; the next tokens where those end soon. */
  async #look(nowMs: number): Promise<TimedValue<Known>> {
    const { logIns } = this.#options;
    if (logIns === undefined)
      throw new ProxyError('credential_unavailable', 'there is no store that could have tokens of a log-in');
    try {
      let kept = await logIns.tokens.read(this.#id);
      this.#requireSame(kept.value);
      if (this.#isDue(kept)) {
        const { version } = kept;
        kept = await logIns.tokens.renew(this.#id, version, (value) => this.#ask(logIns, value, nowMs));
      }
      this.#over = undefined;
      return this.#timed(kept, nowMs);
    } catch (error) {
      if (error instanceof NotLoggedIn) this.#over = error;
      throw error;
    }
  }

  #isDue({ value, lifetimeMs, version, ageMs }: Kept): boolean {
    const isOver = lifetimeMs !== undefined && lifetimeMs <= 0;
    if (value.refreshToken === undefined) {
      if (isOver)
        throw new NotLoggedIn(
          'credential_unavailable',
          `its token has ended, and the server gave no refresh token: ${logInWord(this.#id)}`,
        );
      return false;
    }
    if (version === this.#rejected) {
      this.#rejected = undefined;
      return true;
    }
    if (lifetimeMs === undefined) return false;
    return (
      lifetimeMs <= (this.#last?.version === version ? this.#last.leadMs : this.#leadMs(lifetimeMs + ageMs))
    );
  }

  #timed({ value, version, lifetimeMs, ageMs }: Kept, nowMs: number): TimedValue<Known> {
    const last = this.#last;
    const known: Known =
      last?.version === version
        ? last
        : {
            version,
            secret: new Secret(value.accessToken),
            proofKey:
              value.tokenType === 'DPoP' && value.proofKey !== undefined
                ? new ProofKey(value.proofKey)
                : undefined,
            leadMs: this.#leadMs((lifetimeMs ?? 0) + ageMs),
          };
    this.#last = known;
    const endsAtMs = lifetimeMs === undefined ? Number.POSITIVE_INFINITY : nowMs + lifetimeMs;
    const lookAgainMs = nowMs + defaultLimits.keptTokenLookMs;
    const renewAtMs =
      value.refreshToken === undefined ? lookAgainMs : Math.min(lookAgainMs, endsAtMs - known.leadMs);
    return { value: known, endsAtMs, renewAtMs };
  }

  /** Not the same for all gateways, so that they do not all ask at once. */
  #leadMs(wholeMs: number): number {
    const { random = Math.random } = this.#options;
    return Math.min(defaultLimits.renewalLeadMs, wholeMs / 5) * (1 + random() / 2);
  }

  async #ask({ endpoint, readCa }: KeptLogIns, value: KeptValue, nowMs: number): Promise<Renewal> {
    const { settings, clientSecret } = this.#options;
    try {
      const response = await endpoint.ask(
        {
          clientId: value.clientId,
          auth: value.clientAuth,
          secret: await clientSecret?.read(nowMs),
          proofKey: value.proofKey === undefined ? undefined : new ProofKey(value.proofKey),
          ca: await readCa(settings.ca),
        },
        {
          url: value.tokenUrl,
          form: {
            grant_type: 'refresh_token',
            refresh_token: value.refreshToken ?? '',
            ...(settings.resource === undefined ? {} : { resource: settings.resource }),
          },
          nowMs,
        },
      );
      if (response.kind !== 'given') return response;
      const { accessToken, tokenType, refreshToken, scope, lifetimeMs } = response.tokens;
      const next = refreshToken === undefined ? {} : { refreshToken };
      const said = scope === undefined ? {} : { scope };
      return { kind: 'given', value: { ...value, accessToken, tokenType, ...next, ...said }, lifetimeMs };
    } catch (error) {
      // A secret that cannot be read: nobody was asked.
      const why =
        error instanceof ProxyError ? error : new ProxyError('internal', 'a log-in', { cause: error });
      return { kind: 'failed', isSent: false, error: why };
    }
  }

  /** The tokens of one server or client are not shown to another one. */
  #requireSame({ clientId, tokenUrl, issuer }: KeptValue): void {
    const { settings } = this.#options;
    const isSame =
      clientId === settings.clientId &&
      issuer === settings.issuer &&
      (settings.tokenUrl === undefined || settings.tokenUrl === tokenUrl);
    if (!isSame)
      throw new NotLoggedIn(
        'credential_unavailable',
        `its tokens are of another server or client than the configuration names now: ${logInWord(this.#id)}`,
      );
  }

  #named(error: unknown): unknown {
    if (!(error instanceof ProxyError) || error.code === 'limit_exceeded') return error;
    const { message, retryAfterSeconds } = error;
    return new ProxyError('credential_unavailable', `credential ${this.#options.name}: ${message}`, {
      cause: error,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
}
