// Tokens on behalf of a session (RFC 8693): the gateway says who the session is, signed by its own key, and the server gives a token of its own for that,
// which says who acts. Each session has its own, in memory alone, and it ends with the session.

import { randomUUID } from 'node:crypto';
import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { Secret } from '../../../protocol/secret.ts';
import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import { hostOf, jsonOf } from '../sources/issuer-text.ts';
import { RenewedValue, type TimedValue } from '../sources/renewed-value.ts';
import type { HeldToken, KeptLogIns } from './log-in-tokens.ts';
import type { LogInSettings } from './log-in-settings.ts';
import { newProofKey, ProofKey } from './proof-key.ts';
import type { GivenTokens, TokenClient } from './token-endpoint.ts';

export interface ExchangeSettings extends Pick<
  LogInSettings,
  'clientId' | 'clientAuth' | 'scopes' | 'audience' | 'resource' | 'ca' | 'dpop' | 'source' | 'revocationUrl'
> {
  readonly tokenUrl: string;
  /** The token has to say who acts for the subject. */
  readonly actor: boolean;
  /** Claims of the token by which the session began that the server is told of the subject, such as those of a job. */
  readonly claims: readonly string[];
}

/** In whose name. */
export interface ActingSession {
  /** The session that began by a token: those that it made act in its name. */
  readonly rootId: string;
  readonly principalId: string;
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface ExchangedTokensOptions {
  readonly name: string;
  readonly settings: ExchangeSettings;
  readonly clientSecret: CredentialSource | undefined;
  readonly logIns: KeptLogIns | undefined;
  /** Absent: nobody asks, and nothing is given. */
  readonly session: ActingSession | undefined;
  readonly background: BackgroundRenewals;
  readonly random?: () => number;
}

const tokenType = 'urn:ietf:params:oauth:token-type';
const grant = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** The server reads it at once, by a clock that may be another one. */
const statementSeconds = 120;
/** RFC 6749 §5.1 lets a server say nothing about the lifetime. */
const unstatedLifetimeMs = 300_000;

export class ExchangedTokens implements CredentialSource {
  readonly #options: ExchangedTokensOptions;
  readonly #tokens: RenewedValue<Secret<string>>;
  readonly #proofKey: ProofKey | undefined;
  #last: Secret<string> | undefined;

  constructor(options: ExchangedTokensOptions) {
    this.#options = options;
    this.#proofKey = options.settings.dpop ? new ProofKey(newProofKey()) : undefined;
    this.#tokens = new RenewedValue((nowMs) => this.#ask(nowMs), options.background);
  }

  read(nowMs: number): Promise<Secret<string>> {
    return this.#tokens.read(nowMs);
  }

  async held(nowMs: number): Promise<HeldToken> {
    return { secret: await this.read(nowMs), proofKey: this.#proofKey };
  }

  reject(secret: Secret<string>, nowMs: number): void {
    this.#tokens.reject(secret, nowMs);
  }

  /** The session is over: the token is asked for no more, and revoked where the server can. */
  close(): void {
    this.#tokens.close();
    const { settings, logIns, background } = this.#options;
    const { revocationUrl: url } = settings;
    const token = this.#last;
    this.#last = undefined;
    if (url === undefined || token === undefined || logIns === undefined) return;
    const form = { token: token.reveal(), token_type_hint: 'access_token' };
    background.after(0, async () => {
      // What is not revoked ends at its time.
      const nowMs = logIns.clock();
      await this.#client(logIns, nowMs)
        .then((client) => logIns.endpoint.revoke(client, { url, form, nowMs }))
        .catch(() => undefined);
    });
  }

  async #ask(nowMs: number): Promise<TimedValue<Secret<string>>> {
    const { settings, logIns, session, random = Math.random } = this.#options;
    if (logIns === undefined || session === undefined)
      throw this.#unavailable('it is of each session, and this is none');
    const { tokenUrl: url, audience, resource, scopes, actor } = settings;
    const sign = (subject: string, claims = {}): string =>
      statement(logIns, { subject, session, audience: url, nowMs, claims });
    const form = {
      grant_type: grant,
      subject_token: sign(session.principalId, this.#claimsOf(session)),
      subject_token_type: `${tokenType}:jwt`,
      requested_token_type: `${tokenType}:access_token`,
      ...(actor
        ? { actor_token: sign(`session:${session.rootId}`), actor_token_type: `${tokenType}:jwt` }
        : {}),
      ...(audience === undefined ? {} : { audience }),
      ...(resource === undefined ? {} : { resource }),
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    };
    const response = await logIns.endpoint.ask(await this.#client(logIns, nowMs), { url, form, nowMs });
    if (response.kind === 'refused')
      throw this.#unavailable(`the server ${hostOf(url)} gives no token for this session (${response.word})`);
    if (response.kind === 'failed') throw this.#unavailable(response.error.message, response.error);
    this.#check(response.tokens);
    const { accessToken, lifetimeMs = unstatedLifetimeMs } = response.tokens;
    this.#last = new Secret(accessToken);
    // Sessions that began at once do not all ask at once.
    const renewAtMs = nowMs + lifetimeMs * (0.6 + 0.2 * random());
    return { value: this.#last, renewAtMs, endsAtMs: nowMs + lifetimeMs };
  }

  /** Each of them, or no token: a server that decides by one must not take its absence for something. */
  #claimsOf({ claims = {} }: ActingSession): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      this.#options.settings.claims.map((name) => {
        const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
        if (!isTold(value))
          throw this.#unavailable(
            `the token by which this session began has no claim ${name} that can be told of it: a text, a number, true, false, or a list of texts`,
          );
        return [name, value];
      }),
    );
  }

  async #client({ readCa }: KeptLogIns, nowMs: number): Promise<TokenClient> {
    const { settings, clientSecret } = this.#options;
    const { clientId, clientAuth = 'basic', ca } = settings;
    return {
      clientId,
      auth: clientSecret === undefined ? 'none' : clientAuth,
      secret: await clientSecret?.read(nowMs),
      proofKey: this.#proofKey,
      ca: await readCa(ca),
    };
  }

  /** Of a token that can be read: that it is for whom it was asked for, and says who acts. */
  #check({ accessToken, tokenType: type, issuedTokenType }: GivenTokens): void {
    const { settings } = this.#options;
    const host = hostOf(settings.tokenUrl);
    if ((type === 'DPoP') !== settings.dpop)
      throw this.#unavailable(`the server ${host} did not bind the token to the key of the gateway`);
    const isAccess =
      issuedTokenType === undefined ||
      issuedTokenType === `${tokenType}:access_token` ||
      issuedTokenType === `${tokenType}:jwt`;
    if (!isAccess)
      throw this.#unavailable(`the server ${host} gave another kind of token than was asked for`);
    const claims = claimsOf(accessToken);
    if (claims === undefined) return;
    if (settings.actor && (typeof claims['act'] !== 'object' || claims['act'] === null))
      throw this.#unavailable(
        `the token of the server ${host} does not say who acts (act); write actor: false for a server that cannot`,
      );
    const { aud } = claims;
    const asked = [settings.audience, settings.resource].filter((one) => one !== undefined);
    const given = Array.isArray(aud) ? aud : [aud];
    if (asked.length > 0 && aud !== undefined && !asked.some((one) => given.includes(one)))
      throw this.#unavailable(`the token of the server ${host} is for another audience than was asked for`);
  }

  #unavailable(what: string, cause?: unknown): ProxyError {
    return new ProxyError('credential_unavailable', `credential ${this.#options.name}: ${what}`, { cause });
  }
}

interface Stated {
  readonly subject: string;
  readonly session: ActingSession;
  readonly audience: string;
  readonly nowMs: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

function isTold(value: unknown): boolean {
  const isText = (one: unknown): boolean =>
    typeof one === 'string' && one.length <= defaultLimits.exchangedClaimCharactersMax;
  if (Array.isArray(value)) return value.length <= defaultLimits.exchangedClaimsMax && value.every(isText);
  return isText(value) || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
}

/** A JWT by the key of the gateways, whose type none of their own tokens has. */
function statement(
  { issuer, sign }: KeptLogIns,
  { subject, session, audience, nowMs, claims }: Stated,
): string {
  const iat = Math.floor(nowMs / 1000);
  return sign('JWT', {
    // The statement's own are behind them, and stay.
    ...claims,
    iss: issuer,
    sub: subject,
    aud: audience,
    iat,
    nbf: iat,
    exp: iat + statementSeconds,
    jti: randomUUID(),
    session: session.rootId,
  });
}

function claimsOf(token: string): Readonly<Record<string, unknown>> | undefined {
  const [, payload, signature, ...more] = token.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  const claims = jsonOf(Buffer.from(payload, 'base64url').toString('utf8'));
  return typeof claims === 'object' && claims !== null && !Array.isArray(claims)
    ? // An object of JSON, as was just looked at.
      (claims as Readonly<Record<string, unknown>>)
    : undefined;
}
