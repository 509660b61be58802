// What a denial says: to the workload what was refused and what to ask for, to the operator which rules came close.

import { pathAmbiguity } from '../http/request-target.ts';
import { UnreadablePackage } from '../understand/packages/package-request.ts';
import { UnreadableBody } from '../understand/json-value.ts';
import type { AccessRequest, DenyDecision, RequestAccess } from './decision.ts';
import type { FieldRefusal } from './request-fields.ts';
import { gitRequestOf } from './git-request.ts';
import { pinProblem } from './mcp-pins.ts';
import { gitText } from './git-condition.ts';
import { optionsText, updatesText } from './git-rule.ts';
import { graphqlRemedy, graphqlText, operationsText } from './graphql-rule.ts';
import { argumentProblem, mcpText, messageOf, messageText } from './mcp-rule.ts';
import { callNote, callRemedy } from './llm-denial.ts';
import { llmRequestIn, llmRequestText, llmText } from './llm-rule.ts';
import { advisoryText } from './package-advisories.ts';
import { packageNote, packageRemedy } from './package-note.ts';
import { packageOf } from './package-rule.ts';
import { signNote, signRemedy } from './sign-denial.ts';
import { signedText } from './sign-rule.ts';
import { listed } from './wanted-by.ts';
import {
  type Asking,
  isForSession,
  measuredMismatch,
  type Mismatch,
  missingFacts,
  type Rule,
} from './rule.ts';

/** How many near misses the operator is told. */
const nearMissesMax = 5;
/** How many rules are examined for a remedy. */
const examinedMax = 50;
/** A path is shown so far; the rest is in the audit. */
const pathShownMax = 200;

/** `GET https://api.example.com/repos`, without the query; `api.example.com:22` for raw TCP. */
export function describeAccess(access: AccessRequest): string {
  const { scheme, host, port } = access.destination;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  const isDefaultPort = scheme === 'http' ? port === 80 : scheme === 'https' && port === 443;
  const authority = isDefaultPort ? shownHost : `${shownHost}:${port}`;
  const origin = scheme === 'tcp' ? authority : `${scheme}://${authority}`;
  if (access.depth === 'connect') return origin;
  if (access.signs !== undefined) return `a signature for ${signedText(access.signs)}`;
  if (access.pushed !== undefined && access.pushed.length > 0) {
    const repository = gitRequestOf(access)?.repository ?? '';
    const options = access.pushOptions ?? [];
    const shown = options.length === 0 ? '' : ` with the options ${optionsText(options)}`;
    return `a push of ${updatesText(access.pushed)}${shown} to ${origin}/${repository}`;
  }
  const path = access.path.length > pathShownMax ? `${access.path.slice(0, pathShownMax)}…` : access.path;
  const shown = `${access.method} ${origin}${path}`;
  if (access.graphql !== undefined && !(access.graphql instanceof UnreadableBody))
    return `${operationsText(access.graphql)} (${shown})`;
  const call = llmRequestIn(access);
  if (call !== undefined && !(call instanceof UnreadableBody)) return `${llmRequestText(call)} (${shown})`;
  const message = messageOf(access);
  return message === undefined || message instanceof UnreadableBody
    ? shown
    : `${messageText(message)} (${shown})`;
}

/** Why the body of a request is none that all servers read alike, as the end of a sentence. */
function bodyProblem(access: AccessRequest): string | undefined {
  if (access.depth === 'connect') return undefined;
  if (access.body?.kind === 'unreadable') return access.body.reason;
  const read = llmRequestIn(access) ?? messageOf(access);
  return read instanceof UnreadableBody ? read.reason : undefined;
}

/** The same for its operations of GraphQL. */
function operationsProblem(access: AccessRequest): string | undefined {
  return access.depth === 'request' && access.graphql instanceof UnreadableBody
    ? access.graphql.reason
    : undefined;
}

/** What the body of a request was read as, for people; undefined: nobody has read it. */
export function bodyText(access: AccessRequest): string | undefined {
  if (access.depth === 'connect') return undefined;
  switch (access.body?.kind) {
    case 'none':
      return 'none';
    case 'json':
      return `JSON that all parsers read alike, ${String(access.body.octets)} octets`;
    case 'unreadable':
      return `not read: it ${access.body.reason}`;
    case 'message':
    case undefined:
      return undefined;
  }
}

/** The denial of a rule that denies. */
export function ruleDenial(
  rule: Rule,
  access: AccessRequest,
  fetched: Pick<DenyDecision, 'package'> = {},
): DenyDecision {
  const what = describeAccess(access);
  const advisory = fetched.package?.advisory;
  const because =
    advisory === undefined ? unreadText(rule, access) : `: the version ${advisoryText(advisory)}`;
  return {
    effect: 'deny',
    ...fetched,
    rule: rule.reference,
    reason: rule.reason ?? `The rule ${rule.reference.name} refuses ${what}${because}.`,
    operatorReason: rule.operatorReason ?? `${placeOf(rule)} denies ${what}${because}.`,
  };
}

function unreadText({ mcp, graphql, llm, when, packages }: Rule, access: AccessRequest): string {
  if (graphql !== undefined) {
    const problem = operationsProblem(access);
    return problem === undefined ? '' : `: it looks at the operations of the request, which ${problem}`;
  }
  if (packages !== undefined && access.depth === 'request') {
    const read = packageOf(access, packages);
    if (read instanceof UnreadablePackage) return `: it ${read.reason}`;
  }
  const problem = (mcp ?? llm) !== undefined || when?.usesBody === true ? bodyProblem(access) : undefined;
  return problem === undefined ? '' : `: it looks into the body, which ${problem}`;
}

/** The denial of a request that a rule would allow, but for a field that makes another request of it. */
export function fieldDenial(
  rule: Rule,
  access: AccessRequest,
  { field, reason }: FieldRefusal,
): DenyDecision {
  return {
    effect: 'deny',
    rule: rule.reference,
    field,
    reason: `${reason}.`,
    operatorReason: `${placeOf(rule)} would allow ${describeAccess(access)}, but: ${reason}.`,
  };
}

/** Name of the rule behind the denial of what would cost too much to judge. */
const workLimitName = 'work-limit';

/** The denial of a request that cannot be judged with the work that one decision may cost. */
export function workDenial(access: AccessRequest): DenyDecision {
  const { host } = access.destination;
  return {
    effect: 'deny',
    rule: { name: workLimitName },
    isTooCostly: true,
    reason: `The request is too long to be compared with the rules for ${host} (decisionStepsMax). A shorter path, or fewer refs in one push, can be.`,
    operatorReason: `Too much work for one decision: ${describeAccess(access)} is compared with patterns of many rules for ${host}. Patterns that begin with a text, and \`:name\` for whole segments, cost next to nothing.`,
  };
}

/** As that, where no rule allows a push and some of the grants could not be asked. */
export function grantWorkDenial(access: AccessRequest): DenyDecision {
  const { host } = access.destination;
  return {
    effect: 'deny',
    rule: { name: workLimitName },
    isTooCostly: true,
    reason: `No rule allows the push, and its refs are too long to be compared with the grants for ${host} (decisionStepsMax). Shorter refs, or fewer in one push, can be.`,
    operatorReason: `Too much work for one decision: ${describeAccess(access)}, which no rule allows, is compared with the refs of grants for ${host}. Patterns with few stars, and few of them, cost next to nothing.`,
  };
}

/** The rules of a host. */
export interface HostRules {
  /** Lists with every rule that an index selected for the access. */
  readonly selected: readonly (readonly Rule[])[];
  /** All that allow, list by list, each in order. */
  readonly allows: readonly (readonly Rule[])[];
}

/**
 * The denial where nothing allows. Its cost does not grow with the rules of the host. It stands in the audit, which those read who see this
 * session and no others: rules that are for others are not named.
 */
export function defaultDenial(rules: HostRules, access: AccessRequest, asking: Asking): DenyDecision {
  const { principal } = asking;
  const isTheirs = (rule: Rule): boolean => isForSession(rule, principal);
  const closest = firstAllows(rules.selected).filter(isTheirs);
  // What was not selected differs in its port, its claims or the beginning of its paths.
  const others = rules.allows.flatMap((list) => list.slice(0, nearMissesMax)).filter(isTheirs);
  const shown = [...new Set([...closest.slice(0, nearMissesMax), ...others])].slice(0, nearMissesMax);
  const misses = [...new Set([...shown, ...closest])]
    .toSorted((a, b) => a.order - b.order)
    .map((rule) => ({ rule, mismatch: measuredMismatch(rule, access, asking) }));
  const what = describeAccess(access);
  const near = misses.flatMap(({ rule, mismatch }) =>
    mismatch === undefined || !shown.includes(rule) ? [] : [explainMismatch(rule, mismatch, asking, access)],
  );
  const rest = rules.allows.reduce((sum, list) => sum + list.length, 0) - near.length;
  const more = rest > 0 ? [`and ${rest} more`] : [];
  return {
    effect: 'deny',
    rule: { name: 'default-deny' },
    reason: `No rule allows ${what}. ${remedy(misses, asking, access)}`,
    operatorReason:
      near.length === 0
        ? noneNear(rest, access)
        : `No rule matches ${what}: ${[...near, ...more].join('; ')}.`,
  };
}

function noneNear(others: number, access: AccessRequest): string {
  const { host } = access.destination;
  if (others === 0) return `No rule has the host ${host}.`;
  const some = others === 1 ? '1 rule has' : `${others} rules have`;
  return `No rule matches ${describeAccess(access)}: ${some} its host, and none that came close is for this session.`;
}

/** The first rules that allow, in order; bounded, since they are explained one by one. */
function firstAllows(lists: readonly (readonly Rule[])[]): readonly Rule[] {
  const allows = new Set<Rule>();
  for (const list of lists) {
    for (const rule of list) {
      if (allows.size >= examinedMax) break;
      if (rule.effect === 'allow') allows.add(rule);
    }
  }
  return [...allows].toSorted((a, b) => a.order - b.order);
}

type Misses = readonly { readonly rule: Rule; readonly mismatch: Mismatch | undefined }[];

/** What the workload can do about it. Facts that are missing are its own; the content of rules is not told. */
function remedy(misses: Misses, { principal, nowMs }: Asking, access: AccessRequest): string {
  const unhardened = misses.find(({ mismatch }) => mismatch === 'require');
  if (unhardened !== undefined) {
    const facts = missingFacts(unhardened.rule, principal).join(', ');
    return `A rule would, but the agent of this session does not have the required facts: ${facts}.`;
  }
  if (misses.some(({ mismatch }) => mismatch === 'handling')) {
    return 'The host is open for connections that the gateway does not look into: use CONNECT instead of an absolute URL.';
  }
  if (access.depth === 'request' && access.signs !== undefined)
    return signRemedy(misses.map(({ rule }) => rule));
  const pushable = misses.find(({ mismatch }) => mismatch === 'refs')?.rule;
  if (pushable?.git !== undefined) {
    const { refs, changes } = pushable.git;
    const where = refs === undefined ? 'any ref' : refs.map(({ source }) => source).join(', ');
    return `The rule ${pushable.reference.name} allows pushes that ${[...changes].join(' or ')} ${where}, and nothing else.`;
  }
  const optioned = misses.find(({ mismatch }) => mismatch === 'options')?.rule;
  if (optioned?.git !== undefined) {
    const options = (optioned.git.options ?? []).map(({ source }) => source).join(', ');
    return `The rule ${optioned.reference.name} allows this push with ${options === '' ? 'no options' : `the options ${options}`} (git push -o).`;
  }
  const ofBody =
    bodyRemedy(misses, access) ??
    callRemedy(misses, access) ??
    operationsRemedy(misses, access) ??
    packageRemedy(misses, access, nowMs);
  if (ofBody !== undefined) return ofBody;
  const { host, port, scheme } = access.destination;
  if (access.depth === 'connect') {
    return `Ask the owner of the policy for a rule with hosts: ${host}, scheme: ${scheme}, ports: ${port}.`;
  }
  const git = gitRequestOf(access);
  if (git?.isSmart === true) {
    const [operation = 'fetch'] = git.operations;
    return `Ask the owner of the policy for a rule with hosts: ${host}, ports: ${port} and git: { repository: ${git.repository}, operations: ${operation} }.`;
  }
  return `Ask the owner of the policy for a rule with hosts: ${host}, ports: ${port}, methods: ${access.method} and paths that match this path.`;
}

/** The same of rules that look into the body. */
function bodyRemedy(misses: Misses, access: AccessRequest): string | undefined {
  const unread = misses.find(({ mismatch }) => mismatch === 'body')?.rule;
  if (unread !== undefined)
    return `The rule ${unread.reference.name} looks into the body, which ${bodyProblem(access) ?? 'it cannot read'}.`;
  const held = misses.find(({ mismatch }) => mismatch === 'pin')?.rule;
  if (held !== undefined) return pinProblem(held.reference.name, definitionIn(access));
  for (const { rule, mismatch } of misses) {
    const misfit =
      rule.mcp === undefined || mismatch !== 'mcp' ? undefined : argumentProblem(rule.mcp, access);
    if (misfit !== undefined)
      return `The rule ${rule.reference.name} allows this tool with arguments that fit its schema; these do not: ${misfit}.`;
  }
  const told = misses.find(({ mismatch }) => mismatch === 'mcp')?.rule;
  if (told?.mcp !== undefined)
    return `The rule ${told.reference.name} allows this server for: ${mcpText(told.mcp)}.`;
  return undefined;
}

/** The same of rules about GraphQL: of the closest one. */
function operationsRemedy(misses: Misses, access: AccessRequest): string | undefined {
  const unread = misses.find(({ mismatch }) => mismatch === 'no-graphql')?.rule;
  if (unread !== undefined)
    return `The rule ${unread.reference.name} looks at the operations of the request, which ${operationsProblem(access) ?? 'it cannot read'}.`;
  if (access.depth === 'connect') return undefined;
  const { graphql } = access;
  if (graphql === undefined || graphql instanceof UnreadableBody) return undefined;
  const asked = { ...access, graphql };
  const found = misses.flatMap(({ rule, mismatch }) =>
    rule.graphql === undefined || mismatch !== 'graphql'
      ? []
      : [{ name: rule.reference.name, rule: rule.graphql }],
  );
  const remedies = found.slice(0, nearMissesMax).map(({ name, rule }) => graphqlRemedy(name, rule, asked));
  return remedies.toSorted((a, b) => b.closeness - a.closeness)[0]?.text;
}

/** `npm-read (policy.yaml:12)` */
export function placeOf(rule: Rule): string {
  const { name, place } = rule.reference;
  return place === undefined ? name : `${name} (${place})`;
}

function definitionIn(access: AccessRequest): RequestAccess['definition'] {
  return access.depth === 'request' ? access.definition : undefined;
}

/** One sentence, for the operator: why a rule does not match. */
export function explainMismatch(
  rule: Rule,
  mismatch: Mismatch,
  { principal, nowMs }: Pick<Asking, 'principal' | 'nowMs'>,
  access: AccessRequest,
): string {
  const { port, scheme } = access.destination;
  const subject = placeOf(rule);
  switch (mismatch) {
    case 'expired':
      return `${subject} expired at ${new Date(rule.expiresMs ?? 0).toISOString()}`;
    case 'for':
      return `${subject} is for sessions with other claims`;
    case 'scheme':
      return `${subject} is for ${listed(rule.schemes)}, not ${scheme}`;
    case 'ports':
      return `${subject} is for port ${listed(rule.ports ?? (rule.schemes.has('http') ? [80, 443] : [443]))}, not ${port}`;
    case 'handling':
      return `${subject} passes connections through unopened and admits no request that the gateway sees`;
    case 'methods':
      return `${subject} ${methodsNote(rule, access)}`;
    case 'paths':
      return `${subject} is for the paths ${listed((rule.paths ?? []).map(({ source }) => source))}${ambiguityNote(access)}`;
    case 'git':
      return `${subject} is for ${rule.effect === 'allow' ? 'git over smart HTTP' : 'git'} (${rule.git === undefined ? '' : gitText(rule.git)})`;
    case 'refs':
    case 'options':
      return `${subject} is for pushes ${mismatch === 'refs' ? 'of other refs' : 'with other options'} (${rule.git === undefined ? '' : gitText(rule.git)})`;
    case 'unread':
      return `${subject} looks at the refs of the push, which are not known yet`;
    case 'mcp':
      return `${subject} is for other messages of MCP (${rule.mcp === undefined ? '' : mcpText(rule.mcp)})`;
    case 'pin':
      return `${subject} holds the call: ${pinProblem(rule.reference.name, definitionIn(access))}`;
    case 'graphql':
      return `${subject} is for other operations of GraphQL (${rule.graphql === undefined ? '' : graphqlText(rule.graphql)})`;
    case 'no-graphql':
      return `${subject} looks at the operations of the request, which ${operationsProblem(access) ?? 'it cannot read'}`;
    case 'unread-graphql':
      return `${subject} looks at the operations of the request, which are not known yet`;
    case 'llm':
      return `${subject} is for other calls of models (${rule.llm === undefined ? '' : llmText(rule.llm)})${callNote(rule, access)}`;
    case 'body':
      return `${subject} looks into the body, which ${bodyProblem(access) ?? 'it cannot read'}`;
    case 'unread-body':
      return `${subject} looks into the body, which is not known yet`;
    case 'packages':
    case 'advisory':
    case 'age':
    case 'unread-publication':
    case 'provenance':
      return `${subject} ${packageNote(rule, mismatch, access, nowMs)}`;
    case 'sign':
      return `${subject} ${signNote(rule)}`;
    case 'when':
      return `${subject} has a condition that is not true: ${rule.when?.source ?? ''}`;
    case 'require':
      return `${subject} requires facts that the session does not have: ${listed(missingFacts(rule, principal))}`;
  }
}

function methodsNote({ methods }: Rule, access: AccessRequest): string {
  const method = access.depth === 'request' ? access.method : '';
  return methods === undefined
    ? `names no methods, and ${method} acts on a second resource, so it has to be named`
    : `is for ${listed(methods)}, not ${method}`;
}

function ambiguityNote(access: AccessRequest): string {
  const ambiguity = access.depth === 'request' ? pathAmbiguity(access.path) : undefined;
  return ambiguity === undefined ? '' : ` in every reading, and the path has ${ambiguity}`;
}
