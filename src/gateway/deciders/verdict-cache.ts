// What deciders said, for as long as they and their rules allow. By the question: whoever asks the same gets the same.

import { defaultLimits } from '../../protocol/limits.ts';
import { createHash } from 'node:crypto';
import { type DeciderQuestion, type Verdict } from './decider.ts';
import { questionJson } from './question-json.ts';

interface Kept {
  readonly verdict: Verdict;
  readonly untilMs: number;
}

export class VerdictCache {
  readonly #entriesMax: number;
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>();

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#kept.size;
  }

  find(key: string, nowMs: number): Verdict | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    if (nowMs < kept.untilMs) return kept.verdict;
    this.#kept.delete(key);
    return undefined;
  }

  keep(key: string, verdict: Verdict, untilMs: number): void {
    if (JSON.stringify(verdict).length > defaultLimits.deciderKeptCharactersMax) return;
    this.#kept.delete(key);
    this.#kept.set(key, { verdict, untilMs });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#entriesMax && oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** Session, rule and version of the policy are in the question. The octets of a body are beside what was made of them. */
export function questionKey(decider: string, question: DeciderQuestion): string {
  const hash = createHash('sha256').update(JSON.stringify(decider)).update(questionJson(question));
  if (question.body.kind === 'whole') hash.update(question.body.octets);
  return hash.digest('base64');
}
