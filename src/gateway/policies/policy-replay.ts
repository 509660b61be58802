// What a policy would have decided of what was recorded, and where that differs.

import type { AuditEvent } from '../../api/audit-event.ts';
import { HeaderList } from '../../http/header-list.ts';
import { fieldKey } from '../../http/request-field-table.ts';
import { assumeSteps } from '../../policy/assumed-policy.ts';
import { allAtOnce, type Steps } from '../../policy/compare-reach.ts';
import { CompiledPolicy, defaultDenyName } from '../../policy/compiled-policy.ts';
import type { AwaitedPart, Decision, Policy, Principal } from '../../policy/decision.ts';
import { describeAccess } from '../../policy/denial.ts';
import { NarrowedPolicy } from '../../policy/narrowed-policy.ts';
import type { Rule } from '../../policy/rule.ts';
import { cutNote } from '../../api/cut-note.ts';
import { hostField } from '../../http/authority.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { inTurns } from './in-turns.ts';
import { recordedDecision, type RecordedDecision } from './recorded-decision.ts';

/** Claims and posture of the sessions that are known, and what they were narrowed by. */
export interface ReplaySessions {
  get(id: string): ReplayedSession | undefined;
}

interface ReplayedSession extends Pick<Principal, 'claims' | 'posture' | 'narrowed'> {
  /** Nobody knows any more what it was narrowed by. */
  readonly isNarrowingGone?: true;
}

export type Change = 'allow → deny' | 'deny → allow' | 'injection' | 'rule' | 'failed → deny';

/** Requests that change in the same way. */
export interface ChangeGroup {
  readonly change: Change;
  /** `GET https://api.example.com/x`, without the query. */
  readonly request: string;
  readonly was: Outcome;
  readonly would: Outcome;
  readonly count: number;
  /** Of the first event. */
  readonly traceId: string;
}

export interface Outcome {
  readonly effect: 'allow' | 'deny' | 'failed';
  readonly rule: string;
  readonly injected: readonly string[];
}

export interface UnsureGroup {
  readonly request: string;
  readonly reason: string;
  readonly count: number;
}

export interface Replay {
  readonly policyVersion: string;
  /** Events that hold a decision. */
  readonly replayed: number;
  readonly unchanged: number;
  /** How many requests flip. */
  readonly flipped: number;
  /** Requests whose decision, or whose credentials, differ. */
  readonly flips: readonly ChangeGroup[];
  /** The same decision by another rule, or refused by something else then. */
  readonly others: readonly ChangeGroup[];
  /** Requests about which the recorded facts do not say enough. */
  readonly unsure: readonly UnsureGroup[];
  /** Requests that are allowed by a rule which refuses some request fields: whether they had one is not recorded. */
  readonly fieldsUnseen: number;
  readonly notReplayed: readonly { readonly reason: string; readonly count: number }[];
}

/** Decides every recorded request again, with the session's facts and at the time of the event; what is kept is what differs. */
export class PolicyReplay {
  readonly #policy: CompiledPolicy;
  readonly #judge: Judge;
  readonly #changes = new Groups<Omit<ChangeGroup, 'count'>>();
  readonly #unsure = new Groups<Omit<UnsureGroup, 'count'>>();
  readonly #skipped = new Groups<{ readonly reason: string }>();
  #replayed = 0;
  #unchanged = 0;
  #fieldsUnseen = 0;

  constructor(policy: CompiledPolicy, sessions: ReplaySessions) {
    this.#policy = policy;
    this.#judge = new Judge(policy, sessions);
  }

  /** Makes in turns with what is served what `note` would make at once, for events of sessions that are known or are not. */
  async prepare(isSessionKnown: boolean): Promise<void> {
    await inTurns(this.#judge.prepareSteps(isSessionKnown));
  }

  note(event: AuditEvent): void {
    const recorded = recordedDecision(event);
    if (recorded === undefined) return;
    if (typeof recorded === 'string') {
      this.#skipped.add([{ key: [recorded], value: { reason: recorded } }]);
      return;
    }
    this.#replayed += 1;
    const request = describeAccess(recorded.access);
    if (recorded.partial !== undefined) {
      const { field, bytes } = recorded.partial;
      const reason = `only the beginning of its ${field} is recorded`;
      this.#unsure.add([
        { key: [request, field, String(bytes)], value: { request: `${request}${cutNote(bytes)}`, reason } },
        ...coarser(recorded, [], { reason }),
      ]);
      return;
    }
    const decision = this.#judge.decide(recorded);
    if (typeof decision === 'string')
      this.#unsure.add([
        { key: [request, decision], value: { request, reason: decision } },
        ...coarser(recorded, [], { reason: decision }),
      ]);
    else this.#compare(recorded, request, decision);
  }

  #compare(recorded: RecordedDecision, request: string, decision: Decision): void {
    if (this.#judge.refusesFields(decision, recorded)) this.#fieldsUnseen += 1;
    const { effect, rule, injected } = recorded;
    const was = { effect, rule, injected: injected.toSorted() };
    const would = outcomeOf(decision);
    const change = changeOf(was, would);
    if (change === undefined) {
      this.#unchanged += 1;
      return;
    }
    const value = { change, request, was, would, traceId: recorded.event.traceId };
    this.#changes.add([
      { key: [change, request, JSON.stringify(was), JSON.stringify(would)], value },
      ...coarser(recorded, [change], value),
    ]);
  }

  result(): Replay {
    const all = this.#changes.list();
    const isFlip = ({ change }: { readonly change: Change }): boolean =>
      change !== 'rule' && change !== 'failed → deny';
    const flips = all.filter(isFlip);
    return {
      policyVersion: this.#policy.version,
      replayed: this.#replayed,
      unchanged: this.#unchanged,
      flipped: flips.reduce((sum, { count }) => sum + count, 0),
      flips,
      others: all.filter((one) => !isFlip(one)),
      notReplayed: this.#skipped.list(),
      unsure: this.#unsure.list(),
      fieldsUnseen: this.#fieldsUnseen,
    };
  }
}

function outcomeOf(decision: Decision): Outcome {
  const inject = decision.effect === 'allow' ? decision.inject : [];
  return {
    effect: decision.effect,
    rule: decision.rule.name,
    injected: inject.map(({ credential }) => credential).toSorted(),
  };
}

function changeOf(was: Outcome, would: Outcome): Change | undefined {
  if (would.effect === 'deny') {
    if (was.effect === 'failed') return 'failed → deny';
    // A grant for a time opens what no rule allows, whatever the policy is.
    if (was.rule.startsWith('access-grant:') && would.rule === defaultDenyName) return undefined;
    if (was.effect === 'allow') return 'allow → deny';
    return was.rule === would.rule ? undefined : 'rule';
  }
  if (was.effect === 'deny') return 'deny → allow';
  // What failed may have failed before it got its credentials.
  if (was.effect === 'allow' && was.injected.join() !== would.injected.join()) return 'injection';
  return was.rule === would.rule ? undefined : 'rule';
}

/** As open, and as closed, as what is missing could make it. */
type Assumed = readonly [CompiledPolicy, CompiledPolicy];

/** Decides by the policy, where facts are missing by what they could have been. */
class Judge {
  readonly #policy: CompiledPolicy;
  readonly #sessions: ReplaySessions;
  /** By whether the session is known. Most replays need one of both. */
  readonly #assumed = new Map<boolean, Assumed>();
  readonly #narrowings = new AssumedNarrowings();

  constructor(policy: CompiledPolicy, sessions: ReplaySessions) {
    this.#policy = policy;
    this.#sessions = sessions;
  }

  *prepareSteps(session: boolean): Steps<Assumed> {
    const made = this.#assumed.get(session);
    if (made !== undefined) return made;
    const known = { session, headers: false };
    const open = yield* assumeSteps(this.#policy, known, 'open');
    const pair = [open, yield* assumeSteps(this.#policy, known, 'closed')] as const;
    this.#assumed.set(session, pair);
    return pair;
  }

  /** Whether a field that is not recorded could have made it a denial. What the same policy allowed then had none. */
  refusesFields(decision: Decision, { event, access }: RecordedDecision): boolean {
    if (decision.effect === 'deny' || access.depth === 'connect') return false;
    return this.#fieldsOf(decision) !== undefined && event.policyVersion !== this.#policy.version;
  }

  /** Of a request that was refused for a field: the denial, where the name of the field says it, or that it cannot be told. */
  #byField(
    decision: Decision,
    { event, access, timeMs }: Pick<RecordedDecision, 'event' | 'access' | 'timeMs'>,
    principal: Principal,
  ): Decision | string | undefined {
    const { deniedField } = event;
    if (deniedField === undefined || decision.effect === 'deny' || access.depth === 'connect')
      return undefined;
    const headers = new HeaderList([[deniedField, '']]);
    const denial = new NarrowedPolicy(this.#policy).decide(principal, { ...access, headers }, timeMs);
    const isByName = this.#fieldsOf(decision)?.named.has(fieldKey(deniedField)) !== true;
    if (denial.effect === 'deny' && isByName) return denial;
    return `depends on its field ${deniedField}, for which it was refused, and whose value is not recorded: ${nameOf(decision)}`;
  }

  #fieldsOf({ rule }: Decision): Rule['requestFields'] {
    return this.#policy.rules.find(({ reference }) => reference.name === rule.name)?.requestFields;
  }

  /** The decision; a string says which facts it would take. */
  decide({ event, access, timeMs }: RecordedDecision): Decision | string {
    const facts = this.#sessions.get(event.sessionId ?? '');
    if (facts?.isNarrowingGone === true)
      return 'depends on the policy that its session was narrowed by, which is not kept';
    const principal: Principal = {
      id: event.principal ?? '',
      sessionId: event.sessionId ?? '',
      claims: facts?.claims ?? {},
      posture: facts?.posture ?? [],
      ...(facts?.narrowed === undefined ? {} : { narrowed: facts.narrowed }),
    };
    const [open, closed] = allAtOnce(this.prepareSteps(facts !== undefined));
    const [whoOpen, whoClosed] = this.#narrowings.of(principal);
    const decision = new NarrowedPolicy(open).decide(whoOpen, access, timeMs);
    if (decision.effect === 'allow' && decision.awaits !== undefined)
      return `depends on ${notRecorded[decision.awaits]} not recorded: ${decision.rule.name}`;
    const ofField = this.#byField(decision, { event, access, timeMs }, principal);
    if (ofField !== undefined) return ofField;
    if (open === closed && whoOpen === whoClosed) return decision;
    const other = new NarrowedPolicy(closed).decide(whoClosed, access, timeMs);
    if (JSON.stringify(outcomeOf(decision)) === JSON.stringify(outcomeOf(other))) return decision;
    const what =
      facts === undefined ? 'the claims and posture of its session' : 'its header fields or its body';
    return `depends on ${what}, which are not recorded: ${nameOf(decision)} or ${nameOf(other)}`;
  }
}

/** What sessions were narrowed by, as open and as closed as what is not recorded could make it. */
class AssumedNarrowings {
  readonly #made = new WeakMap<Policy, readonly [Policy, Policy]>();

  /** The same one twice where nothing is missing. */
  of(principal: Principal): readonly [open: Principal, closed: Principal] {
    const { narrowed } = principal;
    if (narrowed === undefined) return [principal, principal];
    const made = narrowed.steps.map(({ policy }) => this.#of(policy));
    if (made.every(([open, closed]) => open === closed)) return [principal, principal];
    const by = (side: 0 | 1): Principal => {
      const steps = narrowed.steps.map((step, i) => ({ ...step, policy: made[i]?.[side] ?? step.policy }));
      return { ...principal, narrowed: { ...narrowed, steps } };
    };
    return [by(0), by(1)];
  }

  #of(policy: Policy): readonly [Policy, Policy] {
    if (!(policy instanceof CompiledPolicy)) return [policy, policy];
    const known = { session: true, headers: false };
    const made = this.#made.get(policy) ?? [
      allAtOnce(assumeSteps(policy, known, 'open')),
      allAtOnce(assumeSteps(policy, known, 'closed')),
    ];
    this.#made.set(policy, made);
    return made;
  }
}

function nameOf({ effect, rule }: Decision): string {
  return `${effect} by ${rule.name}`;
}

/** What a thing is counted as. */
interface Kind<T> {
  readonly key: readonly string[];
  readonly value: T;
}

const restText = 'other requests, which are too many to be told apart';

/**
 * What a request is counted as where there are too many to tell each apart: by its host, then all together, with the outcome of the first. `kind`
 * is told apart all the same, and has few values.
 */
function coarser<Rest extends object>(
  { access }: RecordedDecision,
  kind: readonly string[],
  rest: Rest,
): readonly Kind<Rest & { readonly request: string }>[] {
  const { destination } = access;
  const method = access.depth === 'request' ? `${access.method} ` : '';
  const ofHost = `${method}${destination.scheme}://${hostField(destination)}/…`;
  return [ofHost, restText].map((request) => ({
    key: [...kind, request],
    value: Object.assign({}, rest, { request }),
  }));
}

/** Counts equal things, and lists them with the most frequent first. What it holds is bounded, whatever is counted. */
class Groups<T extends object> {
  readonly #groups = new Map<string, { readonly value: T; count: number }>();

  /** As the first of these that is counted already, or for which there is room: each next one has as much more, and the last one always. */
  add(kinds: readonly Kind<T>[]): void {
    let max = defaultLimits.replayGroupsMax;
    for (const [at, { key, value }] of kinds.entries()) {
      const text = JSON.stringify(key);
      const group = this.#groups.get(text);
      if (group !== undefined) {
        group.count += 1;
        return;
      }
      if (this.#groups.size < max || at === kinds.length - 1) {
        this.#groups.set(text, { value, count: 1 });
        return;
      }
      max += defaultLimits.replayGroupsMax;
    }
  }

  list(): readonly (T & { readonly count: number })[] {
    return [...this.#groups.entries()]
      .toSorted(([keyA, a], [keyB, b]) => b.count - a.count || (keyA < keyB ? -1 : 1))
      .map(([, { value, count }]) => Object.assign({}, value, { count }));
  }
}

const notRecorded: Readonly<Record<AwaitedPart, string>> = {
  'git-commands': 'the refs of the push, which are',
  body: 'its body, which is',
  graphql: 'its operations of GraphQL, which are',
  publication: 'what its body publishes, which is',
  'publish-times': 'when the version came out, which is',
  provenance: 'how the version was built, which is',
};
