// The audit as a weapon: floods that would push out others' events, hide what was asked, or keep others from being served.

import { createHash } from 'node:crypto';

import fc from 'fast-check';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { auditEventVersion } from '../../../src/api/audit-event-version.ts';
import { recordedDecision } from '../../../src/gateway/policies/recorded-decision.ts';
import { AuditRates } from '../../../src/gateway/audit/audit-rates.ts';
import { boundedEventJson } from '../../../src/gateway/audit/bounded-event.ts';
import { QueueShare } from '../../../src/gateway/audit/queue-share.ts';
import type { OpenExchange } from '../../../src/gateway/audit/open-exchanges.ts';
import { PathPattern } from '../../../src/policy/path-pattern.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { AuditEntry } from '../../../src/store/store.ts';
import { auditEntry } from '../../conformance/audit.ts';
import type { AttackTable } from '../support/attack.ts';
import { searched, type Finding } from '../support/search.ts';

const bytesMax = 2048;

const base: AuditEvent = {
  v: auditEventVersion,
  id: '01a217c3-81eb-7078-9a9c-bf382e627b4c',
  time: '2026-01-01T00:00:00.000Z',
  kind: 'exchange',
  traceId: '0'.repeat(32),
  sessionId: 'session',
  principal: 'issuer|subject',
  verdict: 'deny',
  rule: 'default-deny',
  method: 'GET',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  path: '/',
};

interface Turn {
  readonly session: 'flood' | 'quiet';
  readonly bytes: number;
  readonly waitMs: number;
}

const limits = {
  ...defaultLimits,
  auditEventsPerSecondMax: 5,
  auditEventsBurstMax: 20,
  auditBytesPerSecondMax: 10_000,
  auditBytesBurstMax: 60_000,
};

const turns = fc.array(
  fc.record<Turn>({
    session: fc.constantFrom(
      'flood',
      'flood',
      'flood',
      'flood',
      'flood',
      'flood',
      'flood',
      'flood',
      'flood',
      'quiet',
    ),
    bytes: fc.integer({ min: 100, max: 2048 }),
    waitMs: fc.constantFrom(0, 0, 0, 1, 20),
  }),
  { minLength: 30, maxLength: 120 },
);

/** Who is over: by the session, or, as one bucket for all does, whoever comes when it is empty. */
function rated(sequence: readonly Turn[], keyOf: (session: string) => string): Finding {
  let nowMs = 0;
  const rates = new AuditRates(
    limits,
    () => nowMs,
    () => undefined,
  );
  let flooded = 0;
  for (const { session, bytes, waitMs } of sequence) {
    nowMs += waitMs;
    if (rates.overRate(keyOf(session), 0) === undefined) {
      rates.charge(keyOf(session), bytes);
      if (session === 'flood') flooded += 1;
    } else if (session === 'quiet') return 'a quiet session was refused';
    const most = limits.auditEventsBurstMax + (limits.auditEventsPerSecondMax * nowMs) / 1000;
    if (flooded > most) return `${flooded} events of a flood in ${nowMs} ms`;
  }
  return undefined;
}

/** While the store is fuller than it should be. */
function narrowed(used: number, isOver: (rates: AuditRates, session: string) => boolean): Finding {
  const rates = new AuditRates(
    { ...defaultLimits, auditEventsPerSecondMax: 5 },
    () => 0,
    () => undefined,
  );
  for (let i = 0; i < used; i += 1) rates.charge('flood', 500);
  rates.charge('quiet', 500);
  rates.narrow(true);
  if (isOver(rates, 'quiet') || isOver(rates, 'new')) return 'who does not flood was refused';
  return used > 1000 !== isOver(rates, 'flood')
    ? `a session with ${used} events was taken for another`
    : undefined;
}

function queued(
  floods: number,
  room: number,
  isOver: (share: QueueShare, session: string, left: number) => boolean,
): Finding {
  const share = new QueueShare();
  let used = 0;
  for (let isRefused = false; !isRefused;) {
    isRefused = true;
    for (let i = 0; i < floods; i += 1) {
      if (used >= room || isOver(share, `flood ${i}`, room - used)) continue;
      share.add(auditEntry(`${used}`, { sessionId: `flood ${i}` }));
      used += 1;
      isRefused = false;
    }
  }
  if (room - used < Math.floor(room / (floods + 1))) return `${room - used} of ${room} are left by ${floods}`;
  return undefined;
}

const longText = fc
  .tuple(fc.constantFrom('a', 'ä', '"', '\\', '😀', '/b', '\u0001'), fc.nat(4000))
  .map(([one, n]) => one.repeat(n));
const longEvent = fc.record({
  path: longText.map((text) => `/${text}`),
  message: longText,
  host: fc.nat(300).map((n) => `${'h'.repeat(n)}.test`),
  operator: longText,
  aliases: fc.array(longText, { maxLength: 3 }),
});

function stored(
  fields: typeof longEvent extends fc.Arbitrary<infer T> ? T : never,
  jsonOf: (event: AuditEvent) => string,
): Finding {
  const { operator, ...more } = fields;
  const json = jsonOf({ ...base, ...more, details: { operator } });
  if (Buffer.byteLength(json) > bytesMax) return `${Buffer.byteLength(json)} bytes`;
  const event = JSON.parse(json) as AuditEvent;
  const isWhole = event.path === fields.path;
  const mark = event.cut?.['path'];
  const sha256 = createHash('sha256').update(fields.path).digest('hex');
  if (!isWhole && (mark?.sha256 !== sha256 || mark.bytes !== Buffer.byteLength(fields.path)))
    return 'a path that is cut does not say so';
  return undefined;
}

/** The beginning of a path may be one that a rule allows while the whole is none. */
function judgedByBeginning(length: number, judge: (event: AuditEvent) => boolean): Finding {
  const path = `/a/${'x'.repeat(length)}/admin`;
  const event = JSON.parse(boundedEventJson({ ...base, path }, bytesMax)) as AuditEvent;
  const pattern = PathPattern.parse('/a/*');
  if (typeof pattern === 'string') throw new Error(pattern);
  const isCut = event.path !== path;
  return isCut && judge(event) && pattern.matches(event.path ?? '')
    ? 'judged by the beginning of its path'
    : undefined;
}

interface Stored {
  readonly flood: number;
  readonly quiet: readonly number[];
  readonly batch: number;
  readonly keepShare: number;
}

/** Quiet sessions with some events each, in the midst of a flood; then the store is pruned. */
async function pruned(
  { flood, quiet, batch, keepShare }: Stored,
  prune: (store: Awaited<ReturnType<typeof openStore>>, keepBytes: number, batch: number) => Promise<void>,
): Promise<Finding> {
  await using store = await openStore('sqlite::memory:');
  const events: AuditEntry[] = Array.from({ length: flood }, (_, i) =>
    auditEntry(`flood ${i}`, { sessionId: 'flood' }),
  );
  const added = quiet.flatMap((count, session) =>
    Array.from({ length: count }, (_, i) =>
      auditEntry(`quiet ${session} ${i}`, { sessionId: `quiet ${session}` }),
    ),
  );
  const step = Math.floor(flood / (added.length + 1));
  for (const [i, one] of added.entries()) events.splice(i * (step + 1), 0, one);
  await store.audit.append(events);
  const { bytes } = await store.audit.held();
  await prune(store, Math.floor(bytes * keepShare), batch);
  const left = new Set((await store.audit.query({ limit: 100_000 })).map(({ id }) => id));
  const lost = added.find(({ id }) => !left.has(id));
  if (lost !== undefined) return `${lost.id} was pushed out`;
  const first = Array.from({ length: 1000 }, (_, i) => `flood ${i}`).find((id) => !left.has(id));
  if (first !== undefined) return `${first} of the first thousand was pushed out`;
  return (await store.audit.held()).bytes > bytes * keepShare ? 'the bound was not reached' : undefined;
}

const floods = fc.record<Stored>({
  flood: fc.integer({ min: 2500, max: 4000 }),
  quiet: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 4 }),
  batch: fc.constantFrom(50, 500),
  keepShare: fc.constantFrom(0.7, 0.8, 0.9),
});

/** A flood that is refused `count` times, and a gateway that is killed before the second is over. */
function killed(count: number, isMarked: boolean): Finding {
  const marked = new Map<OpenExchange, AuditEvent>();
  const mark = (one: OpenExchange): void => void marked.set(one, one.unfinished());
  const rates = new AuditRates(
    limits,
    () => 0,
    () => undefined,
    isMarked ? mark : undefined,
  );
  for (let i = 0; i < count; i += 1) rates.sum({ ...base, traceId: String(i) });
  const [left] = marked.values();
  rates.flush();
  if (left === undefined) return 'a kill loses the flood';
  return (left.count ?? 0) * 2 >= count ? undefined : `${left.count} of ${count} are left`;
}

const manyRefs = fc.record({
  options: fc.array(
    longText.map((text) => text.replaceAll('\u0001', '')),
    { minLength: 1, maxLength: 40 },
  ),
  ref: fc.constantFrom('refs/heads/main', 'refs/tags/v1'),
});

function hidden(
  { options, ref }: { readonly options: readonly string[]; readonly ref: string },
  jsonOf: (event: AuditEvent) => string,
): Finding {
  const git = { repository: 'a/b', operation: 'push', refs: [{ ref, change: 'update' }], options } as const;
  const json = jsonOf({ ...base, git });
  const event = JSON.parse(json) as AuditEvent;
  if (Buffer.byteLength(json) > bytesMax) return 'too long';
  return event.git?.refs?.[0]?.ref === ref ? undefined : 'options pushed out the ref';
}

const ours = (event: AuditEvent): string => boundedEventJson(event, bytesMax);
/** What does not fit goes as a whole. */
const withoutGit = (event: AuditEvent): string => {
  const json = JSON.stringify(event);
  return Buffer.byteLength(json) <= bytesMax ? json : JSON.stringify({ ...event, git: undefined });
};

export const auditFlood: AttackTable = {
  'FLOOD-01': searched({
    seed: 2501,
    inputs: turns,
    ours: (sequence) => rated(sequence, (session) => session),
    naive: (sequence) => rated(sequence, () => 'all'),
  }),
  'FLOOD-02': searched({
    seed: 2502,
    inputs: fc.integer({ min: 0, max: 3000 }),
    runs: 100,
    ours: (used) => narrowed(used, (rates, session) => rates.overRate(session, 0) !== undefined),
    // A store that is full is full for all.
    naive: (used) => narrowed(used, () => used > 1000),
  }),
  'FLOOD-03': searched({
    seed: 2503,
    inputs: fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 100, max: 800 })),
    runs: 100,
    ours: ([count, room]) =>
      queued(count, room, (share, session, left) => share.over(session, left) !== undefined),
    naive: ([count, room]) => queued(count, room, () => false),
  }),
  'FLOOD-04': searched({
    seed: 2504,
    inputs: longEvent,
    ours: (fields) => stored(fields, ours),
    naive: (fields) => stored(fields, (event) => JSON.stringify(event)),
  }),
  'FLOOD-05': searched({
    seed: 2505,
    inputs: fc.integer({ min: 1000, max: 60_000 }),
    ours: (length) =>
      judgedByBeginning(length, (event) => {
        const recorded = recordedDecision(event);
        return typeof recorded === 'object' && recorded.partial === undefined;
      }),
    naive: (length) => judgedByBeginning(length, () => true),
  }),
  'FLOOD-06': searched({
    seed: 2506,
    inputs: floods,
    runs: 15,
    ours: (input) =>
      pruned(input, async ({ audit }, keepBytes, batch) => {
        while ((await audit.prune({ keepBytes, batch })) > 0);
      }),
    // The oldest go, whoever's they are.
    naive: (input) =>
      pruned(input, async ({ audit }) => {
        await audit.append(Array.from({ length: 1000 }, (_, i) => auditEntry(`new ${i}`, { timeMs: 5000 })));
        await audit.prune({ beforeMs: 5000, batch: 1000 });
      }),
  }),
  'FLOOD-07': searched({
    seed: 2507,
    inputs: fc.integer({ min: 1, max: 5000 }),
    runs: 100,
    ours: (count) => killed(count, true),
    naive: (count) => killed(count, false),
  }),
  'FLOOD-08': searched({
    seed: 2508,
    inputs: manyRefs,
    ours: (push) => hidden(push, ours),
    naive: (push) => hidden(push, withoutGit),
  }),
};
