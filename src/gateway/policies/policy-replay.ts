// What a policy would have decided of what was recorded, and where that differs.

import type { AuditEvent } from '../../api/audit-event.ts';
import { HeaderList } from '../../http/header-list.ts';
import { fieldKey } from '../../http/request-field-table.ts';
import { assumeSteps } from '../../policy/assumed-policy.ts';
import { allAtOnce, type Steps } from '../../policy/compare-reach.ts';
import { type CompiledPolicy, defaultDenyName } from '../../policy/compiled-policy.ts';
import type { Decision, Principal } from '../../policy/decision.ts';
import { describeAccess } from '../../policy/denial.ts';
import type { Rule } from '../../policy/rule.ts';
import { cutNote } from '../../api/cut-note.ts';
import { inTurns } from './in-turns.ts';
import { recordedDecision, type RecordedDecision } from './recorded-decision.ts';

/** Claims and posture of the sessions that are known. */
export interface ReplaySessions {
  get(id: string): Pick<Principal, 'claims' | 'posture'> | undefined;
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
      this.#skipped.add([recorded], { reason: recorded });
      return;
    }
    this.#replayed += 1;
    const request = describeAccess(recorded.access);
    if (recorded.partial !== undefined) {
      const { field, bytes } = recorded.partial;
      const reason = `only the beginning of its ${field} is recorded`;
      this.#unsure.add([request, field, String(bytes)], { request: `${request}${cutNote(bytes)}`, reason });
      return;
    }
    const decision = this.#judge.decide(recorded);
    if (typeof decision === 'string') this.#unsure.add([request, decision], { request, reason: decision });
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
    const key = [change, request, JSON.stringify(was), JSON.stringify(would)];
    this.#changes.add(key, { change, request, was, would, traceId: recorded.event.traceId });
  }

  result(): Replay {
    const all = this.#changes.list();
    const isFlip = ({ change }: { readonly change: Change }): boolean =>
      change !== 'rule' && change !== 'failed → deny';
    return {
      policyVersion: this.#policy.version,
      replayed: this.#replayed,
      unchanged: this.#unchanged,
      flips: all.filter(isFlip),
      others: all.filter((one) => !isFlip(one)),
      unsure: this.#unsure.list(),
      fieldsUnseen: this.#fieldsUnseen,
      notReplayed: this.#skipped.list(),
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
    const denial = this.#policy.decide(principal, { ...access, headers }, timeMs);
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
    const principal: Principal = {
      id: event.principal ?? '',
      sessionId: event.sessionId ?? '',
      claims: facts?.claims ?? {},
      posture: facts?.posture ?? [],
    };
    const [open, closed] = allAtOnce(this.prepareSteps(facts !== undefined));
    const decision = open.decide(principal, access, timeMs);
    if (decision.effect === 'allow' && decision.awaits !== undefined)
      return `depends on the refs of the push, which are not recorded: ${decision.rule.name}`;
    const ofField = this.#byField(decision, { event, access, timeMs }, principal);
    if (ofField !== undefined) return ofField;
    if (open === closed) return decision;
    const other = closed.decide(principal, access, timeMs);
    if (JSON.stringify(outcomeOf(decision)) === JSON.stringify(outcomeOf(other))) return decision;
    const what =
      facts === undefined ? 'the claims and posture of its session' : 'its header fields or its body';
    return `depends on ${what}, which are not recorded: ${nameOf(decision)} or ${nameOf(other)}`;
  }
}

function nameOf({ effect, rule }: Decision): string {
  return `${effect} by ${rule.name}`;
}

/** Counts equal things, and lists them with the most frequent first. */
class Groups<T extends object> {
  readonly #groups = new Map<string, { readonly value: T; count: number }>();

  add(key: readonly string[], value: T): void {
    const group = this.#groups.get(JSON.stringify(key));
    if (group === undefined) this.#groups.set(JSON.stringify(key), { value, count: 1 });
    else group.count += 1;
  }

  list(): readonly (T & { readonly count: number })[] {
    return [...this.#groups.entries()]
      .toSorted(([keyA, a], [keyB, b]) => b.count - a.count || (keyA < keyB ? -1 : 1))
      .map(([, { value, count }]) => Object.assign({}, value, { count }));
  }
}
