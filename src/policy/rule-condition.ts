// Whether a condition holds for a request in all the ways in which origins may read its path and its query.

import { type Parameters, readParameters } from '../http/query-parameter.ts';
import type { ConditionGuard } from './condition-guard.ts';
import type { AccessRequest, Principal, RequestAccess } from './decision.ts';
import { jsonReadings } from './json-readings.ts';
import { readingsOf } from './path-matching.ts';
import type { MatchingWork } from './matching-work.ts';

/** A compiled `when`. A fault while it runs counts against the request: an allow does not match, a deny does. */
export interface RuleCondition {
  readonly source: string;
  /** What it needs to be true; undefined if that is not seen. */
  readonly guard?: ConditionGuard | undefined;
  /** Whether it may look at the request's header fields. */
  readonly usesHeaders: boolean;
  /** Whether it may look at the path, or at the parameters of the query: origins can read these in several ways. */
  readonly usesPath: boolean;
  readonly usesParameters: boolean;
  /** Names of members that it mentions. */
  readonly names?: readonly string[];
  /** Whether it looks at the body, which is there only when it is read. */
  readonly usesBody: boolean;
  /** Whether it may look at the time. */
  readonly usesTime: boolean;
  /** `view`: as which the path and the query are read; by default as they are written. */
  evaluate(principal: Principal, access: AccessRequest, nowMs: number, view?: RequestView): boolean | 'fault';
}

/** One way to read a request. */
export interface RequestView {
  readonly path: string;
  readonly parameters: Parameters;
  /** Of a condition that looks at it: maps, lists and values of JSON. Undefined: it cannot be read. */
  readonly json?: unknown;
}

interface Asking {
  readonly principal: Principal;
  readonly nowMs: number;
  readonly work: MatchingWork;
}

/**
 * As for the paths of a rule: a rule that allows needs its condition to be true in every view, one that denies in any. A
 * fault counts against the request.
 */
export function conditionHolds(
  condition: RuleCondition,
  effect: 'allow' | 'deny',
  access: RequestAccess,
  asking: Asking,
): boolean {
  const { principal, nowMs, work } = asking;
  const steps = stepsOf(condition, access);
  for (const view of viewsOf(condition, access, asking)) {
    if (!work.spend(steps)) return false;
    const outcome = condition.evaluate(principal, access, nowMs, view);
    if (effect === 'deny' ? outcome !== false : outcome !== true) return effect === 'deny';
  }
  return effect === 'allow' && !work.isSpent;
}

function viewsOf(condition: RuleCondition, access: RequestAccess, asking: Asking): readonly RequestView[] {
  if (condition.usesBody) return bodyViews(condition, access, asking);
  const { usesPath, usesParameters } = condition;
  const { work } = asking;
  const { views } = knownOf(access);
  const kind = (usesPath ? 2 : 0) + (usesParameters ? 1 : 0);
  const made = views[kind];
  if (made !== undefined) return made;
  const paths = usesPath ? readingsOf(access).texts(work) : [access.path];
  const queries = usesParameters ? parametersOf(access) : [noParameters];
  const all = paths.flatMap((path) => queries.map((parameters) => ({ path, parameters })));
  // Where the work ran out some readings are missing.
  if (!work.isSpent) views[kind] = all;
  return all;
}

/** Each reading of path and query, with each way in which origins may read the names of the body. */
function bodyViews(condition: RuleCondition, access: RequestAccess, asking: Asking): readonly RequestView[] {
  const views = viewsOf({ ...condition, usesBody: false }, access, asking);
  const readings = jsonReadings(access.body, condition.names ?? []);
  return views.flatMap(({ path, parameters }) => readings.map((json) => ({ path, parameters, json })));
}

const noParameters: Parameters = new Map();

/** What many rules ask of one request; a query may be long, and fields many. */
interface Known {
  /** By what the conditions look at. */
  readonly views: (readonly RequestView[] | undefined)[];
  parameters?: readonly Parameters[];
  fieldsLength?: number;
}

/** Of requests that are decided. */
const known = new WeakMap<RequestAccess, Known>();

function knownOf(access: RequestAccess): Known {
  let facts = known.get(access);
  if (facts === undefined) {
    facts = { views: [] };
    known.set(access, facts);
  }
  return facts;
}

export function parametersOf(access: RequestAccess): readonly Parameters[] {
  return (knownOf(access).parameters ??= readParameters(access.query));
}

function fieldsLengthOf(access: RequestAccess): number {
  const facts = knownOf(access);
  if (facts.fieldsLength !== undefined) return facts.fieldsLength;
  let length = 0;
  for (const [name, value] of access.headers) length += fieldLength + name.length + value.length;
  facts.fieldsLength = length;
  return length;
}

/** To run a condition costs something for itself, and it can look at all of the request as often as it has operations. */
function stepsOf({ source, usesHeaders, usesBody }: RuleCondition, access: RequestAccess): number {
  const { path, query, body } = access;
  const ofBody = usesBody && body?.kind === 'json' ? body.octets : 0;
  const length = path.length + query.length + (usesHeaders ? fieldsLengthOf(access) : 0) + ofBody;
  return stepsFor(source, length);
}

/** What it costs to run a condition at the least, whatever the request is. */
export function leastStepsOf({ source }: RuleCondition): number {
  return stepsFor(source, 1);
}

function stepsFor(source: string, length: number): number {
  return (stepsPerOperation + length / charactersPerStep) * (1 + source.length / operationLength);
}

/** A field has a place in a map, too. */
const fieldLength = 16;
const charactersPerStep = 16;
const operationLength = 32;
const stepsPerOperation = 50;
