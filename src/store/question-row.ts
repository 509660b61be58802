// A question as it is stored, from its row, and what of several that are known stands for one that is asked.

import type {
  AskOutcome,
  NewQuestion,
  QuestionAnswer,
  QuestionContent,
  QuestionRecord,
  QuestionState,
  SeenApprover,
} from './question-store.ts';
import { integerOf, jsonOf, type StoredRow, textOf } from './stored-row.ts';

const states: readonly QuestionState[] = ['pending', 'allowed', 'denied', 'used', 'ended'];
const answers: readonly QuestionAnswer[] = ['once', 'session', 'minutes', 'always'];

/** Whoever was noted so short a time ago is not noted again. */
export const notedAgainMs = 5000;

/** The columns have the same names in every engine. */
export function questionOf(row: StoredRow): QuestionRecord {
  const answer = answers.find((one) => one === row['answer']);
  return {
    id: textOf(row, 'id'),
    sessionId: textOf(row, 'session_id'),
    // A program of the version before stores none.
    rootId: row['root_id'] === null ? textOf(row, 'session_id') : textOf(row, 'root_id'),
    principalId: textOf(row, 'principal_id'),
    onceKey: textOf(row, 'once_key'),
    wideKey: textOf(row, 'wide_key'),
    content: jsonOf<QuestionContent>(row, 'content'),
    ...(row['shown'] === null ? {} : { shown: textOf(row, 'shown') }),
    createdMs: integerOf(row, 'created_ms'),
    heldUntilMs: integerOf(row, 'held_until_ms'),
    pendingUntilMs: integerOf(row, 'pending_until_ms'),
    // An unknown one lets nothing go on.
    state: states.find((state) => state === row['state']) ?? 'ended',
    ...(answer === undefined ? {} : { answer }),
    ...(row['decided_ms'] === null ? {} : { decidedMs: integerOf(row, 'decided_ms') }),
    ...(row['decided_by'] === null ? {} : { decidedBy: textOf(row, 'decided_by') }),
    ...(row['ends_ms'] === null ? {} : { endsMs: integerOf(row, 'ends_ms') }),
    ...(row['note'] === null ? {} : { note: textOf(row, 'note') }),
  };
}

export function approverOf(row: StoredRow): SeenApprover {
  const sees = row['sees'] === '' ? undefined : textOf(row, 'sees');
  return { name: textOf(row, 'name'), sees, untilMs: integerOf(row, 'until_ms') };
}

/** Which of those of the same session, and of those denied below its root, with one of its keys stands for the question; a denial before all others. */
export function standingOutcome(
  known: readonly QuestionRecord[],
  { onceKey, wideKey, createdMs: nowMs }: Pick<NewQuestion, 'onceKey' | 'wideKey' | 'createdMs'>,
): Exclude<AskOutcome, { kind: 'full' }> | undefined {
  const same = known.filter((one) => one.onceKey === onceKey);
  const holding = (one: QuestionRecord): boolean => one.endsMs === undefined || one.endsMs > nowMs;
  const denied = same.find((one) => one.state === 'denied' && holding(one));
  if (denied !== undefined) return { kind: 'denied', record: denied };
  const allowed = known.find(
    (one) =>
      one.state === 'allowed' &&
      holding(one) &&
      (isWide(one) ? one.wideKey === wideKey : one.onceKey === onceKey),
  );
  if (allowed !== undefined) return { kind: 'allowed', record: allowed };
  const pending = same.find((one) => one.state === 'pending' && one.pendingUntilMs > nowMs);
  return pending === undefined ? undefined : { kind: 'joined', record: pending };
}

/** Whether its answer holds for more than one request. */
function isWide({ answer }: Pick<QuestionRecord, 'answer'>): boolean {
  return answer === 'session' || answer === 'minutes';
}
