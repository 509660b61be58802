// A published policy as it is stored, from its row; and what its files are named by.

import { createHash } from 'node:crypto';
import type { KeptPolicy, PolicyBinding, PolicyOutcome, PolicyText, PolicyVersion } from './policy-store.ts';
import { damagedColumn, integerOf, jsonOf, type StoredRow, textOf } from './stored-row.ts';

/** Of names and texts in their order. */
export function hashOfFiles(files: readonly PolicyText[]): string {
  return createHash('sha256').update(filesAsJson(files)).digest('hex');
}

export function filesAsJson(files: readonly PolicyText[]): string {
  return JSON.stringify(files.map(({ name, text }) => [name, text]));
}

export function filesOf(row: StoredRow): readonly PolicyText[] {
  const list: unknown = jsonOf(row, 'files');
  if (!Array.isArray(list)) throw damagedColumn('files');
  return list.map((one: unknown) => {
    if (!Array.isArray(one) || typeof one[0] !== 'string' || typeof one[1] !== 'string')
      throw damagedColumn('files');
    return { name: one[0], text: one[1] };
  });
}

/** The columns have the same names in every engine. */
export function policyVersionOf(row: StoredRow): PolicyVersion {
  const binding = row['binding'] === null ? undefined : bindingOf(row['binding']);
  const backTo = row['back_to'] ?? undefined;
  const isBackToGood = backTo === undefined || (typeof backTo === 'number' && backTo > 0);
  const damaged = binding === 'damaged' ? 'binding' : isBackToGood ? undefined : 'back_to';
  return {
    policy: textOf(row, 'policy'),
    number: integerOf(row, 'number'),
    hash: textOf(row, 'hash'),
    version: textOf(row, 'version'),
    ...(binding === undefined || binding === 'damaged' ? {} : { binding }),
    isWithdrawn: integerOf(row, 'is_withdrawn') !== 0,
    publishedMs: integerOf(row, 'published_ms'),
    publishedBy: textOf(row, 'published_by'),
    ...(row['note'] === null ? {} : { note: textOf(row, 'note') }),
    ...(typeof backTo === 'number' && isBackToGood ? { backTo } : {}),
    ...(damaged === undefined ? {} : { damaged }),
  };
}

/** A login of the database may have had it written: it is no reason to read none of the other policies. */
function bindingOf(stored: unknown): PolicyBinding | 'damaged' {
  try {
    const value: unknown = JSON.parse(String(stored));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'damaged';
    const claims = Object.values(value);
    const isGood = (claim: unknown): boolean =>
      typeof claim === 'string' || typeof claim === 'boolean' || Number.isFinite(claim);
    // Each value has just been looked at.
    return claims.length > 0 && claims.every(isGood) ? (value as PolicyBinding) : 'damaged';
  } catch {
    return 'damaged';
  }
}

export function policyOutcomeOf(row: StoredRow): PolicyOutcome {
  return {
    policy: textOf(row, 'policy'),
    number: integerOf(row, 'number'),
    gatewayId: textOf(row, 'gateway_id'),
    state: row['state'] === 'taken' ? 'taken' : 'refused',
    ...(row['reason'] === null ? {} : { reason: textOf(row, 'reason') }),
    atMs: integerOf(row, 'at_ms'),
  };
}

export function keptPolicyOf(row: StoredRow): KeptPolicy {
  return {
    version: textOf(row, 'version'),
    content: textOf(row, 'content'),
    seenMs: integerOf(row, 'seen_ms'),
  };
}
