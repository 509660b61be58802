// The credentials of the configuration by name. A request gets only those of the rule that admitted it.

import type { RequestHead } from '../../http/message-head.ts';
import type { Injection } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { UpstreamTls } from '../forwarder.ts';
import { chainRewrites } from './body-rewrite.ts';
import type { BodyFacts, BodyRewrite } from './body-rewrite.ts';
import { placeholderText } from './credential-config.ts';
import type { CredentialConfig } from './credential-config.ts';
import { openCredential } from './open-credential.ts';
import type { Credential } from './open-credential.ts';
import { openTokenFetch } from './token-fetch.ts';

export interface InjectedRequest {
  readonly head: RequestHead;
  /** The credentials that were put on it. */
  readonly names: readonly string[];
  readonly values: readonly Secret<string>[];
  /** Whether all of them let an encoded answer be decoded to be searched. */
  readonly decode: boolean;
  readonly tls?: UpstreamTls;
  /** Absent: the body passes as it is. */
  readonly body?: BodyRewrite;
}

export class CredentialSet implements AsyncDisposable {
  readonly #issuers: ReturnType<typeof openTokenFetch>;
  readonly #entries = new Map<string, Credential & { readonly decode: boolean }>();
  /** Environment variables that the workload sees in the credentials' place. */
  readonly placeholders: Readonly<Record<string, string>>;

  /**
   * @param trust PEM certificates that issuers of tokens are verified against
   * @throws ProxyError config_invalid if a source cannot be opened
   */
  constructor(
    configs: Readonly<Record<string, CredentialConfig>>,
    environment: Readonly<Record<string, string | undefined>>,
    trust: readonly string[] = [],
  ) {
    this.#issuers = openTokenFetch(trust);
    const placeholders: Record<string, string> = {};
    const { fetch } = this.#issuers;
    for (const [name, config] of Object.entries(configs)) {
      const placeholder = placeholderText(name, config);
      const decode = config.scrub?.decode ?? false;
      this.#entries.set(name, { ...openCredential(name, config, { environment, fetch }), decode });
      if (config.placeholder !== undefined && placeholder !== undefined)
        placeholders[config.placeholder.env] = placeholder;
    }
    this.placeholders = placeholders;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#issuers[Symbol.asyncDispose]();
  }

  /**
   * Puts the credentials on a copy of the head, in order; `body` is undefined if the request has none.
   * @throws ProxyError credential_unavailable
   */
  async inject(
    head: RequestHead,
    injections: readonly Injection[],
    nowMs: number,
    body?: BodyFacts,
  ): Promise<InjectedRequest> {
    let current = head;
    const values: Secret<string>[] = [];
    const names: string[] = [];
    let decode = true;
    let tls: UpstreamTls | undefined;
    let rewrite: BodyRewrite | undefined;
    for (const { credential } of injections) {
      const entry = this.#entries.get(credential);
      if (entry === undefined)
        throw new ProxyError('credential_unavailable', `there is no credential ${credential}`);
      if (!entry.applies(current)) continue;
      const injected = await entry.apply(current, nowMs, body === undefined ? undefined : (rewrite ?? body));
      current = injected.head;
      values.push(...injected.values);
      decode &&= entry.decode || injected.values.length === 0;
      names.push(credential);
      tls = injected.tls ?? tls;
      if (injected.body !== undefined) rewrite = chainRewrites(rewrite, injected.body);
    }
    return {
      head: current,
      names,
      values,
      decode,
      ...(tls === undefined ? {} : { tls }),
      ...(rewrite === undefined ? {} : { body: rewrite }),
    };
  }
}
