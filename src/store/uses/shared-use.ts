// What an event used, said beside its JSON, so that whoever counts it need not read the JSON. Events that used the same share one object.

import type { AuditEvent } from '../../api/audit-event.ts';

/** Members of an event that went through, or was refused, as its JSON has them (`useFields`). */
export interface UsedFacts {
  readonly rule: string | undefined;
  readonly policyName: string | undefined;
  readonly observed: string | undefined;
  readonly injected: readonly string[] | undefined;
  readonly count: number | undefined;
}

/** Many rules and credentials take turns in a batch; with more than these some events share nothing. */
const knownMax = 16;

export class SharedUse {
  #known: readonly UsedFacts[] = [];

  /** Undefined where a failure is counted, with its trace, or nothing is. */
  of(event: AuditEvent): UsedFacts | undefined {
    const { kind, verdict, status, failedCredential } = event;
    const isPlain =
      (kind === 'exchange' || kind === 'stream') &&
      (verdict === 'allow' || verdict === 'deny') &&
      status !== 401 &&
      failedCredential === undefined;
    if (!isPlain) return undefined;
    for (const one of this.#known) if (isSame(one, event)) return one;
    const { rule, policyName, observed, injected, count } = event;
    // A copy: the list is the caller's.
    const used = { rule, policyName, observed, injected: injected && [...injected], count };
    this.#known = [used, ...this.#known.slice(0, knownMax - 1)];
    return used;
  }
}

function isSame(used: UsedFacts, event: AuditEvent): boolean {
  return (
    used.rule === event.rule &&
    used.policyName === event.policyName &&
    used.observed === event.observed &&
    used.count === event.count &&
    areSame(used.injected, event.injected)
  );
}

function areSame(one: UsedFacts['injected'], other: UsedFacts['injected']): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.length === other.length && one.every((name, at) => name === other[at]);
}

/** What the events of a batch used, in the form in which it goes to another thread: each object once. */
export interface BatchUsed {
  readonly facts: readonly UsedFacts[];
  /** For each event in its order which of them, from 1 on; 0 where its JSON says it. */
  readonly places: Uint16Array<ArrayBuffer>;
}

export function batchUsed(entries: readonly { readonly used?: UsedFacts }[]): BatchUsed {
  const numbers = new Map<UsedFacts, number>();
  const places = new Uint16Array(entries.length);
  for (let at = 0; at < entries.length; at += 1) {
    const used = entries[at]?.used;
    if (used === undefined) continue;
    let number = numbers.get(used);
    if (number === undefined) numbers.set(used, (number = numbers.size + 1));
    places[at] = number;
  }
  return { facts: [...numbers.keys()], places };
}
