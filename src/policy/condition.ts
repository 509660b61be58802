// `when:` of a rule: a CEL expression over the canonical request, the claims, the posture and the time.
// What makes its cost depend on more than its length is refused when it is read, so that no request can make it slow.

import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js';
import { cgiName } from '../http/header-list.ts';
import { canonicalQueryText } from '../http/query-parameter.ts';
import { guardOf } from './condition-guard.ts';
import { parametersOf, type RequestView } from './rule-condition.ts';
import type { AccessRequest, Principal, RequestAccess } from './decision.ts';
import type { RuleCondition } from './rule-condition.ts';

/** Reads an expression; a string is the reason why it is none, and what to write. */
export type CompileCondition = (source: string) => RuleCondition | string;

/** Nodes of the syntax tree; a long list of alternatives belongs into hosts, paths or claims. */
const nodesMax = 200;
const depthMax = 24;

/** Calls that run their body for each element of a list. */
const loops: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/** Compiles one condition. */
export const compileCondition: CompileCondition = (source) => conditionCompiler()(source);

/**
 * Compiles many conditions in one environment, which takes longer to make than a condition to read. Each is checked against
 * the types of `request` (method, scheme, host, port, path, query, parameters, headers), `claims`, `posture` and `now`; it must be a
 * bool.
 */
export function conditionCompiler(): CompileCondition {
  let environment: Environment | undefined;
  return (source) => compileIn((environment ??= createEnvironment()), source);
}

function compileIn(environment: Environment, source: string): RuleCondition | string {
  let parsed: ParseResult;
  try {
    parsed = environment.parse(source);
    const checked = parsed.check();
    if (!checked.valid) return invalid(checked.error);
    if (checked.type !== 'bool') {
      return `the condition gives ${checked.type ?? 'no value'}, not true or false; compare it with something`;
    }
  } catch (error) {
    return invalid(error);
  }
  const problem = costProblem(parsed.ast, false);
  if (problem !== undefined) return problem;
  const usesHeaders = mentions(parsed.ast, 'headers');
  const usesBody = mentionsVariable(parsed.ast, 'json');
  return {
    source,
    guard: guardOf(parsed.ast),
    usesHeaders,
    usesPath: mentions(parsed.ast, 'path'),
    usesParameters: mentions(parsed.ast, 'parameters'),
    usesBody,
    names: usesBody ? namesIn(parsed.ast) : [],
    // In a text it does no harm: what runs is judged again for nothing.
    usesTime: /\bnow\b/.test(source),
    evaluate: (principal, access, nowMs, view = writtenView(access)) => {
      try {
        const outcome: unknown = parsed(contextOf(principal, access, nowMs, view));
        return typeof outcome === 'boolean' ? outcome : 'fault';
      } catch {
        // A claim that is absent, a value of another type: the caller decides against the request.
        return 'fault';
      }
    },
  };
}

function createEnvironment(): Environment {
  return new Environment({ limits: { maxAstNodes: nodesMax, maxDepth: depthMax, maxListElements: 100 } })
    .registerVariable('request', {
      schema: {
        method: 'string',
        scheme: 'string',
        host: 'string',
        port: 'int',
        path: 'string',
        query: 'string',
        headers: 'map<string, list<string>>',
        parameters: 'map<string, list<string>>',
      },
    })
    .registerVariable('claims', 'map<string, dyn>')
    .registerVariable('posture', 'list<string>')
    .registerVariable('json', 'dyn')
    .registerVariable('now', 'google.protobuf.Timestamp');
}

/** The first line of the library's message; the rest is a drawing of the source. */
function invalid(error: unknown): string {
  const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  return `the condition is not valid CEL: ${message}; the variables are request, json, claims, posture and now`;
}

/** What would cost more than the length of the expression: regular expressions, bindings, and loops inside loops. */
function costProblem(node: ASTNode, isInLoop: boolean): string | undefined {
  let isLoop = false;
  if (node.op === 'rcall' || node.op === 'call') {
    const [name] = node.args;
    if (name === 'matches') {
      return 'the condition uses "matches"; regular expressions can be made slow by a request, so use "paths", startsWith, endsWith or contains';
    }
    if (name === 'bind')
      return 'the condition uses "cel.bind", with which a short expression can grow without bound; write it out';
    isLoop = node.op === 'rcall' && loops.has(name);
    const parts = isLoop ? node.args[1] : undefined;
    if (isNode(parts) && mentionsSplit(parts))
      return `the condition has "${name}" over what "split" gives, and a request decides how much that is; use "paths", startsWith, endsWith or contains`;
    const body = isLoop ? node.args[2] : undefined;
    const repeated = Array.isArray(body) ? repeatedVariable(body) : undefined;
    if (repeated !== undefined)
      return `the condition looks at "${repeated}" inside of "${name}", so for each element again, and a request decides how many there are and how long it is; compare it outside of the loop`;
    if (isLoop && isInLoop)
      return `the condition has "${name}" inside another loop; write two conditions joined by &&`;
  }
  for (const child of childrenOf(node)) {
    const problem = costProblem(child, isInLoop || isLoop);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** What a loop may look at is its own variable, and what a session has. */
function repeatedVariable(body: readonly unknown[]): string | undefined {
  const nodes = body.filter(isNode);
  return ['json', 'request'].find((name) => nodes.some((node) => mentionsVariable(node, name)));
}

function mentionsSplit(node: ASTNode): boolean {
  return (node.op === 'rcall' && node.args[0] === 'split') || childrenOf(node).some(mentionsSplit);
}

function mentions(node: ASTNode, key: string): boolean {
  if ((node.op === '.' || node.op === '.?') && node.args[1] === key) return true;
  // `request` as a whole, or by index, could reach it too.
  if (node.op === '[]' || node.op === '[?]') return true;
  return childrenOf(node).some((child) => mentions(child, key));
}

/** Through a loop's own variable a member can be reached as well as by `json` itself. */
function mentionsVariable(node: ASTNode, name: string): boolean {
  return (
    (node.op === 'id' && node.args === name) || childrenOf(node).some((one) => mentionsVariable(one, name))
  );
}

/** Every name behind a dot and every text: by one of them a member is asked for. */
function namesIn(node: ASTNode): readonly string[] {
  const own =
    (node.op === '.' || node.op === '.?') && typeof node.args[1] === 'string'
      ? [node.args[1]]
      : node.op === 'value' && typeof node.args === 'string'
        ? [node.args]
        : [];
  return [...own, ...childrenOf(node).flatMap(namesIn)];
}

function writtenView(access: AccessRequest): RequestView {
  if (access.depth === 'connect') return { path: '', parameters: new Map() };
  return { path: access.path, parameters: parametersOf(access)[0] ?? new Map() };
}

/** The nodes below one; operands that are names or literals are none. */
function childrenOf(node: ASTNode): readonly ASTNode[] {
  const nodes: ASTNode[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (isNode(value)) nodes.push(value);
  };
  collect(node.args);
  return nodes;
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

interface Asked {
  readonly principal: Principal;
  readonly nowMs: number;
  readonly context: object;
}

/** What the conditions saw last of a view: many rules ask about one request. */
const contexts = new WeakMap<RequestView, Asked>();

function contextOf(principal: Principal, access: AccessRequest, nowMs: number, view: RequestView): object {
  const last = contexts.get(view);
  if (last?.principal === principal && last.nowMs === nowMs) return last.context;
  const { claims, posture } = principal;
  const context = {
    request: requestOf(access, view),
    claims,
    posture,
    now: new Date(nowMs),
    get json() {
      // Counted against the request, as every fault is.
      if (view.json === undefined) throw new TypeError('the body cannot be read');
      return view.json;
    },
  };
  contexts.set(view, { principal, nowMs, context });
  return context;
}

function requestOf(access: AccessRequest, { path, parameters }: RequestView): object {
  const { scheme, host, port } = access.destination;
  const isRequest = access.depth === 'request';
  return {
    method: isRequest ? access.method : '',
    scheme,
    host,
    port: BigInt(port),
    path,
    query: isRequest ? canonicalQueryText(access.query) : '',
    parameters,
    // Fields can be many, and few conditions look at them.
    get headers() {
      return isRequest ? headerListsOf(access) : noHeaders;
    },
  };
}

type HeaderLists = ReadonlyMap<string, readonly string[]>;
const noHeaders: HeaderLists = new Map();
const knownHeaders = new WeakMap<RequestAccess, HeaderLists>();

function headerListsOf(access: RequestAccess): HeaderLists {
  let lists = knownHeaders.get(access);
  if (lists === undefined) {
    lists = headerLists(access.headers);
    knownHeaders.set(access, lists);
  }
  return lists;
}

/**
 * Names in lower case, each with its values in order. A Map, for a field may be named `__proto__`. To origins that make
 * variables of fields (CGI, WSGI, PHP) an underscore is a hyphen: each name has the values of all that are alike.
 */
function headerLists(headers: Iterable<readonly [string, string]>): HeaderLists {
  const lists = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const key = cgiName(name);
    const list = lists.get(key) ?? [];
    if (list.length === 0) lists.set(key, list);
    list.push(value);
    const written = name.toLowerCase();
    if (written !== key) lists.set(written, list);
  }
  return lists;
}
