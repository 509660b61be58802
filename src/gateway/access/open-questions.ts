// Where people are asked about requests, put together.

import type { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Store } from '../../store/store.ts';
import type { SessionAudit } from '../audit/session-audit.ts';
import { QuestionDesk } from './question-desk.ts';

export interface QuestionsInput {
  readonly store: Store;
  readonly record: SessionAudit['record'];
  readonly limits: Limits;
  readonly clock: () => number;
  readonly tap: { readonly reachesPeople: () => boolean };
  readonly onFault: (error: ProxyError) => void;
  readonly stack: AsyncDisposableStack;
}

export function openQuestions({
  store,
  record,
  limits,
  clock,
  tap,
  onFault,
  stack,
}: QuestionsInput): QuestionDesk {
  const questions = stack.use(
    new QuestionDesk({
      store: store.questions,
      audit: { record },
      limits,
      clock,
      reachesPeople: () => tap.reachesPeople(),
      onFault,
    }),
  );
  stack.defer(store.onChange(() => questions.lookSoon()));
  return questions;
}
