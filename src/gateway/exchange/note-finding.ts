// What was found in an exchange, as its event has it: the first of it, and how much there was.

import type { LeakFacts, ScreenFacts } from '../../api/audit-facts.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { OpenFacts } from './exchange-facts.ts';

/** Something may not leave, or was told. */
export function noteLeak(facts: OpenFacts, one: LeakFacts): void {
  const known = facts.leaks ?? [];
  if (known.length < defaultLimits.auditedLeaksMax) facts.leaks = [...known, one];
  else {
    const before = facts.details?.['leaks'];
    facts.details = { ...facts.details, leaks: (typeof before === 'number' ? before : known.length) + 1 };
  }
}

/** The response has a mark. */
export function noteMark(facts: OpenFacts, one: ScreenFacts): void {
  const known = facts.screened ?? [];
  if (known.length < defaultLimits.auditedLeaksMax) facts.screened = [...known, one];
}
