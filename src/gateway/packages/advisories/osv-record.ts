// A record of OSV (https://ossf.github.io/osv-schema/): what it says of packages of registries that rules can name.

import { type AdvisoryLevel, ecosystems, type Severity } from '../../../understand/packages/advisory.ts';
import type { AffectedVersions, RangeEvent } from '../../../understand/packages/affected-versions.ts';
import { packageKey } from '../../../understand/packages/advisory-index.ts';
import { cvssSeverity } from './cvss-severity.ts';

export interface OsvRecord {
  readonly id: string;
  readonly aliases: readonly string[];
  /** 0: it does not say when it was changed. */
  readonly modifiedMs: number;
  readonly isWithdrawn: boolean;
  /** No export but that of its registry has it. */
  readonly ofOneEcosystem: boolean;
  readonly affected: readonly AffectedPackage[];
}

export interface AffectedPackage extends AffectedVersions {
  /** As in the index. */
  readonly key: string;
  readonly level: AdvisoryLevel;
}

const idForm = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
/** Names of which a reader of requests lets none through are in no index. */
const keyForm = /^[a-z]+\t[a-z0-9._~!$'()*+,=:@/-]{1,512}$/;
const aliasesMax = 32;

/** Undefined: it is no record of OSV. */
export function readOsvRecord(text: string): OsvRecord | undefined {
  const record = membersOf(parsed(text));
  const id = record?.['id'];
  if (record === undefined || typeof id !== 'string' || !idForm.test(id)) return undefined;
  const { aliases, modified, withdrawn } = record;
  if (typeof modified !== 'string') return undefined;
  return {
    id,
    aliases: textsIn(aliases)
      .filter((one) => one !== id && idForm.test(one))
      .slice(0, aliasesMax),
    modifiedMs: timeIn(modified) ?? 0,
    isWithdrawn: timeIn(withdrawn) !== undefined,
    ofOneEcosystem: new Set(listIn(record['affected']).map(ecosystemOf)).size === 1,
    affected: listIn(record['affected']).flatMap((one) => affectedIn(membersOf(one), id, record)),
  };
}

/** `Maven:https://repo.example.com`: a mirror may be asked for what is there. */
function ecosystemOf(affected: unknown): string {
  const name = membersOf(membersOf(affected)?.['package'])?.['ecosystem'];
  return typeof name === 'string' ? (name.split(':', 1)[0] ?? '') : '';
}

function affectedIn(affected: Members | undefined, id: string, record: Members): readonly AffectedPackage[] {
  const named = membersOf(affected?.['package']);
  const { ecosystem, name } = named ?? {};
  if (affected === undefined || typeof ecosystem !== 'string' || typeof name !== 'string') return [];
  const known = ecosystemOf(affected);
  const registry = Object.hasOwn(ecosystems, known) ? ecosystems[known] : undefined;
  if (registry === undefined) return [];
  const key = packageKey(registry, name);
  if (!keyForm.test(key)) return [];
  const versions = textsIn(affected['versions']).filter((one) => one.length <= versionLengthMax);
  const written = listIn(affected['ranges']).map((one) => membersOf(one) ?? {});
  // Commits of git are versions of nothing that a registry has.
  const ranges = written
    .filter((one) => one['type'] !== 'GIT')
    .map((one) => listIn(one['events']).flatMap((event) => eventIn(membersOf(event))));
  const level = levelOf(id, affected, record);
  const isUnsaid = versions.length === 0 && ranges.every((events) => events.length === 0);
  if (isUnsaid && level !== 'malware') return [];
  return [{ key, level, versions, ranges, ...(isUnsaid ? { isWhole: true } : {}) }];
}

/** No registry has longer ones. */
const versionLengthMax = 256;

function eventIn(event: Members | undefined): readonly RangeEvent[] {
  if (event === undefined) return [];
  for (const name of ['introduced', 'fixed', 'last_affected', 'limit'] as const) {
    const version = event[name];
    if (typeof version === 'string' && version.length <= versionLengthMax) return [{ [name]: version }];
    // What begins nobody knows where begins with the first version.
    if (name === 'introduced' && version !== undefined) return [{ introduced: '0' }];
  }
  return [];
}

/**
 * What people said who looked at it counts before what is computed, and what is said of this package before what is said of all. Of
 * several vectors the most severe one.
 */
function levelOf(id: string, affected: Members, record: Members): AdvisoryLevel {
  if (id.startsWith('MAL-')) return 'malware';
  for (const one of [affected, record]) {
    const own = membersOf(one['database_specific']);
    const said = wordsFor(own?.['severity']) ?? wordsFor(membersOf(one['ecosystem_specific'])?.['severity']);
    if (said !== undefined) return said;
    const scores = [...listIn(one['severity']).map((each) => membersOf(each)?.['score']), own?.['cvss']];
    const worst = highest(scores.map((each) => (typeof each === 'string' ? cvssSeverity(each) : undefined)));
    if (worst !== undefined) return worst;
    // RUSTSEC: that nobody looks after a crate, for one.
    if (typeof own?.['informational'] === 'string') return 'low';
  }
  return 'unknown';
}

const words: Readonly<Record<string, Severity>> = {
  low: 'low',
  moderate: 'moderate',
  medium: 'moderate',
  high: 'high',
  critical: 'critical',
};

function wordsFor(value: unknown): Severity | undefined {
  const word = typeof value === 'string' ? value.toLowerCase() : '';
  return Object.hasOwn(words, word) ? words[word] : undefined;
}

function highest(found: readonly (Severity | undefined)[]): Severity | undefined {
  return (['critical', 'high', 'moderate', 'low'] as const).find((one) => found.includes(one));
}

type Members = Readonly<Record<string, unknown>>;

function membersOf(value: unknown): Members | undefined {
  // An object that JSON.parse made has members of any kind.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : undefined;
}

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textsIn = (value: unknown): readonly string[] =>
  listIn(value).filter((one): one is string => typeof one === 'string');

function timeIn(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT/.test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
