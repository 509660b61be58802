// An event as it is stored: at most so many bytes. What a workload can make long is cut, the path last, and what is cut keeps its length
// and its hash, so that nobody takes the beginning for the whole.

import { createHash } from 'node:crypto';
import type { AuditEvent } from '../../api/audit-event.ts';

/** Of a text that is cut at least this much stays, where there is as much. */
const keptBytesMin = 96;
/** What `cut` says of one field: its name, a number, 64 digits and what JSON puts around them. */
const markBytes = 140;

type Fields = { -readonly [Name in keyof AuditEvent]?: AuditEvent[Name] };
type Cut = Record<string, { readonly bytes: number; readonly sha256: string }>;

/** In the order in which they are cut; what decides most about an event comes last. All other texts are words of ours. */
const texts = [
  'message',
  'observed',
  'method',
  'rule',
  'principal',
  'sessionId',
  'host',
  'path',
] as const satisfies readonly (keyof AuditEvent)[];

/** The JSON of an event in at most `bytesMax` bytes. */
export function boundedEventJson(event: AuditEvent, bytesMax: number): string {
  return storedEvent(event, bytesMax).json;
}

/** The same, and whether nothing was cut. */
export function storedEvent(
  event: AuditEvent,
  bytesMax: number,
): { readonly json: string; readonly isWhole: boolean } {
  const json = jsonOf(event);
  // A UTF-16 unit is three bytes at most: most events need not be counted.
  if (json.length * 3 <= bytesMax || Buffer.byteLength(json) <= bytesMax) return { json, isWhole: true };
  return { json: jsonOf(boundedEvent(JSON.parse(json) as Fields, bytesMax)), isWhole: false };
}

function boundedEvent(event: Fields, bytesMax: number): Fields {
  const fields: Fields = { ...event };
  const cut: Cut = { ...event.cut };
  const over = (): number => Buffer.byteLength(JSON.stringify({ ...fields, cut })) - bytesMax;
  cutDetails(fields, cut, over);
  for (const name of ['message', 'claimed', 'aliases', 'offered'] as const) {
    if (over() <= 0) break;
    if (name === 'message') cutText(fields, name, cut, over());
    else cutWhole(fields, name, cut);
  }
  if (over() > 0) cutRefs(fields, cut, over);
  for (const name of texts) if (over() > 0) cutText(fields, name, cut, over());
  for (const name of ['git', 'injected', 'details'] as const) {
    if (over() <= 0) break;
    // One mark for all of it, of what it was.
    for (const part of Object.keys(cut)) if (part.startsWith(`${name}.`)) delete cut[part];
    fields[name] = undefined;
    if (event[name] !== undefined) cut[name] = markOf(event[name]);
  }
  // Longer names than any: what is left is who and when.
  for (const name of texts) if (over() > 0) cutWhole(fields, name, cut);
  return { ...fields, cut };
}

/** The largest entries first, but for what tells who a session is. */
function cutDetails(fields: Fields, cut: Cut, over: () => number): void {
  const sizeOf = ([name, value]: readonly [string, unknown]): number =>
    name === 'claims' || name === 'posture' ? 0 : Buffer.byteLength(JSON.stringify(value) ?? '');
  const entries = Object.entries(fields.details ?? {}).toSorted((a, b) => sizeOf(b) - sizeOf(a));
  for (const [name, value] of entries) {
    if (over() <= 0) return;
    // A mark would be longer.
    if (Buffer.byteLength(JSON.stringify(value) ?? '') < markBytes) continue;
    const { [name]: _, ...rest } = fields.details ?? {};
    fields.details = rest;
    cut[`details.${name}`] = markOf(value);
  }
}

/** The first options and refs stay, and `optionsTotal` and `refsTotal` say that there are more: options first, which can be of any length. */
function cutRefs(fields: Fields, cut: Cut, over: () => number): void {
  cutOptions(fields, cut, over);
  const { git } = fields;
  if (git?.refs === undefined || over() <= 0) return;
  cut['git.refs'] = markOf(git.refs);
  let refs = git.refs;
  const refsTotal = git.refsTotal ?? refs.length;
  while (over() > 0 && refs.length > 0) {
    refs = refs.slice(0, Math.floor(refs.length / 2));
    fields.git = { ...git, refs, refsTotal };
  }
}

function cutOptions(fields: Fields, cut: Cut, over: () => number): void {
  const { git } = fields;
  if (git?.options === undefined) return;
  cut['git.options'] = markOf(git.options);
  let { options } = git;
  const optionsTotal = git.optionsTotal ?? options.length;
  while (over() > 0 && options.length > 0) {
    options = options.slice(0, Math.floor(options.length / 2));
    fields.git = { ...git, options, optionsTotal };
  }
}

function cutWhole(fields: Fields, name: keyof Fields, cut: Cut): void {
  const value = fields[name];
  if (value === undefined) return;
  cut[name] ??= markOf(value);
  delete fields[name];
}

function cutText(fields: Fields, name: (typeof texts)[number], cut: Cut, over: number): void {
  const text = fields[name];
  if (text === undefined) return;
  const bytes = jsonBytes(text);
  if (bytes <= keptBytesMin) return;
  cut[name] ??= markOf(text);
  const kept = beginningOf(text, Math.max(keptBytesMin, bytes - over - markBytes));
  // The names are those of texts; a closed set of them is not what they may be cut to.
  Object.assign(fields, { [name]: kept });
}

/** The longest beginning whose JSON is not longer, by steps of a quarter; whole characters. */
function beginningOf(text: string, bytesMax: number): string {
  let kept = text.slice(0, bytesMax);
  while (jsonBytes(kept) > bytesMax) kept = kept.slice(0, Math.floor((kept.length * 3) / 4));
  return /[\uD800-\uDBFF]$/.test(kept) ? kept.slice(0, -1) : kept;
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** Of a text its bytes in UTF-8, of anything else its JSON's. */
function markOf(value: unknown): Cut[string] {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return { bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
}

function jsonOf(event: Fields): string {
  try {
    return JSON.stringify(event);
  } catch {
    // Only `details` can hold what JSON cannot: a cycle or a BigInt.
    return JSON.stringify({ ...event, details: { unserialisable: true } });
  }
}
