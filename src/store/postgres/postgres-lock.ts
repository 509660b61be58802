// Locks by which transactions of several gateways wait for each other where no row stands for what they decide about.

import type { Statements } from './postgres-database.ts';

/** The first of the two numbers of an advisory lock; the second is the hash of a name. Two names that share one only wait. */
export const lockClasses = {
  migration: 1_970_432_000,
  token: 1_970_432_001,
  access: 1_970_432_002,
  operators: 1_970_432_003,
  holder: 1_970_432_004,
  policies: 1_970_432_005,
  /** Who removes events of the audit (0), or makes parts of it (1). */
  auditParts: 1_970_432_006,
  budgets: 1_970_432_007,
  questions: 1_970_432_008,
  filling: 1_970_432_009,
  leases: 1_970_432_010,
  keptTokens: 1_970_432_011,
} as const;

/** Held until the transaction ends. What is read behind it is as those who had it before have left it. */
export async function lock(
  statements: Statements,
  of: Exclude<keyof typeof lockClasses, 'migration' | 'holder' | 'auditParts' | 'filling'>,
  name: string,
): Promise<void> {
  await statements.all('SELECT pg_advisory_xact_lock($1, hashtext($2))', [lockClasses[of], name]);
}
