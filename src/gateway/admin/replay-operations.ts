// Replay: which recorded requests another policy would decide otherwise, of the newest events or of the whole audit. Bounded, and ended with
// who asks.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OutputOf } from '../../api/admin/routes.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import { PolicyReplay } from '../policies/policy-replay.ts';
import { RecalledSessions } from '../sessions/recalled-session.ts';
import { type AdminParts, type Asked, given, type Handlers, isoTime } from './admin-parts.ts';
import { readEither } from './published-operations.ts';
import { WholeLook } from './whole-audit.ts';

const countDefault = 5000;
/** Events of one question to the store; between two the loop serves others. */
const batchEvents = 500;
/** Decisions between two turns of the loop: about a millisecond. */
const turnEvents = 50;
const groupsShown = 200;
/** Of the whole audit, which one looks at once. */
const wholeGroupsShown = 1000;

export const replayOperations: Handlers<'replayPolicy'> = {
  replayPolicy: async (parts, { body, signal }) => {
    using _slot = parts.policyReads.beginReplay();
    const { count: max = countDefault, since } = body;
    const replay = newReplay(parts, await readEither(parts, body));
    const walk = walked(parts, { ...replay, max, since, look: new WholeLook(signal) });
    let last: Walked = { looked: 0, searchedTo: undefined };
    for await (const one of walk) last = one;
    const searchedTo = last.isWhole === true ? undefined : last.searchedTo;
    return resultOf(replay, { searchedTo, shown: groupsShown });
  },
};

type Progress = OutputOf<'replayWhole'>;

/** What is told of a replay over all that is kept. The policy is read before the first of it. @throws ProxyError */
export async function openWholeReplay(
  parts: AdminParts,
  { body }: Asked<'replayWhole'>,
  signal: AbortSignal,
): Promise<AsyncGenerator<Progress>> {
  const look = new WholeLook(signal);
  return wholeReplay(parts, { policy: await readEither(parts, body), since: body.since }, look);
}

async function* wholeReplay(
  parts: AdminParts,
  { policy, since }: { readonly policy: CompiledPolicy; readonly since: string | undefined },
  look: WholeLook,
): AsyncGenerator<Progress> {
  const [first] = await parts.store.audit.query({ limit: 1 });
  const oldest = [first?.time, since].filter((one) => one !== undefined).map((one) => Date.parse(one));
  const reach = given('oldest', oldest.length === 0 ? undefined : isoTime(Math.max(...oldest)));
  const replay = newReplay(parts, policy);
  let looked = 0;
  for await (const one of walked(parts, { ...replay, max: Number.POSITIVE_INFINITY, since, look })) {
    ({ looked } = one);
    if (look.isTimeToTell()) yield { looked, ...given('searchedTo', one.searchedTo), ...reach };
    await look.rest();
  }
  yield { looked, ...reach, result: resultOf(replay, { shown: wholeGroupsShown }) };
}

interface Replaying {
  readonly policy: CompiledPolicy;
  readonly judged: PolicyReplay;
  readonly sessions: RecalledSessions;
}

function newReplay(parts: AdminParts, policy: CompiledPolicy): Replaying {
  const sessions = new RecalledSessions(parts.store);
  return { policy, sessions, judged: new PolicyReplay(policy, sessions) };
}

function resultOf(
  { policy, judged }: Replaying,
  { searchedTo, shown }: { readonly searchedTo?: string | undefined; readonly shown: number },
): OutputOf<'replayPolicy'> {
  const { flipped, flips, others, unsure, notReplayed, replayed, unchanged, fieldsUnseen } = judged.result();
  return {
    policy: policy.version,
    ...given('searchedTo', searchedTo),
    replayed,
    unchanged,
    flipped,
    flips: flips.slice(0, shown),
    others: others.slice(0, shown),
    notReplayed: notReplayed.slice(0, shown),
    unsure: unsure.slice(0, shown),
    fieldsUnseen,
  };
}

interface Walk extends Replaying {
  readonly max: number;
  readonly since: string | undefined;
  readonly look: WholeLook;
}

interface Walked {
  readonly looked: number;
  readonly searchedTo: string | undefined;
  /** Nothing is older, or nothing younger than `since`. */
  readonly isWhole?: true;
}

/** The newest first, a batch at a time. @throws ProxyError cancelled */
async function* walked(
  { store }: AdminParts,
  { judged, sessions, max, since, look }: Walk,
): AsyncGenerator<Walked> {
  const sinceMs = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since);
  let beforeId: string | undefined;
  let searchedTo: string | undefined;
  for (let looked = 0; looked < max;) {
    const limit = Math.min(batchEvents, max - looked);
    const events = await store.audit.query({ ...given('beforeId', beforeId), limit, order: 'newest' });
    await sessions.recall(events.map(({ sessionId }) => sessionId));
    const isKnown = new Set(events.map(({ sessionId }) => sessions.get(sessionId ?? '') !== undefined));
    for (const one of isKnown) await judged.prepare(one);
    for (const event of events) {
      if (Date.parse(event.time) < sinceMs) {
        yield { looked, searchedTo, isWhole: true };
        return;
      }
      judged.note(event);
      looked += 1;
      searchedTo = event.time;
      if (looked % turnEvents !== 0) continue;
      await nextTurn();
      look.requireAsker();
    }
    beforeId = events.at(-1)?.id;
    const isWhole = events.length < limit ? ({ isWhole: true } as const) : {};
    yield { looked, searchedTo, ...isWhole };
    if (events.length < limit) return;
  }
}
