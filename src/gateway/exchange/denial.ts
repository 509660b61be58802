// What the workload is told when a request is not served: for a person, a language model, or a program.

import type { ErrorCode } from '../../protocol/error-table.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { problemDocument, problemType } from '../../protocol/problem-document.ts';
import type { Destination } from '../../http/destination.ts';
import { type HeaderField, HeaderList } from '../../http/header-list.ts';
import type { ResponseHead } from '../../http/message-head.ts';

export interface Denial {
  readonly code: ErrorCode;
  /** For the workload: what happened, to which host, by which rule. Never an internal address or a secret. */
  readonly message: string;
  readonly rule?: string;
  readonly traceId: string;
  readonly method?: string;
  readonly url?: string;
  readonly destination?: Destination;
  /** Where a request for access can be left; absent if that would not help. */
  readonly accessUrl?: string;
  /** What a person is asked. */
  readonly question?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** What to do, where the code alone does not say it. */
  readonly next?: string | undefined;
  /** The organisation's own words. */
  readonly help?: DenialHelp | undefined;
}

/** What the organisation says to whoever was denied: one line, and where to read on. */
export interface DenialHelp {
  readonly text: string;
  readonly link?: string | undefined;
}

export interface DenialResponse {
  readonly head: ResponseHead;
  readonly body: string;
}

const decisions: ReadonlySet<ErrorCode> = new Set(['policy_denied', 'decider_denied', 'decider_unavailable']);

/** Whether it was refused by who decides: clients of some protocols are told in the form of theirs. */
export function isDecision(code: ErrorCode): boolean {
  return decisions.has(code);
}

/** What to do next, by code; absent where nothing useful can be said. */
const nextSteps: Partial<Record<ErrorCode, string>> = {
  policy_denied:
    'Ask the operator of the gateway to allow it, and give the trace id. Trying another way in will be refused too.',
  decider_denied:
    'Ask the operator of the gateway why, and give the trace id. Trying another way in will be refused too.',
  decider_unavailable:
    'The request was not sent. Try again later; if it stays so, the operator finds the cause under the trace id.',
  address_denied:
    'The operator can open its network in `addresses` of the rule. Trying another way in will be refused too.',
  protocol_denied: 'Only HTTP and TLS pass here unless a rule allows raw TCP to this host and port.',
  authority_mismatch:
    'Send the request with the host of the connection, or open a new connection for the other host.',
  credential_unavailable: 'The request was not sent. The operator finds the cause under the trace id.',
  origin_untrusted:
    'The gateway does not know the authority of the certificate. The operator can add it to `upstream.ca`, or to `trust` for the rule.',
};

const askNext =
  'Leave a request for access as shown, then go on without it or end the task: it stays refused until an operator grants it. Trying another way in will be refused too.';

function nextStepOf({ code, accessUrl, next }: Denial): string | undefined {
  return accessUrl === undefined ? (next ?? nextSteps[code]) : askNext;
}

/** The request that a workload can copy; its reason is the only part to write. */
function accessRequestOf({
  accessUrl,
  url,
  method,
  traceId,
}: Denial):
  | { readonly method: 'POST'; readonly url: string; readonly body: Readonly<Record<string, unknown>> }
  | undefined {
  if (accessUrl === undefined || url === undefined) return undefined;
  const end = { reason: 'why the task needs it', trace: traceId };
  // One URL of a repository alone lets nobody clone it: git makes several requests below it.
  const ending = gitEndings.find((one) => url.endsWith(one) && url.length > one.length);
  const repository = ending === undefined ? undefined : url.slice(0, -ending.length);
  const asked = repository === undefined ? { url: url.replace(/\?.*$/s, ''), method } : { url: repository };
  const body = { ...asked, ...end };
  return { method: 'POST', url: accessUrl, body };
}

/** What a handshake of another version is told (RFC 6455 §4.4, RFC 9110 §15.5.22). */
const versionFields: readonly HeaderField[] = [
  ['sec-websocket-version', '13'],
  ['upgrade', 'websocket'],
  ['connection', 'upgrade, close'],
];

/** What a client of the proxy listener can log in by (RFC 9110 §11.7.1); most take the first one that they know. */
export const proxyChallenges: readonly HeaderField[] = [
  ['proxy-authenticate', 'Basic realm="upstreamproxy"'],
  ['proxy-authenticate', 'Bearer realm="upstreamproxy"'],
];

const gitEndings = ['/info/refs?service=', '/'].flatMap((before) =>
  ['git-upload-pack', 'git-receive-pack'].map((service) => `${before}${service}`),
);

/** Whether a client that sends this Accept reads JSON. */
export function acceptsJson(accept: string): boolean {
  return accept.split(',').some((range) => {
    const type = (range.split(';', 1)[0] ?? '').trim().toLowerCase();
    return type === 'application/json' || (type.startsWith('application/') && type.endsWith('+json'));
  });
}

/** npm asks for archives with any type, and of a response prints its reason phrase and `error` of a JSON body, nothing else. */
const isNpm = (userAgent: string): boolean => /^npm\/\d/.test(userAgent);

/** The response as HTTP: text, or JSON if the request's Accept asks for it or its client reads nothing else. */
export function denialResponse(
  denial: Denial,
  accept: string | undefined,
  userAgent: string = '',
): DenialResponse {
  const wantsJson = (accept !== undefined && acceptsJson(accept)) || isNpm(userAgent);
  const body = wantsJson ? denialJson(denial) : denialText(denial);
  const headers = new HeaderList([
    ['content-type', wantsJson ? problemType : 'text/plain; charset=utf-8'],
    ['cache-control', 'no-store'],
    ['x-deny-reason', denial.code],
    ['x-trace-id', denial.traceId],
    ['content-length', String(new TextEncoder().encode(body).byteLength)],
  ]);
  const { retryAfterSeconds } = denial;
  const complete = [
    ...headers,
    ...(isAsked(denial.code) ? [noRetry] : []),
    ...(retryAfterSeconds === undefined ? [] : [['retry-after', String(retryAfterSeconds)] as const]),
    ...(denial.code === 'upgrade_required' ? versionFields : []),
    ...(denial.code === 'proxy_token_needed' ? proxyChallenges : []),
  ];
  const { http: status } = errorTable[denial.code];
  return { head: { status, reasonPhrase: reasonPhraseOf(denial), headers: new HeaderList(complete) }, body };
}

/** Clients of services of models send nothing again by themselves that has this field. */
export const noRetry: HeaderField = ['x-should-retry', 'false'];

/** Whether a person was to be asked: the same sent again at once changes nothing. */
export function isAsked(code: ErrorCode): boolean {
  return code === 'question_open' || code === 'question_denied' || code === 'question_impossible';
}

/** Many clients show nothing else of a response. Nothing in it is chosen by the workload. */
function reasonPhraseOf({ code, rule, traceId }: Denial): string {
  const { isDenial } = errorTable[code];
  const facts = [...(rule === undefined ? [] : [`rule ${rule}`]), `trace ${traceId}`].join(', ');
  return `${isDenial ? 'Refused' : 'Failed'} by upstreamproxy: ${code} (${facts})`;
}

/** What a person or a model reads. */
export function denialText(denial: Denial): string {
  const lines = [`upstreamproxy: ${denial.message}`];
  const request = [denial.method, denial.url].filter((part) => part !== undefined).join(' ');
  if (request !== '') lines.push(`request: ${request}`);
  if (denial.rule !== undefined) lines.push(`rule: ${denial.rule}`);
  if (denial.question !== undefined) lines.push(`question: ${denial.question}`);
  const next = nextStepOf(denial);
  if (next !== undefined) lines.push(`next: ${next}`);
  if (denial.help !== undefined) lines.push(`help: ${helpLine(denial.help)}`);
  const ask = accessRequestOf(denial);
  if (ask !== undefined) lines.push(`ask: ${ask.method} ${ask.url} ${JSON.stringify(ask.body)}`);
  lines.push(`reason: ${denial.code}`, `trace: ${denial.traceId}`, '');
  return lines.join('\n');
}

function helpLine({ text, link }: DenialHelp): string {
  return link === undefined ? text : `${text} ${link}`;
}

function denialJson(denial: Denial): string {
  return `${JSON.stringify(
    {
      ...problemDocument(denial.code, denial.message, { traceId: denial.traceId }),
      // What npm prints of a response.
      error: `upstreamproxy: ${denial.message} (trace ${denial.traceId})`,
      method: denial.method,
      url: denial.url,
      destination: denial.destination,
      rule: denial.rule,
      question: denial.question,
      next: nextStepOf(denial),
      help: denial.help,
      request_access: accessRequestOf(denial),
    },
    undefined,
    2,
  )}\n`;
}
