// Kind `hmac`: a keyed hash over a text that a template makes of the request, in fields and parameters that templates make too.

import { Buffer } from 'node:buffer';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Hmac } from 'node:crypto';
import { hostField } from '../../../http/authority.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import { readParameters, withParameter, withoutParameter } from '../../../http/query-parameter.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { BodyFacts } from '../request/body-rewrite.ts';
import type { HeldBodies } from '../request/held-bodies.ts';
import type { Injected } from '../request/injected.ts';
import { coveredField, coveredMethod, coveredPath, refused, withoutOwnFields } from './covered-head.ts';
import { signedBody } from './signed-body.ts';
import { sortedQuery } from './sorted-query.ts';
import type { TemplatePart, TextEncoding, TimestampForm } from './signature-template.ts';

export interface HmacSettings {
  readonly name: string;
  readonly algorithm: 'sha256' | 'sha512' | 'sha1';
  readonly keyEncoding: 'text' | 'hex' | 'base64';
  readonly encoding: TextEncoding;
  /** The text that is signed. */
  readonly text: readonly TemplatePart[];
  readonly headers: readonly PlacedText[];
  readonly parameters: readonly PlacedText[];
}

/** A field or a parameter of the query that the signature brings along. */
export interface PlacedText {
  readonly name: string;
  readonly parts: readonly TemplatePart[];
}

/** What all templates of one request are filled in from. */
interface Filling {
  readonly nowMs: number;
  readonly nonce: string;
  /** Undefined: no template has it. */
  readonly body: Buffer | undefined;
  readonly signature?: string;
}

export class HmacInjector {
  readonly #settings: HmacSettings;
  readonly #held: HeldBodies;
  readonly #needsBody: boolean;

  constructor(settings: HmacSettings, held: HeldBodies) {
    this.#settings = settings;
    this.#held = held;
    const all = [settings.text, ...[...settings.headers, ...settings.parameters].map(({ parts }) => parts)];
    this.#needsBody = all.flat().some(({ kind }) => kind === 'body' || kind === 'body-hash');
  }

  /** @throws ProxyError signature_refused, credential_unavailable, body_too_large, limit_exceeded, timeout */
  async inject(
    head: RequestHead,
    secret: Secret<string>,
    { nowMs, body }: { readonly nowMs: number; readonly body: BodyFacts | undefined },
  ): Promise<Omit<Injected, 'values'>> {
    const { algorithm, encoding, text } = this.#settings;
    const key = keyOf(this.#settings, secret);
    const bare = this.#withoutOwn(head);
    const held = this.#needsBody ? await signedBody(body, this.#held) : undefined;
    const filling = { nowMs, nonce: randomBytes(16).toString('hex'), body: held?.bytes };
    const prepared = this.#placed(bare, filling);
    const hmac = createHmac(algorithm, key);
    for (const part of text) addPart(hmac, part, prepared, filling);
    const signature = hmac.digest(encoding);
    const signed = this.#placed(prepared, { ...filling, signature });
    return { head: signed, ...(held?.rewrite === undefined ? {} : { body: held.rewrite }) };
  }

  /** What the workload wrote where ours is going to stand. */
  #withoutOwn(head: RequestHead): RequestHead {
    const { headers, parameters } = this.#settings;
    const bare = withoutOwnFields(
      head,
      headers.map(({ name }) => name),
    );
    let { query } = bare;
    for (const { name } of parameters) {
      if (readParameters(query).some((found) => (found.get(name)?.length ?? 0) > 1))
        throw refused(`the parameter ${name} stands more than once; send it once, or not at all`);
      query = withoutParameter(query, name);
    }
    return query === bare.query ? bare : { ...bare, query };
  }

  /** With the fields and parameters that have a signature, or, as long as there is none, with the others. */
  #placed(head: RequestHead, filling: Filling): RequestHead {
    const isDue = ({ parts }: PlacedText): boolean =>
      parts.some(({ kind }) => kind === 'signature') === (filling.signature !== undefined);
    let { headers, query } = head;
    for (const { name, parts } of this.#settings.headers.filter(isDue))
      headers = headers.with(name, placedText(parts, filling));
    for (const { name, parts } of this.#settings.parameters.filter(isDue))
      query = withParameter(query, name, placedText(parts, filling));
    return { ...head, headers, query };
  }
}

/** Node keeps a copy of its own; ours is gone with the request. */
function keyOf({ name, keyEncoding }: HmacSettings, secret: Secret<string>): Buffer {
  const text = secret.reveal();
  if (keyEncoding === 'text') return Buffer.from(text);
  const isFit =
    keyEncoding === 'hex'
      ? /^(?:[0-9A-Fa-f]{2})+$/.test(text)
      : /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0;
  if (!isFit)
    throw new ProxyError(
      'credential_unavailable',
      `credential ${name}: the secret is not ${keyEncoding}, as "keyEncoding" says`,
    );
  return Buffer.from(text, keyEncoding);
}

function addPart(hmac: Hmac, part: TemplatePart, head: RequestHead, filling: Filling): void {
  if (part.kind === 'body') hmac.update(filling.body ?? Buffer.alloc(0));
  else hmac.update(partText(part, head, filling), 'latin1');
}

function partText(
  part: Exclude<TemplatePart, { kind: 'body' }>,
  head: RequestHead,
  filling: Filling,
): string {
  switch (part.kind) {
    case 'method':
      return coveredMethod(head);
    case 'path':
      return coveredPath(head);
    case 'query-text':
      return head.query.slice(1);
    case 'sorted-query':
      return sortedQuery(head.query);
    case 'target':
      return coveredPath(head) + (head.query.length > 1 ? head.query : '');
    case 'host':
      return hostField(head.destination);
    case 'field':
      return coveredField(head, part.name);
    default:
      return ownText(part, filling);
  }
}

function placedText(parts: readonly TemplatePart[], filling: Filling): string {
  return parts.map((part) => ownText(part, filling)).join('');
}

/** What does not depend on the head. */
function ownText(part: TemplatePart, { nowMs, nonce, body, signature }: Filling): string {
  switch (part.kind) {
    case 'text':
      return part.text;
    case 'timestamp':
      return timestampText(part.form, nowMs);
    case 'nonce':
      return nonce;
    case 'body-hash':
      return createHash(part.hash)
        .update(body ?? Buffer.alloc(0))
        .digest(part.encoding);
    case 'signature':
      return signature ?? '';
    default:
      throw new ProxyError('internal', `a template has ${part.kind} where it cannot stand`);
  }
}

function timestampText(form: TimestampForm, nowMs: number): string {
  switch (form) {
    case 's':
      return String(Math.floor(nowMs / 1000));
    case 'ms':
      return String(Math.floor(nowMs));
    case 'iso':
      return new Date(nowMs).toISOString();
    case 'http':
      return new Date(nowMs).toUTCString();
  }
}
