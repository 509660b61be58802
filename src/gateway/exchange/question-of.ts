// What a person is asked about a request, and what an answer is bound to: the very request, or all that its readers saw alike.

import { createHash } from 'node:crypto';
import { hostField } from '../../http/authority.ts';
import type { RequestHead } from '../../http/message-head.ts';
import type { AskedOf } from '../../policy/ask-rule.ts';
import type { Principal, RequestAccess } from '../../policy/decision.ts';
import { llmRequestIn } from '../../policy/llm-rule.ts';
import { messageOf } from '../../policy/mcp-rule.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import type { AskedQuestion } from '../access/question-desk.ts';
import { bodyDigestFields } from './body-digests.ts';
import { ownerOf } from './spending-accounts.ts';

/** What is asked about: the request as its client sent it. */
export interface HeldRequest {
  readonly head: RequestHead;
  readonly access: RequestAccess;
  /** Whether it becomes a WebSocket. */
  readonly isUpgrade: boolean;
  /** Undefined: it was not read whole. */
  readonly body: Uint8Array | undefined;
  readonly asks: AskedOf;
  readonly principal: Principal;
  readonly policyName: string | undefined;
  readonly policyVersion: string;
  readonly traceId: string;
}

/** How a message is framed on one hop: the gateway says it anew. */
const framing: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'te',
  'trailer',
  'transfer-encoding',
]);

/** They differ each time a client sends the same again, and change nothing of what is asked for. */
const volatile: ReadonlySet<string> = new Set([
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'b3',
  'baggage',
  'date',
  'idempotency-key',
  'npm-session',
  'sentry-trace',
  'traceparent',
  'tracestate',
  'x-amz-date',
  'x-amzn-trace-id',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-cloud-trace-context',
  'x-correlation-id',
  'x-idempotency-key',
  'x-request-id',
  'x-stainless-retry-count',
  'x-stainless-timeout',
]);

/** Every client sends them, and nobody needs to read them. */
const usual: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'content-type',
  'user-agent',
]);

export function questionOf(held: HeldRequest): AskedQuestion {
  const { head, asks, body, traceId, policyVersion } = held;
  const { scheme, host, port } = head.destination;
  const facts = factsOf(held);
  const digest = body === undefined ? 'unseen' : sha256(body);
  const seen = isShowable(held) ? 'seen' : 'unseen';
  const url = `${head.path}${head.query}`;
  const fields = fieldsOf(head, (name) => !volatile.has(name));
  const rootId = ownerOf(held.principal);
  const common = [
    asks.rule,
    held.policyName ?? '',
    policyVersion,
    [scheme, host, port, head.method, url],
    facts.map(({ key }) => key),
    [held.isUpgrade, seen],
  ];
  const shown = body === undefined || seen === 'unseen' ? undefined : textOf(body);
  return {
    rootId,
    // What was denied is denied to all that the session makes. What was allowed the store gives to its own session alone.
    onceKey: keyOf('once', rootId, ...common, digest, fields),
    wideKey: keyOf('wide', held.principal.sessionId, ...common, fields.filter(isOfAnyBody)),
    content: {
      rule: asks.rule,
      // Other schemes have no requests.
      scheme: scheme === 'http' ? 'http' : 'https',
      host,
      port,
      method: head.method,
      path: cut(url),
      traceId,
      policyVersion,
      bound: [
        { name: 'request', value: cut(`${head.method} ${scheme}://${hostField(head.destination)}${url}`) },
        ...facts.map(({ name, value }) => ({ name, value: cut(value) })),
        ...(held.isUpgrade ? [{ name: 'upgrade', value: 'it becomes a WebSocket' }] : []),
        { name: 'body', value: bodyText(held, digest) },
        ...fields
          .filter(([name]) => !usual.has(name))
          .map(([name, values]) => ({
            name: `field ${name}`,
            value: isSecret(name) ? 'not shown' : cut(values.join(', ')),
          })),
        ...fieldsOf(head, (name) => volatile.has(name)).map(([name, values]) => ({
          name: `not bound: ${name}`,
          value: `${String(values.join(', ').length)} characters`,
        })),
      ],
      body: seen,
      choices: asks.choices,
    },
    ...(shown === undefined || shown === '' ? {} : { shown }),
  };
}

interface Fact {
  /** All of it, in a form that says nothing else. */
  readonly key: unknown;
  readonly name: string;
  readonly value: string;
}

/** All of what readers saw, never cut: what is not in it would be let through with any other value. */
function factsOf({ access }: HeldRequest): readonly Fact[] {
  const { graphql, pushed, pushOptions = [] } = access;
  const message = messageOf(access);
  const call = llmRequestIn(access);
  const facts: Fact[] = [];
  if (message !== undefined && !(message instanceof UnreadableBody)) {
    const { method, target } = message;
    const value = target === undefined ? method : `${method} ${target.kind} ${target.name}`;
    facts.push({ key: [method, target?.kind, target?.name], name: 'message', value });
  }
  if (graphql !== undefined && !(graphql instanceof UnreadableBody))
    facts.push(
      ...graphql.asked
        .flatMap((one) =>
          one.kind === 'document'
            ? one.operations.map(({ type, name, fields }) => [type, name, fields.map((field) => field.name)])
            : [['kept', one.id, []]],
        )
        .map((key, at) => ({ key, name: `operation ${String(at + 1)}`, value: key.flat().join(' ') })),
    );
  if (call !== undefined && !(call instanceof UnreadableBody))
    facts.push({
      key: [call.api, call.kind, call.model],
      name: 'model',
      value: `${call.api} ${call.kind} ${call.model}`,
    });
  if (pushed !== undefined)
    facts.push({
      key: [pushed, pushOptions],
      name: 'push',
      value: [...pushed.map(({ ref, change }) => `${change} ${ref}`), ...pushOptions].join(', '),
    });
  return facts;
}

type Field = readonly [name: string, values: readonly string[]];

/** In the order of their names, with all values of each. */
function fieldsOf({ headers }: RequestHead, isWanted: (name: string) => boolean): readonly Field[] {
  const names = new Set([...headers].map(([name]) => name.toLowerCase()));
  return [...names]
    .filter((name) => !framing.has(name) && isWanted(name))
    .toSorted()
    .map((name) => [
      name,
      name === 'authorization' ? headers.all(name).map(withoutSignature) : headers.all(name),
    ]);
}

/** A wider answer is for any body, and for each client that says the same: what speaks of a body's octets is another one with each. */
function isOfAnyBody([name]: Field): boolean {
  return !usual.has(name) && !bodyDigestFields.test(name);
}

/**
 * A signature of AWS holds the moment, so that it is another one each time; what is signed is bound by itself. Nothing but such a
 * signature is left out: whatever else stands there is the workload's to choose.
 */
function withoutSignature(value: string): string {
  return value.startsWith('AWS4-HMAC-SHA256 ')
    ? value.replace(/Signature=[0-9a-f]{64}$/, 'Signature=')
    : value;
}

function bodyText(held: HeldRequest, digest: string): string {
  const { head, body } = held;
  const type = head.headers.first('content-type');
  const what = type === undefined ? '' : ` of ${cut(type)}`;
  if (body === undefined) return `nobody saw it${what}`;
  if (body.length === 0) return 'none';
  const bytes = `${String(body.length)} bytes${what}, SHA-256 ${digest}`;
  if (!isShowable(held)) return `${bytes}, of which nothing can be shown`;
  const { askShownBodyBytesMax: max } = defaultLimits;
  return body.length <= max ? bytes : `${bytes}, of which the first ${String(max)} are shown`;
}

/** Whether a person can read its body, or there is none: text, and not encoded, for an encoding can make one text of another. */
export function isShowable({ head, body }: Pick<HeldRequest, 'head' | 'body'>): boolean {
  if (body === undefined) return false;
  const codings = head.headers.all('content-encoding');
  const isPlain = codings.every((coding) => coding.trim().toLowerCase() === 'identity');
  return body.length === 0 || (isPlain && textOf(body) !== undefined);
}

/** The beginning of what is text; undefined for what is not. */
function textOf(body: Uint8Array): string | undefined {
  const beginning = body.subarray(0, defaultLimits.askShownBodyBytesMax);
  try {
    // As a stream: the last character may be cut.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(beginning, {
      stream: true,
    });
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Names of fields whose values are the workload's secrets, if it has some. */
function isSecret(name: string): boolean {
  return /auth|cookie|credential|key|passw|secret|signature|token/.test(name);
}

function cut(text: string): string {
  const max = defaultLimits.askBoundCharactersMax;
  return text.length <= max ? text.toWellFormed() : `${text.slice(0, max - 1).toWellFormed()}…`;
}

function keyOf(...parts: readonly unknown[]): string {
  return sha256(JSON.stringify(parts));
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
