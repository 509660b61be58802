// The policies by which sessions were narrowed, read from the store and kept as they are decided by.

import type { NarrowingStep } from '../../policy/decision.ts';
import { parseNarrowing } from '../../policy/parse-narrowing.ts';
import { formatProblem } from '../../policy/problem.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { SessionStore } from '../../store/store.ts';

const problemsTold = 5;

export class Narrowings {
  readonly #store: Pick<SessionStore, 'narrowingsOf'>;
  readonly #steps = new Map<string, NarrowingStep>();

  constructor(store: Pick<SessionStore, 'narrowingsOf'>) {
    this.#store = store;
  }

  /** Of these sessions, in their order. An error: one of them is gone or cannot be read, so nobody knows what is left. @throws ProxyError of the store */
  async of(ids: readonly string[]): Promise<readonly NarrowingStep[] | ProxyError> {
    const missing = ids.filter((id) => !this.#steps.has(id));
    const found = missing.length === 0 ? [] : await this.#store.narrowingsOf(missing);
    const read = new Map(found.map(({ sessionId, policy }) => [sessionId, policy]));
    const steps: NarrowingStep[] = [];
    for (const id of ids) {
      const text = read.get(id);
      const step = this.#steps.get(id) ?? (text === undefined ? gone() : readNarrowing(id, text, 'internal'));
      if (step instanceof ProxyError) return step;
      if (text !== undefined) this.keep(step);
      steps.push(step);
    }
    return steps;
  }

  keep(step: NarrowingStep): void {
    const [oldest] = this.#steps.keys();
    if (oldest !== undefined && this.#steps.size >= defaultLimits.childPoliciesKeptMax)
      this.#steps.delete(oldest);
    this.#steps.set(step.sessionId, step);
  }

  forget(sessionId: string): void {
    this.#steps.delete(sessionId);
  }
}

/** An error: the text is too long, or cannot be taken. */
export function readNarrowing(
  sessionId: string,
  text: string,
  code: 'request_malformed' | 'internal',
): NarrowingStep | ProxyError {
  const { childPolicyBytesMax: max } = defaultLimits;
  if (Buffer.byteLength(text) > max)
    return new ProxyError('limit_exceeded', `The policy has more than ${max} bytes (childPolicyBytesMax).`, {
      limit: 'childPolicyBytesMax',
    });
  const result = parseNarrowing({ file: 'policy', text });
  if ('policy' in result) return { sessionId, policy: result.policy };
  const told = result.problems.slice(0, problemsTold).map(formatProblem);
  return new ProxyError(code, `The policy cannot be taken: ${told.join('; ')}`);
}

function gone(): ProxyError {
  return new ProxyError('session_unknown', 'The policy that the session was narrowed by is gone.');
}
