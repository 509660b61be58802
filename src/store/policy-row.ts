// A published policy as it is stored, from its row; and what its files are named by.

import { createHash } from 'node:crypto';
import type { KeptPolicy, PolicyOutcome, PolicyText, PolicyVersion } from './policy-store.ts';
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
  return {
    policy: textOf(row, 'policy'),
    number: integerOf(row, 'number'),
    hash: textOf(row, 'hash'),
    version: textOf(row, 'version'),
    // Written by `publish` alone.
    ...(row['binding'] === null
      ? {}
      : { binding: jsonOf(row, 'binding') as NonNullable<PolicyVersion['binding']> }),
    isWithdrawn: integerOf(row, 'is_withdrawn') !== 0,
    publishedMs: integerOf(row, 'published_ms'),
    publishedBy: textOf(row, 'published_by'),
    ...(row['note'] === null ? {} : { note: textOf(row, 'note') }),
    ...(row['back_to'] === null ? {} : { backTo: integerOf(row, 'back_to') }),
  };
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
