// `mcp` of a rule: which tools of a server may be called with what, which resources and prompts it may be asked for.

import { cgiName } from '../http/header-list.ts';
import { JsonObject, UnreadableBody } from '../understand/json-value.ts';
import { type McpInput, type McpMessage, mcpMessageOf, type McpTarget } from '../understand/mcp-message.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { schemaMisfit } from './value-check.ts';
import { valueSchema } from './read-value-schema.ts';
import { fitsMembers, matchesAnyCase, matchesText, patternCovers } from './argument-pattern.ts';
import type { AccessRequest, RequestAccess } from './decision.ts';
import { isPinned, type PinCondition, pinsCover } from './mcp-pins.ts';
import { MatchingWork, unmeasured } from './matching-work.ts';
import type { ClaimPattern } from './claim-pattern.ts';

/** Plain data. An empty list: nothing of that kind. */
export interface McpCondition extends PinCondition {
  readonly tools: readonly string[];
  readonly input: Readonly<Record<string, ClaimPattern>> | undefined;
  /** JSON Schema that arguments have to fit, as it is written. */
  readonly schema: Readonly<Record<string, unknown>> | undefined;
  readonly resources: readonly string[];
  readonly prompts: readonly string[];
  readonly methods: readonly string[];
  readonly allowsInput: readonly McpInput[];
  /** What of a session's own requests the rule is for: those without a message. */
  readonly sessions: readonly McpSessionPart[];
}

/** `stream`: GET opens the stream of what the server says. `resume`: GET goes on with one, by `Last-Event-ID`. `end`: DELETE. */
export const mcpSessionParts = ['stream', 'resume', 'end'] as const;
export type McpSessionPart = (typeof mcpSessionParts)[number];

/**
 * `body`: it has none that all servers read alike. `unread-body`: the rule looks at a body that is not there yet. `pin`: it names the tool,
 * which is not known to be the one that was pinned.
 */
export type McpMismatch = 'mcp' | 'pin' | 'body' | 'unread-body';

type Effect = 'allow' | 'deny';

/**
 * A rule that allows takes the messages that it names, and those without which no client can work. Until the body is read it
 * matches, and `awaitsBody` says that it has to be asked again. One that denies takes a message that it names in any letter
 * case, and every body that is none of a message that all servers read alike.
 */
export function mcpMismatch(
  mcp: McpCondition,
  effect: Effect,
  access: RequestAccess,
  work: MatchingWork = unmeasured,
): McpMismatch | undefined {
  const { body, method } = access;
  if (body === undefined) return effect === 'deny' ? 'unread-body' : undefined;
  if (body.kind === 'none') {
    const parts = sessionPartsOf(access);
    const isNamed =
      effect === 'allow'
        ? parts.length > 0 && parts.every((one) => mcp.sessions.includes(one))
        : parts.some((one) => mcp.sessions.includes(one));
    return isNamed ? undefined : 'mcp';
  }
  const message = messageOf(access);
  if (message instanceof UnreadableBody || message === undefined)
    return effect === 'deny' ? undefined : 'body';
  if (effect === 'deny') return isMeant(mcp, message, work) ? undefined : 'mcp';
  if (method !== 'POST' || !isAllowed(mcp, message, work)) return 'mcp';
  const { target } = message;
  const isHeld =
    mcp.pins !== undefined && target?.kind === 'tool' && !isPinned(mcp, target.name, access.definition);
  return isHeld ? 'pin' : undefined;
}

/** What a request without a message asks for, in the revisions that have sessions; a server that kept no events opens a new stream for one to go on with. */
function sessionPartsOf({ method, headers }: RequestAccess): readonly McpSessionPart[] {
  if (method === 'DELETE') return ['end'];
  if (method !== 'GET') return [];
  for (const [name] of headers)
    if (cgiName(name.toLowerCase()) === 'last-event-id') return ['stream', 'resume'];
  return ['stream'];
}

/** Of requests that are decided; many rules ask for the same one. */
const known = new WeakMap<RequestAccess, McpMessage | UnreadableBody>();

/** The message of a request; undefined: its body is not read, or there is none. */
export function messageOf(access: AccessRequest): McpMessage | UnreadableBody | undefined {
  if (access.depth === 'connect' || access.body === undefined || access.body.kind === 'none')
    return undefined;
  if (access.body.kind === 'unreadable') return new UnreadableBody(access.body.reason);
  if (access.body.kind === 'message') return access.body.message;
  let message = known.get(access);
  if (message === undefined) {
    message = mcpMessageOf(access.body.value, access.headers);
    known.set(access, message);
  }
  return message;
}

/** What every client says to begin, to be told what there is, and to end. */
const lifeCycle: ReadonlySet<string> = new Set([
  'initialize',
  'server/discover',
  'ping',
  'logging/setLevel',
  'subscriptions/listen',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'prompts/list',
]);

function isAllowed(mcp: McpCondition, message: McpMessage, work: MatchingWork): boolean {
  if (!message.inputs.every((one) => mcp.allowsInput.includes(one))) return false;
  const { target, method, kind } = message;
  if (kind === 'response') return true;
  if (target === undefined)
    return lifeCycle.has(method) || mcp.methods.some((one) => matchesText(one, method, work));
  // What has no pin is not allowed where pins are asked for: a new name gives a tool nothing.
  if (target.kind === 'tool' && mcp.pins !== undefined && !Object.hasOwn(mcp.pins, target.name)) return false;
  return isNamed(mcp, target, (one, name) => matchesText(one, name, work)) && fitsInput(mcp, target, work);
}

function isMeant(mcp: McpCondition, { method, target }: McpMessage, work: MatchingWork): boolean {
  const matches = (one: string, name: string): boolean => matchesAnyCase(one, name, work);
  if (mcp.methods.some((one) => matches(one, method))) return true;
  return target !== undefined && isNamed(mcp, target, matches) && fitsInput(mcp, target, work, true);
}

function isNamed(
  { tools, resources, prompts }: McpCondition,
  { kind, name }: McpTarget,
  matches: (pattern: string, name: string) => boolean,
): boolean {
  const patterns = { tool: tools, resource: resources, prompt: prompts }[kind];
  return patterns.some((one) => matches(one, name));
}

function fitsInput(
  { input, schema }: McpCondition,
  target: McpTarget,
  work: MatchingWork,
  anyCase = false,
): boolean {
  if ((input === undefined && schema === undefined) || target.kind !== 'tool') return true;
  // Some arguments would do, and some would not.
  if (target.input === 'any') return !anyCase;
  const given = target.input ?? new JsonObject(new Map());
  if (input !== undefined && !fitsMembers(input, given, work, anyCase)) return false;
  return schema === undefined || schemaMisfit(valueSchema(schema), given, work) === undefined;
}

/** Why the arguments of a call do not fit the schema of a rule that allows the tool, as a sentence. */
export function argumentProblem(mcp: McpCondition, access: AccessRequest): string | undefined {
  const message = messageOf(access);
  if (mcp.schema === undefined || message === undefined || message instanceof UnreadableBody)
    return undefined;
  const { target } = message;
  if (target?.kind !== 'tool' || target.input === 'any') return undefined;
  const work = new MatchingWork(defaultLimits.decisionStepsMax);
  if (!isAllowed({ ...mcp, schema: undefined }, message, work)) return undefined;
  const misfit = schemaMisfit(valueSchema(mcp.schema), target.input ?? new JsonObject(new Map()), work);
  return misfit === undefined || work.isSpent ? undefined : misfit;
}

/** What is written, for people. */
export function mcpText(mcp: McpCondition): string {
  const parts = (['tools', 'resources', 'prompts', 'methods'] as const).flatMap((key) =>
    mcp[key].length === 0 ? [] : [`${key} ${mcp[key].join(', ')}`],
  );
  if (mcp.input !== undefined) parts.push(`arguments ${JSON.stringify(mcp.input)}`);
  if (mcp.schema !== undefined) parts.push(`argumentsSchema ${JSON.stringify(mcp.schema)}`);
  if (mcp.allowsInput.length > 0) parts.push(`input ${mcp.allowsInput.join(', ')}`);
  if (mcp.pins !== undefined)
    parts.push(
      `pins ${Object.entries(mcp.pins)
        .map(([tool, pin]) => `${tool} ${pin}`)
        .join(', ')}`,
    );
  if (mcp.isBeforeList) parts.push('beforeList');
  const { length } = mcp.sessions;
  if (length > 0 && length < mcpSessionParts.length) parts.push(`sessions ${mcp.sessions.join(', ')}`);
  return parts.join('; ');
}

/** Whether everything that `inner` matches is known to be matched by `outer`. */
export function mcpCovers(outer: McpCondition | undefined, inner: McpCondition | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const covers = (key: 'tools' | 'resources' | 'prompts' | 'methods'): boolean =>
    inner[key].every((one) => outer[key].some((other) => patternCovers(other, one)));
  const isSame = (key: 'input' | 'schema'): boolean =>
    outer[key] === undefined || JSON.stringify(outer[key]) === JSON.stringify(inner[key]);
  return (
    covers('tools') &&
    covers('resources') &&
    covers('prompts') &&
    covers('methods') &&
    isSame('input') &&
    isSame('schema') &&
    pinsCover(outer, inner) &&
    inner.allowsInput.every((one) => outer.allowsInput.includes(one)) &&
    inner.sessions.every((one) => outer.sessions.includes(one))
  );
}

/** `a call of the tool search`, `the prompt x`; a workload wrote the name. */
export function messageText({ kind, method, target, inputs }: McpMessage): string {
  const shown = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
  const hasInput = inputs.length > 0;
  if (kind === 'response') return hasInput ? 'a response with what the server asked for' : 'a response';
  const what =
    target === undefined
      ? `the message ${shown(method)}`
      : target.kind === 'tool'
        ? `a call of the tool ${shown(target.name)}`
        : `the message ${shown(method)} for the ${target.kind} ${shown(target.name)}`;
  return hasInput ? `${what}, with what the server asked for` : what;
}
