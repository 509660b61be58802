// What was found in an exchange, or said of it, as its event has it: the first of it, and how much there was.

import type { DeciderFacts, LeakFacts, ScreenFacts } from '../../api/audit-facts.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { OpenFacts } from './exchange-facts.ts';
import type { FaultNotes } from './record-inputs.ts';

/** A leak may not leave, or was told; a mark is in the response; a decider of its rule was asked. */
export type Finding =
  | { readonly leak: LeakFacts }
  | { readonly mark: ScreenFacts }
  | { readonly decider: DeciderFacts };

export function noteFinding(facts: OpenFacts, one: Finding): void {
  if ('leak' in one) noteLeak(facts, one.leak);
  else if ('mark' in one) noteMark(facts, one.mark);
  else noteDecider(facts, one.decider);
}

function noteLeak(facts: OpenFacts, one: LeakFacts): void {
  const known = facts.leaks ?? [];
  if (known.length < defaultLimits.auditedLeaksMax) facts.leaks = [...known, one];
  else {
    const before = facts.details?.['leaks'];
    facts.details = { ...facts.details, leaks: (typeof before === 'number' ? before : known.length) + 1 };
  }
}

/** It broke, or may not be. */
export function noteFault(
  facts: OpenFacts,
  { code, limit, message, claimed, credential }: ProxyError,
  notes: FaultNotes = {},
): void {
  facts.errorCode = code;
  if (limit !== undefined) facts.limit = limit;
  if (credential !== undefined) facts.failedCredential = credential;
  // What the policy said of it says more.
  facts.message ??= notes.message ?? message;
  if (claimed !== undefined) facts.claimed = claimed;
  if (notes.operatorDetail !== undefined)
    facts.details = { ...facts.details, operator: notes.operatorDetail };
}

/** The response has a mark. */
function noteMark(facts: OpenFacts, one: ScreenFacts): void {
  const known = facts.screened ?? [];
  if (known.length < defaultLimits.auditedLeaksMax) facts.screened = [...known, one];
}

function noteDecider(facts: OpenFacts, one: DeciderFacts): void {
  facts.deciders = [...(facts.deciders ?? []), one];
  if (one.isOnTrial === true && one.outcome !== 'allowed') facts.observed ??= facts.rule;
}
