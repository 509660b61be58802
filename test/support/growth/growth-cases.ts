// All readers whose growth is measured.

import type { GrowthCases } from './growth-case.ts';
import { argumentCases } from './argument-cases.ts';
import { leakCases } from './leak-cases.ts';
import { requestCases } from './request-cases.ts';
import { streamCases } from './stream-cases.ts';
import { textCases } from './text-cases.ts';

/** Readers of short texts: what is wrong there often needs two pieces that alternate. */
export const inPairs: GrowthCases = { ...requestCases, ...textCases, ...argumentCases };

export const growthCases: GrowthCases = { ...inPairs, ...streamCases, ...leakCases };
