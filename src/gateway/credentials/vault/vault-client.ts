// One Vault or OpenBao server with one way to log in: requests with a token that is had, renewed and given back here.

import { defaultLimits } from '../../../protocol/limits.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import { openCredentialSource } from '../sources/credential-source.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import { RenewedValue } from '../sources/renewed-value.ts';
import type { TimedValue } from '../sources/renewed-value.ts';
import type { ServiceResponse, ServiceFetch, ServiceRequest } from '../../forward/service-fetch.ts';
import { readAuth, readTokenFacts, refusal } from './vault-response.ts';
import type { GivenLease } from '../leases/lease-seal.ts';
import type { VaultAuthConfig, VaultServerConfig } from '../sources/source-config.ts';

export interface VaultClientOptions {
  readonly server: VaultServerConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: ServiceFetch;
  readonly background: BackgroundRenewals;
}

interface VaultToken {
  readonly token: Secret<string>;
  readonly renewable: boolean;
  /** What it was given for; infinite for one without an end. */
  readonly lifetimeMs: number;
}
type LiveToken = TimedValue<VaultToken>;

export interface VaultRequest {
  readonly method: ServiceRequest['method'];
  /** Behind `/v1/`. */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

export class VaultClient {
  readonly #options: VaultClientOptions;
  readonly #login: (nowMs: number) => Promise<LiveToken>;
  readonly #ca: CredentialSource | undefined;
  readonly #tokens: RenewedValue<VaultToken>;
  /** The last token that a log-in of ours gave; the operator's own is not ours to revoke. */
  #own: Secret<string> | undefined;
  #lastMs = 0;

  constructor(options: VaultClientOptions) {
    this.#options = options;
    this.#tokens = new RenewedValue((nowMs, known) => this.#nextToken(nowMs, known), options.background);
    const { server, environment } = options;
    this.#login = this.#loginFor(server.auth, environment);
    this.#ca =
      server.ca === undefined
        ? undefined
        : openCredentialSource('vault', { file: server.ca }, environment, 'pem');
  }

  get host(): string {
    return new URL(this.#options.server.address).host;
  }

  /** Says that something which the token gave is in use. */
  use(nowMs: number): void {
    this.#tokens.use(nowMs);
  }

  /** The same for as long as it is held. */
  hold(): Disposable {
    return this.#tokens.hold();
  }

  /** A lease of this server, by what it is given back. */
  given(leaseId: string): GivenLease {
    const { address, namespace } = this.#options.server;
    return { leaseId, address, ...(namespace === undefined ? {} : { namespace }) };
  }

  isOf({ address, namespace }: GivenLease): boolean {
    const { server } = this.#options;
    return server.address === address && server.namespace === namespace;
  }

  /** Has a token then. @throws ProxyError credential_unavailable */
  async logIn(nowMs: number): Promise<void> {
    await this.#tokens.read(nowMs);
  }

  /** Gives a lease back, and waits until what it gave is gone; one that is over counts as given back. @throws ProxyError credential_unavailable */
  async giveBack(leaseId: string, nowMs: number, timeoutMs?: number): Promise<void> {
    const body = { lease_id: leaseId, sync: true };
    const response = await this.ask({ method: 'PUT', path: 'sys/leases/revoke', body }, nowMs, timeoutMs);
    if (response.status !== 200 && response.status !== 204)
      throw refusal(`Vault ${this.host} did not take the lease back`, response);
  }

  /** Asks with the token; a token that the server does not take any more is replaced once. */
  async ask(request: VaultRequest, nowMs: number, timeoutMs?: number): Promise<ServiceResponse> {
    const known = await this.#tokens.read(nowMs);
    const response = await this.#send(request, nowMs, known.token, timeoutMs);
    if (response.status !== 403) return response;
    this.#tokens.reject(known, nowMs);
    const next = await this.#tokens.read(nowMs);
    return next.token.reveal() === known.token.reveal()
      ? response
      : this.#send(request, nowMs, next.token, timeoutMs);
  }

  /** Gives leases back, then the token of our log-in. What fails then is left to end by itself. */
  async farewell(leaseIds: readonly string[]): Promise<void> {
    if (leaseIds.length === 0 && this.#own === undefined) return;
    const token = await this.#tokens.read(this.#lastMs).catch(() => undefined);
    if (token === undefined) return;
    const revoke = (path: string, body: Readonly<Record<string, string>>): Promise<unknown> =>
      this.#send(
        { method: 'PUT', path, body },
        this.#lastMs,
        token.token,
        defaultLimits.vaultFarewellTimeoutMs,
      ).catch(() => undefined);
    await Promise.all(leaseIds.map((id) => revoke('sys/leases/revoke', { lease_id: id })));
    if (this.#own !== undefined) await revoke('auth/token/revoke-self', {});
    this.#own = undefined;
  }

  async #nextToken(nowMs: number, known: LiveToken | undefined): Promise<LiveToken> {
    if (known !== undefined && this.#own !== undefined && known.value.renewable && nowMs < known.endsAtMs)
      return (await this.#renew(known.value, nowMs)) ?? this.#login(nowMs);
    return this.#login(nowMs);
  }

  /** Undefined if the server does not renew it, or by so little that a new one is due. */
  async #renew(known: VaultToken, nowMs: number): Promise<LiveToken | undefined> {
    const request = { method: 'POST', path: 'auth/token/renew-self', body: {} } as const;
    const response = await this.#send(request, nowMs, known.token);
    if (response.status !== 200) return undefined;
    const { lifetimeMs, renewable } = readAuth(response);
    if (lifetimeMs < known.lifetimeMs / 3) return undefined;
    return living({ ...known, renewable }, nowMs, lifetimeMs);
  }

  #loginFor(
    auth: VaultAuthConfig,
    environment: VaultClientOptions['environment'],
  ): (nowMs: number) => Promise<LiveToken> {
    if ('tokenSource' in auth) {
      const source = openCredentialSource('vault', auth.tokenSource, environment);
      return async (nowMs) => this.#givenToken(await source.read(nowMs), nowMs);
    }
    if ('kubernetes' in auth) {
      const { role, jwtFile, mount = 'kubernetes' } = auth.kubernetes;
      const jwt = openCredentialSource('vault', { file: jwtFile }, environment);
      return async (nowMs) =>
        this.#logIn(`auth/${mount}/login`, { role, jwt: (await jwt.read(nowMs)).reveal() }, nowMs);
    }
    const { roleId, secretIdSource, mount = 'approle' } = auth.approle;
    const secretId = openCredentialSource('vault', secretIdSource, environment);
    return async (nowMs) => {
      const secret = (await secretId.read(nowMs)).reveal();
      return this.#logIn(`auth/${mount}/login`, { role_id: roleId, secret_id: secret }, nowMs);
    };
  }

  async #logIn(path: string, body: Readonly<Record<string, string>>, nowMs: number): Promise<LiveToken> {
    const response = await this.#send({ method: 'POST', path, body }, nowMs);
    if (response.status !== 200) throw refusal(`Vault ${this.host} refused the log-in`, response);
    const { token, lifetimeMs, renewable } = readAuth(response);
    this.#own = token;
    return living({ token, renewable, lifetimeMs }, nowMs, lifetimeMs);
  }

  /** The operator's token: read again from its source, and prolonged in the last third of its life. */
  async #givenToken(token: Secret<string>, nowMs: number): Promise<LiveToken> {
    const response = await this.#send({ method: 'GET', path: 'auth/token/lookup-self' }, nowMs, token);
    if (response.status !== 200) throw refusal(`Vault ${this.host} does not know the token`, response);
    const { leftMs, lifetimeMs, renewable } = readTokenFacts(response);
    const facts = { token, renewable, lifetimeMs };
    const isDue = renewable && leftMs <= lifetimeMs / 3;
    const renewed = isDue ? await this.#renew(facts, nowMs) : undefined;
    const live = renewed ?? living(facts, nowMs, leftMs);
    return { ...live, renewAtMs: Math.min(live.renewAtMs, nowMs + defaultLimits.vaultTokenCheckMs) };
  }

  async #send(
    { method, path, body }: VaultRequest,
    nowMs: number,
    token?: Secret<string>,
    timeoutMs?: number,
  ): Promise<ServiceResponse> {
    this.#lastMs = nowMs;
    const { server, fetch } = this.#options;
    const ca = await this.#ca?.read(nowMs);
    const url = `${server.address.replace(/\/$/, '')}/v1/${path}`;
    return fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        'x-vault-request': 'true',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { 'x-vault-token': token.reveal() }),
        ...(server.namespace === undefined ? {} : { 'x-vault-namespace': server.namespace }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(ca === undefined ? {} : { ca: [ca.reveal()] }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }).catch((cause: unknown) => {
      throw new ProxyError('credential_unavailable', `Vault ${this.host} cannot be reached`, { cause });
    });
  }
}

/** A life of 0 has no end. */
function living(value: VaultToken, nowMs: number, leftMs: number): LiveToken {
  const left = leftMs === 0 ? Number.POSITIVE_INFINITY : leftMs;
  return { value, renewAtMs: nowMs + (left * 2) / 3, endsAtMs: nowMs + left };
}
