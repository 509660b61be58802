// "Allow this": the narrowest rule that would let a refused request through, as text for a policy file, and why there is none where another rule or the
// address guard refused.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { Access } from './access-groups.ts';
import { plainText } from './clean-text.ts';
import { markOf, weightOf } from './event-facts.ts';

export const allowScopes = ['this', 'below', 'host'] as const;
export type AllowScope = (typeof allowScopes)[number];

export interface ForClaim {
  readonly name: string;
  readonly value: string;
}

/** Why no rule more would open it; undefined: one would. */
export function whyNotAllowed(event: AuditEvent): string | undefined {
  const { kind, host, rule, errorCode, observed, method, deniedField } = event;
  const of = markOf(event);
  if (of !== 'deny' && of !== 'observe') return 'It was not refused.';
  if (host === undefined || (kind !== 'exchange' && kind !== 'stream')) return 'It was no request.';
  if (errorCode === 'address_denied')
    return 'The address guard refused where the name leads: the rule that matched has to name that network under addresses, if it is meant to be reached.';
  if (deniedField !== undefined)
    return `A rule would allow it but for the field ${deniedField}: that rule has to name the field under requestFields.`;
  const refusing = of === 'observe' ? observed : rule;
  if (refusing !== undefined && refusing !== 'default-deny')
    return `The rule ${refusing} denies it, and a rule that denies wins over all that allow: that rule is what would have to change.`;
  if (kind === 'exchange' && method === undefined) return 'The event does not say what was asked.';
  return undefined;
}

/** The refs that a push would create or update, where all of them are recorded. A grant deletes nothing. */
export function pushedRefs({ git, cut }: AuditEvent): readonly string[] {
  const { operation, refs = [], refsTotal } = git ?? {};
  if (operation !== 'push' || refsTotal !== undefined || cut?.['git'] !== undefined) return [];
  return refs.some(({ change }) => change === 'delete') ? [] : [...new Set(refs.map(({ ref }) => ref))];
}

/** What `explain` has to be told of a push, since it stands in a body; `partly` where not all of it is recorded. */
export function pushOf({
  git,
  cut,
  path = '',
}: AuditEvent):
  | { readonly pushed: NonNullable<typeof git>['refs']; readonly pushOptions: readonly string[] }
  | 'partly'
  | undefined {
  if (git?.operation !== 'push' || !path.endsWith('/git-receive-pack')) return undefined;
  const { refs, options = [], refsTotal, optionsTotal } = git;
  const isWhole =
    refs !== undefined && refsTotal === undefined && optionsTotal === undefined && cut?.['git'] === undefined;
  return isWhole ? { pushed: refs, pushOptions: options } : 'partly';
}

/** Which scopes can be written for it: a path that is not whole in the event is none. */
export function scopesOf({ kind, path, cut, git }: AuditEvent): readonly AllowScope[] {
  if (git !== undefined) return ['this'];
  return kind === 'stream' || path === undefined || cut?.['path'] !== undefined ? ['host'] : allowScopes;
}

/** A file of a policy with that rule alone. */
export function allowRule(event: AuditEvent, scope: AllowScope, claim?: ForClaim): string {
  const { scheme = 'https', host = '', port, method = 'GET', kind } = event;
  const standard = { https: 443, http: 80 }[scheme];
  const lines = [
    'rules:',
    `  - name: ${ruleName(event)}`,
    `    hosts: ${scalar(host)}`,
    ...(scheme === 'https' ? [] : [`    scheme: ${scalar(scheme)}`]),
    ...(port === undefined || port === standard ? [] : [`    ports: ${port}`]),
    ...(kind === 'stream' ? [] : whatLines(event, scope, method)),
    ...(claim === undefined ? [] : [`    for: { ${scalar(claim.name)}: ${scalar(claim.value)} }`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** The same for what a workload asked for; every method and path where it named none. Of a question it begins with what the rule opens beside that. */
export function ruleForAccess({ asked, question }: Access, claim?: ForClaim): string {
  const { scheme, host, port, method, path } = asked;
  const event = {
    scheme,
    host,
    port,
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path }),
  };
  const kind = method === undefined ? 'stream' : 'exchange';
  const scope = path === undefined ? 'host' : 'this';
  const rule = allowRule(
    { v: 1, id: '', time: '', traceId: '', verdict: 'deny', kind, ...event },
    scope,
    claim,
  );
  const [first, ...others] = rule.split('\n');
  const notes = question === undefined ? [] : beyondNotes(question.bound, path);
  return [first, ...notes.map((line) => `  # ${line}`), ...others].join('\n');
}

const notedFactsMax = 20;
const notedCharacters = 160;

/** What was asked that a rule by method and path does not say. Of fields the names: whoever reads policies need not read values. */
function beyondNotes(
  bound: readonly { readonly name: string; readonly value: string }[],
  path = '',
): readonly string[] {
  const isFact = ({ name }: { readonly name: string }): boolean =>
    name !== 'request' && name !== 'body' && !name.startsWith('not bound: ');
  const facts = bound.filter(isFact);
  const shown = facts.slice(0, notedFactsMax).map(({ name, value }) => {
    const text = name.startsWith('field ') ? name : `${name}: ${value}`;
    return `  ${plainText(text, notedCharacters)}`;
  });
  const leftOut = facts.length - shown.length;
  return [
    ...(facts.length === 0 ? [] : ['What was asked about:', ...shown]),
    ...(leftOut === 0 ? [] : [`  and ${leftOut} more`]),
    ...(facts.length === 0
      ? []
      : [
          'This rule opens more: it looks at none of that, and not at the body.',
          'Narrow it before you publish it: mcp, graphql, llm, git or when.',
        ]),
    ...(path.includes('?') ? ['The query is left out: any query is allowed.'] : []),
  ];
}

function whatLines(event: AuditEvent, scope: AllowScope, method: string): readonly string[] {
  const { git } = event;
  if (git === undefined) {
    const path = pathPattern(event, scope);
    return [`    methods: ${scalar(method)}`, ...(path === undefined ? [] : [`    paths: ${scalar(path)}`])];
  }
  const { repository, operation, refs = [], options = [] } = git;
  const some = (name: string, values: readonly string[]): readonly string[] =>
    values.length === 0 ? [] : [`      ${name}: [${[...new Set(values)].map(scalar).join(', ')}]`];
  return [
    '    git:',
    `      repository: ${scalar(repository.replace(/^\/+/, ''))}`,
    `      operations: ${operation}`,
    ...some(
      'refs',
      refs.map(({ ref }) => ref),
    ),
    ...some(
      'changes',
      refs.map(({ change }) => change),
    ),
    ...some('options', options),
  ];
}

function pathOf({ path = '/' }: AuditEvent): string {
  return path.includes('?') ? path.slice(0, path.indexOf('?')) : path;
}

/** `below`: all that stands in the same folder and below it. */
function pathPattern(event: AuditEvent, scope: AllowScope): string | undefined {
  const path = pathOf(event);
  if (scope === 'host') return undefined;
  return scope === 'this' ? literal(path) : `${literal(path.slice(0, path.lastIndexOf('/') + 1))}*`;
}

/** What means something in a pattern stands for itself. */
function literal(path: string): string {
  return path.replaceAll(/[\\{}()*:?]/g, String.raw`\$&`);
}

const nameCharacters = 48;

function ruleName({ host = '', method = '', git }: AuditEvent): string {
  const what = git?.operation ?? method.toLowerCase();
  const text = `${host}-${what}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return text.replace(/^-+/, '').slice(0, nameCharacters).replace(/-+$/, '') || 'allowed';
}

const plainWords = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|tcp|http)$/;

/** In quotes unless it can be nothing else: whatever it holds, it is one text to every reader of YAML. */
export function scalar(text: string): string {
  if (plainWords.test(text) || /^\/[\w./-]*$/.test(text)) return text;
  if (/^[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.[a-z]{2,}$/.test(text)) return text;
  const quoted = JSON.stringify(text.toWellFormed());
  return quoted.replaceAll(
    /[^\x20-\x7e]/gu,
    (one) => `\\U${(one.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`,
  );
}

/** How many requests among these that were refused by default such a rule would have let through, as far as their events say. */
export function wouldOpen(events: readonly AuditEvent[], event: AuditEvent, scope: AllowScope): number {
  const folder = pathOf(event).slice(0, pathOf(event).lastIndexOf('/') + 1);
  const isOpened = (other: AuditEvent): boolean => {
    if (whyNotAllowed(other) !== undefined || other.kind !== event.kind) return false;
    if (other.host !== event.host || other.port !== event.port || other.scheme !== event.scheme) return false;
    if (other.method !== event.method || JSON.stringify(other.git) !== JSON.stringify(event.git))
      return false;
    if (scope === 'host') return true;
    if (other.cut?.['path'] !== undefined) return false;
    return scope === 'this' ? pathOf(other) === pathOf(event) : pathOf(other).startsWith(folder);
  };
  return events.filter(isOpened).reduce((sum, one) => sum + weightOf(one), 0);
}
