// The deciders that `screen` of a rule names: each is asked about the beginning of a response, and has to allow it.

import type { DeciderFacts } from '../../api/audit-facts.ts';
import type { Principal } from '../../policy/decision.ts';
import type { ScreenJudge } from '../../policy/screen-rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { LimitName } from '../../protocol/limits.ts';
import type { DeciderQuestion, QuestionResponse } from '../deciders/decider.ts';
import type { Deciders } from '../deciders/deciders.ts';
import { ownerOf } from './spending-accounts.ts';

/** `unscreened`: it said nothing. */
export interface Judgement {
  readonly mark: 'decider' | 'unscreened';
  readonly name: string;
  /** What its rule says of one that says nothing. */
  readonly isPassed: boolean;
  /** It was not asked because of it. */
  readonly limit?: LimitName | undefined;
}

export interface JudgesOptions {
  readonly deciders: Deciders | undefined;
  readonly judges: readonly ScreenJudge[];
  readonly rule: string;
  readonly policyVersion: string;
  readonly principal: Principal;
  readonly request: DeciderQuestion['request'];
  readonly onFact: (fact: DeciderFacts) => void;
}

export class ResponseJudges {
  readonly #options: JudgesOptions;

  constructor(options: JudgesOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#options.judges.length === 0;
  }

  /** Nothing: all of them allow it. The first that does not is the last that is asked. @throws ProxyError cancelled */
  async judge(response: QuestionResponse, signal: AbortSignal): Promise<readonly Judgement[]> {
    const found: Judgement[] = [];
    for (const judge of this.#options.judges) {
      const one = await this.#ask(judge, response, signal);
      if (one === undefined) continue;
      found.push(one);
      if (!one.isPassed) break;
    }
    return found;
  }

  async #ask(
    { by, timeoutMs, onError }: ScreenJudge,
    response: QuestionResponse,
    signal: AbortSignal,
  ): Promise<Judgement | undefined> {
    const { deciders, rule, policyVersion, principal, request, onFact } = this.#options;
    const startMs = performance.now();
    const about = { name: by, of: 'response' } as const;
    try {
      if (deciders === undefined) throw new ProxyError('decider_unavailable', `there is no decider ${by}`);
      const question = {
        rule,
        policyVersion,
        principal,
        request,
        body: { kind: 'unseen' },
        response,
      } as const;
      // Nothing of a response is its to change.
      const asked = {
        by,
        timeoutMs,
        body: 'unseen',
        cacheMs: 0,
        mayAdd: [],
        mayRemove: [],
        isOnTrial: false,
      } as const;
      const said = await deciders.ask(asked, question, { owner: ownerOf(principal), signal });
      const { outcome, durationMs, decisionId } = said;
      onFact({
        ...about,
        outcome,
        durationMs,
        ...(said.said === undefined ? {} : { said: said.said }),
        ...(decisionId === undefined ? {} : { decisionId }),
      });
      if (outcome === 'allowed') return undefined;
      if (outcome === 'denied') return { mark: 'decider', name: by, isPassed: false };
    } catch (error) {
      if (!(error instanceof ProxyError) || error.code === 'cancelled') throw error;
      const durationMs = Math.round(performance.now() - startMs);
      onFact({ ...about, outcome: 'unavailable', durationMs, said: error.operatorDetail ?? error.message });
      // A session that asks for much at once does not choose who is asked.
      const { code, limit } = error;
      if (code !== 'decider_unavailable') return { mark: 'unscreened', name: by, isPassed: false, limit };
    }
    return { mark: 'unscreened', name: by, isPassed: onError === 'allow' };
  }
}
