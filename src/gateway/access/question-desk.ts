// Where requests wait until a person says what becomes of them: asked in the store, so that whichever gateway has the approver, the one
// that has the client learns it.

import { randomInt } from 'node:crypto';
import { type ClaimSelector, selects } from '../../policy/claim-selector.ts';
import type { Principal } from '../../policy/decision.ts';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type {
  NewQuestion,
  QuestionBounds,
  QuestionRecord,
  QuestionStore,
  SeenApprover,
} from '../../store/question-store.ts';
import type { SessionAudit } from '../audit/session-audit.ts';
import { describeQuestion, toldBound } from './describe-question.ts';

/** Letters and digits that nobody confuses when they are read to somebody. */
const idAlphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
const idLength = 12;

export interface QuestionDeskOptions {
  readonly store: QuestionStore;
  readonly audit: Pick<SessionAudit, 'record'>;
  readonly limits: Limits;
  readonly clock: () => number;
  /** Whether people who are not there are told of a question. */
  readonly reachesPeople: () => boolean;
  readonly onFault: (error: ProxyError) => void;
}

/** What is asked, without what the desk knows. */
export type AskedQuestion = Pick<NewQuestion, 'rootId' | 'onceKey' | 'wideKey' | 'content' | 'shown'>;

export type Answered =
  | { readonly kind: 'allowed' | 'denied'; readonly record: QuestionRecord }
  /** Nobody has answered in time; the question stays. */
  | { readonly kind: 'open'; readonly record: QuestionRecord }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'full'; readonly bound: keyof QuestionBounds };

interface Waiting {
  readonly id: string;
  readonly tell: (record: QuestionRecord) => void;
}

export class QuestionDesk implements Disposable {
  readonly #options: QuestionDeskOptions;
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(options: QuestionDeskOptions) {
    this.#options = options;
  }

  /** How many requests wait. */
  get held(): number {
    return this.#waiting.size;
  }

  /**
   * Asks, and waits for an answer for at most `holdMs`, or until the signal: what is open then is `open`. Throws what the store throws when
   * it is asked first; later faults of it are only told.
   */
  async ask(
    asked: AskedQuestion,
    principal: Principal,
    { holdMs, signal }: { readonly holdMs: number; readonly signal: AbortSignal },
  ): Promise<Answered> {
    const { store, limits, clock } = this.#options;
    const nowMs = clock();
    if (!(await this.#isSomebodyThere(principal, nowMs))) {
      const known = await this.#standing(asked, principal, nowMs);
      return known ?? { kind: 'nobody' };
    }
    const outcome = await store.ask(this.#newQuestion(asked, principal, { nowMs, holdMs }), limits);
    switch (outcome.kind) {
      case 'full':
      case 'allowed':
      case 'denied':
        return outcome;
      case 'asked':
        await this.#recordAsked(outcome.record);
        break;
      case 'joined':
        break;
    }
    return await this.#answer(outcome.record, holdMs, signal);
  }

  /** Uses up what may go on once. False if another request did, or it was taken back or ran out since. */
  async use({ id, answer }: QuestionRecord): Promise<boolean> {
    const { store, clock } = this.#options;
    if (answer !== 'session' && answer !== 'minutes') return await store.take(id, clock());
    const { state, endsMs = Infinity } = (await store.find(id)) ?? {};
    return state === 'allowed' && endsMs > clock();
  }

  /** Looks for answers soon: somebody may have answered. */
  lookSoon(): void {
    if (this.#waiting.size > 0) void this.#look();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }

  /** What somebody answered earlier holds though nobody is there now, and what was asked is not asked anew. */
  async #standing(asked: AskedQuestion, principal: Principal, nowMs: number): Promise<Answered | undefined> {
    // Where there is room for no question, none is left behind.
    const nothing = { askPendingPerSessionMax: 0, askQuestionsPerSessionMax: 0, askQuestionsMax: 0 };
    const { store } = this.#options;
    const outcome = await store.ask(this.#newQuestion(asked, principal, { nowMs, holdMs: 0 }), nothing);
    switch (outcome.kind) {
      case 'allowed':
      case 'denied':
        return outcome;
      case 'joined':
        return { kind: 'open', record: outcome.record };
      case 'asked':
      case 'full':
        return undefined;
    }
  }

  #newQuestion(
    asked: AskedQuestion,
    { sessionId, id: principalId }: Principal,
    { nowMs, holdMs }: { readonly nowMs: number; readonly holdMs: number },
  ): NewQuestion {
    return {
      ...asked,
      id: Array.from({ length: idLength }, () => idAlphabet[randomInt(idAlphabet.length)]).join(''),
      sessionId,
      principalId,
      createdMs: nowMs,
      heldUntilMs: nowMs + holdMs,
      pendingUntilMs: nowMs + Math.max(holdMs, this.#options.limits.askPendingLifetimeMs),
    };
  }

  async #isSomebodyThere(principal: Principal, nowMs: number): Promise<boolean> {
    if (this.#options.reachesPeople()) return true;
    const approvers = await this.#options.store.approvers(nowMs);
    return approvers.some((one) => seesSession(one, principal));
  }

  #answer(record: QuestionRecord, holdMs: number, signal: AbortSignal): Promise<Answered> {
    const { promise, resolve } = Promise.withResolvers<Answered>();
    const waiting: Waiting = {
      id: record.id,
      tell: (now) => {
        const kind = answeredAs(now);
        if (kind !== undefined) resolve({ kind, record: now });
      },
    };
    const giveUp = (): void => resolve({ kind: 'open', record });
    const timer = setTimeout(giveUp, holdMs);
    signal.addEventListener('abort', giveUp);
    this.#waiting.add(waiting);
    if (signal.aborted) giveUp();
    this.#lookLater();
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      this.#waiting.delete(waiting);
    });
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#look();
    }, defaultLimits.askLookIntervalMs);
    // A request that waits has a client, which keeps the process alive.
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const ids = [...new Set([...this.#waiting].map(({ id }) => id))];
      const records = new Map((await this.#options.store.findAll(ids)).map((one) => [one.id, one]));
      for (const waiting of this.#waiting) {
        const record = records.get(waiting.id);
        if (record !== undefined) waiting.tell(record);
      }
    } catch (error) {
      // Whoever waits goes on waiting: the store may be back in time.
      this.#options.onFault(asProxyError(error));
    } finally {
      this.#isLooking = false;
      this.#lookLater();
    }
  }

  async #recordAsked(record: QuestionRecord): Promise<void> {
    const { id, sessionId, rootId, principalId, createdMs, content, heldUntilMs, pendingUntilMs } = record;
    await this.#options.audit.record({
      action: 'question_asked',
      nowMs: createdMs,
      sessionId,
      principal: principalId,
      message: `Question ${id} of the rule ${content.rule}: ${describeQuestion(content)}.`,
      details: {
        id,
        ...(rootId === sessionId ? {} : { root: rootId }),
        rule: content.rule,
        asked: describeQuestion(content),
        askedTraceId: content.traceId,
        choices: content.choices,
        bound: toldBound(content),
        hasQuery: content.path.includes('?'),
        heldUntil: new Date(heldUntilMs).toISOString(),
        decidableUntil: new Date(pendingUntilMs).toISOString(),
      },
    });
  }
}

/** Undefined: nobody has answered yet. What another request used up is asked anew when this one comes back. */
function answeredAs({ state }: QuestionRecord): 'allowed' | 'denied' | undefined {
  switch (state) {
    case 'allowed':
      return 'allowed';
    case 'denied':
      return 'denied';
    case 'pending':
    case 'used':
    case 'ended':
      return undefined;
  }
}

/** What cannot be read is nobody's. */
function seesSession({ sees }: SeenApprover, { claims }: Principal): boolean {
  if (sees === undefined) return true;
  try {
    const selector: unknown = JSON.parse(sees);
    // It was written from a selector.
    return typeof selector === 'object' && selector !== null && selects(selector as ClaimSelector, claims);
  } catch {
    return false;
  }
}
