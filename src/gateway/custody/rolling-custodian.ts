// A short-lived intermediate whose key is made here and is in no file: an authority above it signs it, and signs the next one long before its end.

import { createHash } from 'node:crypto';
import { authorityChain, checkSignedChain } from '../../pki/authority-chain.ts';
import { createKey } from '../../pki/authority-key.ts';
import { rootsOf } from '../../pki/certificate-authority.ts';
import { requireNamed } from '../../pki/permitted-names.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { type Custodian, type HeldKey, heldKey } from './custodian.ts';
import type { Parent } from './parent.ts';

const lookIntervalMs = 5_000;
/** Somebody without the key would else guess when it is renewed, and all gateways of a start would renew at once. */
const renewAfterShare = { from: 0.5, to: 0.6 } as const;

export interface RollingCustodianOptions {
  readonly parent: Parent;
  /** What containers trust, and authorities above the one that signs: PEM, as the operator gave them. Read again at each look. */
  readonly certificates: () => Promise<readonly string[]>;
  readonly names: readonly string[];
  readonly lifetimeMs: number;
  readonly clock: () => number;
  /** From 0 on, below 1. */
  readonly random?: () => number;
  readonly intervalMs?: number;
}

export class RollingCustodian implements Custodian {
  readonly #options: RollingCustodianOptions;
  readonly #repeated: RepeatedLook;
  #held: readonly HeldKey[] = [];
  #fault: ProxyError | undefined;
  #listener: () => void = () => undefined;
  #above = '';
  #renewAtMs = 0;
  #tryAtMs = 0;
  #failures = 0;

  constructor(options: RollingCustodianOptions) {
    this.#options = options;
    const { intervalMs = lookIntervalMs } = options;
    const onFault = (error: ProxyError): void => this.#failed(error);
    this.#repeated = new RepeatedLook({ look: (signal) => this.#look(signal), intervalMs, onFault });
  }

  get held(): readonly HeldKey[] {
    return this.#held;
  }

  get fault(): ProxyError | undefined {
    return this.#fault;
  }

  watch(listener: () => void): void {
    this.#listener = listener;
  }

  async start(): Promise<void> {
    await this.#repeated.now();
    this.#repeated.start();
  }

  /** Looks now. */
  look(): Promise<void> {
    return this.#repeated.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { certificates, clock } = this.#options;
    const above = await certificates();
    const digest = createHash('sha256').update(above.join('')).digest('hex');
    const nowMs = clock();
    const isDue = digest !== this.#above || nowMs >= this.#renewAtMs;
    if (!isDue || nowMs < this.#tryAtMs) return;
    const next = await this.#certified(above, signal);
    this.#above = digest;
    this.#failures = 0;
    this.#fault = undefined;
    // What was asked of the one of before is still signed by it.
    this.#held = [next, ...this.#held.slice(0, 1)];
    const { notBeforeMs, notAfterMs } = next.issuer;
    const { from, to } = renewAfterShare;
    const share = from + (to - from) * (this.#options.random ?? Math.random)();
    const beginMs = Math.max(notBeforeMs, nowMs);
    this.#renewAtMs = beginMs + (notAfterMs - beginMs) * share;
    this.#listener();
  }

  async #certified(above: readonly string[], signal: AbortSignal): Promise<HeldKey> {
    const { parent, names, lifetimeMs, clock } = this.#options;
    const key = createKey();
    const [own = '', ...others] = await parent.certify({
      key,
      above,
      names,
      lifetimeMs,
      nowMs: clock(),
      signal,
    });
    const roots = rootsOf(above);
    // What else is there may be of other chains.
    const way = authorityChain(own, [...others, ...above]);
    const certificates = [...way.intermediates, way.root];
    const { intermediates, root } = checkSignedChain({ certificates, knownRoots: [], key, nowMs: clock() });
    // Who signs has been told by the operator which root containers trust: no other one is published.
    if (!roots.includes(root))
      throw new ProxyError(
        'ca_key_unusable',
        `${parent.label} signed below a root that is not in certificateAuthority.signedBy.certificates`,
      );
    if (names.length > 0) requireNamed([...intermediates, root], names);
    return heldKey(key, [...intermediates, root, ...roots.filter((one) => one !== root)]);
  }

  #failed(cause: ProxyError): void {
    const { clock, parent } = this.#options;
    this.#failures += 1;
    const delayMs = Math.min(
      1_000 * 2 ** Math.min(this.#failures, 16),
      defaultLimits.intermediateRetryDelayMsMax,
    );
    this.#tryAtMs = clock() + delayMs;
    const { message } = asProxyError(cause);
    const text = `${parent.label} gave no intermediate: ${message}`;
    if (this.#fault?.message === text) return;
    this.#fault = new ProxyError('ca_key_unusable', text, { cause });
    this.#listener();
  }
}
