// A service that gives tokens for a proof: what is asked of it, and what people are told where it gives nothing. Nothing of a response is told
// but words that whoever knows the service let through.

import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { ServiceFetch, ServiceRequest, ServiceResponse } from '../../forward/service-fetch.ts';
import type { BackgroundRenewals } from '../sources/background-renewals.ts';
import { openCredentialSource } from '../sources/credential-source.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import { hostOf, jsonOf } from '../sources/issuer-text.ts';

/** By what tokens are had; a part of what kinds open credentials with. */
export interface MintContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: ServiceFetch;
  readonly background: BackgroundRenewals;
  /** Told once of what works still and soon may not. */
  readonly onFault?: ((error: ProxyError) => void) | undefined;
}

export interface TokenServiceOptions {
  /** The credential's name, for errors. */
  readonly name: string;
  /** PEM file that the service is verified against beside the gateway's roots. */
  readonly ca?: string | undefined;
  readonly context: Pick<MintContext, 'environment' | 'fetch' | 'onFault'>;
}

export interface TokenResponse extends ServiceResponse {
  /** Of the URL, for people. */
  readonly host: string;
  /** Undefined if it is no JSON. */
  readonly json: unknown;
  /** The service's own clock, or ours where it says nothing: its times are compared with this one. */
  readonly serviceMs: number;
  /** How far its clock is ahead of ours; 0 where the difference is too small to matter. */
  readonly skewMs: number;
}

export class TokenService {
  readonly #name: string;
  readonly #fetch: ServiceFetch;
  readonly #ca: CredentialSource | undefined;
  readonly #onFault: MintContext['onFault'];
  #isSkewTold = false;

  constructor({ name, ca, context }: TokenServiceOptions) {
    this.#name = name;
    this.#fetch = context.fetch;
    this.#onFault = context.onFault;
    this.#ca =
      ca === undefined ? undefined : openCredentialSource(name, { file: ca }, context.environment, 'pem');
  }

  /** One request, with a deadline and a bound, and no redirect. @throws ProxyError credential_unavailable if there is no whole response */
  async ask(url: string, request: Omit<ServiceRequest, 'ca'>, nowMs: number): Promise<TokenResponse> {
    const ca = this.#ca === undefined ? undefined : [(await this.#ca.read(nowMs)).reveal()];
    const host = hostOf(url);
    const response = await this.#fetch(url, { ...request, ...(ca === undefined ? {} : { ca }) }).catch(
      (error: unknown) => {
        throw this.unavailable(`${host} cannot be reached`, error);
      },
    );
    const serviceMs = response.dateMs ?? nowMs;
    const skewMs = Math.abs(serviceMs - nowMs) > defaultLimits.clockSkewToldMs ? serviceMs - nowMs : 0;
    const told = { ...response, host, json: jsonOf(response.text), serviceMs, skewMs };
    this.#tellSkew(told);
    return told;
  }

  /** Once, until the clocks agree again: it may work for long before a proof is refused for it. */
  #tellSkew(response: TokenResponse): void {
    const isSkewed = response.skewMs !== 0;
    if (isSkewed && !this.#isSkewTold)
      this.#onFault?.(this.unavailable(`${response.host} responded${skewText(response)}`));
    this.#isSkewTold = isSkewed;
  }

  /** What it was not given, and why as far as may be told: `said` is plain words of the service. */
  refused(response: TokenResponse, what: string, said?: string): ProxyError {
    const { status, host } = response;
    const words = said === undefined ? '' : `, ${said}`;
    return this.unavailable(
      `${host} refused ${what} (status ${String(status)}${words})${skewText(response)}`,
    );
  }

  /** It gave something else than was asked for. */
  unfit(response: TokenResponse, what: string): ProxyError {
    return this.unavailable(`${response.host} ${what}${skewText(response)}`);
  }

  unavailable(what: string, cause?: unknown): ProxyError {
    return new ProxyError('credential_unavailable', `credential ${this.#name}: ${what}`, { cause });
  }
}

function skewText({ skewMs }: TokenResponse): string {
  if (skewMs === 0) return '';
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return `; its clock is ${String(seconds)} s ${skewMs > 0 ? 'ahead of' : 'behind'} the gateway's: set the gateway's clock`;
}
