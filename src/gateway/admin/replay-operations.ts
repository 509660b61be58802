// Replay: which of the newest recorded requests another policy would decide otherwise. Bounded, and ended with who asks.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OutputOf } from '../../api/admin/routes.ts';
import type { Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { PolicyReplay, type ReplaySessions } from '../policies/policy-replay.ts';
import { recallSession } from '../sessions/recalled-session.ts';
import { type AdminParts, type Asked, given, type Handlers } from './admin-parts.ts';
import { readEither } from './published-operations.ts';

const countDefault = 5000;
/** Events of one question to the store; between two the loop serves others. */
const batchEvents = 500;
/** Decisions between two turns of the loop: about a millisecond. */
const turnEvents = 50;
const groupsShown = 200;

export const replayOperations: Handlers<'replayPolicy'> = {
  replayPolicy: async (parts, asked) => {
    const release = parts.policyReads.beginReplay();
    try {
      return await replay(parts, asked);
    } finally {
      release();
    }
  },
};

async function replay(parts: AdminParts, asked: Asked<'replayPolicy'>): Promise<OutputOf<'replayPolicy'>> {
  const { body } = asked;
  const policy = await readEither(parts, body);
  const sessions = new RecalledSessions(parts);
  const judged = new PolicyReplay(policy, sessions);
  const searchedTo = await noteEvents(parts, asked, { judged, sessions });
  const { flips, others, unsure, notReplayed, replayed, unchanged, fieldsUnseen } = judged.result();
  return {
    policy: policy.version,
    ...given('searchedTo', searchedTo),
    replayed,
    unchanged,
    flipped: flips.reduce((sum, { count }) => sum + count, 0),
    flips: flips.slice(0, groupsShown),
    others: others.slice(0, groupsShown),
    notReplayed: notReplayed.slice(0, groupsShown),
    unsure: unsure.slice(0, groupsShown),
    fieldsUnseen,
  };
}

interface Judging {
  readonly judged: PolicyReplay;
  readonly sessions: RecalledSessions;
}

/** Up to which time it looked; undefined: nothing is older, or nothing younger than `since`. */
async function noteEvents(
  { store }: AdminParts,
  { body, signal }: Asked<'replayPolicy'>,
  { judged, sessions }: Judging,
): Promise<string | undefined> {
  const { count: max = countDefault, since } = body;
  const sinceMs = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since);
  let beforeId: string | undefined;
  let last: string | undefined;
  for (let noted = 0; noted < max;) {
    const limit = Math.min(batchEvents, max - noted);
    const events = await store.audit.query({ ...given('beforeId', beforeId), limit, order: 'newest' });
    await sessions.recall(events.map(({ sessionId }) => sessionId));
    const isKnown = new Set(events.map(({ sessionId }) => sessions.get(sessionId ?? '') !== undefined));
    for (const one of isKnown) await judged.prepare(one);
    for (const event of events) {
      if (Date.parse(event.time) < sinceMs) return undefined;
      judged.note(event);
      noted += 1;
      last = event.time;
      if (noted % turnEvents !== 0) continue;
      await nextTurn();
      if (signal.aborted) throw new ProxyError('cancelled', 'who asked has gone');
    }
    if (events.length < limit) return undefined;
    beforeId = events.at(-1)?.id;
  }
  return last;
}

/** Claims and posture of the sessions of a batch, each asked for once as far as they are remembered. */
class RecalledSessions implements ReplaySessions {
  readonly #parts: AdminParts;
  readonly #known = new Map<string, Pick<Principal, 'claims' | 'posture'> | undefined>();

  constructor(parts: AdminParts) {
    this.#parts = parts;
  }

  async recall(ids: readonly (string | undefined)[]): Promise<void> {
    if (this.#known.size >= defaultLimits.adminRememberedSessionsMax) this.#known.clear();
    for (const id of new Set(ids)) {
      if (id === undefined || this.#known.has(id)) continue;
      this.#known.set(id, await recallSession(this.#parts.store, id));
    }
  }

  get(id: string): Pick<Principal, 'claims' | 'posture'> | undefined {
    return this.#known.get(id);
  }
}
