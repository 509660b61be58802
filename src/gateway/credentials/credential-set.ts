// The credentials of the configuration by name. A request gets only those of the rule that admitted it.

import type { RequestHead } from '../../http/message-head.ts';
import type { Injection } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Secret } from '../../protocol/secret.ts';
import { placeholderText } from './credential-config.ts';
import type { CredentialConfig } from './credential-config.ts';
import { createInjector } from './credential-injector.ts';
import type { CredentialInjector } from './credential-injector.ts';
import { openCredentialSource } from './credential-source.ts';
import type { CredentialSource } from './credential-source.ts';

export interface InjectedRequest {
  readonly head: RequestHead;
  /** The credentials that were put on it. */
  readonly names: readonly string[];
  readonly values: readonly Secret<string>[];
}

interface Entry {
  readonly source: CredentialSource;
  readonly injector: CredentialInjector;
}

export class CredentialSet {
  readonly #entries = new Map<string, Entry>();
  /** Environment variables that the workload sees in the credentials' place. */
  readonly placeholders: Readonly<Record<string, string>>;

  /** @throws ProxyError config_invalid if a source cannot be opened */
  constructor(
    configs: Readonly<Record<string, CredentialConfig>>,
    environment: Readonly<Record<string, string | undefined>>,
  ) {
    const placeholders: Record<string, string> = {};
    for (const [name, config] of Object.entries(configs)) {
      const source = openCredentialSource(name, config.source, environment);
      const placeholder = placeholderText(name, config);
      this.#entries.set(name, { source, injector: createInjector(config, placeholder) });
      if (config.placeholder !== undefined && placeholder !== undefined)
        placeholders[config.placeholder.env] = placeholder;
    }
    this.placeholders = placeholders;
  }

  /** Puts the credentials on a copy of the head. @throws ProxyError credential_unavailable */
  async inject(head: RequestHead, injections: readonly Injection[], nowMs: number): Promise<InjectedRequest> {
    let current = head;
    const values: Secret<string>[] = [];
    const names: string[] = [];
    for (const { credential } of injections) {
      const entry = this.#entries.get(credential);
      if (entry === undefined)
        throw new ProxyError('credential_unavailable', `there is no credential ${credential}`);
      if (entry.injector.applies?.(current) === false) continue;
      const injected = entry.injector.inject(current, await entry.source.read(nowMs), nowMs);
      current = injected.head;
      values.push(...injected.values);
      names.push(credential);
    }
    return { head: current, names, values };
  }
}
