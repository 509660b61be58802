// Whether a policy never allows what is asked about, or only what another one allows: over every host, port, method and path.

import { bracketed } from '../../http/authority.ts';
import { HeaderList } from '../../http/header-list.ts';
import { allAtOnce, type Steps } from '../compare-reach.ts';
import type { CompiledPolicy } from '../compiled-policy.ts';
import { BoundPolicies, ceilingName, mainName } from '../bound-policies.ts';
import type { AccessRequest, Decision, RequestAccess } from '../decision.ts';
import {
  type Fitting,
  type FittingRule,
  asksOthers,
  fittingRules,
  pathRulesOf,
  principalOf,
  type ProofAsker,
  type RequestClass,
} from './fitting-rules.ts';
import {
  allowsPath,
  areReadTogether,
  matchesIn,
  allReadings,
  type PathGoal,
  type PathRules,
} from './path-goal.ts';
import { type PathResult, pathSearchSteps } from './path-search.ts';
import { anyRequest, type ProofQuestion } from './proof-question.ts';
import { hostsFor, methodsFor, portsFor, timesFor } from './request-classes.ts';

/** What is proven, of policies that all have to allow: one, or one below a ceiling. */
export interface ProofTask {
  readonly policies: readonly CompiledPolicy[];
  readonly claim:
    | { readonly kind: 'never'; readonly question: ProofQuestion; readonly grants: boolean }
    /** Nothing but what this policy allows. */
    | { readonly kind: 'only'; readonly bound: CompiledPolicy };
  readonly asker: ProofAsker;
  readonly nowMs: number;
  /** How many states of paths are looked at, in all. */
  readonly statesMax: number;
}

/** A request that the claim is wrong about. */
export interface Counterexample {
  readonly method: string;
  readonly url: string;
  /** From when on it is so; undefined: now. */
  readonly fromMs: number | undefined;
  /** What has to hold for it beside the request itself; empty: nothing. */
  readonly needs: readonly string[];
}

export type ProofResult =
  | { readonly kind: 'proven'; readonly classes: number }
  | { readonly kind: 'counterexample' | 'possible'; readonly example: Counterexample }
  | { readonly kind: 'inconclusive'; readonly why: string };

/** What has to be so for a request to be a counterexample: nothing, what a rule asks for, or somebody's grant. */
type Reach = 'certain' | 'possible' | 'granted';

export function provePolicy(task: ProofTask): ProofResult {
  return allAtOnce(proofSteps(task));
}

/** The same in steps, each of which says how much it was: of classes, and of steps of paths that were looked at. */
export function* proofSteps(task: ProofTask): Steps<ProofResult> {
  const tooMany: ProofResult = {
    kind: 'inconclusive',
    why: `the hosts, ports and methods of the rules make more than ${task.statesMax} requests to be told apart, each counted once for each of its rules; ask about fewer of them`,
  };
  let [classes, weight] = [0, 0];
  // One at a time: together they can be more than there is memory for.
  for (const group of groupsOf(task)) {
    classes += group.count;
    weight += group.weight;
    yield 1;
    if (weight > task.statesMax) return tooMany;
  }
  const proof = new Proof(task);
  const reaches: readonly Reach[] =
    task.claim.kind === 'never' && task.claim.grants
      ? ['certain', 'possible', 'granted']
      : ['certain', 'possible'];
  for (const reach of reaches)
    for (const group of groupsOf(task))
      for (const one of classesOf(group)) {
        const result = yield* proof.look(one, reach);
        if (result !== undefined) return result;
        yield 1;
      }
  const { doubtful } = proof;
  if (doubtful !== undefined)
    return {
      kind: 'inconclusive',
      why: `${doubtful} has paths that are read in several ways beside others; give each of them a rule of its own, without optional parts`,
    };
  return { kind: 'proven', classes };
}

/** The requests to one host that are asked about, one for all that no policy tells apart. */
interface ClassGroup {
  readonly host: string;
  readonly schemes: readonly RequestClass['destination']['scheme'][];
  readonly ports: readonly number[];
  readonly methods: readonly string[];
  readonly times: readonly number[];
  readonly count: number;
  /** Each as often as it has rules. */
  readonly weight: number;
}

function* groupsOf({ policies, claim, nowMs }: ProofTask): Generator<ClassGroup> {
  const question = claim.kind === 'never' ? claim.question : anyRequest;
  const all = claim.kind === 'never' ? policies : [...policies, claim.bound];
  for (const host of hostsFor(all, question.host)) {
    const rules = all.flatMap((policy) => policy.candidates(host).flat());
    const ports = portsFor(rules, question.port);
    const methods = methodsFor(rules, question.method);
    const times = timesFor(rules, nowMs);
    const { schemes } = question;
    const count = schemes.length * ports.length * methods.length * times.length;
    yield { host, schemes, ports, methods, times, count, weight: count * Math.max(1, rules.length) };
  }
}

function* classesOf({ host, schemes, ports, methods, times }: ClassGroup): Generator<RequestClass> {
  for (const scheme of schemes)
    for (const port of ports)
      for (const method of methods)
        for (const atMs of times) yield { destination: { scheme, host, port }, method, atMs };
}

class Proof {
  readonly #task: ProofTask;
  /** What was found for rules that are alike: most classes of requests differ in no rule. */
  readonly #known = new Map<string, PathResult>();
  readonly #numbers = new Map<object, number>();
  #left: number;
  /** A rule that may allow more than was found. */
  #doubtful: FittingRule | undefined;

  constructor(task: ProofTask) {
    this.#task = task;
    this.#left = task.statesMax;
  }

  /** Names a rule that may allow more than was found. */
  get doubtful(): string | undefined {
    return this.#doubtful === undefined ? undefined : nameOf(this.#doubtful);
  }

  /** Undefined: nothing of this class is a counterexample. */
  *look(one: RequestClass, reach: Reach): Steps<ProofResult | undefined> {
    const { policies, claim, asker } = this.#task;
    const fittings = policies.map((policy) => fittingRules(policy, one, asker));
    const mode = reach === 'certain' ? 'certain' : 'possible';
    // A grant opens what the policy of a session closes, below the ceiling.
    const allowing = fittings.map((fitting, i) => pathRulesOf(fitting, mode, reach === 'granted' && i === 0));
    const bound = claim.kind === 'only' ? fittingRules(claim.bound, one, asker) : undefined;
    const against = mode === 'certain' ? 'possible' : 'certain';
    const refusing = bound === undefined ? undefined : pathRulesOf(bound, against);
    const question =
      claim.kind === 'never' && claim.question.path !== undefined ? [claim.question.path] : undefined;
    const goal: PathGoal = { question, allowing, refusing };
    const result = yield* this.#search(goal);
    if (result.kind === 'none') {
      const allows = fittings.flatMap((fitting) => fitting.allows);
      this.#doubtful ??= allows.find(({ rule }) => !areReadTogether(rule.paths));
      return undefined;
    }
    if (result.kind === 'too-many')
      return {
        kind: 'inconclusive',
        why: `the paths of the rules for ${one.destination.host} are too many to be told apart; ask about fewer hosts or paths`,
      };
    return this.#told(one, result.path, { fittings, allowing, bound, reach });
  }

  *#search(goal: PathGoal): Steps<PathResult> {
    const key = this.#keyOf(goal);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const { result, states } = yield* pathSearchSteps(goal, this.#left);
    this.#left -= states;
    this.#known.set(key, result);
    return result;
  }

  #keyOf({ allowing, refusing }: PathGoal): string {
    const numberOf = (one: object | undefined): number => {
      if (one === undefined) return -1;
      const number = this.#numbers.get(one) ?? this.#numbers.size;
      this.#numbers.set(one, number);
      return number;
    };
    const text = ({ allows, denies, isOpen }: PathRules): string =>
      `${allows.map(numberOf).join()};${denies.map(numberOf).join()};${String(isOpen)}`;
    return [...allowing.map(text), refusing === undefined ? '' : text(refusing)].join('|');
  }

  #told(
    { destination, method, atMs }: RequestClass,
    path: string,
    found: {
      readonly fittings: readonly Fitting[];
      readonly allowing: readonly PathRules[];
      readonly bound: Fitting | undefined;
      readonly reach: Reach;
    },
  ): ProofResult {
    const { scheme, host, port } = destination;
    const usual = scheme === 'http' ? 80 : 443;
    const url = `${scheme}://${bracketed(host)}${port === usual ? '' : `:${String(port)}`}${path}`;
    const fromMs = atMs === this.#task.nowMs ? undefined : atMs;
    const needs = [
      ...found.fittings.flatMap((fitting) => needsOf(fitting, path)),
      ...(found.bound === undefined ? [] : lacksOf(found.bound, path)),
    ];
    const example = { method, url, fromMs, needs };
    if (found.reach === 'granted') {
      const needsGrant = [...needs, 'somebody grants a request for access'];
      return { kind: 'possible', example: { ...example, needs: needsGrant } };
    }
    if (found.reach === 'possible') return { kind: 'possible', example };
    const access: RequestAccess = {
      depth: 'request',
      destination,
      method,
      path,
      query: '',
      headers: new HeaderList(),
    };
    const decision = this.#decide(access, atMs, found.fittings);
    // Beyond hosts and paths a ceiling can say more of what a rule below it gives, such as a credential.
    if (decision.effect === 'deny')
      return {
        kind: 'possible',
        example: { ...example, needs: [`this does not hold: ${decision.operatorReason}`] },
      };
    return { kind: 'counterexample', example: { ...example, needs: [] } };
  }

  #decide(access: RequestAccess, atMs: number, fittings: readonly Fitting[]): Decision {
    const [main, ceiling] = this.#task.policies;
    if (main === undefined) throw new TypeError('a proof is about a policy');
    const policy =
      ceiling === undefined
        ? main
        : new BoundPolicies('proof', [
            { name: mainName, policy: main },
            { name: ceilingName, policy: ceiling },
          ]);
    const isBlind = fittings.some(({ blindness }) => blindness === 'yes');
    const asked: AccessRequest = isBlind ? { depth: 'connect', destination: access.destination } : access;
    return policy.decide(principalOf(this.#task.asker), asked, atMs);
  }
}

/** What has to hold so that the rules let the path through. */
function needsOf({ allows, denies, blind, blindness, observed }: Fitting, path: string): readonly string[] {
  if (blind !== undefined && blindness !== 'no')
    return blind.unknown.length === 0
      ? [`${nameOf(blind)} passes the connection on unopened`]
      : [`${nameOf(blind)} passes the connection on unopened, if ${saidOf(blind)} holds`];
  const against = denies.filter(({ rule }) =>
    allReadings.some((reading) => matchesIn(rule.paths, path, reading)),
  );
  const closed = against.map((one) => `${nameOf(one)} does not deny it: ${saidOf(one)} does not hold`);
  const opened = allows.filter(({ rule }) => isAllowedBy(rule.paths, path));
  const [first] = opened.toSorted((a, b) => a.unknown.length - b.unknown.length);
  if (first === undefined)
    return observed === 'no' ? closed : [...closed, 'the session is one that is observed'];
  const asked = allows
    .filter((one) => one !== first && asksOthers(one.rule) && one.rule.order < first.rule.order)
    .map((one) => `${nameOf(one)} does not decide it, or whom it asks allows it`);
  return first.unknown.length === 0
    ? [...closed, ...asked]
    : [...closed, ...asked, `${nameOf(first)} allows it: ${saidOf(first)} holds`];
}

/** What has to hold so that the bound does not. */
function lacksOf({ allows, denies }: Fitting, path: string): readonly string[] {
  const opened = allows.filter(({ rule, unknown }) => unknown.length > 0 && isAllowedBy(rule.paths, path));
  const against = denies.filter(
    ({ rule, unknown }) =>
      unknown.length > 0 && allReadings.some((reading) => matchesIn(rule.paths, path, reading)),
  );
  return [
    ...opened.map((one) => `in the bound, ${nameOf(one)} does not allow it: ${saidOf(one)} does not hold`),
    ...against.map((one) => `in the bound, ${nameOf(one)} denies it: ${saidOf(one)} holds`),
  ];
}

function isAllowedBy(paths: FittingRule['rule']['paths'], path: string): boolean {
  return allowsPath({ allows: [paths], denies: [], isOpen: false }, path);
}

function nameOf({ rule: { reference } }: FittingRule): string {
  const { name, place } = reference;
  return place === undefined ? `the rule ${name}` : `the rule ${name} (${place})`;
}

function saidOf({ unknown }: FittingRule): string {
  return unknown.map((key) => `\`${key}\``).join(' and ');
}
