// All cases of the hardening suite, in the order of their numbers.

import { companyCases } from './cases/company.ts';
import { environmentCases } from './cases/environment.ts';
import { hiddenCases } from './cases/hidden.ts';
import { insideCases } from './cases/inside.ts';
import { jailCases } from './cases/jail.ts';
import { memoryCases } from './cases/memory.ts';
import { reachCases } from './cases/reach.ts';
import { signalCases } from './cases/signals.ts';
import { threadCases } from './cases/thread.ts';
import { tokenCases } from './cases/token.ts';
import type { AttackCase } from './support/bench.ts';

export const cases: readonly AttackCase[] = [
  ...memoryCases,
  ...signalCases,
  ...environmentCases,
  ...tokenCases,
  ...jailCases,
  ...insideCases,
  ...companyCases,
  ...reachCases,
  ...hiddenCases,
  ...threadCases,
].sort(
  (a, b) => Number.parseInt(a.number, 10) - Number.parseInt(b.number, 10) || a.number.localeCompare(b.number),
);
