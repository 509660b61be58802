// The keys of a role, from STS: one set for each name that a session has at AWS, renewed ahead of its end.

import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { MintedValue } from '../minted/minted-value.ts';
import type { Minted } from '../minted/minted-value.ts';
import { TokenService } from '../minted/token-service.ts';
import type { MintContext, TokenResponse } from '../minted/token-service.ts';
import type { AwsKeySet } from '../sigv4/aws-keys.ts';
import type { AwsKeys } from '../sigv4/signer.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import { sessionNameOf } from './session-name.ts';
import { stsActionOf, stsRequest } from './sts-request.ts';
import type { RoleSettings, StsCaller } from './sts-request.ts';
import { readErrorCode, readKeys, stsWords } from './sts-response.ts';

export interface AssumedRoleOptions {
  /** The credential's, for errors. */
  readonly name: string;
  readonly role: RoleSettings;
  /** By which the gateway may take the role: keys of AWS, or a token of another issuer. */
  readonly caller: { readonly keys: AwsKeySet } | { readonly token: CredentialSource };
  readonly context: MintContext;
}

/** A response by which STS says that another attempt may do. */
const passing = new Set(['IDPCommunicationError', 'InternalFailure', 'ServiceUnavailable']);
/** Of RFC 7519 in its compact form: a secret key that was written in its place never travels. */
const tokenPattern = /^[A-Za-z0-9_-]{2,8192}\.[A-Za-z0-9_-]{2,16384}\.[A-Za-z0-9_-]{2,8192}$/;

export class AssumedRole {
  readonly #options: AssumedRoleOptions;
  readonly #service: TokenService;
  /** By the name of the session at AWS, the one that was asked for last at the end. */
  readonly #minted = new Map<string, MintedValue<AwsKeys>>();

  constructor(options: AssumedRoleOptions) {
    const { name, role, context } = options;
    this.#options = options;
    this.#service = new TokenService({ name, ca: role.ca, context });
  }

  /** Keys that hold now, for what the subject does. @throws ProxyError credential_unavailable */
  async read(subject: string, nowMs: number): Promise<AwsKeys> {
    return await this.#of(this.#nameOf(subject)).read(nowMs);
  }

  /** A service of AWS did not take them. */
  reject(subject: string, keys: AwsKeys, nowMs: number): void {
    this.#minted.get(this.#nameOf(subject))?.reject(keys, nowMs);
  }

  #nameOf(subject: string): string {
    return this.#options.role.sessionName ?? sessionNameOf(subject);
  }

  #of(sessionName: string): MintedValue<AwsKeys> {
    const { background } = this.#options.context;
    const found =
      this.#minted.get(sessionName) ??
      new MintedValue((nowMs) => this.#mint(sessionName, nowMs), { background });
    this.#minted.delete(sessionName);
    this.#minted.set(sessionName, found);
    const [oldest] = this.#minted;
    if (this.#minted.size > defaultLimits.assumedRolesMax && oldest !== undefined) {
      const [name, forgotten] = oldest;
      this.#minted.delete(name);
      // Else its keys would be renewed for nobody.
      forgotten.close();
    }
    return found;
  }

  async #mint(sessionName: string, nowMs: number): Promise<Minted<AwsKeys>> {
    const first = await this.#ask(sessionName, nowMs);
    if (first.status === 200 || !passing.has(readErrorCode(first.text) ?? '')) return this.#read(first);
    return this.#read(await this.#ask(sessionName, nowMs));
  }

  async #ask(sessionName: string, nowMs: number): Promise<StsResponse> {
    const { role } = this.#options;
    const caller = await this.#caller(nowMs);
    const request = stsRequest(role, caller, { sessionName, nowMs });
    return { ...(await this.#service.ask(role.endpoint, request, nowMs)), action: stsActionOf(caller) };
  }

  #read(response: StsResponse): Minted<AwsKeys> {
    const what = `the keys of ${this.#options.role.arn}`;
    if (response.status !== 200) {
      const code = readErrorCode(response.text);
      throw this.#service.refused(response, what, code === undefined ? undefined : stsWords(code));
    }
    const given = readKeys(response.action, response.text);
    if (given === undefined) throw this.#service.unfit(response, 'responded with no keys of a role');
    const lifetimeMs = given.endsAtMs - response.serviceMs;
    if (lifetimeMs <= 0) throw this.#service.unfit(response, 'gave keys that have ended');
    return {
      value: given.keys,
      lifetimeMs: lifetimeMs - Math.min(defaultLimits.keysEndEarlyMs, lifetimeMs / 10),
    };
  }

  /** What proves who asks is looked at anew for each set of keys: whoever writes the token renews it. */
  async #caller(nowMs: number): Promise<StsCaller> {
    const { name, caller } = this.#options;
    if ('keys' in caller) return { keys: await caller.keys.read(nowMs) };
    const { token } = caller;
    const webIdentityToken = (await (token.readAnew?.(nowMs) ?? token.read(nowMs))).reveal();
    if (!tokenPattern.test(webIdentityToken))
      throw new ProxyError(
        'credential_unavailable',
        `credential ${name}: the source has no identity token (a JWT), by which STS would give keys; for an access key write accessKeyId too`,
      );
    return { webIdentityToken };
  }
}

type StsResponse = TokenResponse & { readonly action: ReturnType<typeof stsActionOf> };
