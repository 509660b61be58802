// All readers whose growth is measured.

import type { GrowthCases } from './growth-case.ts';
import { argumentCases } from './argument-cases.ts';
import { askCases } from './ask-cases.ts';
import { cloudCases } from './cloud-cases.ts';
import { databaseCases } from './database-cases.ts';
import { sshCases } from './ssh-cases.ts';
import { deciderCases } from './decider-cases.ts';
import { insideCases } from './inside-cases.ts';
import { leakCases } from './leak-cases.ts';
import { modelCases } from './model-cases.ts';
import { packageCases } from './package-cases.ts';
import { proxyCases } from './proxy-cases.ts';
import { requestCases } from './request-cases.ts';
import { streamCases } from './stream-cases.ts';
import { textCases } from './text-cases.ts';

const textual: GrowthCases = { ...requestCases, ...textCases, ...packageCases, ...modelCases };

/** Readers of short texts: what is wrong there often needs two pieces that alternate. */
export const inPairs: GrowthCases = { ...textual, ...argumentCases, ...askCases };

export const growthCases: GrowthCases = {
  ...inPairs,
  ...streamCases,
  ...leakCases,
  ...deciderCases,
  ...databaseCases,
  ...sshCases,
  ...proxyCases,
  ...cloudCases,
  ...insideCases,
};
