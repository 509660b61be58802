// What an operator makes of a question, by whatever way they came: the answer, and its event.

import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { QuestionAnswer, QuestionRecord, QuestionStore } from '../../store/question-store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import { describeQuestion } from './describe-question.ts';

/** Where answers are given. */
export interface AnswerDesk {
  readonly questions: QuestionStore;
  /** Who answers, for the audit. */
  readonly operator: string;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
  readonly limits: Pick<Limits, 'askPendingLifetimeMs'>;
}

export interface AnswerInput {
  readonly record: QuestionRecord;
  readonly nowMs: number;
  /** Words for the workload. */
  readonly note?: string | undefined;
}

/** Answers it. Whoever is first has answered: what comes second is refused, and where it had an event by then, another one says that it does not count. @throws ProxyError usage, state_changed, audit_unavailable */
export async function answerQuestion(
  { questions, operator, record, limits }: AnswerDesk,
  { record: question, nowMs, note }: AnswerInput,
  decision: QuestionAnswer | 'deny',
): Promise<void> {
  const { id, content } = question;
  const answer = decision === 'deny' ? undefined : decision;
  if (answer !== undefined && !content.choices.includes(answer))
    throw new ProxyError(
      'usage',
      `the rule ${content.rule} does not let anybody say ${answer}; it takes ${content.choices.join(', ')}, or deny`,
    );
  const over = (): ProxyError =>
    new ProxyError(
      'state_changed',
      `the question ${id} is not open any more: it was answered, or is too old`,
    );
  if (question.state !== 'pending' || question.pendingUntilMs <= nowMs) throw over();
  const endsMs = endOf(answer, nowMs, limits);
  const said = answer === undefined ? 'was denied' : `was allowed (${answer})`;
  const step: SessionStep = {
    ...stepOf(question, nowMs),
    action: 'question_answered',
    message: `Question ${id} ${said}: ${describeQuestion(content)}.`,
    details: {
      id,
      operator,
      was: question.state,
      rule: content.rule,
      answer: answer ?? 'deny',
      ...(endsMs === undefined ? {} : { ends: new Date(endsMs).toISOString() }),
      ...(note === undefined ? {} : { note }),
    },
  };
  // Nothing is allowed without its event. A denial holds whether the audit can be written or not.
  if (answer !== undefined) await record(step);
  if (!(await questions.decide(id, { answer, by: operator, nowMs, endsMs, note }))) {
    // The event that was stored before says what came to nothing.
    if (answer !== undefined)
      await record({
        ...step,
        action: 'question_overtaken',
        message: `Question ${id} was not open any more when this answer (${answer}) came, so it does not count: ${describeQuestion(content)}.`,
      });
    throw over();
  }
  if (answer === undefined) await record(step);
}

/** Takes back what was allowed and is not used. @throws ProxyError state_changed, audit_unavailable */
export async function closeQuestion(
  { questions, operator, record }: Omit<AnswerDesk, 'limits'>,
  { record: question, nowMs, note }: AnswerInput,
): Promise<void> {
  const { id, content } = question;
  if (!(await questions.close(id, { by: operator, nowMs, note })))
    throw new ProxyError(
      'state_changed',
      `nothing that was allowed by the question ${id} is left to take back`,
    );
  await record({
    ...stepOf(question, nowMs),
    action: 'question_closed',
    message: `What question ${id} had allowed was taken back: ${describeQuestion(content)}.`,
    details: { id, operator, was: question.state, ...(note === undefined ? {} : { note }) },
  });
}

/** An answer of once waits so long for a client that comes back. What holds as long as its session has no end of its own. */
function endOf(
  answer: QuestionAnswer | undefined,
  nowMs: number,
  { askPendingLifetimeMs }: Pick<Limits, 'askPendingLifetimeMs'>,
): number | undefined {
  switch (answer) {
    case 'once':
    case 'always':
      return nowMs + askPendingLifetimeMs;
    case 'session':
      return undefined;
    case 'minutes':
    case undefined:
      return nowMs + defaultLimits.askAnswerLifetimeMs;
  }
}

function stepOf({ sessionId, principalId }: QuestionRecord, nowMs: number) {
  return { nowMs, sessionId, principal: principalId };
}
