// How a credential is put on a request head. The client's own value of the field or parameter is always replaced.

import type { Injected } from './request/injected.ts';
import { Buffer } from 'node:buffer';
import type { RequestHead } from '../../http/message-head.ts';
import { ProxyError } from '../../protocol/error.ts';
import { Secret } from '../../protocol/secret.ts';
import type { BodyFacts } from './request/body-rewrite.ts';
import type { HeadKindConfig } from './credential-config.ts';
import { asFieldValue } from './request/field-value.ts';
import type { HeldBodies } from './request/held-bodies.ts';
import { bodyDigests, bodyFormOf, substituteInBody } from './request/placeholder-body.ts';
import { hasPlaceholder, substitutePlaceholder } from './request/placeholder.ts';
import { withParameter } from '../../http/query-parameter.ts';

export interface CredentialInjector {
  /** Absent: every request gets it. Where it says no, the request passes as it is and no source is asked. */
  applies?(head: RequestHead, body: BodyFacts | undefined): boolean;
  /** `body` is undefined if the request has none. */
  inject(
    head: RequestHead,
    secret: Secret<string>,
    body: BodyFacts | undefined,
  ): Injected | Promise<Injected>;
}

export interface PlaceholderOptions {
  /** What the workload has instead. */
  readonly text?: string;
  /** Where bodies are held that are searched; without it none is. */
  readonly held?: HeldBodies;
}

export function createInjector(
  config: HeadKindConfig,
  { text, held }: PlaceholderOptions = {},
): CredentialInjector {
  switch (config.kind) {
    case 'bearer':
      return {
        inject: (head, secret) =>
          withField(head, 'authorization', `Bearer ${asFieldValue(secret.reveal())}`, [secret]),
      };
    case 'basic':
      return {
        inject: (head, secret) => {
          const pair = Buffer.from(`${config.username}:${secret.reveal()}`).toString('base64');
          return withField(head, 'authorization', `Basic ${pair}`, [secret, new Secret(pair)]);
        },
      };
    case 'header':
      return {
        inject: (head, secret) =>
          withField(head, config.header, `${config.prefix ?? ''}${asFieldValue(secret.reveal())}`, [secret]),
      };
    case 'query':
      return {
        inject: (head, secret) => ({
          head: { ...head, query: withParameter(head.query, config.parameter, secret.reveal()) },
          values: [secret],
        }),
      };
    case 'placeholder': {
      if (text === undefined) throw new ProxyError('config_invalid', 'kind placeholder needs one');
      return held === undefined ? placeholderInHead(text) : placeholderAnywhere(text, held);
    }
  }
}

function placeholderInHead(placeholder: string): CredentialInjector {
  return {
    applies: (head) => hasPlaceholder(head, placeholder),
    inject: (head, secret) => substitutePlaceholder(head, placeholder, secret),
  };
}

function placeholderAnywhere(placeholder: string, held: HeldBodies): CredentialInjector {
  return {
    applies: (head, body) =>
      hasPlaceholder(head, placeholder) || (body !== undefined && bodyFormOf(head) !== undefined),
    inject: async (head, secret, body) => {
      const isInHead = hasPlaceholder(head, placeholder);
      const injected = isInHead ? substitutePlaceholder(head, placeholder, secret) : { head, values: [] };
      const form = bodyFormOf(head);
      if (form === undefined || body === undefined) return injected;
      const { body: rewrite, isFound } = await substituteInBody(form, body, held, { placeholder, secret });
      // It was held and has none: it goes on as it came.
      if (isFound === false) return { ...injected, body: rewrite, isUnused: !isInHead };
      const headers = injected.head.headers.without(...bodyDigests);
      const values = [secret, ...injected.values, new Secret(JSON.stringify(secret.reveal()).slice(1, -1))];
      return { head: { ...injected.head, headers }, values, body: rewrite };
    },
  };
}

function withField(
  head: RequestHead,
  name: string,
  value: string,
  values: readonly Secret<string>[],
): Injected {
  return { head: { ...head, headers: head.headers.withoutAlike(name).with(name, value) }, values };
}
