// The deciders of a gateway: each is asked within bounds, and what it says is held to what its rule permits.

import { readFile } from 'node:fs/promises';
import { checkCertificates } from '../../pki/pem.ts';
import type { RuleDecide } from '../../policy/decide-rule.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { DeciderSettings } from '../config/deciders-settings.ts';
import { openCredentialSource } from '../credentials/sources/credential-source.ts';
import type { ServiceDialers } from '../forward/service-fetch.ts';
import { CallRoom } from './call-room.ts';
import { type Decider, DeciderFault, type DeciderQuestion, type Verdict } from './decider.ts';
import { deciderCertificate } from './decider-certificate.ts';
import { dialService } from '../forward/dial-service.ts';
import { HttpDecider } from './http-decider.ts';
import { heldTo } from './permitted-changes.ts';
import { questionKey, VerdictCache } from './verdict-cache.ts';

export interface DecidersNeeds {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => number;
  readonly limits: Limits;
  /** A certificate of the gateway is away, or cannot be used: what was good is shown. */
  readonly onFault: (error: ProxyError) => void;
  /** The way to services; verified by these certificates alone, if some are given. */
  readonly dialersBy: (trust: readonly string[] | undefined) => ServiceDialers;
}

/** What was said, and how it came. */
export interface Said extends Verdict {
  readonly isCached: boolean;
  readonly durationMs: number;
}

interface Known {
  readonly decider: Decider;
  readonly room: CallRoom;
}

export class Deciders implements AsyncDisposable {
  readonly #known: ReadonlyMap<string, Known>;
  readonly #cache: VerdictCache;
  readonly #clock: () => number;
  readonly #closing: AbortController;

  constructor(
    deciders: ReadonlyMap<string, Decider>,
    { limits, clock }: Pick<DecidersNeeds, 'limits' | 'clock'>,
    closing = new AbortController(),
  ) {
    this.#known = new Map(
      [...deciders].map(([name, decider]) => [name, { decider, room: new CallRoom(name, limits) }]),
    );
    this.#cache = new VerdictCache(limits.deciderCacheEntriesMax);
    this.#clock = clock;
    this.#closing = closing;
  }

  /** @throws ProxyError config_invalid that names the key */
  static async open(
    settings: Readonly<Record<string, DeciderSettings>>,
    needs: DecidersNeeds,
  ): Promise<Deciders> {
    const closing = new AbortController();
    const opened = await Promise.all(
      Object.entries(settings).map(
        async ([name, one]) => [name, await openDecider(name, one, needs, closing.signal)] as const,
      ),
    );
    return new Deciders(new Map(opened), needs, closing);
  }

  /**
   * What the decider of a rule says. It never allows by a fault. `owner`: the session in whose name it is counted.
   * @throws ProxyError decider_unavailable, limit_exceeded, cancelled by the signal's reason
   */
  async ask(
    rule: RuleDecide,
    question: DeciderQuestion,
    { owner, signal }: { readonly owner: string; readonly signal: AbortSignal },
  ): Promise<Said> {
    const startMs = performance.now();
    const said = (verdict: Verdict, isCached: boolean): Said => ({
      ...verdict,
      isCached,
      durationMs: Math.round(performance.now() - startMs),
    });
    const known = this.#known.get(rule.by);
    if (known === undefined) throw unavailable(rule, 'is none of this gateway');
    const key = rule.cacheMs === 0 ? undefined : questionKey(JSON.stringify(rule), question);
    const cached = key === undefined ? undefined : this.#cache.find(key, this.#clock());
    if (cached !== undefined) return said(cached, true);
    using _room = known.room.enter(owner);
    const verdict = heldTo(rule, await this.#asked(known.decider, rule, { question, signal }));
    const cacheMs = Math.min(rule.cacheMs, verdict.cacheMs ?? rule.cacheMs);
    if (key !== undefined && cacheMs > 0) this.#cache.keep(key, verdict, this.#clock() + cacheMs);
    return said(verdict, false);
  }

  async #asked(
    decider: Decider,
    rule: RuleDecide,
    { question, signal }: { readonly question: DeciderQuestion; readonly signal: AbortSignal },
  ): Promise<Verdict> {
    const { timeoutMs } = rule;
    const deadline = AbortSignal.timeout(timeoutMs);
    const ends = AbortSignal.any([signal, deadline, this.#closing.signal]);
    const { promise, reject } = Promise.withResolvers<never>();
    const onEnd = (): void => reject(ends.reason);
    ends.addEventListener('abort', onEnd, { once: true });
    // Whoever is asked hears of the end as well; this does not wait until it has.
    promise.catch(() => {});
    try {
      signal.throwIfAborted();
      return await Promise.race([askTwice(() => decider.ask(question, ends, timeoutMs), ends), promise]);
    } catch (cause) {
      if (signal.aborted) throw new ProxyError('cancelled', 'the client went away', { cause });
      if (deadline.aborted) throw unavailable(rule, `did not decide within ${String(timeoutMs)} ms`, cause);
      throw unavailable(rule, 'cannot be asked', cause);
    } finally {
      ends.removeEventListener('abort', onEnd);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new ProxyError('shutting_down', 'the gateway ends'));
    await Promise.all([...this.#known.values()].map(({ decider }) => decider[Symbol.asyncDispose]()));
  }
}

/** A kept connection can end at the moment in which it is used: a question is asked once more, over another one. */
async function askTwice(ask: () => Promise<Verdict>, signal: AbortSignal): Promise<Verdict> {
  try {
    return await ask();
  } catch (error) {
    // What it said will not be another thing, and a dial has failed in all ways.
    if (signal.aborted || error instanceof DeciderFault || error instanceof ProxyError) throw error;
    return await ask();
  }
}

/** The workload is told the name and no more: what failed is for the operator. */
function unavailable({ by }: RuleDecide, what: string, cause?: unknown): ProxyError {
  const reason =
    cause === undefined ? undefined : reasonOf(cause).slice(0, defaultLimits.deciderSaidCharactersMax);
  const text = `the decider ${by} ${what}, so the request is denied`;
  return new ProxyError('decider_unavailable', text, reason === undefined ? {} : { operatorDetail: reason });
}

/** undici hides the reason, such as a refused connection or certificate, in the cause. */
function reasonOf(error: unknown): string {
  if (error instanceof ProxyError) {
    const { cause, message } = error;
    return cause === undefined ? message : `${message}: ${faultReason(cause)}`;
  }
  if (error instanceof Error && error.name === 'TimeoutError') return 'its time was over';
  return faultReason(error);
}

async function openDecider(
  name: string,
  settings: DeciderSettings,
  needs: DecidersNeeds,
  closing: AbortSignal,
): Promise<Decider> {
  const { kind, url, ca, source } = settings;
  const { environment, clock, limits, dialersBy } = needs;
  const trust =
    ca.length === 0 ? undefined : (await Promise.all(ca.map((path) => readPem(name, path)))).flat();
  const client = await deciderCertificate(name, settings, needs);
  const dial = dialService(`decider ${name}`, url, { dialers: dialersBy(trust), client, signal: closing });
  const secret =
    source === undefined ? undefined : openCredentialSource(`of decider ${name}`, source, environment);
  const token = secret === undefined ? undefined : () => secret.read(clock());
  switch (kind) {
    case 'opa':
    case 'webhook':
      return new HttpDecider({ kind, url, dial, token, limits });
    case 'ext-authz': {
      // The library behind it is loaded where it is used alone.
      const { GrpcDecider } = await import('./grpc-decider.ts');
      return new GrpcDecider({ url, dial, token });
    }
  }
}

async function readPem(name: string, path: string): Promise<readonly string[]> {
  try {
    return checkCertificates(await readFile(path, 'utf8'));
  } catch (cause) {
    const reason = asProxyError(cause).message;
    throw new ProxyError('config_invalid', `deciders.${name}.ca: ${path} cannot be used: ${reason}`, {
      cause,
    });
  }
}
